use chassis::clock::Clock;
use chrono::TimeDelta;
use domain::order::OrderStatus;
use domain::pay_record::ClosedProof;
use gateway::Operation::{self, Query};

use super::*;
use crate::testing::*;

fn query(attempt: &str) -> (Operation, String) {
    (Query, attempt.to_owned())
}

/// Each answer that tells of no money, over a pending record whose code can be scanned.
#[tokio::test]
async fn what_tells_of_no_money_and_proves_nothing_changes_nothing() {
    for state in [
        TradeState::AwaitingBuyer { trade_no: None },
        TradeState::AwaitingBuyer { trade_no: Some("trade-1".to_owned()) },
        TradeState::NotFound,
        TradeState::Unrecognised("TRADE_DREAMT".to_owned()),
    ] {
        let world = World::new().await;
        let pay_no = world.pending().await;
        let head = world.head().await;
        world.channel.queries(Ok(state.clone()));
        let (standing, replayed) = world.sync(pay_no).await.unwrap();
        assert_eq!((standing.state.status, replayed), (OrderStatus::AwaitingPayment, false));
        assert_eq!((world.head().await, world.status(pay_no).await), (head, PayRecordStatus::Pending), "{state:?}");
    }
}

#[tokio::test]
async fn a_payment_confirms_the_order_in_one_append_with_the_channels_own_time() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    world.log.tried();
    world.channel.queries(Ok(paid("trade-1", COURSE_PRICE)));
    let (standing, _) = world.sync(pay_no).await.unwrap();
    assert_eq!(standing.state.paid, Some((pay_no, paid_at())));
    let (_, _, events) = world.log.tried().pop().unwrap();
    let types: Vec<&str> = events.iter().map(|event| event.event_type.as_str()).collect();
    assert_eq!(types, ["PaymentConfirmed", "OrderPaid"]);
    let confirmed = world.all("PaymentConfirmed").await.remove(0);
    assert_eq!((confirmed["trade_no"].as_str(), confirmed["amount"].as_i64()), (Some("trade-1"), Some(COURSE_PRICE)));
    assert_eq!((confirmed["paid_at_offset"].as_str(), confirmed["learned_by"].as_str()), (Some("+08:00"), Some("query")));
    assert_ne!(confirmed["paid_at"], confirmed["received_at"], "both times are kept");
}

#[tokio::test]
async fn a_payment_without_a_time_is_paid_when_we_learned_of_it() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    let capture = ChannelCapture { paid_at: None, ..captured("trade-1", COURSE_PRICE) };
    world.channel.queries(Ok(TradeState::Paid(capture)));
    world.sync(pay_no).await.unwrap();
    let confirmed = world.all("PaymentConfirmed").await.remove(0);
    assert_eq!((&confirmed["paid_at"], confirmed.get("paid_at_offset")), (&confirmed["received_at"], None));
}

#[tokio::test]
async fn another_amount_in_the_channels_answer_is_kept_and_sent_back() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    world.channel.queries(Ok(paid("trade-1", COURSE_PRICE - 1)));
    let (standing, _) = world.sync(pay_no).await.unwrap();
    assert_eq!((standing.state.status, world.status(pay_no).await), (OrderStatus::AwaitingPayment, PayRecordStatus::Surplus));
    let surplus = world.all("SurplusPaymentReceived").await.remove(0);
    assert_eq!((surplus["reason"].as_str(), surplus["amount"].as_i64()), (Some("amount_mismatch"), Some(COURSE_PRICE - 1)));
    let refund = world.all("RefundRequested").await.remove(0);
    assert_eq!((refund["amount"].as_i64(), refund["trade_no"].as_str()), (Some(COURSE_PRICE - 1), Some("trade-1")));
}

#[tokio::test]
async fn an_answer_told_again_has_no_second_effect() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    world.pay(pay_no).await;
    let head = world.head().await;
    let context = Context::of_caller(&alice(), CORRELATION);
    world.channel.queries(Ok(paid("trade-1", COURSE_PRICE)));
    world.commands.settle_by_query(&context, pay_no).await.unwrap();
    assert_eq!(world.head().await, head);
}

#[tokio::test]
async fn a_second_capture_of_a_paid_order_is_surplus_and_goes_back() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    world.clock.advance(CODE_LIFE);
    let second = world.attempt(pay_no.order_id()).await;
    world.pay(second).await;
    world.channel.queries(Ok(paid("trade-2", COURSE_PRICE)));
    let (standing, _) = world.sync(pay_no).await.unwrap();
    assert_eq!(standing.state.paid, Some((second, paid_at())), "the first capture pays");
    assert_eq!(world.all("SurplusPaymentReceived").await[0]["reason"], "paid_twice");
    assert_eq!((world.all("RefundRequested").await.len(), world.all("PaymentConfirmed").await.len()), (1, 1));
}

#[tokio::test]
async fn what_the_channel_closed_is_closed() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    world.channel.queries(Ok(TradeState::ClosedUnpaid));
    world.sync(pay_no).await.unwrap();
    let record = world.record(pay_no).await;
    assert_eq!((record.status, record.closed_proof), (PayRecordStatus::Closed, Some(ClosedProof::ChannelClosed)));
    assert_eq!(world.load(pay_no.order_id()).await.status, OrderStatus::AwaitingPayment, "it can be tried again");
    assert_eq!(world.attempt(pay_no.order_id()).await.attempt(), 2);
}

#[tokio::test]
async fn what_was_paid_and_wholly_given_back_before_we_heard_of_it_was_paid_and_given_back() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    world.channel.queries(Ok(TradeState::ClosedRefunded(captured("trade-1", COURSE_PRICE))));
    world.sync(pay_no).await.unwrap();
    let order = world.load(pay_no.order_id()).await;
    assert_eq!((order.status, order.payment_status()), (OrderStatus::Paid, domain::order::PaymentStatus::Refunded));
    let back = world.all("RefundSucceeded").await;
    assert_eq!((back.len(), back[0]["fully_refunded"].as_bool(), back[0]["cause"].as_str()), (1, Some(true), Some("channel_side")));
}

#[tokio::test]
async fn what_the_channel_never_saw_is_closed_only_after_its_code_and_the_grace_are_over() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    world.clock.advance(CODE_LIFE + TimeDelta::minutes(5) - TimeDelta::microseconds(1));
    world.sync(pay_no).await.unwrap();
    assert_eq!(world.status(pay_no).await, PayRecordStatus::Pending);
    world.clock.advance(TimeDelta::microseconds(1));
    world.sync(pay_no).await.unwrap();
    let record = world.record(pay_no).await;
    assert_eq!((record.status, record.closed_proof), (PayRecordStatus::Closed, Some(ClosedProof::AbsentAfterGrace)));
}

#[tokio::test]
async fn the_time_before_the_question_counts_as_proof_and_not_the_time_of_the_answer() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    world.clock.advance(CODE_LIFE);
    let clock = world.clock.clone();
    world.channel.meanwhile(async move { clock.advance(TimeDelta::hours(1)) });
    world.sync(pay_no).await.unwrap();
    assert_eq!(world.status(pay_no).await, PayRecordStatus::Pending);
}

#[tokio::test]
async fn a_record_that_is_being_prepared_is_not_ended_by_a_channel_that_does_not_know_it_yet() {
    let world = World::new().await;
    let pay_no = world.preparing().await;
    world.sync(pay_no).await.unwrap();
    assert_eq!(world.status(pay_no).await, PayRecordStatus::Preparing);
    world.channel.queries(Ok(paid("trade-1", COURSE_PRICE)));
    world.sync(pay_no).await.unwrap();
    assert_eq!(world.status(pay_no).await, PayRecordStatus::Confirmed, "money counts in any state");
}

#[tokio::test]
async fn a_channel_that_does_not_answer_refuses_or_is_no_longer_configured_is_told() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    let head = world.head().await;
    world.channel.queries(Err(unknown(Query)));
    assert!(matches!(world.sync(pay_no).await, Err(CommandFailure::ChannelUnavailable)));
    world.channel.queries(Err(refused(Query)));
    assert!(matches!(world.sync(pay_no).await, Err(CommandFailure::ChannelRefused { code }) if code == "ACQ.NO_LUCK"));
    let gone = world.without_channels().sync_pay_record(&alice(), pay_no, None, None, CORRELATION).await;
    assert!(matches!(gone, Err(CommandFailure::ChannelNotConfigured)));
    assert_eq!(world.head().await, head);
}

#[tokio::test]
async fn what_has_its_outcome_is_answered_without_asking() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    world.pay(pay_no).await;
    world.channel.asked();
    let (standing, _) = world.sync(pay_no).await.unwrap();
    assert_eq!((standing.state.status, world.channel.asked()), (OrderStatus::Paid, vec![]));

    let order_id = world.create(&alice(), of_product("notes", None, 1), None).await.unwrap().0.resource_id.parse().unwrap();
    world.channel.precreates(Err(refused(Operation::Precreate)));
    world.try_attempt(order_id, None).await.unwrap_err();
    world.channel.asked();
    world.sync(PayNo::new(order_id, 1).unwrap()).await.unwrap();
    assert_eq!(world.channel.asked(), []);
}

#[tokio::test]
async fn a_closed_record_is_still_asked_about_since_money_may_come_late() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    world.channel.queries(Ok(TradeState::ClosedUnpaid));
    world.sync(pay_no).await.unwrap();
    world.channel.asked();
    world.channel.queries(Ok(paid("trade-1", COURSE_PRICE)));
    world.sync(pay_no).await.unwrap();
    assert_eq!((world.channel.asked(), world.load(pay_no.order_id()).await.status), (vec![query("01")], OrderStatus::Paid));
}

#[tokio::test]
async fn only_its_buyer_an_operator_and_whoever_has_its_link_ask_about_a_payment() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    world.channel.asked();
    for (caller, pay_no) in [
        (buyer("bob"), pay_no),
        (service(), pay_no),
        (alice(), PayNo::new(pay_no.order_id(), 2).unwrap()),
        (alice(), "1234501".parse().unwrap()),
    ] {
        let refused = world.commands.sync_pay_record(&caller, pay_no, None, None, CORRELATION).await;
        assert!(matches!(refused, Err(CommandFailure::NotFound)), "{caller:?} {pay_no}");
    }
    assert_eq!(world.channel.asked(), []);
    for caller in [Caller::Operator("oscar".to_owned()), Caller::CheckoutLink] {
        world.commands.sync_pay_record(&caller, pay_no, None, None, CORRELATION).await.unwrap();
    }
    assert_eq!(world.channel.asked().len(), 2);
}

#[tokio::test]
async fn a_stale_revision_asks_nobody() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    world.channel.asked();
    let stale = world.commands.sync_pay_record(&alice(), pay_no, None, Some(0), CORRELATION).await;
    assert!(matches!(stale, Err(CommandFailure::Stale)));
    assert_eq!(world.channel.asked(), []);
    world.commands.sync_pay_record(&alice(), pay_no, None, Some(2), CORRELATION).await.unwrap();
}

#[tokio::test]
async fn a_key_asks_once_and_other_content_is_refused() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    world.channel.asked();
    let with = async |content| world.commands.sync_pay_record(&alice(), pay_no, Some(&key("k", content)), Some(2), CORRELATION).await;
    let (first, replayed) = with("").await.unwrap();
    assert!(!replayed);
    let (again, replayed) = with("").await.unwrap();
    assert_eq!((again.revision, replayed), (first.revision, true), "the key's own event does not make its repeat stale");
    assert!(matches!(with("other").await, Err(CommandFailure::KeyReused)));
    assert_eq!(world.channel.asked(), [query("01")]);

    world.channel.queries(Err(unknown(Query)));
    let failed = world.commands.sync_pay_record(&alice(), pay_no, Some(&key("l", "")), None, CORRELATION).await;
    assert!(matches!(failed, Err(CommandFailure::ChannelUnavailable)));
    let (_, replayed) = world.commands.sync_pay_record(&alice(), pay_no, Some(&key("l", "")), None, CORRELATION).await.unwrap();
    assert!(!replayed, "a failure is not replayed");
}

#[tokio::test]
async fn a_payment_and_a_cancel_at_the_same_moment_never_both_win() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    let other = world.other_process();
    world.channel.queries(Ok(paid("trade-1", COURSE_PRICE)));
    world.log.meanwhile("order-", async move {
        // By now the channel would close it, had this one not been paid.
        other.cancel_order(&alice(), pay_no.order_id(), None, None, None, CORRELATION).await.unwrap();
    });
    world.sync(pay_no).await.unwrap();
    let order = world.load(pay_no.order_id()).await;
    assert_eq!(order.status, OrderStatus::Cancelled);
    assert_eq!(world.all("SurplusPaymentReceived").await[0]["reason"], "after_cancel");
    assert_eq!((order.refunds.len(), world.all("PaymentConfirmed").await.len()), (1, 0));
    assert!(world.clock.now() < order.created.unwrap().expires_at);
}

#[tokio::test]
async fn a_record_that_was_paid_meanwhile_is_not_closed() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    let other = world.other_process();
    let context = Context::of_channel("alipay", CORRELATION);
    world.channel.queries(Ok(TradeState::ClosedUnpaid));
    world.channel.meanwhile(async move {
        let context = Context::of_channel("alipay", CORRELATION);
        other.record_capture(&context, pay_no, &captured("trade-1", COURSE_PRICE), CaptureSource::Notification).await.unwrap();
    });
    world.commands.settle_by_query(&context, pay_no).await.unwrap();
    assert_eq!(world.status(pay_no).await, PayRecordStatus::Confirmed);
}
