use std::future::{pending, poll_fn};
use std::pin::pin;
use std::task::Poll;

use super::*;
use crate::testing::*;
use crate::{Applied, LogFeed};

/// An effect in memory that may be told to fail or to hang.
#[derive(Default)]
struct Names {
    kept: Mutex<Option<(Checkpoint, Vec<String>)>>,
    trouble: Mutex<Option<Trouble>>,
}

#[derive(Clone, Copy)]
enum Trouble {
    Fails,
    /// Hangs before anything is kept.
    HangsBefore,
    /// Hangs when all is kept and nobody has heard of it.
    HangsAfter,
}

impl Names {
    fn names(&self) -> Vec<String> {
        self.kept.lock().unwrap().clone().unwrap_or((Checkpoint::FIRST, Vec::new())).1
    }

    fn have(&self, trouble: Option<Trouble>) {
        *self.trouble.lock().unwrap() = trouble;
    }

    /// Another worker's commit, or a rebuild's.
    fn move_to(&self, checkpoint: Checkpoint) {
        let names = self.names();
        *self.kept.lock().unwrap() = Some((checkpoint, names));
    }
}

#[async_trait]
impl Effect for Names {
    fn name(&self) -> &'static str {
        "names"
    }

    async fn checkpoint(&self) -> Result<Checkpoint, EffectError> {
        Ok(self.kept.lock().unwrap().as_ref().map_or(Checkpoint::FIRST, |(checkpoint, _)| *checkpoint))
    }

    async fn apply(&self, from: Checkpoint, page: &Page) -> Result<Applied, EffectError> {
        let trouble = *self.trouble.lock().unwrap();
        match trouble {
            Some(Trouble::Fails) => return Err(EffectError::Store("the disk is full".into())),
            Some(Trouble::HangsBefore) => pending().await,
            Some(Trouble::HangsAfter) | None => {}
        }
        let checkpoint = {
            let mut kept = self.kept.lock().unwrap();
            let (stored, names) = kept.get_or_insert((Checkpoint::FIRST, Vec::new()));
            let moved = from.advance_in_memory(stored, page.reached).map_err(|_| EffectError::Overtaken)?;
            names.extend(page.events.iter().map(|event| event.event_type.clone()));
            moved
        };
        if let Some(Trouble::HangsAfter) = trouble {
            pending::<()>().await;
        }
        Ok(Applied { checkpoint, events: page.events.len() })
    }
}

fn follower(story: &Story, effect: &Arc<Names>) -> FeedFollower {
    let feed = Arc::new(LogFeed::new(story.reader(), ["OrderCreated", "OrderPaid"]));
    FeedFollower::new(feed, Arc::<Names>::clone(effect))
}

#[tokio::test]
async fn an_empty_log_is_caught_up_with_at_once() {
    let (story, effect) = (Story::new(), Arc::new(Names::default()));
    let progress = follower(&story, &effect).run_once().await.unwrap();
    assert_eq!(progress, Progress { applied: 0, position: Position::START, caught_up: true });
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_overlap() {
    let (story, effect) = (Story::new(), Arc::new(Names::default()));
    story.append(&["OrderCreated", "OrderPaid", "OrderCreated", "OrderClosing", "OrderPaid"]).await;
    let follower = follower(&story, &effect).with_page_events(2);
    let first = follower.run_once().await.unwrap();
    assert_eq!(first, Progress { applied: 2, position: position(2), caught_up: false });
    let second = follower.run_once().await.unwrap();
    assert_eq!(second, Progress { applied: 1, position: position(4), caught_up: false });
    let third = follower.run_once().await.unwrap();
    assert_eq!(third, Progress { applied: 1, position: position(5), caught_up: true });
    assert_eq!(effect.names(), ["OrderCreated", "OrderPaid", "OrderCreated", "OrderPaid"]);
    let nothing = follower.run_once().await.unwrap();
    assert_eq!(nothing, Progress { applied: 0, position: position(5), caught_up: true });
}

#[tokio::test]
async fn a_new_worker_goes_on_at_the_stored_checkpoint() {
    let (story, effect) = (Story::new(), Arc::new(Names::default()));
    story.append(&["OrderCreated"]).await;
    follower(&story, &effect).run_once().await.unwrap();
    story.append(&["OrderPaid"]).await;
    follower(&story, &effect).run_once().await.unwrap();
    assert_eq!(effect.names(), ["OrderCreated", "OrderPaid"]);
}

#[tokio::test]
async fn an_effect_that_fails_is_tried_again_and_nothing_is_lost() {
    let (story, effect) = (Story::new(), Arc::new(Names::default()));
    story.append(&["OrderCreated"]).await;
    let follower = follower(&story, &effect);
    effect.have(Some(Trouble::Fails));
    for _ in 0..2 {
        let failed = follower.run_once().await;
        assert!(matches!(failed, Err(FollowerError::Effect(EffectError::Store(_)))), "{failed:?}");
    }
    assert_eq!(follower.lag().await.unwrap(), Lag { events: 1, since: Some(at(1)) });
    effect.have(None);
    assert!(follower.run_once().await.unwrap().caught_up);
    assert_eq!(effect.names(), ["OrderCreated"]);
    assert_eq!(follower.lag().await.unwrap(), Lag::default());
}

#[tokio::test]
async fn who_is_overtaken_goes_on_from_there() {
    let (story, effect) = (Story::new(), Arc::new(Names::default()));
    story.append(&["OrderCreated"]).await;
    let follower = follower(&story, &effect);
    follower.run_once().await.unwrap();
    effect.move_to(Checkpoint { generation: 2, position: position(1) });
    story.append(&["OrderPaid"]).await;
    let overtaken = follower.run_once().await;
    assert!(matches!(overtaken, Err(FollowerError::Overtaken)), "{overtaken:?}");
    assert_eq!(effect.names(), ["OrderCreated"]);
    assert!(follower.run_once().await.unwrap().caught_up);
    assert_eq!(effect.names(), ["OrderCreated", "OrderPaid"]);
}

/// Polls a run once and drops it where it waits, as a process that ends does.
async fn drop_midway(follower: &FeedFollower) {
    let mut run = pin!(follower.run_once());
    let state = poll_fn(|context| Poll::Ready(run.as_mut().poll(context).is_pending())).await;
    assert!(state, "the run was to hang");
}

#[tokio::test]
async fn a_run_that_is_dropped_before_its_commit_is_done_again() {
    let (story, effect) = (Story::new(), Arc::new(Names::default()));
    story.append(&["OrderCreated"]).await;
    let follower = follower(&story, &effect);
    effect.have(Some(Trouble::HangsBefore));
    drop_midway(&follower).await;
    effect.have(None);
    assert_eq!(follower.run_once().await.unwrap().applied, 1);
    assert_eq!(effect.names(), ["OrderCreated"]);
}

#[tokio::test]
async fn a_run_that_is_dropped_after_its_commit_is_not_done_twice() {
    let (story, effect) = (Story::new(), Arc::new(Names::default()));
    story.append(&["OrderCreated"]).await;
    let follower = follower(&story, &effect);
    effect.have(Some(Trouble::HangsAfter));
    drop_midway(&follower).await;
    effect.have(None);
    assert_eq!(follower.run_once().await.unwrap().applied, 0);
    assert_eq!(effect.names(), ["OrderCreated"]);
}
