use futures_util::FutureExt;
use futures_util::future::join_all;

use super::super::tests::{Added, Scene, Tally, TooMuch, add, context, scene, stream};
use super::*;
use crate::testing::Fault;

#[tokio::test]
async fn those_who_wait_are_decided_one_after_the_other_and_appended_at_once() {
    let scene = scene();
    scene.log.meanwhile("tally", tokio::task::yield_now());
    let all = (0..50).map(|_| together(&scene, |tally| if tally.0 < 40 { Ok(vec![Added(1)]) } else { Err(TooMuch) }));
    let outcomes = join_all(all).await;
    let (done, refused): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!((done.len(), refused.len()), (40, 10), "each decision sees those before it");
    assert!(refused.into_iter().all(|refused| matches!(refused, Err(ExecuteError::Rejected(TooMuch)))));
    assert_eq!(scene.numbers().await, vec![1; 40]);
    assert_eq!(scene.log.tried().len(), 2, "those who came during the first append share the second");
}

#[tokio::test]
async fn who_waits_is_decided_anew_when_another_process_was_sooner() {
    let scene = scene();
    add(&scene.handler, 5).await.unwrap();
    scene.meanwhile(7);
    let all = (0..3).map(|_| together(&scene, |tally| Ok(vec![Added(tally.0)])));
    assert!(join_all(all).await.into_iter().all(|outcome| outcome.is_ok()));
    assert_eq!(scene.numbers().await, [5, 7, 12, 24, 48]);
}

#[tokio::test]
async fn a_refusal_is_made_on_what_stands_at_the_head() {
    let scene = scene();
    add(&scene.handler, 5).await.unwrap();
    // Another process takes it back to where the command would be allowed; this one has not heard of it.
    add(&scene.other(), 1).await.unwrap();
    let decide = |tally: &Tally| if tally.0 == 5 { Err(TooMuch) } else { Ok(vec![]) };
    let outcome = together(&scene, decide).await.unwrap();
    assert_eq!(outcome.standing.state.0, 6);
}

#[tokio::test]
async fn a_log_that_is_gone_is_told_to_all_who_wait() {
    let scene = scene();
    scene.log.meanwhile("tally", tokio::task::yield_now());
    scene.log.next("tally", Fault::Unavailable);
    let all = (0..4).map(|_| together(&scene, |_| Ok(vec![Added(1)])));
    let outcomes = join_all(all).await;
    assert!(outcomes[0].is_ok());
    assert!(outcomes[1..].iter().all(|outcome| matches!(outcome, Err(ExecuteError::Append(AppendError::Unavailable(_))))), "{outcomes:?}");
    assert_eq!(scene.numbers().await, [1]);
}

#[tokio::test]
async fn of_those_who_wait_one_whose_cause_led_to_it_before_finds_a_stream_that_moved() {
    let scene = scene();
    let derived = |cause| Context { event_ids: EventIds::Derived { cause: Uuid::from_u128(cause), handler: "manager" }, ..context() };
    let decide = |_: &Tally| Ok(vec![Added(1)]);
    for cause in [1, 2] {
        scene.handler.execute_together(&stream(), &derived(cause), decide).await.unwrap();
    }
    scene.log.meanwhile("tally", tokio::task::yield_now());
    let (stream_id, contexts) = (stream(), [3, 1, 4].map(derived));
    let outcomes = join_all(contexts.iter().map(|context| scene.handler.execute_together(&stream_id, context, decide))).await;
    assert!(matches!(outcomes[..], [Ok(_), Err(ExecuteError::Contended(_)), Ok(_)]), "{outcomes:?}");
    assert_eq!(scene.numbers().await, [1; 4]);
}

#[tokio::test]
async fn an_unknown_outcome_is_repeated_as_it_was() {
    let scene = scene();
    scene.log.next("tally", Fault::UnknownAfter);
    let all = (0..3).map(|_| together(&scene, |_| Ok(vec![Added(1)])));
    assert!(join_all(all).await.into_iter().all(|outcome| outcome.is_ok()));
    assert_eq!(scene.numbers().await, [1, 1, 1]);
}

#[tokio::test]
async fn who_is_dropped_while_deciding_for_others_leaves_them_to_decide() {
    let scene = scene();
    for _ in 0..2 {
        scene.log.next("tally", Fault::Meanwhile(Box::pin(std::future::pending())));
    }
    let add_once = || Box::pin(together(&scene, |tally| Ok(once(tally.0))));
    let (mut first, mut second, mut third) = (add_once(), add_once(), add_once());
    for waiting in [&mut first, &mut second, &mut third] {
        assert!(waiting.now_or_never().is_none(), "the first hangs in its append, the others wait");
    }
    drop(first);
    assert!((&mut second).now_or_never().is_none(), "the second decides for the third too, and hangs");
    drop(second);
    third.await.unwrap();
    assert_eq!(scene.numbers().await, [1]);
}

/// Adds one where nothing was added yet.
fn once(tally: u32) -> Vec<Added> {
    if tally == 0 { vec![Added(1)] } else { vec![] }
}

fn together(
    scene: &Scene,
    decide: impl Fn(&Tally) -> Result<Vec<Added>, TooMuch> + Send + Sync + 'static,
) -> impl Future<Output = Outcome<Tally>> {
    let handler = Arc::clone(&scene.handler);
    let decide = Arc::new(decide);
    async move { handler.execute_together(&stream(), &context(), move |tally| decide(tally)).await }
}
