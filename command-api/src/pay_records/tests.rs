use chrono::TimeDelta;
use domain::order::{OrderStatus, wallet_subject};
use domain::pay_record::ClosingCause;
use gateway::Operation::{self, Precreate, Query};

use super::*;
use crate::testing::*;

fn asked(operation: Operation, attempt: &str) -> (Operation, String) {
    (operation, attempt.to_owned())
}

#[tokio::test]
async fn the_intent_is_on_the_log_before_the_channel_is_asked_and_the_outcome_after() {
    let world = World::new().await;
    let order_id = world.order().await;
    // The scripted channel itself insists on the intent.
    let attempted = world.try_attempt(order_id, None).await.unwrap();
    assert_eq!(world.order_types(order_id).await, ["OrderCreated", "PayRecordIssued", "PayRecordPrepared"]);
    let record = attempted.record().unwrap();
    assert_eq!((attempted.is_new, attempted.replayed, record.status), (true, false, PayRecordStatus::Pending));
    assert_eq!(attempted.pay_no, PayNo::new(order_id, 1).unwrap());
    let (code_url, code_expires_at) = (record.code_url().unwrap(), record.prepared_until().unwrap());
    assert_eq!(code_url, format!("https://qr.alipay.example/{}", attempted.pay_no));
    assert_eq!(code_expires_at, chassis::clock::Clock::now(world.clock.as_ref()) + CODE_LIFE);
}

#[tokio::test]
async fn the_channel_gets_the_pay_number_the_orders_sum_and_expiry_and_a_harmless_subject() {
    let world = World::new().await;
    world.change("course-rust", |draft| draft.title = "a=1&b/\"c\" 课程".to_owned()).await;
    let pay_no = world.pending().await;
    let request = world.channel.requests().remove(0);
    assert_eq!((request.out_trade_no, request.amount.amount_minor()), (pay_no.to_string(), COURSE_PRICE));
    assert_eq!(request.subject, wallet_subject("a=1&b/\"c\" 课程"));
    assert!(!request.subject.contains(['&', '=', '/']));
    let expires_at = world.load(pay_no.order_id()).await.created.unwrap().expires_at;
    assert_eq!(request.time_expire, expires_at);
    assert_eq!((request.product_code.as_str(), request.notify_url.as_str()), ("QR_CODE_OFFLINE", "https://pay.example/notify/alipay"));
}

#[tokio::test]
async fn a_code_never_outlives_its_order() {
    let world = World::new().await;
    let order_id = world.order().await;
    world.clock.advance(TimeDelta::minutes(25));
    let pay_no = world.attempt(order_id).await;
    let code_expires_at = world.record(pay_no).await.prepared_until().unwrap();
    assert_eq!(code_expires_at, world.load(order_id).await.created.unwrap().expires_at);
}

#[tokio::test]
async fn a_refusal_of_the_channel_fails_the_record_and_the_next_wish_takes_the_next_number() {
    let world = World::new().await;
    let order_id = world.order().await;
    world.channel.precreates(Err(refused(Precreate)));
    let failed = world.try_attempt(order_id, None).await;
    assert!(matches!(failed, Err(CommandFailure::ChannelRefused { code }) if code == "ACQ.NO_LUCK"));
    let record = world.record(PayNo::new(order_id, 1).unwrap()).await;
    assert_eq!((record.status, record.failure_code.as_deref()), (PayRecordStatus::Failed, Some("ACQ.NO_LUCK")));
    let next = world.try_attempt(order_id, None).await.unwrap();
    assert_eq!((next.pay_no.attempt(), next.is_new), (2, true));
    assert_eq!(world.channel.asked(), [asked(Precreate, "01"), asked(Precreate, "02")]);
}

#[tokio::test]
async fn a_channel_that_does_not_answer_leaves_the_record_preparing_and_is_not_asked_again_by_the_next_wish() {
    let world = World::new().await;
    let order_id = world.order().await;
    world.channel.precreates(Err(unknown(Precreate)));
    let attempted = world.try_attempt(order_id, None).await.unwrap();
    assert_eq!((attempted.record().unwrap().status, attempted.is_new), (PayRecordStatus::Preparing, true));
    let again = world.try_attempt(order_id, None).await.unwrap();
    assert_eq!((again.pay_no, again.is_new), (attempted.pay_no, false));
    assert_eq!(world.order_types(order_id).await, ["OrderCreated", "PayRecordIssued"]);
    assert_eq!(world.channel.asked(), [asked(Precreate, "01")]);
}

#[tokio::test]
async fn the_same_channel_again_answers_the_live_record_and_asks_nobody() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    world.channel.asked();
    let head = world.head().await;
    // An open circuit breaker does not hide a code that is there.
    world.channel.set_available(false);
    let again = world.try_attempt(pay_no.order_id(), None).await.unwrap();
    assert_eq!((again.pay_no, again.is_new, again.replayed), (pay_no, false, false));
    assert_eq!((world.head().await, world.channel.asked()), (head, vec![]));
}

#[tokio::test]
async fn two_wishes_at_once_make_one_record_and_one_precreate() {
    let world = World::new().await;
    let order_id = world.order().await;
    let other = world.other_process();
    world.log.meanwhile("order-", async move {
        other.create_pay_record(&alice(), order_id, Channel::AlipayQr, None, None, CORRELATION).await.unwrap();
    });
    let attempted = world.try_attempt(order_id, None).await.unwrap();
    assert_eq!((attempted.pay_no.attempt(), attempted.is_new), (1, false));
    assert_eq!(world.channel.asked(), [asked(Precreate, "01")]);
}

#[tokio::test]
async fn a_dead_code_is_followed_by_a_new_attempt_and_watched_on() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    world.clock.advance(CODE_LIFE - TimeDelta::microseconds(1));
    assert_eq!(world.attempt(pay_no.order_id()).await, pay_no);
    world.clock.advance(TimeDelta::microseconds(1));
    let next = world.try_attempt(pay_no.order_id(), None).await.unwrap();
    assert_eq!((next.pay_no.attempt(), next.is_new), (2, true));
    let old = world.record(pay_no).await;
    assert_eq!((old.status, old.closing_cause), (PayRecordStatus::Closing, Some(ClosingCause::CodeExpired)));
}

#[tokio::test]
async fn another_channel_takes_the_next_number_and_ends_the_other() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    let commands = world.with_channel(Channel::AlipayPage);
    let next = commands.create_pay_record(&alice(), pay_no.order_id(), Channel::AlipayPage, None, None, CORRELATION).await.unwrap();
    assert_eq!((next.pay_no.attempt(), next.record().unwrap().status), (2, PayRecordStatus::Pending));
    let old = world.record(pay_no).await;
    assert_eq!((old.status, old.closing_cause), (PayRecordStatus::Closing, Some(ClosingCause::ChannelSwitched)));
}

#[tokio::test]
async fn an_open_circuit_breaker_refuses_a_new_attempt_and_uses_no_number() {
    let world = World::new().await;
    let order_id = world.order().await;
    world.channel.set_available(false);
    assert!(matches!(world.try_attempt(order_id, None).await, Err(CommandFailure::ChannelUnavailable)));
    assert_eq!(world.order_types(order_id).await, ["OrderCreated"]);
    world.channel.set_available(true);
    assert_eq!(world.attempt(order_id).await.attempt(), 1);
}

#[tokio::test]
async fn a_channel_that_is_not_configured_is_refused() {
    let world = World::new().await;
    let order_id = world.order().await;
    for channel in Channel::ALL.into_iter().filter(|channel| *channel != Channel::AlipayQr) {
        let refused = world.commands.create_pay_record(&alice(), order_id, channel, None, None, CORRELATION).await;
        assert!(matches!(refused, Err(CommandFailure::ChannelNotConfigured)), "{channel}");
    }
    assert_eq!(world.order_types(order_id).await, ["OrderCreated"]);
}

#[tokio::test]
async fn an_order_without_two_minutes_left_begins_no_payment() {
    let world = World::new().await;
    let order_id = world.order().await;
    let expires_at = world.load(order_id).await.created.unwrap().expires_at;
    world.clock.set(expires_at - TimeDelta::minutes(2) + TimeDelta::microseconds(1));
    assert!(matches!(world.try_attempt(order_id, None).await, Err(CommandFailure::Order(OrderRejection::Expiring))));
    world.clock.set(expires_at - TimeDelta::minutes(2));
    world.attempt(order_id).await;
}

#[tokio::test]
async fn a_paid_a_closing_and_an_ended_order_begin_no_payment() {
    let world = World::new().await;
    let paid = world.pending().await;
    world.pay(paid).await;
    let refused = world.try_attempt(paid.order_id(), None).await;
    assert!(matches!(refused, Err(CommandFailure::Order(OrderRejection::AlreadyPaid))));

    let world = World::new().await;
    let order_id = world.order().await;
    world.commands.cancel_order(&alice(), order_id, None, None, None, CORRELATION).await.unwrap();
    assert!(matches!(world.try_attempt(order_id, None).await, Err(CommandFailure::Order(OrderRejection::Ended))));

    let closing = world.pending().await;
    world.channel.queries(Err(unknown(Query)));
    world.commands.cancel_order(&alice(), closing.order_id(), None, None, None, CORRELATION).await.unwrap();
    assert_eq!(world.load(closing.order_id()).await.status, OrderStatus::Closing);
    assert!(matches!(world.try_attempt(closing.order_id(), None).await, Err(CommandFailure::Order(OrderRejection::Ended))));
}

#[tokio::test]
async fn only_its_buyer_its_service_and_whoever_has_its_link_begin_to_pay_an_order() {
    let world = World::new().await;
    let order_id = world.order().await;
    for caller in [buyer("bob"), service()] {
        let refused = world.commands.create_pay_record(&caller, order_id, Channel::AlipayQr, None, None, CORRELATION).await;
        assert!(matches!(refused, Err(CommandFailure::NotFound)), "{caller:?}");
    }
    let unknown_order = OrderId::parse("12345").unwrap();
    assert!(matches!(world.try_attempt(unknown_order, None).await, Err(CommandFailure::NotFound)));
    assert_eq!(world.order_types(order_id).await, ["OrderCreated"]);
    let by_link = world.commands.create_pay_record(&Caller::CheckoutLink, order_id, Channel::AlipayQr, None, None, CORRELATION).await;
    assert_eq!(by_link.unwrap().pay_no.attempt(), 1);
}

#[tokio::test]
async fn after_the_last_number_no_attempt_is_left_and_the_live_one_stays_payable() {
    let world = World::new().await;
    let order_id = world.order().await;
    for _ in 1..PayNo::MAX_ATTEMPT {
        world.channel.precreates(Err(refused(Precreate)));
        world.try_attempt(order_id, None).await.unwrap_err();
    }
    let last = world.attempt(order_id).await;
    assert_eq!((last.attempt(), world.attempt(order_id).await), (PayNo::MAX_ATTEMPT, last));
    world.clock.advance(CODE_LIFE);
    let refused = world.try_attempt(order_id, None).await;
    assert!(matches!(refused, Err(CommandFailure::Order(OrderRejection::AttemptsExhausted))));
    world.pay(last).await;
    assert_eq!(world.load(order_id).await.status, OrderStatus::Paid);
}

#[tokio::test]
async fn a_record_that_ended_while_its_channel_was_asked_shows_no_code() {
    let world = World::new().await;
    let order_id = world.order().await;
    let other = world.other_process();
    world.channel.meanwhile(async move {
        assert!(other.cancel_order(&alice(), order_id, None, None, None, CORRELATION).await.unwrap().is_proven);
    });
    let refused = world.try_attempt(order_id, None).await;
    assert!(matches!(refused, Err(CommandFailure::Order(OrderRejection::Ended))));
    let order = world.load(order_id).await;
    let record = order.newest_pay_record().unwrap();
    assert_eq!((record.status, &record.prepared, order.status), (PayRecordStatus::Closed, &None, OrderStatus::Cancelled));
}

#[tokio::test]
async fn an_outcome_that_the_log_did_not_take_is_told_and_the_intent_stays() {
    let world = World::new().await;
    let order_id = world.order().await;
    world.log.meanwhile("order-", async {});
    world.log.next("order-", Fault::Unavailable);
    assert!(matches!(world.try_attempt(order_id, None).await, Err(CommandFailure::Append(_))));
    assert_eq!(world.order_types(order_id).await, ["OrderCreated", "PayRecordIssued"]);
    let again = world.try_attempt(order_id, None).await.unwrap();
    assert_eq!(again.record().unwrap().status, PayRecordStatus::Preparing);
    assert_eq!(world.channel.asked().len(), 1, "only the process manager asks about it");
}

mod keys {
    use super::*;

    #[tokio::test]
    async fn a_key_answers_again_as_it_left_the_record_whatever_became_of_it() {
        let world = World::new().await;
        let order_id = world.order().await;
        let key = key("k", "alipay_qr");
        let first = world.try_attempt(order_id, Some(&key)).await.unwrap();
        world.pay(first.pay_no).await;
        let head = world.head().await;
        let again = world.try_attempt(order_id, Some(&key)).await.unwrap();
        assert_eq!((again.pay_no, again.is_new, again.replayed), (first.pay_no, true, true));
        assert_eq!(again.record().unwrap(), first.record().unwrap());
        assert_eq!((again.order.position, again.order.revision), (first.order.position, first.order.revision));
        assert_eq!((world.head().await, world.channel.asked().len()), (head, 2), "one precreate and the query");
    }

    #[tokio::test]
    async fn a_key_that_found_a_live_record_answers_that_it_found_it() {
        let world = World::new().await;
        let pay_no = world.pending().await;
        let key = key("k", "alipay_qr");
        let found = world.try_attempt(pay_no.order_id(), Some(&key)).await.unwrap();
        assert_eq!((found.is_new, found.replayed), (false, false));
        let again = world.try_attempt(pay_no.order_id(), Some(&key)).await.unwrap();
        assert_eq!((again.pay_no, again.is_new, again.replayed), (pay_no, false, true));
        let recorded = world.all("IdempotencyKeyRecorded").await;
        assert_eq!((recorded.len(), recorded[0]["pay_no"].as_str()), (1, Some(pay_no.to_string().as_str())));
    }

    #[tokio::test]
    async fn the_same_key_with_other_content_is_refused_also_where_both_came_at_once() {
        let world = World::new().await;
        let order_id = world.order().await;
        let other = world.other_process();
        world.log.meanwhile("order-", async move {
            let used = key("k", "one");
            other.create_pay_record(&alice(), order_id, Channel::AlipayQr, Some(&used), None, CORRELATION).await.unwrap();
        });
        assert!(matches!(world.try_attempt(order_id, Some(&key("k", "two"))).await, Err(CommandFailure::KeyReused)));
        let head = world.head().await;
        assert!(matches!(world.try_attempt(order_id, Some(&key("k", "two"))).await, Err(CommandFailure::KeyReused)));
        assert_eq!(world.head().await, head);
        assert!(world.try_attempt(order_id, Some(&key("k", "one"))).await.unwrap().replayed);
    }

    #[tokio::test]
    async fn a_refusal_of_the_channel_is_not_replayed() {
        let world = World::new().await;
        let order_id = world.order().await;
        let key = key("k", "alipay_qr");
        world.channel.precreates(Err(refused(Precreate)));
        world.try_attempt(order_id, Some(&key)).await.unwrap_err();
        let next = world.try_attempt(order_id, Some(&key)).await.unwrap();
        assert_eq!((next.pay_no.attempt(), next.replayed), (2, false));
        let again = world.try_attempt(order_id, Some(&key)).await.unwrap();
        assert_eq!((again.pay_no, again.replayed), (next.pay_no, true));
    }

    #[tokio::test]
    async fn a_key_whose_record_is_still_preparing_answers_it_as_it_stands() {
        let world = World::new().await;
        let order_id = world.order().await;
        let key = key("k", "alipay_qr");
        world.channel.precreates(Err(unknown(Precreate)));
        world.try_attempt(order_id, Some(&key)).await.unwrap();
        let again = world.try_attempt(order_id, Some(&key)).await.unwrap();
        assert_eq!((again.record().unwrap().status, again.replayed), (PayRecordStatus::Preparing, true));
        assert_eq!(world.channel.asked().len(), 1);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn fifty_posts_of_one_key_at_once_make_one_record() {
        let world = World::new().await;
        let order_id = world.order().await;
        let posts = (0..50).map(|_| {
            let commands = world.other_process();
            tokio::spawn(async move {
                let key = key("k", "alipay_qr");
                commands.create_pay_record(&alice(), order_id, Channel::AlipayQr, Some(&key), None, CORRELATION).await
            })
        });
        for post in posts.collect::<Vec<_>>() {
            assert_eq!(post.await.unwrap().unwrap().pay_no.attempt(), 1);
        }
        assert_eq!((world.channel.asked().len(), world.all("PayRecordIssued").await.len()), (1, 1));
        assert_eq!(world.all("IdempotencyKeyRecorded").await.len(), 1);
    }
}

#[tokio::test]
async fn a_stale_revision_is_refused_and_the_present_one_taken() {
    let world = World::new().await;
    let order_id = world.order().await;
    let with =
        async |revision| world.commands.create_pay_record(&alice(), order_id, Channel::AlipayQr, None, Some(revision), CORRELATION).await;
    assert!(matches!(with(1).await, Err(CommandFailure::Stale)));
    assert_eq!(world.order_types(order_id).await, ["OrderCreated"]);
    with(0).await.unwrap();
    assert!(matches!(with(0).await, Err(CommandFailure::Stale)));
}

#[tokio::test]
async fn a_replay_is_not_stale_although_its_own_work_moved_the_order() {
    let world = World::new().await;
    let order_id = world.order().await;
    let key = key("k", "alipay_qr");
    let with = async || world.commands.create_pay_record(&alice(), order_id, Channel::AlipayQr, Some(&key), Some(0), CORRELATION).await;
    let first = with().await.unwrap();
    assert_eq!(with().await.unwrap().pay_no, first.pay_no);
}

#[tokio::test]
async fn an_order_with_an_event_of_a_later_version_is_a_typed_failure() {
    let world = World::new().await;
    let order_id = world.order().await;
    world.append_from_the_future(&streams::order(order_id)).await;
    assert!(matches!(world.try_attempt(order_id, None).await, Err(CommandFailure::Stored(_))));
    assert!(world.channel.asked().is_empty());
}
