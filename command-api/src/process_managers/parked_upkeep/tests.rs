use chassis::clock::Clock;
use followers::{LogFeed, MemoryBook, MemoryParking, ParkedMessages};

use super::*;
use crate::parked::ParkedOutcome;
use crate::parked::tests::{Parked, acts};
use crate::testing::Fault;

fn upkeep(parked: &Parked, desk: &Arc<MemoryParking>) -> ParkedUpkeep {
    let feed = Arc::new(LogFeed::new(parked.world.memory.clone(), ParkedUpkeep::events()));
    ParkedUpkeep::new(Arc::new(acts(&parked.world, desk)), feed, parked.world.memory.clone())
}

/// An operator's wish whose recorder died before its outcome was written.
async fn cut_short(act: ParkedAct) -> Parked {
    let parked = Parked::new().await;
    parked.world.log.meanwhile("operations-", async {});
    parked.world.log.next("operations-", Fault::Unavailable);
    parked.act(act, None).await.unwrap_err();
    parked
}

#[tokio::test]
async fn a_wish_is_left_to_who_recorded_it_for_a_while_and_then_taken_up() {
    let parked = cut_short(ParkedAct::Redrive).await;
    let upkeep = upkeep(&parked, &parked.desk);
    assert!(matches!(upkeep.run_once().await, Err(FollowerError::Waiting)));
    parked.world.clock.advance(PATIENCE);
    assert!(upkeep.run_once().await.unwrap().applied == 1);
    let recorded = parked.recorded().await;
    assert_eq!(parked.recorded_types().await, ["ParkedActRequested", "ParkedActDone"]);
    assert_eq!(recorded[1].metadata.actor, "process:parked_upkeep");
    assert_eq!((recorded[1].metadata.causation_id, parked.state()), (Some(recorded[0].event_id), Some(ParkedState::Waiting)));
    while !upkeep.run_once().await.unwrap().caught_up {}
    assert_eq!(upkeep.lag().await.unwrap().events, 0);
}

#[tokio::test]
async fn one_whose_message_is_gone_by_then_lapses() {
    let parked = cut_short(ParkedAct::Redrive).await;
    let waiting = parked.desk.parked().remove(0);
    Parked::taken(&parked.desk, &waiting);
    parked.world.clock.advance(PATIENCE);
    upkeep(&parked, &parked.desk).run_once().await.unwrap();
    assert_eq!(parked.recorded_types().await, ["ParkedActRequested", "ParkedActLapsed"]);
}

#[tokio::test]
async fn what_has_its_outcome_is_done_no_second_time() {
    let parked = Parked::new().await;
    parked.act(ParkedAct::Redrive, None).await.unwrap();
    parked.world.clock.advance(PATIENCE);
    let before = parked.desk.parked();
    while !upkeep(&parked, &parked.desk).run_once().await.unwrap().caught_up {}
    assert_eq!((parked.desk.parked(), parked.recorded_types().await.len()), (before, 2));
}

#[tokio::test]
async fn a_skipped_message_is_skipped_in_tables_that_are_made_anew() {
    let parked = Parked::new().await;
    assert_eq!(parked.act(ParkedAct::Skip, None).await.unwrap().outcome, ParkedOutcome::Done);
    // One of them has met the message before the process manager has, the other has not.
    let mut met = MemoryBook::default();
    met.restore(&parked.message);
    for book in [MemoryBook::default(), met] {
        let desk = Arc::new(MemoryParking::new(book));
        let upkeep = upkeep(&parked, &desk);
        while !upkeep.run_once().await.unwrap().caught_up {}
        let kept = desk.show(&parked.message.parked_id).await.unwrap();
        assert_eq!((kept.state, kept.skip_reason.as_deref()), (ParkedState::Skipped, Some("made good by hand")));
        assert_eq!(kept.event, parked.message.event);
    }
    assert_eq!(parked.recorded_types().await.len(), 2);
}

#[tokio::test]
async fn nothing_is_put_back_where_the_log_has_another_event() {
    let parked = Parked::new().await;
    parked.act(ParkedAct::Skip, None).await.unwrap();
    let desk = Arc::new(MemoryParking::new(MemoryBook::default()));
    let upkeep = upkeep(&parked, &desk);
    let mut done = parked.recorded().await.remove(1);
    done.data = done.data.replace(&parked.message.event.event_id.to_string(), "0197f0a2-0000-7000-8000-000000000009");
    assert!(upkeep.see(&done).await.unwrap());
    assert_eq!(desk.parked(), []);
    assert!(parked.world.clock.now() >= done.recorded_at);
}
