use domain::order::{RefundCause, RefundStatus};
use domain::{Channel, Currency};
use gateway::Operation::{Query, QueryRefund, Refund as Refunding};
use gateway::{News, Notification};

use super::*;
use crate::caller::Caller;
use crate::notices::Unverified;
use crate::refunds::RefundWish;
use crate::testing::*;
use crate::wallet::Wallet;

const PART: i64 = 100;

fn fen(amount: i64) -> Money {
    Money::new(amount, Currency::Cny).unwrap()
}

struct Desk {
    world: World,
    commands: Commands,
    pay_no: PayNo,
    refund_no: RefundNo,
}

impl Desk {
    /// An order paid through WeChat Pay, a part of which is to go back; the channel has taken the refund on.
    async fn new() -> Self {
        let world = World::new().await;
        let commands = world.with_channels(|channels, one| channels.with(Channel::WechatNative, one.clone()));
        let order_id = world.order().await;
        let begun = commands.create_pay_record(&alice(), order_id, Channel::WechatNative, None, None, CORRELATION).await.unwrap();
        let raw = world.channel.notifies(Ok(notification(begun.pay_no, "4200001", COURSE_PRICE)));
        let (verdict, _) = commands.take_notice(Wallet::Wechat, raw, Unverified::Keep, CORRELATION).await.unwrap();
        assert_eq!(verdict, NoticeVerdict::Recorded);
        let operator = Caller::Operator("olivia".to_owned());
        let wish = RefundWish { amount: fen(PART), reason: "ill".to_owned() };
        let requested = commands.request_refund(&operator, order_id, wish, None, None, CORRELATION).await.unwrap();
        world.channel.refunds(Ok(RefundState::Processing));
        commands.drive_refund(&Context::of_caller(&operator, CORRELATION), requested.refund_no).await.unwrap();
        world.channel.asked();
        Self { world, commands, pay_no: begun.pay_no, refund_no: requested.refund_no }
    }

    fn told(&self, state: RefundState) -> Notification {
        let news = News::Refund { refund_no: self.refund_no.to_string(), amount: fen(PART), state };
        Notification { news, ..notification(self.pay_no, "4200001", COURSE_PRICE) }
    }

    async fn take(&self, notification: Notification) -> NoticeVerdict {
        let raw = self.world.channel.notifies(Ok(notification));
        self.commands.take_notice(Wallet::Wechat, raw, Unverified::Keep, CORRELATION).await.unwrap().0
    }

    async fn status(&self) -> RefundStatus {
        self.world.load(self.pay_no.order_id()).await.refund(self.refund_no).unwrap().status
    }
}

fn succeeded() -> RefundState {
    RefundState::Succeeded { refunded_at: Some(paid_at()) }
}

#[tokio::test]
async fn a_notice_that_agrees_in_every_sum_ends_the_refund_without_a_question() {
    let desk = Desk::new().await;
    assert_eq!(desk.take(desk.told(succeeded())).await, NoticeVerdict::Recorded);
    assert_eq!((desk.status().await, desk.world.channel.asked().len()), (RefundStatus::Succeeded, 0));
    let head = desk.world.head().await;
    assert_eq!(desk.take(desk.told(succeeded())).await, NoticeVerdict::Recorded, "a repeat is acknowledged");
    assert_eq!(desk.world.head().await, head);
}

#[tokio::test]
async fn a_refund_that_was_closed_or_needs_somebody_stands_so() {
    for (state, status) in [
        (RefundState::Failed { code: "CLOSED".to_owned() }, RefundStatus::Failed),
        (RefundState::NeedsOperator { code: "ABNORMAL".to_owned() }, RefundStatus::NeedsOperator),
    ] {
        let desk = Desk::new().await;
        assert_eq!(desk.take(desk.told(state)).await, NoticeVerdict::Recorded);
        assert_eq!(desk.status().await, status);
    }
}

#[tokio::test]
async fn a_notice_with_other_sums_changes_nothing_but_that_the_channel_is_asked() {
    let desk = Desk::new().await;
    let mut more = desk.told(succeeded());
    if let News::Refund { amount, .. } = &mut more.news {
        *amount = fen(PART + 1);
    }
    let other_total = Notification { amount: fen(COURSE_PRICE + 1), ..desk.told(succeeded()) };
    for notice in [more, other_total] {
        desk.world.channel.refund_queries(Ok(RefundState::Processing));
        assert_eq!(desk.take(notice).await, NoticeVerdict::Refused(NotificationRefusal::AmountMismatch));
        assert_eq!(desk.status().await, RefundStatus::Processing);
        assert_eq!(desk.world.channel.asked(), [(QueryRefund, "01".to_owned())]);
    }
}

#[tokio::test]
async fn what_proves_nothing_by_itself_is_settled_by_a_question_alone() {
    let desk = Desk::new().await;
    let unsigned = || Notification { query_first: true, ..desk.told(succeeded()) };
    desk.world.channel.refund_queries(Err(unknown(QueryRefund)));
    assert_eq!(desk.take(unsigned()).await, NoticeVerdict::Unconfirmed);
    desk.world.channel.refund_queries(Ok(RefundState::Processing));
    assert_eq!(desk.take(unsigned()).await, NoticeVerdict::Unconfirmed);
    assert_eq!(desk.status().await, RefundStatus::Processing);
    desk.world.channel.refund_queries(Ok(succeeded()));
    assert_eq!(desk.take(unsigned()).await, NoticeVerdict::SettledByQuery);
    assert_eq!(desk.status().await, RefundStatus::Succeeded);
}

#[tokio::test]
async fn a_refund_under_a_number_that_only_we_give_and_did_not_waits_for_an_operator() {
    let desk = Desk::new().await;
    let refund_no = RefundNo::new(desk.pay_no.order_id(), 7).unwrap().to_string();
    let news = News::Refund { refund_no, amount: fen(PART), state: succeeded() };
    assert_eq!(desk.take(Notification { news, ..desk.told(succeeded()) }).await, NoticeVerdict::Unconfirmed);
    let other_trade = Notification { trade_no: "4200002".to_owned(), ..desk.told(succeeded()) };
    assert_eq!(desk.take(other_trade).await, NoticeVerdict::Unconfirmed);
    assert_eq!((desk.status().await, desk.world.channel.asked().len()), (RefundStatus::Processing, 0));
}

impl Desk {
    /// A refund of `amount` that was made on the channel's website.
    fn foreign(&self, number: &str, amount: i64, state: RefundState) -> Notification {
        let news = News::Refund { refund_no: number.to_owned(), amount: fen(amount), state };
        Notification { news, ..notification(self.pay_no, "4200001", COURSE_PRICE) }
    }

    /// What was taken up of refunds that nobody here asked for.
    async fn taken_up(&self) -> Vec<(String, i64)> {
        let order = self.world.load(self.pay_no.order_id()).await;
        let foreign = order.refunds.iter().filter(|refund| refund.cause == RefundCause::ChannelSide);
        foreign.map(|refund| (refund.status.as_str().to_owned(), refund.amount.amount_minor())).collect()
    }
}

fn one(amount: i64) -> (String, i64) {
    ("succeeded".to_owned(), amount)
}

#[tokio::test]
async fn a_refund_that_nobody_here_asked_for_is_taken_up_once_by_its_number() {
    let desk = Desk::new().await;
    assert_eq!(desk.take(desk.foreign("web-1", 300, succeeded())).await, NoticeVerdict::Recorded);
    assert_eq!(desk.taken_up().await, [one(300)]);
    let head = desk.world.head().await;
    assert_eq!(desk.take(desk.foreign("web-1", 300, succeeded())).await, NoticeVerdict::Recorded, "a repeat is acknowledged");
    assert_eq!(desk.world.head().await, head);
    assert_eq!(desk.take(desk.foreign("web-2", 300, succeeded())).await, NoticeVerdict::Recorded, "the same sum again");
    assert_eq!((desk.taken_up().await, desk.status().await), (vec![one(300), one(300)], RefundStatus::Processing));
    let back = desk.world.all("RefundSucceeded").await;
    assert_eq!(back[0]["refunded_at"], serde_json::json!(paid_at()), "as the channel says");
    assert!(desk.world.channel.asked().is_empty(), "a signed notification needs no question");
}

#[tokio::test]
async fn what_an_operator_made_by_hand_on_the_website_is_the_refund_that_waited_for_it() {
    let desk = Desk::new().await;
    desk.take(desk.told(RefundState::NeedsOperator { code: "ABNORMAL".to_owned() })).await;
    for _ in 0..2 {
        assert_eq!(desk.take(desk.foreign("web-1", PART, succeeded())).await, NoticeVerdict::Recorded);
        assert_eq!((desk.status().await, desk.taken_up().await), (RefundStatus::Succeeded, vec![]));
    }
    assert_eq!(desk.take(desk.foreign("web-2", PART, succeeded())).await, NoticeVerdict::Recorded);
    assert_eq!(desk.taken_up().await, [one(PART)], "another one is another one");
}

#[tokio::test]
async fn a_refund_that_did_not_happen_is_acknowledged_and_one_that_is_stuck_needs_somebody() {
    let desk = Desk::new().await;
    for (state, verdict) in [
        (RefundState::Processing, NoticeVerdict::Nothing),
        (RefundState::Failed { code: "CLOSED".to_owned() }, NoticeVerdict::Nothing),
        (RefundState::NeedsOperator { code: "ABNORMAL".to_owned() }, NoticeVerdict::Unconfirmed),
    ] {
        assert_eq!(desk.take(desk.foreign("web-1", 300, state)).await, verdict);
    }
    assert_eq!(desk.taken_up().await, []);
}

#[tokio::test]
async fn more_than_was_paid_never_went_back() {
    let desk = Desk::new().await;
    let mismatch = NoticeVerdict::Refused(NotificationRefusal::AmountMismatch);
    assert_eq!(desk.take(desk.foreign("web-1", COURSE_PRICE + 1, succeeded())).await, mismatch);
    let other_total = Notification { amount: fen(COURSE_PRICE + 1), ..desk.foreign("web-1", 300, succeeded()) };
    assert_eq!(desk.take(other_total).await, mismatch);
    assert_eq!(desk.taken_up().await, []);
    assert_eq!(desk.take(desk.foreign("web-1", COURSE_PRICE, succeeded())).await, NoticeVerdict::Recorded);
    assert_eq!(desk.take(desk.foreign("web-2", 1, succeeded())).await, mismatch);
}

#[tokio::test]
async fn an_unsigned_word_of_such_a_refund_is_believed_once_the_channel_confirms_number_and_sum() {
    let desk = Desk::new().await;
    let unsigned = || Notification { query_first: true, ..desk.foreign("web-1", 300, succeeded()) };
    let found = |amount, state| Ok(Some(RefundFound { amount: fen(amount), state }));
    let mismatch = NoticeVerdict::Refused(NotificationRefusal::AmountMismatch);
    for (answer, verdict) in [
        (Ok(None), NoticeVerdict::Unconfirmed),
        (Err(unknown(QueryRefund)), NoticeVerdict::Unconfirmed),
        (Err(refused(QueryRefund)), NoticeVerdict::Unconfirmed),
        (found(301, succeeded()), mismatch),
        (found(300, RefundState::Processing), NoticeVerdict::Nothing),
    ] {
        desk.world.channel.refund_finds(answer);
        assert_eq!(desk.take(unsigned()).await, verdict);
        assert_eq!(desk.taken_up().await, []);
    }
    desk.world.channel.refund_finds(found(300, succeeded()));
    assert_eq!(desk.take(unsigned()).await, NoticeVerdict::SettledByQuery);
    assert_eq!(desk.taken_up().await, [one(300)]);
}

#[tokio::test]
async fn a_refund_of_a_payment_that_was_never_told_of_finds_the_payment_first() {
    let world = World::new().await;
    let commands = world.with_channels(|channels, one| channels.with(Channel::WechatNative, one.clone()));
    let order_id = world.order().await;
    let begun = commands.create_pay_record(&alice(), order_id, Channel::WechatNative, None, None, CORRELATION).await.unwrap();
    let desk = Desk { refund_no: RefundNo::new(order_id, 1).unwrap(), pay_no: begun.pay_no, world, commands };
    desk.world.channel.queries(Err(unknown(Query)));
    assert_eq!(desk.take(desk.foreign("web-1", 300, succeeded())).await, NoticeVerdict::Unconfirmed);
    desk.world.channel.queries(Ok(paid("4200001", COURSE_PRICE)));
    assert_eq!(desk.take(desk.foreign("web-1", 300, succeeded())).await, NoticeVerdict::Recorded);
    assert_eq!(desk.taken_up().await, [one(300)]);
    assert_eq!(desk.world.all("PaymentConfirmed").await.len(), 1);
}

#[tokio::test]
async fn a_wallet_that_was_never_given_a_number_cannot_tell_of_it() {
    let world = World::new().await;
    let commands = world.with_channels(|channels, one| channels.with(Channel::WechatNative, one.clone()));
    let pay_no = world.pending().await;
    world.channel.asked();
    let raw = world.channel.notifies(Ok(notification(pay_no, "4200001", COURSE_PRICE)));
    let (verdict, reply) = commands.take_notice(Wallet::Wechat, raw, Unverified::Keep, CORRELATION).await.unwrap();
    assert_eq!((verdict, reply.body), (NoticeVerdict::Refused(NotificationRefusal::UnknownOrder), "fail"));
    assert!(world.record(pay_no).await.captures.is_empty(), "a record of Alipay's is not paid by WeChat Pay");
    let received = world.all("UnknownCaptureReceived").await;
    assert_eq!((received.len(), received[0]["wallet"].as_str()), (1, Some("wechat")));
    assert!(!world.channel.asked().iter().any(|(operation, _)| matches!(operation, Query | Refunding)));
}

#[tokio::test]
async fn another_kind_of_notification_is_acknowledged_to_wechat_pay_and_kept() {
    let world = World::new().await;
    let commands = world.with_channels(|channels, one| channels.with(Channel::WechatNative, one.clone()));
    for (wallet, answer) in [(Wallet::Wechat, "success"), (Wallet::Alipay, "fail")] {
        let raw = world.channel.notifies(Err(NotificationRefusal::UnknownType));
        let (_, reply) = commands.take_notice(wallet, raw, Unverified::Keep, CORRELATION).await.unwrap();
        assert_eq!(reply.body, answer, "{wallet:?}");
    }
}
