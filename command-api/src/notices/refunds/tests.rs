use domain::order::RefundStatus;
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
async fn a_refund_that_we_did_not_ask_for_waits_for_an_operator() {
    let desk = Desk::new().await;
    for refund_no in ["somebody-elses", &RefundNo::new(desk.pay_no.order_id(), 7).unwrap().to_string()] {
        let news = News::Refund { refund_no: refund_no.to_owned(), amount: fen(PART), state: succeeded() };
        assert_eq!(desk.take(Notification { news, ..desk.told(succeeded()) }).await, NoticeVerdict::Unconfirmed, "{refund_no}");
    }
    let other_trade = Notification { trade_no: "4200002".to_owned(), ..desk.told(succeeded()) };
    assert_eq!(desk.take(other_trade).await, NoticeVerdict::Unconfirmed);
    assert_eq!((desk.status().await, desk.world.channel.asked().len()), (RefundStatus::Processing, 0));
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
