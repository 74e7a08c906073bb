use domain::order::{OrderStatus, RefundStatus};
use domain::pay_record::{ClosedProof, PayRecordStatus};
use domain::{Money, OrderId, PayNo, RefundNo};
use followers::{LogFeed, MemoryLeases};
use gateway::Operation::{self, Close, Precreate, Query, QueryRefund, Refund};
use gateway::{Closed, RefundState, TradeState};

use super::*;
use crate::process_managers::MemoryOrderTodo;
use crate::refunds::RefundWish;
use crate::testing::*;

/// A world with one process manager in a process of its own.
struct Stage {
    world: World,
    leases: Arc<MemoryLeases>,
    upkeep: OrderUpkeep,
}

fn upkeep(world: &World, leases: &Arc<MemoryLeases>, holder: &str) -> OrderUpkeep {
    let feed = Arc::new(LogFeed::new(world.log.clone(), OrderUpkeep::events()));
    let todo = Arc::new(MemoryOrderTodo::default());
    OrderUpkeep::new(
        world.other_process(),
        feed,
        todo,
        Arc::clone(leases) as Arc<dyn Leases>,
        holder.to_owned(),
        AttemptPatience(TimeDelta::seconds(30)),
    )
}

impl Stage {
    async fn new() -> Self {
        let world = World::new().await;
        let leases = Arc::new(MemoryLeases::default());
        let upkeep = upkeep(&world, &leases, "one");
        Self { world, leases, upkeep }
    }

    /// The clock moves on in steps of a second, and the manager runs at each.
    async fn pass(&self, time: TimeDelta) {
        for _ in 0..time.num_seconds() {
            self.world.clock.advance(TimeDelta::seconds(1));
            self.upkeep.run_once().await.unwrap();
        }
    }

    /// The clock moves on at once, and the manager runs until nothing is due.
    async fn wake_after(&self, time: TimeDelta) {
        self.world.clock.advance(time);
        for _ in 0..6 {
            self.upkeep.run_once().await.unwrap();
        }
    }

    fn asked(&self) -> Vec<Operation> {
        self.world.channel.asked().into_iter().map(|(operation, _)| operation).collect()
    }

    async fn status(&self, order_id: OrderId) -> OrderStatus {
        self.world.load(order_id).await.status
    }

    /// An order that the channel proved unpaid at its expiry.
    async fn expired(&self) -> PayNo {
        let pay_no = self.world.pending().await;
        self.world.channel.queries(Ok(TradeState::ClosedUnpaid));
        self.wake_after(ORDER_LIFE).await;
        assert_eq!(self.status(pay_no.order_id()).await, OrderStatus::Expired);
        self.world.channel.asked();
        pay_no
    }

    async fn refund(&self, order_id: OrderId, amount: i64) -> RefundNo {
        let amount = Money::new(amount, domain::Currency::Cny).unwrap();
        let operator = crate::Caller::Operator("olivia".to_owned());
        let requested = self
            .world
            .commands
            .request_refund(&operator, order_id, RefundWish { amount, reason: "ill".to_owned() }, None, None, CORRELATION)
            .await;
        requested.unwrap().refund_no
    }

    async fn refund_status(&self, refund_no: RefundNo) -> RefundStatus {
        self.world.load(refund_no.order_id()).await.refund(refund_no).unwrap().status
    }
}

#[tokio::test]
async fn a_pending_payment_is_found_by_asking_when_no_notification_comes() {
    let stage = Stage::new().await;
    let pay_no = stage.world.pending().await;
    stage.world.channel.asked();
    stage.pass(TimeDelta::seconds(9)).await;
    assert_eq!(stage.asked(), []);
    stage.world.channel.queries(Ok(TradeState::AwaitingBuyer { trade_no: None }));
    stage.world.channel.queries(Ok(paid("T1", COURSE_PRICE)));
    stage.pass(TimeDelta::seconds(21)).await;
    assert_eq!(stage.asked(), [Query, Query], "after 10 and after 30 s");
    assert_eq!(stage.world.status(pay_no).await, PayRecordStatus::Confirmed);
    stage.pass(TimeDelta::seconds(60)).await;
    assert_eq!(stage.asked(), [], "nothing is left to be asked");
}

#[tokio::test]
async fn what_was_missed_while_nothing_ran_is_found_at_once() {
    let stage = Stage::new().await;
    let pay_no = stage.world.pending().await;
    stage.world.channel.queries(Ok(paid("T1", COURSE_PRICE)));
    // The order's own expiry was missed too; the payment wins, since the channel is asked before anything ends.
    stage.wake_after(TimeDelta::days(7)).await;
    assert_eq!(stage.world.status(pay_no).await, PayRecordStatus::Confirmed);
    assert_eq!(stage.status(pay_no.order_id()).await, OrderStatus::Paid);
}

#[tokio::test]
async fn an_order_that_nobody_began_to_pay_expires() {
    let stage = Stage::new().await;
    let order_id = stage.world.order().await;
    stage.wake_after(ORDER_LIFE - TimeDelta::seconds(1)).await;
    assert_eq!(stage.status(order_id).await, OrderStatus::AwaitingPayment);
    stage.wake_after(TimeDelta::seconds(1)).await;
    assert_eq!(stage.status(order_id).await, OrderStatus::Expired);
    assert_eq!(stage.asked(), []);
}

#[tokio::test]
async fn an_order_expires_when_its_attempt_is_closed_at_the_channel() {
    let stage = Stage::new().await;
    let pay_no = stage.world.pending().await;
    stage.world.channel.asked();
    stage.world.channel.queries(Ok(TradeState::AwaitingBuyer { trade_no: None }));
    stage.world.channel.queries(Ok(TradeState::AwaitingBuyer { trade_no: None }));
    stage.wake_after(ORDER_LIFE).await;
    assert_eq!(stage.asked(), [Query, Query, Close], "asked by the ladder, and once more before it is closed");
    let record = stage.world.record(pay_no).await;
    assert_eq!((record.status, record.closed_proof), (PayRecordStatus::Closed, Some(ClosedProof::ChannelClosed)));
    assert_eq!(stage.status(pay_no.order_id()).await, OrderStatus::Expired);
}

#[tokio::test]
async fn a_payment_in_the_last_moment_wins_over_expiry() {
    let stage = Stage::new().await;
    let pay_no = stage.world.pending().await;
    stage.world.channel.queries(Ok(TradeState::AwaitingBuyer { trade_no: None }));
    stage.world.channel.queries(Ok(TradeState::AwaitingBuyer { trade_no: None }));
    stage.world.channel.closes(Ok(Closed::StateForbids));
    stage.world.channel.queries(Ok(paid("T1", COURSE_PRICE)));
    stage.wake_after(ORDER_LIFE).await;
    assert_eq!(stage.status(pay_no.order_id()).await, OrderStatus::Paid);
}

#[tokio::test]
async fn a_code_that_the_channel_does_not_know_is_watched_to_its_end_and_five_minutes_more() {
    let stage = Stage::new().await;
    let order_id = stage.world.order().await;
    stage.world.clock.advance(ORDER_LIFE - TimeDelta::minutes(5));
    let pay_no = stage.world.attempt(order_id).await;
    for _ in 0..40 {
        stage.world.channel.closes(Ok(Closed::NotFound));
    }
    // By itself the channel has never heard of it.
    stage.wake_after(TimeDelta::minutes(5)).await;
    assert_eq!(stage.status(order_id).await, OrderStatus::Closing);
    let until = stage.world.record(pay_no).await.begins_until().unwrap();
    stage.wake_after(until + TimeDelta::minutes(5) - TimeDelta::seconds(1) - stage.world.commands.now()).await;
    assert_eq!(stage.status(order_id).await, OrderStatus::Closing);
    stage.wake_after(TimeDelta::seconds(1)).await;
    assert_eq!(stage.status(order_id).await, OrderStatus::Expired);
    assert_eq!(stage.world.record(pay_no).await.closed_proof, Some(ClosedProof::AbsentAfterGrace));
}

#[tokio::test]
async fn a_channel_that_is_silent_for_a_day_holds_the_order_no_longer_and_is_asked_on() {
    let stage = Stage::new().await;
    let pay_no = stage.world.pending().await;
    for _ in 0..200 {
        stage.world.channel.queries(Err(unknown(Query)));
    }
    stage.wake_after(ORDER_LIFE).await;
    let until = stage.world.record(pay_no).await.begins_until().unwrap();
    for _ in 0..23 {
        stage.wake_after(TimeDelta::hours(1)).await;
    }
    assert_eq!(stage.status(pay_no.order_id()).await, OrderStatus::Closing);
    stage.wake_after(until + Order::UNPROVEN_AFTER - stage.world.commands.now()).await;
    assert_eq!(stage.status(pay_no.order_id()).await, OrderStatus::Expired);
    assert_eq!(stage.world.record(pay_no).await.closed_proof, Some(ClosedProof::Unproven));
    stage.asked();
    stage.wake_after(TimeDelta::minutes(10)).await;
    assert_eq!(stage.asked(), [Query]);
    stage.world.channel.answers_again();
    stage.wake_after(TimeDelta::hours(1)).await;
    assert_eq!(stage.asked(), [Query], "who did not answer is asked again");
    stage.wake_after(TimeDelta::hours(24)).await;
    assert_eq!(stage.asked(), [Query]);
    stage.wake_after(TimeDelta::days(30)).await;
    assert_eq!(stage.asked(), []);
}

#[tokio::test]
async fn an_attempt_that_ended_unproven_after_a_long_darkness_is_asked_about_all_the_same() {
    let stage = Stage::new().await;
    let pay_no = stage.world.pending().await;
    for _ in 0..3 {
        stage.world.channel.queries(Err(unknown(Query)));
    }
    stage.wake_after(TimeDelta::days(7)).await;
    assert_eq!(stage.world.record(pay_no).await.closed_proof, Some(ClosedProof::Unproven));
    stage.asked();
    stage.world.channel.answers_again();
    stage.world.channel.queries(Ok(paid("T1", COURSE_PRICE)));
    stage.wake_after(TimeDelta::minutes(10)).await;
    assert_eq!(stage.asked(), [Query]);
    assert_eq!(stage.status(pay_no.order_id()).await, OrderStatus::Paid, "the late payment revived it");
}

#[tokio::test]
async fn a_cancel_that_waits_for_the_channel_is_driven_on() {
    let stage = Stage::new().await;
    let pay_no = stage.world.pending().await;
    stage.world.channel.queries(Err(unknown(Query)));
    let cancelled = stage.world.commands.cancel_order(&alice(), pay_no.order_id(), None, None, None, CORRELATION).await.unwrap();
    assert!(!cancelled.is_proven);
    stage.wake_after(TimeDelta::seconds(3)).await;
    assert_eq!(stage.status(pay_no.order_id()).await, OrderStatus::Cancelled);
}

#[tokio::test]
async fn the_other_attempts_of_a_paid_order_are_closed_at_their_channel() {
    let stage = Stage::new().await;
    let first = stage.world.pending().await;
    stage.world.clock.advance(CODE_LIFE);
    let second = stage.world.attempt(first.order_id()).await;
    assert_eq!((stage.world.status(first).await, second.attempt()), (PayRecordStatus::Closing, 2));
    stage.world.pay(second).await;
    stage.world.channel.asked();
    stage.wake_after(TimeDelta::zero()).await;
    assert_eq!(stage.world.channel.asked(), [(Query, "01".to_owned()), (Close, "01".to_owned())]);
    assert_eq!(stage.world.status(first).await, PayRecordStatus::Closed);
}

#[tokio::test]
async fn money_that_came_late_revives_the_order() {
    let stage = Stage::new().await;
    let pay_no = stage.expired().await;
    stage.world.pay(pay_no).await;
    assert_eq!(stage.status(pay_no.order_id()).await, OrderStatus::Expired);
    stage.wake_after(TimeDelta::zero()).await;
    assert_eq!(stage.status(pay_no.order_id()).await, OrderStatus::Paid);
    assert_eq!(stage.world.all("OrderRevived").await.len(), 1);
    assert_eq!((stage.world.all("RefundRequested").await.len(), stage.asked()), (0, vec![Query]));
}

#[tokio::test]
async fn money_that_came_late_goes_back_where_the_course_was_ordered_again() {
    let stage = Stage::new().await;
    let pay_no = stage.expired().await;
    let again = stage.world.order().await;
    assert_ne!(again, pay_no.order_id());
    stage.world.pay(pay_no).await;
    stage.wake_after(TimeDelta::zero()).await;
    assert_eq!((stage.status(pay_no.order_id()).await, stage.status(again).await), (OrderStatus::Expired, OrderStatus::AwaitingPayment));
    let refund = stage.world.load(pay_no.order_id()).await.refunds[0].clone();
    assert_eq!((refund.amount.amount_minor(), refund.status), (COURSE_PRICE, RefundStatus::Succeeded));
}

#[tokio::test]
async fn while_late_money_is_dealt_with_the_course_is_not_ordered_again() {
    let stage = Stage::new().await;
    let pay_no = stage.expired().await;
    stage.world.pay(pay_no).await;
    // It dies when the key is held and before the order is revived.
    stage.world.log.next("order-", Fault::Unavailable);
    let _ = stage.upkeep.run_once().await;
    let refused = stage.world.create(&alice(), of_selection(stage.world.select("alice", "course-rust").await), None).await;
    assert!(matches!(refused, Err(CommandFailure::InProgress)), "{refused:?}");
    stage.wake_after(AFTER_FAILURE).await;
    assert_eq!(stage.status(pay_no.order_id()).await, OrderStatus::Paid);
}

#[tokio::test]
async fn a_refund_is_asked_about_first_then_made_and_recorded() {
    let stage = Stage::new().await;
    let pay_no = stage.world.pending().await;
    stage.world.pay(pay_no).await;
    let refund_no = stage.refund(pay_no.order_id(), 100).await;
    stage.asked();
    stage.wake_after(TimeDelta::zero()).await;
    assert_eq!(stage.asked(), [QueryRefund, Refund]);
    assert_eq!(stage.refund_status(refund_no).await, RefundStatus::Succeeded);
    let sent = stage.world.channel.refund_requests();
    assert_eq!((sent.len(), sent[0].amount.amount_minor(), sent[0].total.amount_minor()), (1, 100, COURSE_PRICE));
    assert_eq!((sent[0].out_trade_no.clone(), sent[0].refund_no.clone()), (pay_no.to_string(), refund_no.to_string()));
    assert_eq!(sent[0].reason.as_deref(), Some("ill"));
}

#[tokio::test]
async fn a_refund_without_an_answer_is_asked_about_and_never_made_under_another_number() {
    let stage = Stage::new().await;
    let pay_no = stage.world.pending().await;
    stage.world.pay(pay_no).await;
    stage.world.channel.refunds(Err(unknown(Refund)));
    let refund_no = stage.refund(pay_no.order_id(), 100).await;
    stage.asked();
    stage.wake_after(TimeDelta::zero()).await;
    assert_eq!((stage.asked(), stage.refund_status(refund_no).await), (vec![QueryRefund, Refund], RefundStatus::Requested));
    stage.world.channel.refund_queries(Ok(RefundState::Processing));
    stage.wake_after(TimeDelta::seconds(10)).await;
    assert_eq!((stage.asked(), stage.refund_status(refund_no).await), (vec![QueryRefund], RefundStatus::Processing));
    stage.world.channel.refund_queries(Ok(RefundState::Succeeded { refunded_at: None }));
    stage.wake_after(TimeDelta::seconds(20)).await;
    assert_eq!((stage.asked(), stage.refund_status(refund_no).await), (vec![QueryRefund], RefundStatus::Succeeded));
    assert_eq!(stage.world.all("RefundRequested").await.len(), 1);
}

#[tokio::test]
async fn a_refund_that_needs_an_operator_waits_for_one() {
    let stage = Stage::new().await;
    let pay_no = stage.world.pending().await;
    stage.world.pay(pay_no).await;
    let code = "ACQ.SELLER_BALANCE_NOT_ENOUGH".to_owned();
    stage.world.channel.refunds(Ok(RefundState::NeedsOperator { code }));
    let refund_no = stage.refund(pay_no.order_id(), 100).await;
    stage.wake_after(TimeDelta::zero()).await;
    assert_eq!(stage.refund_status(refund_no).await, RefundStatus::NeedsOperator);
    stage.asked();
    stage.wake_after(TimeDelta::days(2)).await;
    assert_eq!(stage.asked(), []);
    let operator = crate::Caller::Operator("olivia".to_owned());
    let retry = crate::OperatorChoice::Retry;
    stage.world.commands.choose_refund(&operator, refund_no, retry, "topped up".to_owned(), None, CORRELATION).await.unwrap();
    stage.wake_after(TimeDelta::zero()).await;
    assert_eq!(stage.refund_status(refund_no).await, RefundStatus::Succeeded);
}

#[tokio::test]
async fn a_refusal_for_good_frees_the_sum() {
    let stage = Stage::new().await;
    let pay_no = stage.world.pending().await;
    stage.world.pay(pay_no).await;
    stage.world.channel.refunds(Ok(RefundState::Failed { code: "ACQ.REFUND_FEE_ERROR".to_owned() }));
    let refused = stage.refund(pay_no.order_id(), COURSE_PRICE).await;
    stage.wake_after(TimeDelta::zero()).await;
    assert_eq!(stage.refund_status(refused).await, RefundStatus::Failed);
    let again = stage.refund(pay_no.order_id(), COURSE_PRICE).await;
    stage.wake_after(TimeDelta::seconds(10)).await;
    assert_eq!(stage.refund_status(again).await, RefundStatus::Succeeded);
}

#[tokio::test]
async fn money_paid_twice_goes_back() {
    let stage = Stage::new().await;
    let first = stage.world.pending().await;
    stage.world.clock.advance(CODE_LIFE);
    let second = stage.world.attempt(first.order_id()).await;
    stage.world.pay(second).await;
    stage.world.channel.queries(Ok(paid("T2", COURSE_PRICE)));
    stage.wake_after(TimeDelta::zero()).await;
    let order = stage.world.load(first.order_id()).await;
    assert_eq!(order.pay_record(first).unwrap().status, PayRecordStatus::Surplus);
    assert_eq!((order.refunds.len(), order.refunds[0].pay_no, order.refunds[0].status), (1, first, RefundStatus::Succeeded));
}

#[tokio::test]
async fn one_of_two_managers_acts_and_the_other_takes_over_when_it_is_gone() {
    let stage = Stage::new().await;
    let other = upkeep(&stage.world, &stage.leases, "two");
    let pay_no = stage.world.pending().await;
    stage.wake_after(TimeDelta::seconds(10)).await;
    stage.world.channel.asked();
    other.run_once().await.unwrap();
    assert_eq!(stage.asked(), [], "the first one has the work");
    stage.world.clock.advance(LEASE);
    other.run_once().await.unwrap();
    assert_eq!(stage.asked(), [Query]);
    assert_eq!(stage.world.status(pay_no).await, PayRecordStatus::Pending);
}

#[tokio::test]
async fn a_list_that_was_thrown_away_is_made_again_from_the_log() {
    let stage = Stage::new().await;
    let pay_no = stage.world.pending().await;
    stage.wake_after(TimeDelta::minutes(2)).await;
    stage.asked();
    let fresh = upkeep(&stage.world, &stage.leases, "one");
    stage.world.channel.queries(Ok(paid("T1", COURSE_PRICE)));
    fresh.run_once().await.unwrap();
    assert_eq!((stage.asked(), stage.world.status(pay_no).await), (vec![Query], PayRecordStatus::Confirmed));
}

#[tokio::test]
async fn its_events_say_what_they_follow_from() {
    let stage = Stage::new().await;
    let order_id = stage.world.order().await;
    stage.wake_after(ORDER_LIFE).await;
    let events = stage.world.events(&streams::order(order_id)).await;
    let expired = events.last().unwrap();
    assert_eq!((expired.event_type.as_str(), expired.metadata.actor.as_str()), ("OrderExpired", "process:order_upkeep"));
    assert_eq!((expired.metadata.causation_id, expired.event_id.get_version_num()), (Some(events[0].event_id), 5));
    assert!(!stage.asked().contains(&Precreate));
}

#[tokio::test]
async fn a_record_whose_channel_did_not_answer_is_asked_again_although_a_refund_was_made() {
    let stage = Stage::new().await;
    let pay_no = stage.world.pending().await;
    let order_id = pay_no.order_id();
    stage.world.clock.advance(ORDER_LIFE + TimeDelta::days(1));
    let capture = domain::pay_record::Capture {
        trade_no: "foreign".to_owned(),
        amount: stage.world.record(pay_no).await.issued.unwrap().amount,
        paid_at: None,
        paid_at_offset: None,
        received_at: stage.world.commands.now(),
        learned_by: domain::pay_record::CaptureSource::Assigned,
    };
    let context = Context::of_caller(&alice(), CORRELATION);
    let command = OrderCommand::RecordCapture { pay_no, capture };
    let decide = |order: &Order| Order::decide(order, command.clone());
    stage.world.commands.orders.execute(&streams::order(order_id), &context, decide).await.unwrap();
    let refund_no = stage.refund(order_id, 100).await;
    stage.world.channel.queries(Err(unknown(Query)));
    stage.asked();
    stage.upkeep.run_once().await.unwrap();
    assert_eq!((stage.asked(), stage.refund_status(refund_no).await), (vec![Query, QueryRefund, Refund], RefundStatus::Succeeded));
    stage.wake_after(TimeDelta::hours(1)).await;
    assert_eq!(stage.asked(), [Query], "its own code may have been paid while nobody looked");
    stage.wake_after(TimeDelta::days(1)).await;
    assert_eq!(stage.asked(), [], "the channel has said that it knows nothing of it");
}
