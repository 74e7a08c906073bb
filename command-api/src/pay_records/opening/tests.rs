use domain::order::OrderStatus;
use domain::pay_record::{ClosedProof, ClosingCause, PayRecordStatus};
use domain::{Channel, OrderId};
use gateway::Operation::{Close, Form, Precreate, Query};
use gateway::{Closed, TradeState};

use super::*;
use crate::pay_records::Attempted;
use crate::testing::*;

const BACK: &str = "https://pay.example/return/token";

/// A shop that has `alipay_page` beside `alipay_qr`, and an order in it.
struct Shop {
    world: World,
    commands: Commands,
    order_id: OrderId,
}

impl Shop {
    async fn new() -> Self {
        let world = World::new().await;
        let (commands, order_id) = (world.with_channel(Channel::AlipayPage), world.order().await);
        Self { world, commands, order_id }
    }

    async fn begin(&self, channel: Channel) -> Attempted {
        self.commands.create_pay_record(&alice(), self.order_id, channel, None, None, CORRELATION).await.unwrap()
    }

    async fn open(&self, pay_no: PayNo) -> Result<PaymentForm, CommandFailure> {
        self.commands.open_pay_page(pay_no, BACK.to_owned(), CORRELATION).await
    }

    async fn cancel(&self) -> crate::Cancelled {
        self.commands.cancel_order(&alice(), self.order_id, None, None, None, CORRELATION).await.unwrap()
    }
}

fn types(names: &[&str]) -> Vec<String> {
    ["OrderCreated", "PayRecordIssued"].iter().chain(names).map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn a_page_attempt_asks_nobody_and_can_be_paid_at_once() {
    let shop = Shop::new().await;
    let attempted = shop.begin(Channel::AlipayPage).await;
    let record = attempted.record().unwrap();
    assert_eq!((attempted.is_new, record.status, &record.prepared), (true, PayRecordStatus::Pending, &None));
    let again = shop.begin(Channel::AlipayPage).await;
    assert_eq!((again.pay_no, again.is_new), (attempted.pay_no, false));
    assert_eq!(shop.world.channel.asked(), []);
    assert_eq!(shop.world.order_types(shop.order_id).await, types(&[]));
}

#[tokio::test]
async fn a_form_holds_what_the_intent_holds_and_is_on_the_log_before_it_is_given_out() {
    let shop = Shop::new().await;
    let pay_no = shop.begin(Channel::AlipayPage).await.pay_no;
    let form = shop.open(pay_no).await.unwrap();
    assert_eq!(form.action, format!("https://page.alipay.example/{pay_no}"));
    assert_eq!(shop.world.order_types(shop.order_id).await, types(&["PayRecordOpened"]));
    assert_eq!(shop.world.all("PayRecordOpened").await[0]["pay_no"], pay_no.to_string());
    let expires_at = shop.world.load(shop.order_id).await.created.unwrap().expires_at;
    let request = shop.world.channel.form_requests().remove(0);
    assert_eq!((request.out_trade_no, request.amount.amount_minor()), (pay_no.to_string(), COURSE_PRICE));
    assert_eq!((request.time_expire, request.return_url.as_str()), (expires_at, BACK));
    assert_eq!((request.subject.as_str(), request.notify_url.as_str()), ("The course-rust", "https://pay.example/notify/alipay"));
    shop.open(pay_no).await.unwrap();
    assert_eq!(shop.world.order_types(shop.order_id).await, types(&["PayRecordOpened"]), "opened once, however often it is shown");
    assert_eq!(shop.world.channel.asked().len(), 2);
}

#[tokio::test]
async fn what_the_log_does_not_take_is_not_given_out() {
    let shop = Shop::new().await;
    let pay_no = shop.begin(Channel::AlipayPage).await.pay_no;
    shop.world.log.next("order-", Fault::Unavailable);
    assert!(matches!(shop.open(pay_no).await, Err(CommandFailure::Append(_))));
    assert_eq!(shop.world.order_types(shop.order_id).await, types(&[]));
    assert!(shop.open(pay_no).await.is_ok());
}

#[tokio::test]
async fn members_that_make_no_form_end_the_attempt_and_a_broken_key_does_not() {
    let shop = Shop::new().await;
    let pay_no = shop.begin(Channel::AlipayPage).await.pay_no;
    shop.world.channel.forms(Err(unknown(Form)));
    assert!(matches!(shop.open(pay_no).await, Err(CommandFailure::ChannelUnavailable)));
    assert_eq!(shop.world.order_types(shop.order_id).await, types(&[]));
    shop.world.channel.forms(Err(refused(Form)));
    assert!(matches!(shop.open(pay_no).await, Err(CommandFailure::ChannelRefused { code }) if code == "ACQ.NO_LUCK"));
    let record = shop.world.record(pay_no).await;
    assert_eq!((record.status, record.failure_code.as_deref()), (PayRecordStatus::Failed, Some("ACQ.NO_LUCK")));
    let next = shop.begin(Channel::AlipayPage).await.pay_no;
    assert_eq!(next.attempt(), 2);
    shop.open(next).await.unwrap();
    shop.world.channel.forms(Err(refused(Form)));
    assert!(matches!(shop.open(next).await, Err(CommandFailure::ChannelRefused { .. })));
    assert_eq!(shop.world.status(next).await, PayRecordStatus::Pending, "a form of it is out, and may be paid");
}

#[tokio::test]
async fn no_form_is_given_out_in_the_last_two_minutes_nor_of_what_is_over() {
    let shop = Shop::new().await;
    let pay_no = shop.begin(Channel::AlipayPage).await.pay_no;
    let expires_at = shop.world.load(shop.order_id).await.created.unwrap().expires_at;
    shop.world.clock.set(expires_at - Order::LEAST_TIME_TO_PAY);
    shop.open(pay_no).await.unwrap();
    shop.world.clock.advance(chrono::TimeDelta::microseconds(1));
    assert!(matches!(shop.open(pay_no).await, Err(CommandFailure::Order(OrderRejection::Expiring))));
    let again = shop.commands.create_pay_record(&alice(), shop.order_id, Channel::AlipayPage, None, None, CORRELATION).await;
    assert!(matches!(again, Err(CommandFailure::Order(OrderRejection::Expiring))), "its link would open nothing");
    shop.world.channel.queries(Ok(paid("trade-1", COURSE_PRICE)));
    shop.commands.sync_pay_record(&alice(), pay_no, None, None, CORRELATION).await.unwrap();
    assert!(matches!(shop.open(pay_no).await, Err(CommandFailure::Order(OrderRejection::AlreadyPaid))));

    let shop = Shop::new().await;
    let qr = shop.begin(Channel::AlipayQr).await.pay_no;
    assert!(matches!(shop.open(qr).await, Err(CommandFailure::ChannelNotConfigured)), "a code has no form");
    let page = shop.begin(Channel::AlipayPage).await.pay_no;
    let bare = shop.world.without_channels();
    assert!(matches!(bare.open_pay_page(page, BACK.to_owned(), CORRELATION).await, Err(CommandFailure::ChannelNotConfigured)));
    shop.begin(Channel::AlipayQr).await;
    assert!(matches!(shop.open(page).await, Err(CommandFailure::Order(OrderRejection::PayRecord(PayRecordRejection::WrongState)))));
    let never_issued = PayNo::new(shop.order_id, 9).unwrap();
    assert!(matches!(shop.open(never_issued).await, Err(CommandFailure::NotFound)));
}

#[tokio::test]
async fn an_order_that_ends_while_its_form_is_signed_gives_out_none() {
    let shop = Shop::new().await;
    let pay_no = shop.begin(Channel::AlipayPage).await.pay_no;
    let other = shop.world.other_process();
    let order_id = shop.order_id;
    shop.world.log.meanwhile("order-", async move {
        assert!(other.cancel_order(&alice(), order_id, None, None, None, CORRELATION).await.unwrap().is_proven);
    });
    assert!(matches!(shop.open(pay_no).await, Err(CommandFailure::Order(OrderRejection::Ended))));
    assert_eq!(shop.world.channel.asked().iter().filter(|(operation, _)| *operation == Query).count(), 0);
}

#[tokio::test]
async fn an_order_whose_page_was_never_opened_ends_without_a_question_and_one_that_was_is_asked_about() {
    let shop = Shop::new().await;
    let unopened = shop.begin(Channel::AlipayPage).await.pay_no;
    assert!(shop.cancel().await.is_proven);
    let record = shop.world.record(unopened).await;
    assert_eq!((record.status, record.closed_proof), (PayRecordStatus::Closed, Some(ClosedProof::NeverShown)));
    assert_eq!(shop.world.channel.asked(), []);

    let shop = Shop::new().await;
    let opened = shop.begin(Channel::AlipayPage).await.pay_no;
    shop.open(opened).await.unwrap();
    shop.world.channel.asked();
    shop.world.channel.closes(Ok(Closed::NotFound));
    assert!(!shop.cancel().await.is_proven, "its form may yet be brought");
    assert_eq!(shop.world.channel.asked(), [(Query, "01".to_owned()), (Close, "01".to_owned())]);
    assert_eq!(shop.world.load(shop.order_id).await.status, OrderStatus::Closing);
}

#[tokio::test]
async fn choosing_another_channel_ends_an_unopened_page_and_watches_an_opened_one() {
    let shop = Shop::new().await;
    let unopened = shop.begin(Channel::AlipayPage).await.pay_no;
    assert_eq!(shop.begin(Channel::AlipayQr).await.pay_no.attempt(), 2);
    assert_eq!(shop.world.record(unopened).await.closed_proof, Some(ClosedProof::NeverShown));
    let page = shop.begin(Channel::AlipayPage).await.pay_no;
    let code = shop.world.record(PayNo::new(shop.order_id, 2).unwrap()).await;
    assert_eq!((code.status, code.closing_cause), (PayRecordStatus::Closing, Some(ClosingCause::ChannelSwitched)));
    shop.open(page).await.unwrap();
    shop.begin(Channel::AlipayQr).await;
    let opened = shop.world.record(page).await;
    assert_eq!((opened.status, opened.closing_cause), (PayRecordStatus::Closing, Some(ClosingCause::ChannelSwitched)));
    assert_eq!(shop.world.channel.asked().iter().filter(|(operation, _)| *operation == Precreate).count(), 2);
}

#[tokio::test]
async fn who_pays_both_the_page_and_the_code_gets_one_back() {
    let shop = Shop::new().await;
    let page = shop.begin(Channel::AlipayPage).await.pay_no;
    shop.open(page).await.unwrap();
    let code = shop.begin(Channel::AlipayQr).await.pay_no;
    for (pay_no, trade_no) in [(code, "trade-1"), (page, "trade-2")] {
        shop.world.channel.queries(Ok(paid(trade_no, COURSE_PRICE)));
        shop.commands.sync_pay_record(&alice(), pay_no, None, None, CORRELATION).await.unwrap();
    }
    assert_eq!((shop.world.status(code).await, shop.world.status(page).await), (PayRecordStatus::Confirmed, PayRecordStatus::Surplus));
    let surplus = shop.world.all("SurplusPaymentReceived").await.remove(0);
    assert_eq!((surplus["reason"].as_str(), surplus["channel"].as_str()), (Some("paid_twice"), Some("alipay_page")));
    assert_eq!(shop.world.all("RefundRequested").await.len(), 1);
}

#[tokio::test]
async fn a_question_before_the_buyer_comes_proves_nothing() {
    let shop = Shop::new().await;
    let pay_no = shop.begin(Channel::AlipayPage).await.pay_no;
    for _ in 0..2 {
        shop.world.channel.queries(Ok(TradeState::NotFound));
        shop.commands.sync_pay_record(&alice(), pay_no, None, None, CORRELATION).await.unwrap();
        assert_eq!(shop.world.status(pay_no).await, PayRecordStatus::Pending);
        shop.open(pay_no).await.unwrap();
    }
}

#[tokio::test]
async fn a_key_that_made_a_page_attempt_answers_again_as_it_left_it() {
    let shop = Shop::new().await;
    let key = key("k", "alipay_page");
    let alice = alice();
    let create = || shop.commands.create_pay_record(&alice, shop.order_id, Channel::AlipayPage, Some(&key), None, CORRELATION);
    let first = create().await.unwrap();
    shop.open(first.pay_no).await.unwrap();
    let again = create().await.unwrap();
    assert_eq!((again.pay_no, again.is_new, again.replayed), (first.pay_no, true, true));
    assert_eq!((again.record().unwrap(), again.order.position), (first.record().unwrap(), first.order.position));
}

#[tokio::test]
async fn a_channel_that_does_not_answer_is_begun_with_no_more_and_what_was_begun_is_opened() {
    let shop = Shop::new().await;
    let pay_no = shop.begin(Channel::AlipayPage).await.pay_no;
    shop.world.channel.set_available(false);
    assert!(shop.open(pay_no).await.is_ok());
    assert_eq!(shop.begin(Channel::AlipayPage).await.pay_no, pay_no);
    let (created, _) = shop.world.create(&alice(), of_product("notes", None, 1), None).await.unwrap();
    let other = created.resource_id.parse().unwrap();
    let refused = shop.commands.create_pay_record(&alice(), other, Channel::AlipayPage, None, None, CORRELATION).await;
    assert!(matches!(refused, Err(CommandFailure::ChannelUnavailable)));
}
