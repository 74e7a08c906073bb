//! Messages from a broker: repeats, holes, another order, and the loss of all of it.

use event_store::{EventStore, ExpectedRevision, LogReader, MemoryEventStore, NewEvent, lineage};

use super::*;
use crate::relay::{MemoryStream, Relay, Subjects, part_of};
use crate::{LogFeed, MemoryBroker, MemoryMessageFeed, SubjectFilter, Tide};

/// A feed that gives what a test lays on it, and writes down what it is told.
#[derive(Default)]
struct Laid {
    next: Mutex<Vec<Vec<Message>>>,
    acked: Mutex<Vec<u64>>,
    naked: Mutex<Vec<(u64, TimeDelta)>>,
}

#[async_trait]
impl MessageFeed for Laid {
    fn part(&self) -> Option<Part> {
        Part::new(7)
    }

    async fn batch(&self, _: Position, _: usize) -> Result<Batch, MessageFeedError> {
        let mut next = self.next.lock().unwrap();
        let messages = if next.is_empty() { Vec::new() } else { next.remove(0) };
        Ok(Batch { messages, reached: None, caught_up: next.is_empty(), unknown: 0 })
    }

    async fn ack(&self, receipts: &[u64]) -> Result<(), MessageFeedError> {
        self.acked.lock().unwrap().extend(receipts);
        Ok(())
    }

    async fn nak(&self, receipt: u64, delay: TimeDelta) -> Result<(), MessageFeedError> {
        self.naked.lock().unwrap().push((receipt, delay));
        Ok(())
    }

    async fn lag(&self, _: Position) -> Result<Lag, MessageFeedError> {
        Ok(Lag::default())
    }
}

impl Laid {
    fn lay(&self, messages: impl IntoIterator<Item = Message>) {
        self.next.lock().unwrap().push(messages.into_iter().collect());
    }

    fn acked(&self) -> Vec<u64> {
        std::mem::take(&mut self.acked.lock().unwrap())
    }

    fn naked(&self) -> Vec<(u64, TimeDelta)> {
        std::mem::take(&mut self.naked.lock().unwrap())
    }
}

/// A message of the subject `payments`, whose receipt is its position.
fn message(number: i64, stream: &str, revision: u64, previous: Option<i64>) -> Message {
    on("payments", number, stream, revision, previous)
}

fn on(subject: &str, number: i64, stream: &str, revision: u64, previous: Option<i64>) -> Message {
    let link = Link { subject: subject.to_owned(), previous: previous.map(position) };
    Message { event: event(number, stream, revision), link: Some(link), deliveries: 1, receipt: number.unsigned_abs() }
}

fn consumer(effect: &Arc<Taking>, feed: &Arc<Laid>, clock: &Arc<ManualClock>) -> Consumer<Taking> {
    let clock: Arc<dyn Clock> = Arc::clone(clock) as _;
    Consumer::new(Arc::clone(feed) as _, Arc::clone(effect), clock)
}

fn still() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(at(100)))
}

/// Two workers may hold one part for a moment. Both have loaded the order's row, and each has another event of it: without the
/// count of the part's writes the second would write over what the first has written.
#[tokio::test]
async fn of_two_writes_of_one_part_that_began_alike_one_is_overtaken() {
    let began = |message: Message| {
        let (part, patience) = (Some("p07".to_owned()), Patience::default());
        let change = BookChange::new("taking", Checkpoint::FIRST);
        let mut plan = Plan::new(Standing::default(), change, &patience, at(100), part);
        plan.take(&message, &mut |_| Ok(()));
        plan.finish().change
    };
    let payment = began(on("payments", 1, "order-1", 0, None));
    let refund = began(on("refunds", 2, "order-1", 1, None));
    for effect in Taking::everywhere().await {
        effect.commit(Vec::new(), &payment).await.unwrap();
        let second = effect.commit(Vec::new(), &refund).await;
        assert!(matches!(second, Err(EffectError::Overtaken)), "{second:?}");
    }
}

#[tokio::test]
async fn a_repeat_is_acknowledged_and_has_no_effect() {
    for effect in Taking::everywhere().await {
        let feed = Arc::new(Laid::default());
        let consumer = consumer(&effect, &feed, &still());
        let (first, second) = (message(1, "order-1", 0, None), message(4, "order-2", 0, Some(1)));
        feed.lay([first.clone(), second.clone()]);
        assert_eq!(consumer.run_once().await.unwrap().applied, 2);
        assert_eq!(feed.acked(), [1, 4]);
        feed.lay([second.clone(), first, second]);
        assert_eq!(consumer.run_once().await.unwrap().applied, 0);
        assert_eq!((feed.acked(), feed.naked()), (vec![1, 4, 4], vec![]));
        assert_eq!(effect.taken().await, ["order-1/0", "order-2/0"]);
    }
}

#[tokio::test]
async fn a_hole_is_seen_and_what_lies_behind_it_waits() {
    for effect in Taking::everywhere().await {
        let feed = Arc::new(Laid::default());
        let consumer = consumer(&effect, &feed, &still());
        let (first, second, third) = (message(1, "order-1", 0, None), message(4, "order-2", 0, Some(1)), message(6, "order-3", 0, Some(4)));
        feed.lay([third.clone(), on("refunds", 7, "order-4", 3, None)]);
        assert_eq!(consumer.run_once().await.unwrap().applied, 1);
        assert_eq!((feed.acked(), feed.naked()), (vec![7], vec![(6, TimeDelta::milliseconds(250))]));
        feed.lay([second.clone()]);
        consumer.run_once().await.unwrap();
        assert_eq!(feed.naked().len(), 1);
        feed.lay([third, second, first]);
        assert_eq!(consumer.run_once().await.unwrap().applied, 3);
        assert_eq!(feed.acked(), [1, 4, 6]);
        assert_eq!(effect.taken().await, ["order-4/3", "order-1/0", "order-2/0", "order-3/0"]);
    }
}

#[tokio::test]
async fn a_hole_that_stays_is_told_and_never_passed_over() {
    let effect = Taking::in_memory();
    let feed = Arc::new(Laid::default());
    let consumer = consumer(&effect, &feed, &still());
    let lost = Message { deliveries: 8, ..message(6, "order-3", 0, Some(4)) };
    feed.lay([lost, on("refunds", 7, "order-4", 3, None)]);
    let told = consumer.run_once().await;
    let Err(FollowerError::Work(source)) = told else { panic!("{told:?}") };
    assert_eq!(source.downcast_ref::<Hole>(), Some(&Hole { subject: "payments".to_owned(), missing: position(4) }));
    assert_eq!(
        (effect.taken().await, feed.acked(), feed.naked()),
        (vec!["order-4/3".to_owned()], vec![7], vec![(6, TimeDelta::seconds(8))])
    );
}

#[tokio::test]
async fn what_cannot_be_taken_is_acknowledged_once_it_is_parked() {
    for effect in Taking::everywhere().await {
        let (feed, clock) = (Arc::new(Laid::default()), still());
        let consumer = consumer(&effect, &feed, &clock);
        effect.poison([1]);
        feed.lay([message(1, "order-1", 0, None), on("refunds", 2, "order-1", 1, None), message(4, "order-2", 0, Some(1))]);
        assert_eq!(consumer.run_once().await.unwrap().applied, 1);
        assert_eq!(feed.acked(), [1, 2, 4]);
        let parked = effect.parked().await;
        assert_eq!(parked.iter().map(|one| one.part.as_deref()).collect::<Vec<_>>(), [Some("p07"), Some("p07")]);
        // The broker lost the acknowledgements.
        feed.lay([message(1, "order-1", 0, None), on("refunds", 2, "order-1", 1, None)]);
        consumer.run_once().await.unwrap();
        assert_eq!((feed.acked(), effect.parked().await.len()), (vec![1, 2], 2));
        effect.poison([]);
        clock.set(at(101));
        assert_eq!(consumer.run_once().await.unwrap().applied, 2);
        assert_eq!(effect.taken().await, ["order-2/0", "order-1/0", "order-1/1"]);
    }
}

#[tokio::test]
async fn an_earlier_one_that_comes_late_goes_before_what_waits_for_it() {
    for effect in Taking::everywhere().await {
        let (feed, clock) = (Arc::new(Laid::default()), still());
        let consumer = consumer(&effect, &feed, &clock);
        // The refund comes before its payment, and cannot be taken without it.
        effect.poison([5]);
        feed.lay([on("refunds", 5, "order-1", 4, None)]);
        consumer.run_once().await.unwrap();
        assert_eq!(effect.standing_of_parked().await, [("taking-5".to_owned(), ParkedState::Waiting, 1)]);
        effect.poison([]);
        feed.lay([message(2, "order-1", 1, None)]);
        assert_eq!(consumer.run_once().await.unwrap().applied, 2, "it need not wait for its time");
        assert_eq!(effect.taken().await, ["order-1/1", "order-1/4"]);
        assert_eq!(effect.parked().await, []);
    }
}

#[tokio::test]
async fn an_earlier_one_that_cannot_be_taken_goes_to_the_head_of_the_queue() {
    for effect in Taking::everywhere().await {
        let (feed, clock) = (Arc::new(Laid::default()), still());
        let consumer = consumer(&effect, &feed, &clock);
        effect.poison([2, 5]);
        feed.lay([on("refunds", 5, "order-1", 4, None)]);
        consumer.run_once().await.unwrap();
        feed.lay([message(2, "order-1", 1, None)]);
        consumer.run_once().await.unwrap();
        let parked = effect.standing_of_parked().await;
        assert_eq!(parked, [("taking-2".to_owned(), ParkedState::Waiting, 1), ("taking-5".to_owned(), ParkedState::Behind, 1)]);
        effect.poison([]);
        clock.set(at(101));
        consumer.run_once().await.unwrap();
        assert_eq!(effect.taken().await, ["order-1/1", "order-1/4"]);
    }
}

#[tokio::test]
async fn of_a_batch_that_failed_everything_is_given_back() {
    let effect = Taking::in_memory();
    let feed = Arc::new(Laid::default());
    let consumer = consumer(&effect, &feed, &still());
    *effect.fails.lock().unwrap() = true;
    feed.lay([message(1, "order-1", 0, None), message(2, "order-1", 1, Some(1))]);
    assert!(consumer.run_once().await.is_err());
    assert_eq!((feed.acked(), feed.naked()), (vec![], vec![(1, AFTER_FAILURE), (2, AFTER_FAILURE)]));
}

#[tokio::test]
async fn nothing_is_acknowledged_before_it_is_durable_and_a_lost_acknowledgement_brings_no_second_effect() {
    let effect = Taking::in_memory();
    let feed = Arc::new(Laid::default());
    let consumer = consumer(&effect, &feed, &still());
    *effect.hangs_after.lock().unwrap() = true;
    feed.lay([message(1, "order-1", 0, None)]);
    drop_midway(&consumer).await;
    assert_eq!((feed.acked(), effect.taken().await.len()), (vec![], 1));
    *effect.hangs_after.lock().unwrap() = false;
    feed.lay([message(1, "order-1", 0, None)]);
    assert_eq!(consumer.run_once().await.unwrap().applied, 0);
    assert_eq!((feed.acked(), effect.taken().await.len()), (vec![1], 1));
}

#[tokio::test]
async fn of_two_workers_of_one_part_only_the_holder_of_the_lease_works() {
    let effect = Taking::in_memory();
    let (feed, clock, leases) = (Arc::new(Laid::default()), still(), Arc::new(MemoryLeases::default()));
    let worker = |holder: &str| {
        let lease = LeasedWork::new(Arc::clone(&leases) as _, "taking p07".to_owned(), holder.to_owned());
        consumer(&effect, &feed, &clock).with_lease(lease)
    };
    let (one, other) = (worker("one"), worker("other"));
    feed.lay([message(1, "order-1", 0, None)]);
    assert_eq!(one.run_once().await.unwrap().applied, 1);
    feed.lay([message(2, "order-1", 1, Some(1))]);
    assert!(matches!(other.run_once().await, Err(FollowerError::Waiting)));
    clock.set(at(116));
    assert_eq!(other.run_once().await.unwrap().applied, 1, "at the end of the lease another goes on");
    feed.lay([message(3, "order-1", 2, Some(2))]);
    assert!(matches!(one.run_once().await, Err(FollowerError::Waiting)), "and the earlier one has lost it");
    one.release().await.unwrap();
    assert!(matches!(one.run_once().await, Err(FollowerError::Waiting)), "what it has lost it cannot give back");
    other.release().await.unwrap();
    assert_eq!(one.run_once().await.unwrap().applied, 1, "what its holder gives back is free at once");
    feed.lay([message(4, "order-1", 3, Some(3))]);
    assert!(matches!(other.run_once().await, Err(FollowerError::Waiting)), "and who gave it back asks anew");
}

pub(super) fn payments() -> Vec<SubjectFilter> {
    vec![SubjectFilter { aggregate: "order", event_type: "OrderPaid", order_type: None }]
}

/// A log to which orders come, each of two events.
pub(super) struct Orders(Arc<MemoryEventStore>);

impl Orders {
    pub(super) async fn new() -> Self {
        let log = Arc::new(MemoryEventStore::new(Arc::new(|| at(1))));
        lineage::ensure(log.as_ref(), Uuid::from_u128(99)).await.unwrap();
        Self(log)
    }

    pub(super) fn reader(&self) -> Arc<dyn LogReader> {
        Arc::<MemoryEventStore>::clone(&self.0)
    }

    pub(super) async fn paid(&self, number: u128) {
        let new = |revision: u128, event_type: &str| NewEvent {
            event_id: Uuid::from_u128(number * 10 + revision),
            event_type: event_type.to_owned(),
            schema_version: 1,
            data: "{\"order_type\":\"course\"}".to_owned(),
            metadata: Metadata { actor: "test".to_owned(), source: "test".to_owned(), ..event(1, "order-1", 0).metadata },
        };
        let stream_id = StreamId::parse(&format!("order-{number}")).unwrap();
        let events = vec![new(0, "OrderCreated"), new(1, "OrderPaid")];
        self.0.append(&stream_id, ExpectedRevision::NoStream, events).await.unwrap();
    }
}

/// The whole way: a log, the relay, a broker in memory, and one consumer a part.
struct Way {
    orders: Orders,
    broker: Arc<MemoryBroker>,
    relay: Relay,
    effect: Arc<Taking>,
    clock: Arc<ManualClock>,
}

impl Way {
    async fn new() -> Self {
        let (orders, clock) = (Orders::new().await, still());
        let stream = Arc::new(MemoryStream::default());
        let broker = Arc::new(MemoryBroker::new(Arc::clone(&stream), Arc::clone(&clock) as _));
        let relay = Relay::new(orders.reader(), stream, Arc::clone(&clock) as _);
        Self { orders, broker, relay, effect: Taking::in_memory(), clock }
    }

    async fn relay(&self) {
        while !matches!(self.relay.run_once().await, Ok(progress) if progress.caught_up) {}
    }

    async fn consume(&self) {
        for part in Part::all() {
            let feed = MemoryMessageFeed::new(Arc::clone(&self.broker), "taking", payments(), part);
            let consumer = Consumer::new(Arc::new(feed), Arc::clone(&self.effect), Arc::clone(&self.clock) as _);
            while !consumer.run_once().await.unwrap().caught_up {}
        }
    }

    fn tide(&self) -> Tide<Taking> {
        let feed = Arc::new(LogFeed::new(self.orders.reader(), ["OrderPaid"]));
        let subjects = Arc::new(Subjects::new(self.orders.reader()));
        Tide::new(feed, Arc::clone(&self.effect), subjects, payments(), Arc::clone(&self.clock) as _)
    }
}

#[tokio::test]
async fn after_the_broker_was_lost_everything_comes_again_and_nothing_is_done_twice() {
    let way = Way::new().await;
    for number in 1..=5 {
        way.orders.paid(number).await;
    }
    way.relay().await;
    way.consume().await;
    let first = way.effect.taken().await;
    assert_eq!(first.len(), 5);
    way.broker.lose_everything();
    way.orders.paid(6).await;
    way.clock.advance(TimeDelta::seconds(10));
    way.relay().await;
    way.consume().await;
    let taken = way.effect.taken().await;
    assert_eq!((&taken[..5], taken.len()), (&first[..], 6));
}

#[tokio::test]
async fn the_tide_tells_how_far_all_parts_have_come() {
    let way = Way::new().await;
    for number in 1..=5 {
        way.orders.paid(number).await;
    }
    let tide = way.tide();
    assert!(matches!(tide.run_once().await, Err(FollowerError::Waiting)));
    assert!(tide.lag().await.unwrap().events > 0);
    way.relay().await;
    way.consume().await;
    let head = way.orders.reader().head().await.unwrap();
    assert_eq!(tide.run_once().await.unwrap(), Progress { applied: 0, position: head, caught_up: true });
    assert_eq!(way.effect.checkpoint().await.unwrap().position, head);
    assert_eq!(tide.lag().await.unwrap(), Lag::default());
    // A consumer that goes on afterwards does not mind.
    way.orders.paid(6).await;
    way.relay().await;
    way.consume().await;
    assert!(tide.run_once().await.unwrap().caught_up);
}

#[test]
fn an_order_lies_in_one_part_whatever_happens_to_it() {
    let part = part_of(&StreamId::parse("order-7231").unwrap());
    assert_eq!(Part::of_subject(&format!("paystream.v1.order.OrderPaid.course.{part}")), Some(part));
    for none in ["paystream.v1.order.OrderPaid.course.p16", "p7", "p007", "px", "", "paystream.v1.order.OrderPaid.course"] {
        assert_eq!(Part::of_subject(none), None, "{none}");
    }
    let filter = payments()[0];
    assert_eq!(filter.subject(Part::new(3).unwrap()), "paystream.v1.order.OrderPaid.*.p03");
    assert!(filter.admits("paystream.v1.order.OrderPaid.course.p03") && !filter.admits("paystream.v1.order.OrderExpired.course.p03"));
    let of_courses = SubjectFilter { order_type: Some("course"), ..filter };
    assert!(of_courses.admits("paystream.v1.order.OrderPaid.course.p03") && !of_courses.admits("paystream.v1.order.OrderPaid.goods.p03"));
}
