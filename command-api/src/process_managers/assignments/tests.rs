use domain::order::OrderStatus;
use domain::pay_record::PayRecordStatus;
use domain::{Currency, Money, PayNo};
use followers::{LogFeed, MemoryLeases};
use gateway::Operation::Query;
use gateway::{Capture, News, Notification, TradeState};

use super::*;
use crate::caller::Caller;
use crate::inbox::{NoticeAction, NoticeFilter, NoticeState, StoredNotice};
use crate::notices::{NoticeFailure, Unverified};
use crate::streams;
use crate::testing::*;

/// The number that the channel names for money of which nothing is known here.
const FOREIGN: &str = "1234501";
/// A while after which the operator's own request is not waited for any more.
const SOON: TimeDelta = TimeDelta::seconds(11);

/// A world in which money came that matched nothing, with one process manager in a process of its own.
struct Stage {
    world: World,
    leases: Arc<MemoryLeases>,
    manager: Assignments,
    pay_no: PayNo,
    notice_id: i64,
}

fn manager(world: &World, leases: &Arc<MemoryLeases>, holder: &str) -> Assignments {
    let feed = Arc::new(LogFeed::new(world.log.clone(), Assignments::events()));
    let todo = Arc::new(MemoryAssignmentTodo::default());
    Assignments::new(world.other_process(), feed, todo, Arc::clone(leases) as Arc<dyn Leases>, holder.to_owned())
}

impl Stage {
    async fn new() -> Self {
        let world = World::new().await;
        let pay_no = world.pending().await;
        let leases = Arc::new(MemoryLeases::default());
        let manager = manager(&world, &leases, "one");
        let stage = Self { world, leases, manager, pay_no, notice_id: 0 };
        stage.deliver(notification(FOREIGN, "trade-9", COURSE_PRICE)).await;
        let notice_id = stage.notices().await[0].notice_id;
        Self { notice_id, ..stage }
    }

    async fn deliver(&self, told: Notification) {
        let raw = self.world.channel.notifies(Ok(told));
        self.world.commands.take_alipay_notice(raw, Unverified::Keep, CORRELATION).await.unwrap();
    }

    async fn assign(&self) -> Result<(), NoticeFailure> {
        let olivia = Caller::Operator("olivia".to_owned());
        let assigned = self.world.commands.assign_notice(&olivia, self.notice_id, self.pay_no, "hers", None, CORRELATION).await;
        assigned.map(drop)
    }

    /// An operator's assignment dies after its intent is on the log and before its order has the money.
    async fn half_assigned(self) -> Self {
        self.world.channel.queries(Ok(paid("trade-9", COURSE_PRICE)));
        self.world.log.next("order-", Fault::Unavailable);
        assert!(self.assign().await.is_err());
        assert_eq!(self.types().await, ["UnknownCaptureReceived", "UnknownCaptureAssigned"]);
        self.world.channel.asked();
        self
    }

    /// The clock moves on, and the manager runs until nothing is due.
    async fn wake_after(&self, time: TimeDelta) {
        self.world.clock.advance(time);
        for _ in 0..4 {
            self.manager.run_once().await.unwrap();
        }
    }

    async fn types(&self) -> Vec<String> {
        self.world.types(&streams::unknown_capture("alipay", "trade-9")).await
    }

    async fn last(&self) -> String {
        self.types().await.pop().unwrap()
    }

    async fn cause(&self) -> String {
        self.world.all("UnknownCaptureUnassigned").await.pop().unwrap()["cause"].as_str().unwrap().to_owned()
    }

    async fn notices(&self) -> Vec<StoredNotice> {
        self.world.commands.kept_notices(&NoticeFilter::default(), None, 100).await.unwrap()
    }

    async fn due(&self) -> usize {
        self.manager.todo.due(DateTime::<Utc>::MAX_UTC, 10).await.unwrap().len()
    }
}

#[tokio::test]
async fn an_assignment_whose_process_died_is_brought_to_its_end_however_late() {
    for late in [SOON, TimeDelta::days(400)] {
        let stage = Stage::new().await.half_assigned().await;
        stage.world.channel.queries(Ok(paid("trade-9", COURSE_PRICE)));
        stage.wake_after(late).await;
        assert_eq!(stage.types().await, ["UnknownCaptureReceived", "UnknownCaptureAssigned", "UnknownCaptureMatched"]);
        assert_eq!(stage.world.load(stage.pay_no.order_id()).await.status, OrderStatus::Paid);
        assert_eq!(stage.world.channel.asked(), [(Query, FOREIGN[5..].to_owned())]);
        let matched = stage.world.events(&streams::unknown_capture("alipay", "trade-9")).await.pop().unwrap();
        assert_eq!((matched.metadata.actor.as_str(), matched.metadata.source.as_str()), ("process:assignments", "process-managers"));
        let notice = stage.notices().await.remove(0);
        let act = notice.act.unwrap();
        assert_eq!((notice.state, act.action), (NoticeState::Settled, NoticeAction::Assigned(stage.pay_no)));
        assert_eq!((act.by.as_str(), act.reason.as_str()), ("operator:olivia", "hers"), "it was her wish");
        // Its own outcome is looked at once more, so that the notifications are ended whoever died.
        stage.wake_after(SOON).await;
        assert_eq!(stage.due().await, 0);
        let head = stage.world.head().await;
        stage.wake_after(TimeDelta::days(1)).await;
        assert_eq!((stage.world.head().await, stage.world.channel.asked()), (head, vec![]));
    }
}

#[tokio::test]
async fn the_operators_own_request_is_left_alone_with_it_for_a_while() {
    let stage = Stage::new().await.half_assigned().await;
    stage.wake_after(TimeDelta::seconds(9)).await;
    assert_eq!((stage.world.channel.asked(), stage.last().await.as_str()), (vec![], "UnknownCaptureAssigned"));
}

#[tokio::test]
async fn money_that_its_order_has_already_is_only_said_to_be_there() {
    let stage = Stage::new().await;
    stage.world.channel.queries(Ok(paid("trade-9", COURSE_PRICE)));
    // The money is on the order, and the outcome could not be written.
    stage.world.log.meanwhile("unknown_capture-", async {});
    stage.world.log.next("unknown_capture-", Fault::Unavailable);
    assert!(stage.assign().await.is_err());
    assert_eq!(stage.last().await, "UnknownCaptureAssigned");
    assert_eq!(stage.world.status(stage.pay_no).await, PayRecordStatus::Confirmed);
    stage.world.channel.asked();
    stage.wake_after(SOON).await;
    assert_eq!((stage.last().await.as_str(), stage.world.channel.asked()), ("UnknownCaptureMatched", vec![]));
    assert_eq!(stage.world.all("PaymentConfirmed").await.len(), 1);
}

#[tokio::test]
async fn while_the_channel_does_not_say_it_is_asked_again_by_the_ladder() {
    let stage = Stage::new().await.half_assigned().await;
    let unclear = [Ok(TradeState::Unrecognised("ODD".to_owned())), Ok(TradeState::AwaitingBuyer { trade_no: None }), Err(unknown(Query))];
    let silences: Vec<_> = unclear.into_iter().collect();
    for (silence, after) in silences.into_iter().zip([11, 20, 30]) {
        stage.world.channel.queries(silence);
        stage.wake_after(TimeDelta::seconds(after)).await;
        assert_eq!((stage.world.channel.asked().len(), stage.last().await.as_str()), (1, "UnknownCaptureAssigned"));
        stage.wake_after(TimeDelta::seconds(1)).await;
        assert_eq!(stage.world.channel.asked(), []);
    }
    stage.world.channel.queries(Ok(paid("trade-9", COURSE_PRICE)));
    stage.wake_after(TimeDelta::hours(30)).await;
    assert_eq!(stage.last().await, "UnknownCaptureMatched");
}

#[tokio::test]
async fn an_assignment_that_cannot_be_carried_out_says_so_and_the_money_is_open_again() {
    let answers = [
        (TradeState::ClosedRefunded(captured("trade-9", COURSE_PRICE)), "went_back"),
        (TradeState::Paid(Capture { has_refunds: true, ..captured("trade-9", COURSE_PRICE) }), "went_back"),
        (TradeState::NotFound, "not_held"),
        (TradeState::ClosedUnpaid, "not_held"),
        (paid("trade-8", COURSE_PRICE), "not_held"),
    ];
    for (answer, cause) in answers {
        let stage = Stage::new().await.half_assigned().await;
        stage.world.channel.queries(Ok(answer));
        stage.wake_after(SOON).await;
        assert_eq!((stage.last().await.as_str(), stage.cause().await.as_str()), ("UnknownCaptureUnassigned", cause));
        assert_eq!(stage.world.status(stage.pay_no).await, PayRecordStatus::Pending);
        stage.wake_after(SOON).await;
        assert_eq!((stage.notices().await[0].state, stage.due().await), (NoticeState::Open, 0));
        // An operator decides anew.
        stage.world.channel.queries(Ok(paid("trade-9", COURSE_PRICE)));
        stage.assign().await.unwrap();
        assert_eq!(stage.last().await, "UnknownCaptureMatched");
        assert_eq!((stage.notices().await[0].state, stage.world.all("PaymentConfirmed").await.len()), (NoticeState::Settled, 1));
    }
}

#[tokio::test]
async fn an_assignment_to_what_the_log_does_not_have_says_so() {
    let stage = Stage::new().await;
    let assigned = domain::unknown_capture::UnknownCaptureCommand::Assign {
        pay_no: "77701".parse().unwrap(),
        reason: "hers".to_owned(),
        command_key: None,
    };
    let stream_id = streams::unknown_capture("alipay", "trade-9");
    let decide = |state: &domain::unknown_capture::UnknownCapture| {
        <domain::unknown_capture::UnknownCapture as domain::Decider>::decide(state, assigned.clone())
    };
    let context = Context::of_channel("alipay", CORRELATION);
    stage.world.commands.unknown_captures.execute(&stream_id, &context, decide).await.unwrap();
    stage.wake_after(SOON).await;
    assert_eq!((stage.last().await.as_str(), stage.cause().await.as_str()), ("UnknownCaptureUnassigned", "no_pay_record"));
}

#[tokio::test]
async fn money_whose_assignment_was_given_up_is_found_on_its_order_and_goes_to_no_other() {
    let stage = Stage::new().await.half_assigned().await;
    stage.world.channel.queries(Ok(TradeState::NotFound));
    stage.wake_after(SOON).await;
    assert_eq!(stage.last().await, "UnknownCaptureUnassigned");
    // Whoever recorded it on the order was at it all the while, and died then.
    let context = Context::of_channel("alipay", CORRELATION);
    let source = CaptureSource::Assigned;
    stage.world.commands.record_capture(&context, stage.pay_no, &captured("trade-9", COURSE_PRICE), source).await.unwrap();
    let forgotten = stage.last().await;
    let selected = stage.world.select("bob", "course-rust").await;
    let order = stage.world.create(&buyer("bob"), of_selection(selected), None).await.unwrap().0.resource_id.parse().unwrap();
    let bob = buyer("bob");
    let attempt = stage.world.commands.create_pay_record(&bob, order, domain::Channel::AlipayQr, None, None, CORRELATION);
    let other = Stage { pay_no: attempt.await.unwrap().pay_no, ..stage };
    other.world.channel.queries(Ok(paid("trade-9", COURSE_PRICE)));
    assert_eq!(forgotten, "UnknownCaptureUnassigned");
    assert!(matches!(other.assign().await, Err(NoticeFailure::Ended)));
    assert_eq!((other.last().await.as_str(), other.world.all("PaymentConfirmed").await.len()), ("UnknownCaptureMatched", 1));
}

#[tokio::test]
async fn money_that_an_order_took_after_its_assignment_was_given_up_is_said_to_be_there() {
    let stage = Stage::new().await.half_assigned().await;
    stage.world.channel.queries(Ok(TradeState::NotFound));
    stage.wake_after(SOON).await;
    stage.wake_after(SOON).await;
    assert_eq!((stage.last().await.as_str(), stage.due().await), ("UnknownCaptureUnassigned", 0));
    let context = Context::of_channel("alipay", CORRELATION);
    let source = CaptureSource::Assigned;
    stage.world.commands.record_capture(&context, stage.pay_no, &captured("trade-9", COURSE_PRICE), source).await.unwrap();
    stage.wake_after(TimeDelta::zero()).await;
    stage.wake_after(SOON).await;
    stage.wake_after(SOON).await;
    assert_eq!((stage.last().await.as_str(), stage.due().await), ("UnknownCaptureMatched", 0));
}

#[tokio::test]
async fn what_went_back_before_goes_with_the_money_to_its_order() {
    let stage = Stage::new().await;
    let total = |fen| Money::new(fen, Currency::Cny).unwrap();
    let told = |fen| Notification {
        notify_id: format!("back-{fen}"),
        news: News::Refunded { total: total(fen), whole: false, refund_no: None },
        ..notification(FOREIGN, "trade-9", COURSE_PRICE)
    };
    stage.deliver(told(100)).await;
    let stage = stage.half_assigned_after_refund().await;
    // More goes back while nobody is at it.
    stage.deliver(told(300)).await;
    stage.world.channel.queries(Ok(paid("trade-9", COURSE_PRICE)));
    stage.wake_after(SOON).await;
    assert_eq!(stage.last().await, "UnknownCaptureMatched");
    let observed = stage.world.all("RefundObserved").await;
    assert_eq!(observed.iter().map(|event| event["amount"].as_i64().unwrap()).sum::<i64>(), 300);
    assert_eq!(stage.world.all("UnknownCaptureRefunded").await.len(), 2);
}

impl Stage {
    async fn half_assigned_after_refund(self) -> Self {
        self.world.channel.queries(Ok(paid("trade-9", COURSE_PRICE)));
        self.world.log.next("order-", Fault::Unavailable);
        assert!(self.assign().await.is_err());
        self.world.channel.asked();
        self
    }
}

#[tokio::test]
async fn notifications_of_dismissed_money_are_ended_though_whoever_dismissed_it_died() {
    let stage = Stage::new().await;
    stage.world.inbox.fail(1);
    let olivia = Caller::Operator("olivia".to_owned());
    assert!(stage.world.commands.dismiss_notice(&olivia, stage.notice_id, "another shop's", None, CORRELATION).await.is_err());
    assert_eq!((stage.last().await.as_str(), stage.notices().await[0].state), ("UnknownCaptureResolved", NoticeState::Open));
    stage.wake_after(SOON).await;
    let notice = stage.notices().await.remove(0);
    let act = notice.act.unwrap();
    assert_eq!((notice.state, act.action, act.reason.as_str()), (NoticeState::Settled, NoticeAction::Dismissed, "another shop's"));
}

#[tokio::test]
async fn of_two_managers_one_acts_at_a_time_and_a_list_that_is_made_again_does_nothing_twice() {
    let stage = Stage::new().await.half_assigned().await;
    let other = manager(&stage.world, &stage.leases, "two");
    stage.world.clock.advance(SOON);
    let now = stage.world.commands.now();
    assert!(stage.leases.try_acquire(NAME, "two", now, now + LEASE).await.unwrap());
    stage.manager.run_once().await.unwrap();
    assert_eq!(stage.last().await, "UnknownCaptureAssigned", "the other has the lease");
    stage.world.channel.queries(Ok(paid("trade-9", COURSE_PRICE)));
    other.run_once().await.unwrap();
    assert_eq!(stage.last().await, "UnknownCaptureMatched");
    let head = stage.world.head().await;
    let again = manager(&stage.world, &stage.leases, "two");
    for _ in 0..4 {
        stage.world.clock.advance(LEASE);
        again.run_once().await.unwrap();
        stage.manager.run_once().await.unwrap();
    }
    assert_eq!((stage.world.head().await, stage.due().await), (head, 0));
}

#[tokio::test]
async fn money_that_cannot_be_driven_here_is_tried_again_and_holds_up_nothing() {
    let stage = Stage::new().await.half_assigned().await;
    stage.world.clock.advance(SOON);
    stage.world.channel.queries(Ok(paid("trade-9", COURSE_PRICE)));
    stage.world.log.next("order-", Fault::Unavailable);
    assert!(stage.manager.run_once().await.is_err());
    stage.world.channel.queries(Ok(paid("trade-9", COURSE_PRICE)));
    stage.wake_after(AFTER_FAILURE).await;
    assert_eq!(stage.last().await, "UnknownCaptureMatched");
    assert_eq!(stage.manager.name(), NAME);
    assert_eq!(stage.manager.lag().await.unwrap().events, 0);
}
