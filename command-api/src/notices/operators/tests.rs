use domain::order::{Order, OrderCommand, OrderStatus};
use domain::pay_record::{ClosingProof, PayRecordStatus};
use domain::{Currency, Money as Amount};
use gateway::Operation::{Query, QueryRefund, Refund};
use gateway::{News, Notification, NotificationRefusal, RawNotification, TradeState};

use super::*;
use crate::notices::{NoticeVerdict, Unverified};
use crate::testing::*;

mod assigning;

/// The number that the channel names for money of which nothing is known here.
const FOREIGN: &str = "1234501";

fn olivia() -> Caller {
    Caller::Operator("olivia".to_owned())
}

async fn deliver(world: &World, raw: &RawNotification) -> (NoticeVerdict, &'static str) {
    let (verdict, reply) = world.commands.take_alipay_notice(raw.clone(), Unverified::Keep, CORRELATION).await.unwrap();
    (verdict, reply.body)
}

/// A notification of `fen` that nobody asked for, and its number in the inbox.
async fn unmatched(world: &World, fen: i64) -> (RawNotification, i64) {
    let raw = world.channel.notifies(Ok(notification(FOREIGN, "trade-9", fen)));
    assert_eq!(deliver(world, &raw).await, (NoticeVerdict::Refused(NotificationRefusal::UnknownOrder), "fail"));
    (raw, listed(world).await[0].notice_id)
}

async fn listed(world: &World) -> Vec<StoredNotice> {
    world.commands.kept_notices(&NoticeFilter::default(), None, 100).await.unwrap()
}

async fn notice(world: &World, notice_id: i64) -> StoredNotice {
    listed(world).await.into_iter().find(|notice| notice.notice_id == notice_id).unwrap()
}

async fn assign(world: &World, notice_id: i64, pay_no: PayNo, key: Option<&CallerKey>) -> Result<NoticeAnswer, NoticeFailure> {
    world.commands.assign_notice(&olivia(), notice_id, pay_no, "she showed it", key, CORRELATION).await
}

async fn dismiss(world: &World, notice_id: i64, key: Option<&CallerKey>) -> Result<NoticeAnswer, NoticeFailure> {
    world.commands.dismiss_notice(&olivia(), notice_id, "another shop's", key, CORRELATION).await
}

async fn rejudge(world: &World, notice_id: i64, key: Option<&CallerKey>) -> Result<NoticeAnswer, NoticeFailure> {
    world.commands.rejudge_notice(&olivia(), notice_id, "the store is back", key, CORRELATION).await
}

mod dismissing {
    use super::*;

    #[tokio::test]
    async fn unmatched_money_is_resolved_on_its_own_stream_and_its_repeats_are_acknowledged() {
        let world = World::new().await;
        let pay_no = world.pending().await;
        let (raw, notice_id) = unmatched(&world, COURSE_PRICE).await;
        // The channel tells of the same money once more, months later.
        let finished = Notification {
            notify_id: "another".to_owned(),
            news: News::Paid { paid_at: None, is_final: true },
            ..notification(FOREIGN, "trade-9", COURSE_PRICE)
        };
        deliver(&world, &world.channel.notifies(Ok(finished))).await;
        let done = dismiss(&world, notice_id, Some(&key("k", "a"))).await.unwrap();
        assert_eq!((done.action, done.state, done.position.as_i64()), (NoticeAction::Dismissed, NoticeState::Settled, world.head().await));
        let resolved = world.all("UnknownCaptureResolved").await.remove(0);
        assert_eq!((resolved["trade_no"].as_str(), resolved["reason"].as_str()), (Some("trade-9"), Some("another shop's")));
        assert!(listed(&world).await.iter().all(|notice| notice.state == NoticeState::Settled), "both tell of the same money");
        let again = dismiss(&world, notice_id, Some(&key("k", "a"))).await.unwrap();
        assert_eq!(again, NoticeAnswer { replayed: true, ..done });
        assert!(matches!(dismiss(&world, notice_id, Some(&key("k", "b"))).await, Err(NoticeFailure::KeyReused)));
        assert!(matches!(assign(&world, notice_id, pay_no, None).await, Err(NoticeFailure::Ended)));
        assert_eq!(deliver(&world, &raw).await, (NoticeVerdict::Recorded, "success"));
        assert_eq!(world.all("UnknownCaptureResolved").await.len(), 1);
    }

    #[tokio::test]
    async fn a_refused_notification_is_dismissed_on_the_days_stream() {
        let world = World::new().await;
        let raw = world.channel.notifies(Err(NotificationRefusal::AppIdMismatch));
        deliver(&world, &raw).await;
        let notice_id = listed(&world).await[0].notice_id;
        let done = dismiss(&world, notice_id, None).await.unwrap();
        let day = streams::operations(world.commands.now().date_naive());
        assert_eq!(day.as_str(), "operations-2026-07-20");
        let events = world.events(&day).await;
        assert_eq!(
            (events.len(), events[0].event_type.as_str(), events[0].metadata.actor.as_str()),
            (1, "NoticeDismissed", "operator:olivia")
        );
        assert!(events[0].data.contains("app_id_mismatch") && events[0].data.contains("another shop's"));
        // Dismissed is dismissed, on another day too.
        world.clock.advance(TimeDelta::days(2));
        assert_eq!(dismiss(&world, notice_id, None).await.unwrap(), done);
        assert_eq!((world.head().await, notice(&world, notice_id).await.verdict.as_str()), (1, "app_id_mismatch"));
        deliver(&world, &raw).await;
        assert_eq!(notice(&world, notice_id).await.state, NoticeState::Settled, "a repeat does not open it again");
    }

    #[tokio::test]
    async fn a_key_dismisses_once_also_over_midnight_and_after_a_lost_answer() {
        let world = World::new().await;
        for refusal in [NotificationRefusal::AppIdMismatch, NotificationRefusal::BadCharset] {
            deliver(&world, &world.channel.notifies(Err(refusal))).await;
        }
        let numbers: Vec<_> = listed(&world).await.into_iter().map(|notice| notice.notice_id).collect();
        world.inbox.fail(1);
        assert!(dismiss(&world, numbers[0], Some(&key("k", "a"))).await.is_err());
        world.clock.advance(TimeDelta::hours(20));
        let done = dismiss(&world, numbers[0], Some(&key("k", "a"))).await.unwrap();
        assert!(done.replayed && notice(&world, numbers[0]).await.state == NoticeState::Settled);
        assert_eq!(world.all("NoticeDismissed").await.len(), 1);
        assert!(matches!(dismiss(&world, numbers[1], Some(&key("k", "b"))).await, Err(NoticeFailure::KeyReused)));
        assert!(!dismiss(&world, numbers[1], Some(&key("k2", "a"))).await.unwrap().replayed);
    }
}

mod rejudging {
    use super::*;

    #[tokio::test]
    async fn what_could_not_be_decided_is_judged_as_if_it_came_now() {
        let world = World::new().await;
        let pay_no = world.pending().await;
        let raw = world.channel.notifies(Ok(notification(pay_no, "trade-1", COURSE_PRICE)));
        world.log.next("order-", Fault::Unavailable);
        assert!(world.commands.take_alipay_notice(raw, Unverified::Keep, CORRELATION).await.is_err());
        let kept = listed(&world).await.remove(0);
        assert_eq!((kept.verdict.as_str(), kept.state), ("undecided", NoticeState::Open));
        let done = rejudge(&world, kept.notice_id, Some(&key("k", "a"))).await.unwrap();
        assert_eq!((done.verdict.as_str(), done.state, done.replayed), ("recorded", NoticeState::Settled, false));
        assert_eq!(world.status(pay_no).await, PayRecordStatus::Confirmed);
        let confirmed = world.events(&streams::order(pay_no.order_id())).await.pop().unwrap();
        assert_eq!(confirmed.metadata.actor, "operator:olivia", "it would not be there but for her");
        let rejudged = world.all("NoticeRejudged").await.remove(0);
        assert_eq!((rejudged["verdict_before"].as_str(), rejudged["verdict"].as_str()), (Some("undecided"), Some("recorded")));
        let kept = notice(&world, kept.notice_id).await;
        assert_eq!((kept.verdict.as_str(), kept.state, kept.times_seen), ("recorded", NoticeState::Settled, 1), "it did not come again");
        let head = world.head().await;
        let again = rejudge(&world, kept.notice_id, Some(&key("k", "a"))).await.unwrap();
        assert_eq!((again, world.head().await), (NoticeAnswer { replayed: true, ..done }, head));
        assert!(matches!(rejudge(&world, kept.notice_id, Some(&key("k", "b"))).await, Err(NoticeFailure::KeyReused)));
        assert_eq!(rejudge(&world, kept.notice_id, None).await.unwrap().verdict, "recorded");
        assert_eq!((world.all("PaymentConfirmed").await.len(), world.all("NoticeRejudged").await.len()), (1, 2));
    }

    #[tokio::test]
    async fn what_is_still_false_is_not_believed_because_an_operator_wishes_it() {
        let world = World::new().await;
        world.pending().await;
        deliver(&world, &world.channel.notifies(Err(NotificationRefusal::BadSignature))).await;
        let notice_id = listed(&world).await[0].notice_id;
        let done = rejudge(&world, notice_id, None).await.unwrap();
        assert_eq!((done.verdict.as_str(), done.state), ("bad_signature", NoticeState::Settled));
        assert_eq!(world.all("PaymentConfirmed").await.len(), 0);
    }

    #[tokio::test]
    async fn what_proves_genuine_now_is_taken_and_a_doubtful_one_is_asked_about() {
        let world = World::new().await;
        let pay_no = world.pending().await;
        let raw = world.channel.notifies(Err(NotificationRefusal::BadSignature));
        deliver(&world, &raw).await;
        let notice_id = listed(&world).await[0].notice_id;
        // The key with which it was signed is configured since.
        let doubtful = Notification { query_first: true, ..notification(pay_no, "trade-1", COURSE_PRICE) };
        world.channel.reads(&raw, Ok(doubtful));
        world.channel.asked();
        assert_eq!(rejudge(&world, notice_id, None).await.unwrap().verdict, "unconfirmed");
        assert_eq!((world.channel.asked(), notice(&world, notice_id).await.state), (vec![(Query, "01".to_owned())], NoticeState::Open));
        world.channel.queries(Ok(paid("trade-1", COURSE_PRICE)));
        let done = rejudge(&world, notice_id, None).await.unwrap();
        assert_eq!((done.verdict.as_str(), world.status(pay_no).await), ("settled_by_query", PayRecordStatus::Confirmed));
        assert_eq!(listed(&world).await.len(), 1, "judging it kept it once");
    }

    #[tokio::test]
    async fn what_cannot_be_decided_still_changes_nothing() {
        let world = World::new().await;
        let pay_no = world.pending().await;
        let raw = world.channel.notifies(Ok(notification(pay_no, "trade-1", COURSE_PRICE)));
        world.log.next("order-", Fault::Unavailable);
        assert!(world.commands.take_alipay_notice(raw, Unverified::Keep, CORRELATION).await.is_err());
        let notice_id = listed(&world).await[0].notice_id;
        let head = world.head().await;
        world.log.next("order-", Fault::Unavailable);
        assert!(matches!(rejudge(&world, notice_id, None).await, Err(NoticeFailure::Command(CommandFailure::Append(_)))));
        assert_eq!((world.head().await, notice(&world, notice_id).await.act), (head, None));
        assert!(matches!(rejudge(&world, 99, None).await, Err(NoticeFailure::NotFound)));
    }

    #[tokio::test]
    async fn what_the_inbox_did_not_take_is_judged_again_by_the_repeat() {
        let world = World::new().await;
        let pay_no = world.pending().await;
        let (_, notice_id) = unmatched(&world, COURSE_PRICE).await;
        world.inbox.fail(1);
        assert!(rejudge(&world, notice_id, None).await.is_err());
        assert_eq!(rejudge(&world, notice_id, None).await.unwrap().verdict, "unknown_order");
        assert_eq!(world.all("UnknownCaptureReceived").await.len(), 1);
        let raw = world.channel.notifies(Ok(notification(pay_no, "trade-1", COURSE_PRICE + 1)));
        deliver(&world, &raw).await;
        let doubtful = listed(&world).await[0].notice_id;
        world.channel.queries(Ok(paid("trade-1", COURSE_PRICE + 1)));
        world.inbox.fail(1);
        assert!(rejudge(&world, doubtful, Some(&key("k", "a"))).await.is_err());
        assert_eq!((notice(&world, doubtful).await.state, world.all("SurplusPaymentReceived").await.len()), (NoticeState::Open, 1));
        let done = rejudge(&world, doubtful, Some(&key("k", "a"))).await.unwrap();
        assert_eq!((done.verdict.as_str(), done.state, done.replayed), ("settled_by_query", NoticeState::Settled, true));
        assert_eq!(notice(&world, doubtful).await.state, NoticeState::Settled, "the inbox knows now");
        assert_eq!((world.all("NoticeRejudged").await.len(), world.all("SurplusPaymentReceived").await.len()), (3, 1));
        world.channel.queries(Ok(paid("trade-9", COURSE_PRICE)));
        assign(&world, notice_id, pay_no, None).await.unwrap();
        assert_eq!(world.status(pay_no).await, PayRecordStatus::Confirmed);
    }
}

#[tokio::test]
async fn unmatched_money_is_kept_before_the_log_has_it() {
    let world = World::new().await;
    let raw = world.channel.notifies(Ok(notification(FOREIGN, "trade-9", 100)));
    world.log.next("unknown_capture-", Fault::Unavailable);
    assert!(world.commands.take_alipay_notice(raw.clone(), Unverified::Keep, CORRELATION).await.is_err());
    let kept = listed(&world).await.remove(0);
    assert_eq!((kept.verdict.as_str(), kept.state, kept.amount.map(Amount::amount_minor)), ("undecided", NoticeState::Open, Some(100)));
    let pay_no = world.pending().await;
    assert!(matches!(assign(&world, kept.notice_id, pay_no, None).await, Err(NoticeFailure::NotUnmatched)));
    assert_eq!(rejudge(&world, kept.notice_id, None).await.unwrap().verdict, "unknown_order");
    assert_eq!(world.all("UnknownCaptureReceived").await[0]["received_at"], "2026-07-20T08:00:00.250Z", "when it came");
}

#[tokio::test]
async fn an_inbox_that_no_operator_works_on_has_no_notices() {
    struct Drawer;
    #[async_trait::async_trait]
    impl crate::NoticeInbox for Drawer {
        async fn keep(&self, _: KeptNotice) -> Result<(), database::DatabaseError> {
            Ok(())
        }
    }
    let world = World::new().await;
    let mut commands = world.commands.clone();
    commands.ports.inbox = std::sync::Arc::new(Drawer);
    assert_eq!(commands.kept_notices(&NoticeFilter::default(), None, 9).await.unwrap(), []);
    assert_eq!(commands.clean_up_notices().await.unwrap(), CleanedUp::default());
    let failed = commands.rejudge_notice(&olivia(), 1, "why not", None, CORRELATION).await;
    assert!(matches!(failed, Err(NoticeFailure::NotFound)));
}

#[tokio::test]
async fn the_inbox_is_cleaned_by_the_clock() {
    let world = World::new().await;
    deliver(&world, &world.channel.notifies(Err(NotificationRefusal::BadSignature))).await;
    assert_eq!(world.commands.clean_up_notices().await.unwrap(), CleanedUp::default());
    world.clock.advance(crate::UNVERIFIED_RETENTION + TimeDelta::seconds(1));
    assert_eq!(world.commands.clean_up_notices().await.unwrap(), CleanedUp { by_age: 1, by_quota: 0 });
    assert_eq!(listed(&world).await, []);
}
