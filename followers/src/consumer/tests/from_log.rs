//! Messages from the log: parking without a broker.

use super::*;

/// A log of fixed events, as a feed of messages.
struct Fixed(Vec<RecordedEvent>);

#[async_trait]
impl MessageFeed for Fixed {
    fn part(&self) -> Option<Part> {
        None
    }

    async fn batch(&self, after: Position, limit: usize) -> Result<Batch, MessageFeedError> {
        let next: Vec<_> = self.0.iter().filter(|event| event.position > after).take(limit).cloned().collect();
        let reached = Some(next.last().map_or(after, |event| event.position));
        let caught_up = next.len() < limit;
        let messages = next.into_iter().map(|event| Message { event, link: None, deliveries: 1, receipt: 0 }).collect();
        Ok(Batch { messages, reached, caught_up, unknown: 0 })
    }

    async fn ack(&self, _: &[u64]) -> Result<(), MessageFeedError> {
        Ok(())
    }

    async fn nak(&self, _: u64, _: TimeDelta) -> Result<(), MessageFeedError> {
        Ok(())
    }

    async fn lag(&self, _: Position) -> Result<Lag, MessageFeedError> {
        Ok(Lag::default())
    }
}

/// Two orders, taking turns: order 1 at the odd positions.
fn two_orders() -> Vec<RecordedEvent> {
    (1..=8).map(|number| event(number, if number % 2 == 1 { "order-1" } else { "order-2" }, (number.unsigned_abs() - 1) / 2)).collect()
}

fn consumer(effect: &Arc<Taking>, clock: &Arc<ManualClock>, batch: usize) -> Consumer<Taking> {
    let patience = Patience::new(vec![TimeDelta::seconds(1), TimeDelta::seconds(5)]);
    let clock: Arc<dyn Clock> = Arc::clone(clock) as _;
    Consumer::new(Arc::new(Fixed(two_orders())), Arc::clone(effect), clock).with_batch_messages(batch).with_patience(patience)
}

async fn run_until_caught_up(consumer: &Consumer<Taking>) {
    while !consumer.run_once().await.unwrap().caught_up {}
}

fn orders(of: &str, taken: &[String]) -> Vec<String> {
    taken.iter().filter(|name| name.starts_with(of)).cloned().collect()
}

#[tokio::test]
async fn one_that_cannot_be_taken_waits_with_all_later_ones_of_its_order_and_others_flow() {
    for effect in Taking::everywhere().await {
        for batch in [3] {
            let clock = Arc::new(ManualClock::new(at(100)));
            let consumer = consumer(&effect, &clock, batch);
            effect.poison([3]);
            run_until_caught_up(&consumer).await;
            let taken = effect.taken().await;
            assert_eq!(orders("order-1", &taken), ["order-1/0"]);
            assert_eq!(orders("order-2", &taken), ["order-2/0", "order-2/1", "order-2/2", "order-2/3"]);
            let parked = effect.standing_of_parked().await;
            let expected =
                [("taking-3", ParkedState::Waiting, 1), ("taking-5", ParkedState::Behind, 0), ("taking-7", ParkedState::Behind, 0)];
            assert_eq!(parked, expected.map(|(id, state, tries)| (id.to_owned(), state, tries)));
            assert_eq!(effect.parked().await[0].reason, "it is poison");
            assert_eq!(effect.parked().await[0].event, event(3, "order-1", 1), "the event comes back as it was");
            assert_eq!(effect.checkpoint().await.unwrap().position, position(8));
        }
    }
}

#[tokio::test]
async fn it_is_tried_again_after_growing_waits_and_then_no_more() {
    for effect in Taking::everywhere().await {
        let clock = Arc::new(ManualClock::new(at(100)));
        let consumer = consumer(&effect, &clock, 100);
        effect.poison([3]);
        run_until_caught_up(&consumer).await;
        for (second, state, tries) in [
            (100, ParkedState::Waiting, 1),
            (101, ParkedState::Waiting, 2),
            (105, ParkedState::Waiting, 2),
            (106, ParkedState::Parked, 3),
            (9999, ParkedState::Parked, 3),
        ] {
            clock.set(at(second));
            consumer.run_once().await.unwrap();
            let parked = effect.standing_of_parked().await;
            assert_eq!((parked[0].1, parked[0].2, parked.len()), (state, tries, 3), "at {second}");
        }
    }
}

#[tokio::test]
async fn once_it_can_be_taken_all_of_its_order_follow_in_order() {
    for effect in Taking::everywhere().await {
        let clock = Arc::new(ManualClock::new(at(100)));
        let consumer = consumer(&effect, &clock, 100);
        effect.poison([3]);
        run_until_caught_up(&consumer).await;
        effect.poison([]);
        consumer.run_once().await.unwrap();
        assert_eq!(orders("order-1", &effect.taken().await), ["order-1/0"], "its time has not come");
        clock.set(at(101));
        assert_eq!(consumer.run_once().await.unwrap().applied, 3);
        assert_eq!(orders("order-1", &effect.taken().await), ["order-1/0", "order-1/1", "order-1/2", "order-1/3"]);
        assert_eq!(effect.parked().await, []);
    }
}

#[tokio::test]
async fn a_second_poison_behind_the_first_stops_the_order_again() {
    for effect in Taking::everywhere().await {
        let clock = Arc::new(ManualClock::new(at(100)));
        let consumer = consumer(&effect, &clock, 100);
        effect.poison([3, 5]);
        run_until_caught_up(&consumer).await;
        effect.poison([5]);
        clock.set(at(101));
        consumer.run_once().await.unwrap();
        assert_eq!(orders("order-1", &effect.taken().await), ["order-1/0", "order-1/1"]);
        let parked = effect.standing_of_parked().await;
        assert_eq!(parked, [("taking-5".to_owned(), ParkedState::Waiting, 1), ("taking-7".to_owned(), ParkedState::Behind, 0)]);
    }
}

#[tokio::test]
async fn an_operator_re_drives_what_was_given_up() {
    for effect in Taking::everywhere().await {
        let clock = Arc::new(ManualClock::new(at(100)));
        let consumer = consumer(&effect, &clock, 100);
        effect.poison([3]);
        run_until_caught_up(&consumer).await;
        for second in [101, 106] {
            clock.set(at(second));
            consumer.run_once().await.unwrap();
        }
        assert_eq!(effect.standing_of_parked().await[0].1, ParkedState::Parked);
        effect.poison([]);
        consumer.run_once().await.unwrap();
        assert_eq!(effect.parked().await.len(), 3, "by itself it is not tried again");
        // Whichever of the queue is named, its first is tried first.
        effect.redrive("taking-7", at(200)).await.unwrap();
        clock.set(at(200));
        consumer.run_once().await.unwrap();
        assert_eq!(orders("order-1", &effect.taken().await), ["order-1/0", "order-1/1", "order-1/2", "order-1/3"]);
        let gone = effect.redrive("taking-7", at(200)).await;
        assert!(matches!(gone, Err(ParkingDeskError::Unknown)), "{gone:?}");
    }
}

#[tokio::test]
async fn an_operator_skips_one_and_what_waited_behind_it_follows() {
    for effect in Taking::everywhere().await {
        let clock = Arc::new(ManualClock::new(at(100)));
        let consumer = consumer(&effect, &clock, 100);
        effect.poison([3]);
        run_until_caught_up(&consumer).await;
        effect.skip("taking-3", at(100)).await.unwrap();
        consumer.run_once().await.unwrap();
        assert_eq!(orders("order-1", &effect.taken().await), ["order-1/0", "order-1/2", "order-1/3"]);
        let parked = effect.parked().await;
        assert_eq!((parked.len(), parked[0].state, parked[0].skip_reason.as_deref()), (1, ParkedState::Skipped, Some("told to")));
        for again in [effect.skip("taking-3", at(100)).await, effect.redrive("taking-3", at(100)).await] {
            assert!(matches!(again, Err(ParkingDeskError::Skipped)), "{again:?}");
        }
    }
}

#[tokio::test]
async fn one_that_waits_behind_can_be_skipped_too() {
    for effect in Taking::everywhere().await {
        let clock = Arc::new(ManualClock::new(at(100)));
        let consumer = consumer(&effect, &clock, 100);
        effect.poison([3]);
        run_until_caught_up(&consumer).await;
        effect.skip("taking-5", at(100)).await.unwrap();
        assert_eq!(effect.standing_of_parked().await[0].1, ParkedState::Waiting, "the first stands as it did");
        effect.poison([]);
        clock.set(at(101));
        consumer.run_once().await.unwrap();
        assert_eq!(orders("order-1", &effect.taken().await), ["order-1/0", "order-1/1", "order-1/3"]);
    }
}

#[tokio::test]
async fn of_two_workers_one_wins_and_nothing_is_done_twice() {
    for effect in Taking::everywhere().await {
        let clock = Arc::new(ManualClock::new(at(100)));
        let (one, other) = (consumer(&effect, &clock, 2), consumer(&effect, &clock, 3));
        effect.poison([3]);
        for _ in 0..12 {
            for run in [one.run_once().await, other.run_once().await] {
                assert!(matches!(run, Ok(_) | Err(FollowerError::Overtaken)), "{run:?}");
            }
        }
        let from = Checkpoint { position: position(2), ..Checkpoint::FIRST };
        let late = effect.commit(Vec::new(), &BookChange { to: Some(position(4)), ..BookChange::new("taking", from) }).await;
        assert!(matches!(late, Err(EffectError::Overtaken)), "{late:?}");
        assert_eq!(effect.taken().await.len(), 5);
    }
}

#[tokio::test]
async fn a_change_of_a_parked_message_that_is_not_as_it_was_is_not_written() {
    for effect in Taking::everywhere().await {
        let clock = Arc::new(ManualClock::new(at(100)));
        effect.poison([3]);
        run_until_caught_up(&consumer(&effect, &clock, 100)).await;
        let before = effect.standing_of_parked().await;
        let (parked_id, stale) = ("taking-3".to_owned(), (ParkedState::Waiting, 7));
        let from = effect.checkpoint().await.unwrap();
        for change in [
            crate::ParkedChange::Release { parked_id: parked_id.clone(), before: stale },
            crate::ParkedChange::Hold { parked_id: parked_id.clone(), before: stale },
            crate::ParkedChange::Change { before: stale, after: Box::new(effect.parked().await.remove(0)) },
            crate::ParkedChange::Park(Box::new(effect.parked().await.remove(0))),
        ] {
            let change = BookChange { parked: vec![change], ..BookChange::new("taking", from) };
            let refused = effect.commit(vec!["never".to_owned()], &change).await;
            assert!(matches!(refused, Err(EffectError::Overtaken)), "{refused:?}");
        }
        assert_eq!(effect.standing_of_parked().await, before);
        assert!(!effect.taken().await.contains(&"never".to_owned()));
    }
}

#[tokio::test]
async fn a_run_that_is_dropped_after_its_commit_is_not_done_twice() {
    let effect = Taking::in_memory();
    let clock = Arc::new(ManualClock::new(at(100)));
    let consumer = consumer(&effect, &clock, 100);
    *effect.hangs_after.lock().unwrap() = true;
    drop_midway(&consumer).await;
    *effect.hangs_after.lock().unwrap() = false;
    assert_eq!(consumer.run_once().await.unwrap().applied, 0);
    assert_eq!(effect.taken().await.len(), 8);
}

#[tokio::test]
async fn tables_that_fail_leave_everything_as_it_was() {
    let effect = Taking::in_memory();
    let clock = Arc::new(ManualClock::new(at(100)));
    let consumer = consumer(&effect, &clock, 100);
    *effect.fails.lock().unwrap() = true;
    let failed = consumer.run_once().await;
    assert!(matches!(failed, Err(FollowerError::Effect(EffectError::Store(_)))), "{failed:?}");
    *effect.fails.lock().unwrap() = false;
    assert_eq!(effect.taken().await, Vec::<String>::new());
    assert_eq!(consumer.run_once().await.unwrap().applied, 8);
}
