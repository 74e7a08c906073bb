use domain::order::OrderStatus;
use domain::pay_record::PayRecordStatus;
use domain::{Money, PayNo};
use gateway::Operation::Query;
use gateway::TradeState;

use domain::Channel;

use super::*;
use crate::refunds::RefundWish;
use crate::streams;
use crate::testing::*;

async fn take(world: &World, raw: &RawNotification) -> Result<(NoticeVerdict, &'static str), CommandFailure> {
    let (verdict, reply) = world.commands.take_alipay_notice(raw.clone(), Unverified::Keep, CORRELATION).await?;
    assert_eq!((reply.status, reply.content_type), (200, "text/plain; charset=utf-8"));
    Ok((verdict, reply.body))
}

async fn notified(world: &World, notification: Notification) -> (NoticeVerdict, &'static str) {
    let raw = world.channel.notifies(Ok(notification));
    take(world, &raw).await.unwrap()
}

fn with_news(pay_no: PayNo, news: News) -> Notification {
    Notification { news, ..notification(pay_no, "trade-1", COURSE_PRICE) }
}

fn refunded() -> News {
    News::Refunded { total: Money::new(100, domain::Currency::Cny).unwrap(), whole: false, refund_no: None }
}

#[tokio::test]
async fn a_genuine_notification_confirms_the_payment_is_kept_and_then_answered() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    world.channel.asked();
    let raw = world.channel.notifies(Ok(notification(pay_no, "trade-1", COURSE_PRICE)));
    assert_eq!(take(&world, &raw).await.unwrap(), (NoticeVerdict::Recorded, "success"));
    assert_eq!(world.load(pay_no.order_id()).await.paid, Some((pay_no, paid_at())));
    let confirmed = world.all("PaymentConfirmed").await.remove(0);
    assert_eq!((confirmed["learned_by"].as_str(), confirmed["paid_at_offset"].as_str()), (Some("notification"), Some("+08:00")));
    let event = world.events(&streams::order(pay_no.order_id())).await.pop().unwrap();
    assert_eq!((event.metadata.actor.as_str(), event.metadata.source.as_str()), ("channel:alipay", "command-api"));
    let kept = world.inbox.kept().remove(0);
    assert_eq!((kept.wallet, kept.is_authentic, kept.verdict.as_str()), ("alipay", true, "recorded"));
    assert_eq!((kept.body, kept.headers), (raw.body, raw.headers), "as it came");
    assert_eq!((kept.out_trade_no, kept.notify_id), (Some(pay_no.to_string()), Some("notice-of-trade-1".to_owned())));
    assert_eq!(world.channel.asked(), [], "a notification that fits needs no question");
}

#[tokio::test]
async fn a_repeat_is_acknowledged_without_effect_also_when_it_is_final_by_then() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    notified(&world, notification(pay_no, "trade-1", COURSE_PRICE)).await;
    let head = world.head().await;
    let finished = with_news(pay_no, News::Paid { paid_at: Some(paid_at()), is_final: true });
    for notification in [notification(pay_no, "trade-1", COURSE_PRICE), finished] {
        assert_eq!(notified(&world, notification).await, (NoticeVerdict::Recorded, "success"));
    }
    assert_eq!(world.head().await, head);
}

#[tokio::test]
async fn a_final_notification_that_comes_first_confirms_as_well() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    let finished = with_news(pay_no, News::Paid { paid_at: None, is_final: true });
    assert_eq!(notified(&world, finished).await, (NoticeVerdict::Recorded, "success"));
    assert_eq!(world.status(pay_no).await, PayRecordStatus::Confirmed);
}

#[tokio::test]
async fn a_second_payment_is_recorded_and_goes_back() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    notified(&world, notification(pay_no, "trade-1", COURSE_PRICE)).await;
    assert_eq!(notified(&world, notification(pay_no, "trade-2", COURSE_PRICE)).await, (NoticeVerdict::Recorded, "success"));
    assert_eq!(world.all("SurplusPaymentReceived").await[0]["reason"], "paid_twice");
    assert_eq!((world.all("PaymentConfirmed").await.len(), world.all("RefundRequested").await.len()), (1, 1));
}

#[tokio::test]
async fn what_is_not_believed_changes_nothing_but_a_record_that_it_came() {
    let refusals = [
        (NotificationRefusal::Malformed, false),
        (NotificationRefusal::DuplicateParam, false),
        (NotificationRefusal::MissingSign, false),
        (NotificationRefusal::SignTypeNotAllowed, false),
        (NotificationRefusal::BadSignature, false),
        (NotificationRefusal::NotANotification, false),
        (NotificationRefusal::UnknownType, true),
        (NotificationRefusal::AppIdMismatch, true),
        (NotificationRefusal::SellerIdMismatch, true),
        (NotificationRefusal::UnknownStatus, true),
        (NotificationRefusal::BadCharset, true),
        (NotificationRefusal::BadAmount, true),
        (NotificationRefusal::Incomplete, true),
    ];
    for (refusal, is_authentic) in refusals {
        let world = World::new().await;
        world.pending().await;
        world.channel.asked();
        let head = world.head().await;
        let raw = world.channel.notifies(Err(refusal));
        assert_eq!(take(&world, &raw).await.unwrap(), (NoticeVerdict::Refused(refusal), "fail"));
        let kept = world.inbox.kept().remove(0);
        assert_eq!((kept.verdict, kept.is_authentic, kept.out_trade_no), (refusal.to_string(), is_authentic, None));
        assert_eq!((world.head().await, world.channel.asked()), (head, vec![]));
    }
}

#[tokio::test]
async fn a_notification_under_a_key_that_is_new_is_read_once_the_key_is_fetched() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    let raw = world.channel.notifies(Err(NotificationRefusal::UnknownSerial));
    // The channel has no such key either.
    let refused = NoticeVerdict::Refused(NotificationRefusal::UnknownSerial);
    assert_eq!(take(&world, &raw).await.unwrap(), (refused, "fail"));
    world.channel.knows_once_fetched(&raw, notification(pay_no, "trade-1", COURSE_PRICE));
    assert_eq!(take(&world, &raw).await.unwrap(), (NoticeVerdict::Recorded, "success"));
    let kept = world.inbox.kept().pop().unwrap();
    assert_eq!((kept.is_authentic, kept.body, kept.headers), (true, raw.body, raw.headers), "as it came");
}

#[tokio::test]
async fn what_tells_nothing_new_is_acknowledged() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    let head = world.head().await;
    assert_eq!(notified(&world, with_news(pay_no, News::AwaitingBuyer)).await, (NoticeVerdict::Nothing, "success"));
    assert_eq!(world.head().await, head);
}

#[tokio::test]
async fn what_went_back_on_the_channels_side_is_recorded_once() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    notified(&world, notification(pay_no, "trade-1", COURSE_PRICE)).await;
    world.channel.asked();
    for _ in 0..2 {
        assert_eq!(notified(&world, with_news(pay_no, refunded())).await, (NoticeVerdict::Recorded, "success"));
    }
    assert_eq!(world.channel.asked(), []);
    let observed = world.all("RefundObserved").await;
    assert_eq!((observed.len(), observed[0]["amount"].as_i64(), observed[0]["trade_no"].as_str()), (1, Some(100), Some("trade-1")));
    let order = world.load(pay_no.order_id()).await;
    assert_eq!(order.payment_status(), domain::order::PaymentStatus::PartiallyRefunded);
}

#[tokio::test]
async fn what_went_back_of_another_amount_is_judged_by_what_was_taken() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    world.channel.queries(Ok(paid("trade-1", COURSE_PRICE + 1)));
    notified(&world, notification(pay_no, "trade-1", COURSE_PRICE + 1)).await;
    // The channel does not make it for us; somebody has made a part of it by hand.
    world.channel.refunds(Ok(gateway::RefundState::NeedsOperator { code: "ACQ.SELLER_BALANCE_NOT_ENOUGH".to_owned() }));
    let refund_no = world.load(pay_no.order_id()).await.refunds[0].refund_no;
    world.commands.drive_refund(&Context::of_channel("alipay", CORRELATION), refund_no).await.unwrap();
    let went_back = Notification { amount: Money::new(COURSE_PRICE + 1, domain::Currency::Cny).unwrap(), ..with_news(pay_no, refunded()) };
    assert_eq!(notified(&world, went_back).await, (NoticeVerdict::Recorded, "success"));
    assert_eq!(world.all("RefundObserved").await[0]["amount"], 100);
}

#[tokio::test]
async fn a_refund_that_only_a_doubtful_notification_tells_of_is_not_acknowledged_by_a_query_that_says_paid() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    notified(&world, notification(pay_no, "trade-1", COURSE_PRICE)).await;
    world.channel.queries(Ok(paid("trade-1", COURSE_PRICE)));
    let doubtful = Notification { query_first: true, ..with_news(pay_no, refunded()) };
    assert_eq!(notified(&world, doubtful).await, (NoticeVerdict::Unconfirmed, "fail"));
    assert_eq!(world.all("RefundObserved").await.len(), 0);
}

#[tokio::test]
async fn a_refund_of_a_payment_that_was_never_told_of_is_recorded_with_it() {
    for price in [COURSE_PRICE, COURSE_PRICE + 1] {
        let world = World::new().await;
        let pay_no = world.pending().await;
        world.channel.queries(Ok(paid("trade-1", price)));
        let amount = Money::new(price, domain::Currency::Cny).unwrap();
        let whole = News::Refunded { total: amount, whole: true, refund_no: None };
        let (verdict, answer) = notified(&world, Notification { amount, ..with_news(pay_no, whole) }).await;
        assert_eq!((verdict, answer), (NoticeVerdict::Recorded, "success"), "{price}");
        let order = world.load(pay_no.order_id()).await;
        assert_eq!(order.refunded_of(pay_no, "trade-1"), price);
    }
}

#[tokio::test]
async fn a_refund_of_ours_that_the_channel_tells_of_is_asked_about_and_not_counted_twice() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    notified(&world, notification(pay_no, "trade-1", COURSE_PRICE)).await;
    let operator = crate::Caller::Operator("olivia".to_owned());
    let amount = Money::new(100, domain::Currency::Cny).unwrap();
    let (order_id, reason) = (pay_no.order_id(), "ill".to_owned());
    world.commands.request_refund(&operator, order_id, RefundWish { amount, reason }, None, None, CORRELATION).await.unwrap();
    // The channel has made it, and its answer was lost: its own word comes as a notification.
    world.channel.refund_queries(Err(unknown(gateway::Operation::QueryRefund)));
    assert_eq!(notified(&world, with_news(pay_no, refunded())).await, (NoticeVerdict::Unconfirmed, "fail"));
    world.channel.refund_queries(Ok(gateway::RefundState::Succeeded { refunded_at: None }));
    assert_eq!(notified(&world, with_news(pay_no, refunded())).await, (NoticeVerdict::Recorded, "success"));
    assert_eq!((world.all("RefundObserved").await.len(), world.all("RefundSucceeded").await.len()), (0, 1));
}

#[tokio::test]
async fn a_closed_payment_ends_its_record_and_a_repeat_changes_nothing() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    assert_eq!(notified(&world, with_news(pay_no, News::ClosedUnpaid)).await, (NoticeVerdict::Recorded, "success"));
    assert_eq!(world.status(pay_no).await, PayRecordStatus::Closed);
    let head = world.head().await;
    assert_eq!(notified(&world, with_news(pay_no, News::ClosedUnpaid)).await, (NoticeVerdict::Recorded, "success"));
    assert_eq!(world.head().await, head);
}

#[tokio::test]
async fn a_closing_that_comes_after_the_payment_does_not_undo_it() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    notified(&world, notification(pay_no, "trade-1", COURSE_PRICE)).await;
    assert_eq!(notified(&world, with_news(pay_no, News::ClosedUnpaid)).await, (NoticeVerdict::Recorded, "success"));
    assert_eq!(world.status(pay_no).await, PayRecordStatus::Confirmed);
}

#[tokio::test]
async fn a_closing_notification_ends_an_order_that_waited_for_it() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    world.channel.queries(Err(unknown(Query)));
    world.commands.cancel_order(&alice(), pay_no.order_id(), None, None, None, CORRELATION).await.unwrap();
    notified(&world, with_news(pay_no, News::ClosedUnpaid)).await;
    assert_eq!(world.load(pay_no.order_id()).await.status, OrderStatus::Cancelled);
}

mod questions {
    use super::*;

    /// Notifications that are not acted on as they stand, with what is made of them where the channel confirms nothing.
    fn doubtful(pay_no: PayNo) -> [(Notification, NoticeVerdict); 4] {
        [
            (notification(pay_no, "trade-1", COURSE_PRICE + 1), NoticeVerdict::Refused(NotificationRefusal::AmountMismatch)),
            (Notification { query_first: true, ..notification(pay_no, "trade-1", COURSE_PRICE) }, NoticeVerdict::Unconfirmed),
            (with_news(pay_no, refunded()), NoticeVerdict::Unconfirmed),
            (with_news(pay_no, News::Unclear), NoticeVerdict::Unconfirmed),
        ]
    }

    #[tokio::test]
    async fn only_what_the_channel_answers_to_a_question_is_recorded_of_a_doubtful_notification() {
        for index in 0..4 {
            let world = World::new().await;
            let pay_no = world.pending().await;
            world.channel.asked();
            let (doubtful, _) = doubtful(pay_no)[index].clone();
            world.channel.queries(Ok(paid("trade-1", COURSE_PRICE)));
            let verdict = if index == 2 { NoticeVerdict::Recorded } else { NoticeVerdict::SettledByQuery };
            assert_eq!(notified(&world, doubtful).await, (verdict, "success"), "{index}");
            assert_eq!(world.channel.asked(), [(Query, "01".to_owned())]);
            let confirmed = world.all("PaymentConfirmed").await.remove(0);
            assert_eq!((confirmed["amount"].as_i64(), confirmed["learned_by"].as_str()), (Some(COURSE_PRICE), Some("query")));
            assert_eq!(world.inbox.verdicts(), ["asking".to_owned(), verdict.word()], "kept before the channel is asked");
        }
    }

    #[tokio::test]
    async fn a_wrong_amount_that_the_channel_confirms_is_kept_as_the_channel_says_and_goes_back() {
        let world = World::new().await;
        let pay_no = world.pending().await;
        let wrong = notification(pay_no, "trade-1", COURSE_PRICE + 7);
        world.channel.queries(Ok(paid("trade-1", COURSE_PRICE + 1)));
        assert_eq!(notified(&world, wrong).await, (NoticeVerdict::SettledByQuery, "success"));
        let surplus = world.all("SurplusPaymentReceived").await.remove(0);
        assert_eq!((surplus["amount"].as_i64(), surplus["reason"].as_str()), (Some(COURSE_PRICE + 1), Some("amount_mismatch")));
        assert_eq!(world.load(pay_no.order_id()).await.status, OrderStatus::AwaitingPayment);
    }

    #[tokio::test]
    async fn a_doubtful_notification_that_the_channel_does_not_confirm_is_refused_and_changes_nothing() {
        type Silence = fn(&ScriptedChannel);
        let silences: [Silence; 5] = [
            |channel| channel.queries(Ok(TradeState::NotFound)),
            |channel| channel.queries(Ok(TradeState::AwaitingBuyer { trade_no: None })),
            |channel| channel.queries(Ok(TradeState::Unrecognised("TRADE_DREAMT".to_owned()))),
            |channel| channel.queries(Err(unknown(Query))),
            |channel| channel.queries(Err(refused(Query))),
        ];
        for silence in silences {
            for index in 0..4 {
                let world = World::new().await;
                let pay_no = world.pending().await;
                let head = world.head().await;
                let (doubtful, otherwise) = doubtful(pay_no)[index].clone();
                silence(&world.channel);
                assert_eq!(notified(&world, doubtful).await, (otherwise, "fail"));
                assert_eq!((world.head().await, world.inbox.verdicts()), (head, vec!["asking".to_owned(), otherwise.word()]));
            }
        }
    }

    #[tokio::test]
    async fn money_under_another_number_than_the_notification_names_does_not_settle_it() {
        let world = World::new().await;
        let pay_no = world.pending().await;
        world.channel.queries(Ok(paid("trade-2", COURSE_PRICE)));
        let (verdict, reply) = notified(&world, with_news(pay_no, News::Unclear)).await;
        assert_eq!((verdict, reply), (NoticeVerdict::Unconfirmed, "fail"));
        assert_eq!(world.all("PaymentConfirmed").await[0]["trade_no"], "trade-2", "what the channel answers is true all the same");
    }

    #[tokio::test]
    async fn a_repeat_of_a_surplus_is_acknowledged_without_asking_again() {
        let world = World::new().await;
        let pay_no = world.pending().await;
        world.channel.queries(Ok(paid("trade-1", 1)));
        notified(&world, notification(pay_no, "trade-1", 1)).await;
        world.channel.asked();
        assert_eq!(notified(&world, notification(pay_no, "trade-1", 1)).await, (NoticeVerdict::Recorded, "success"));
        assert_eq!(world.channel.asked(), []);
    }
}

mod unknown_numbers {
    use super::*;

    #[tokio::test]
    async fn money_for_a_number_that_is_none_of_ours_is_recorded_once_and_refused() {
        let world = World::new().await;
        let known = world.pending().await;
        let never_issued = PayNo::new(known.order_id(), 2).unwrap().to_string();
        for (index, number) in [never_issued.as_str(), "1234501", "not-a-number", "1"].into_iter().enumerate() {
            let trade_no = format!("trade-{index}");
            for _ in 0..2 {
                let (verdict, reply) = notified(&world, notification(number, &trade_no, 100)).await;
                assert_eq!((verdict, reply), (NoticeVerdict::Refused(NotificationRefusal::UnknownOrder), "fail"));
            }
            let received = world.all("UnknownCaptureReceived").await;
            assert_eq!((received.len(), received[index]["out_trade_no"].as_str()), (index + 1, Some(number)));
            assert_eq!((received[index]["amount"].as_i64(), received[index]["trade_no"].as_str()), (Some(100), Some(trade_no.as_str())));
            assert_eq!(world.types(&streams::unknown_capture("alipay", &trade_no)).await, ["UnknownCaptureReceived"]);
        }
    }

    #[tokio::test]
    async fn what_tells_of_no_money_for_an_unknown_number_is_only_kept() {
        let world = World::new().await;
        let whole = News::Refunded { total: Money::new(100, domain::Currency::Cny).unwrap(), whole: true, refund_no: None };
        for news in [News::AwaitingBuyer, News::ClosedUnpaid, News::Unclear, whole] {
            let notification = Notification { news, ..notification("1234501", "trade-1", 100) };
            assert_eq!(notified(&world, notification).await.1, "fail");
        }
        assert_eq!((world.head().await, world.inbox.kept().len()), (0, 4));
    }

    #[tokio::test]
    async fn what_of_an_unknown_payment_did_not_go_back_is_held_for_us() {
        let world = World::new().await;
        let partly = Notification { news: refunded(), ..notification("1234501", "trade-1", 300) };
        assert_eq!(notified(&world, partly).await.1, "fail");
        assert_eq!(world.all("UnknownCaptureReceived").await[0]["amount"], 300);
    }

    #[tokio::test]
    async fn a_text_that_can_be_read_in_two_ways_invents_no_money() {
        let world = World::new().await;
        let doubtful = || Notification { query_first: true, ..notification("1234501", "trade-1", 100_000) };
        for silence in [Ok(TradeState::NotFound), Ok(paid("trade-2", 100)), Err(unknown(Query))] {
            world.channel.queries(silence);
            assert_eq!(notified(&world, doubtful()).await, (NoticeVerdict::Unconfirmed, "fail"));
            assert_eq!(world.head().await, 0);
        }
        world.channel.queries(Ok(paid("trade-1", 100)));
        notified(&world, doubtful()).await;
        assert_eq!(world.all("UnknownCaptureReceived").await[0]["amount"], 100, "what the channel answers, not what the text says");
    }

    #[tokio::test]
    async fn a_trade_number_that_is_no_plain_word_has_a_stream_all_the_same() {
        let world = World::new().await;
        notified(&world, notification("1234501", "交易 1", 100)).await;
        notified(&world, notification("1234501", &"x".repeat(500), 100)).await;
        assert_eq!(world.all("UnknownCaptureReceived").await.len(), 2);
    }
}

mod failures {
    use super::*;

    #[tokio::test]
    async fn what_could_not_be_kept_is_not_acknowledged_and_its_repeat_succeeds_without_a_second_effect() {
        let world = World::new().await;
        let pay_no = world.pending().await;
        let raw = world.channel.notifies(Ok(notification(pay_no, "trade-1", COURSE_PRICE)));
        world.inbox.fail(1);
        assert!(matches!(take(&world, &raw).await, Err(CommandFailure::Inbox(_))));
        assert_eq!(take(&world, &raw).await.unwrap(), (NoticeVerdict::Recorded, "success"));
        assert_eq!((world.all("PaymentConfirmed").await.len(), world.inbox.kept().len()), (1, 1));
    }

    #[tokio::test]
    async fn what_the_log_did_not_take_is_not_acknowledged() {
        for fault in [Fault::Unavailable, Fault::Busy] {
            let world = World::new().await;
            let pay_no = world.pending().await;
            let raw = world.channel.notifies(Ok(notification(pay_no, "trade-1", COURSE_PRICE)));
            world.log.next("order-", fault);
            assert!(matches!(take(&world, &raw).await, Err(CommandFailure::Append(_))));
            assert_eq!(world.inbox.verdicts(), ["undecided"], "it is kept all the same");
            assert_eq!(take(&world, &raw).await.unwrap().1, "success");
            assert_eq!(world.status(pay_no).await, PayRecordStatus::Confirmed);
        }
        let world = World::new().await;
        let pay_no = world.pending().await;
        let raw = world.channel.notifies(Ok(notification(pay_no, "trade-1", COURSE_PRICE)));
        world.log.fail_reads(1);
        assert!(matches!(take(&world, &raw).await, Err(CommandFailure::Read(_))));
        world.log.next("unknown_capture-", Fault::Unavailable);
        let raw = world.channel.notifies(Ok(notification("1234501", "trade-9", 100)));
        assert!(matches!(take(&world, &raw).await, Err(CommandFailure::Append(_))));
    }

    #[tokio::test]
    async fn a_question_whose_answer_the_log_did_not_take_is_not_acknowledged() {
        let world = World::new().await;
        let pay_no = world.pending().await;
        let raw = world.channel.notifies(Ok(with_news(pay_no, News::Unclear)));
        world.channel.queries(Ok(paid("trade-1", COURSE_PRICE)));
        world.log.next("order-", Fault::Unavailable);
        assert!(matches!(take(&world, &raw).await, Err(CommandFailure::Append(_))));
        assert_eq!(world.inbox.verdicts(), ["asking", "undecided"]);
    }

    #[tokio::test]
    async fn an_append_whose_outcome_was_unknown_is_acknowledged_once_it_is_known() {
        let world = World::new().await;
        let pay_no = world.pending().await;
        world.log.next("order-", Fault::UnknownAfter);
        assert_eq!(notified(&world, notification(pay_no, "trade-1", COURSE_PRICE)).await, (NoticeVerdict::Recorded, "success"));
        assert_eq!(world.all("PaymentConfirmed").await.len(), 1);
    }

    #[tokio::test]
    async fn without_the_wallet_no_notification_can_be_judged() {
        let world = World::new().await;
        let raw = world.channel.notifies(Err(NotificationRefusal::BadSignature));
        let failed = world.without_channels().take_alipay_notice(raw, Unverified::Keep, CORRELATION).await;
        assert!(matches!(failed, Err(CommandFailure::ChannelNotConfigured)));
        assert_eq!(world.inbox.kept(), []);
    }

    #[tokio::test]
    async fn any_channel_of_the_wallet_reads_its_notifications() {
        let world = World::new().await;
        let pay_no = world.pending().await;
        let raw = world.channel.notifies(Ok(notification(pay_no, "trade-1", COURSE_PRICE)));
        let (verdict, _) = world.with_channel(Channel::AlipayWap).take_alipay_notice(raw, Unverified::Keep, CORRELATION).await.unwrap();
        assert_eq!(verdict, NoticeVerdict::Recorded);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_identical_notifications_mixed_with_questions_have_one_effect_and_are_all_acknowledged() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    let raw = world.channel.notifies(Ok(notification(pay_no, "trade-1", COURSE_PRICE)));
    for _ in 0..20 {
        world.channel.queries(Ok(paid("trade-1", COURSE_PRICE)));
    }
    let commands = [world.commands.clone(), world.other_process(), world.other_process()];
    let deliveries = (0..200).map(|number| {
        let (commands, raw) = (commands[number % 3].clone(), raw.clone());
        tokio::spawn(async move {
            if number % 10 == 0 {
                commands.sync_pay_record(&alice(), pay_no, None, None, CORRELATION).await.unwrap();
                return "success";
            }
            commands.take_alipay_notice(raw, Unverified::Keep, CORRELATION).await.unwrap().1.body
        })
    });
    for delivery in deliveries.collect::<Vec<_>>() {
        assert_eq!(delivery.await.unwrap(), "success");
    }
    assert_eq!((world.all("PaymentConfirmed").await.len(), world.all("OrderPaid").await.len()), (1, 1));
    assert_eq!(world.all("SurplusPaymentReceived").await.len(), 0);
}

#[tokio::test]
async fn what_does_not_prove_genuine_is_not_kept_of_whoever_has_sent_many() {
    let world = World::new().await;
    let forged = world.channel.notifies(Err(NotificationRefusal::BadSignature));
    let (verdict, _) = world.commands.take_alipay_notice(forged, Unverified::Drop, CORRELATION).await.unwrap();
    assert_eq!((verdict, world.inbox.kept().len()), (NoticeVerdict::Refused(NotificationRefusal::BadSignature), 0));
    let pay_no = world.pending().await;
    let genuine = world.channel.notifies(Ok(notification(pay_no, "trade-1", COURSE_PRICE)));
    let (verdict, reply) = world.commands.take_alipay_notice(genuine, Unverified::Drop, CORRELATION).await.unwrap();
    assert_eq!((verdict, reply.body, world.inbox.kept().len()), (NoticeVerdict::Recorded, "success", 1));
}
