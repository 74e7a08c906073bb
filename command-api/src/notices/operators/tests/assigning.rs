use super::*;

#[tokio::test]
async fn money_that_an_order_owes_pays_it_under_the_operators_name() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    let (raw, notice_id) = unmatched(&world, COURSE_PRICE).await;
    world.channel.asked();
    world.channel.queries(Ok(paid("trade-9", COURSE_PRICE)));
    let done = assign(&world, notice_id, pay_no, None).await.unwrap();
    assert_eq!((done.action, done.state, done.replayed), (NoticeAction::Assigned(pay_no), NoticeState::Settled, false));
    assert_eq!(done.position.as_i64(), world.head().await);
    assert_eq!(world.channel.asked(), [(Query, FOREIGN[5..].to_owned())], "the channel is asked under the number that it knows");
    assert_eq!((world.load(pay_no.order_id()).await.status, world.status(pay_no).await), (OrderStatus::Paid, PayRecordStatus::Confirmed));
    let confirmed = world.all("PaymentConfirmed").await.remove(0);
    assert_eq!((confirmed["trade_no"].as_str(), confirmed["learned_by"].as_str()), (Some("trade-9"), Some("assigned")));
    let stream_id = streams::unknown_capture("alipay", "trade-9");
    assert_eq!(world.types(&stream_id).await, ["UnknownCaptureReceived", "UnknownCaptureAssigned", "UnknownCaptureMatched"]);
    let assigned = world.events(&stream_id).await.remove(1);
    assert_eq!(assigned.metadata.actor, "operator:olivia");
    assert!(assigned.data.contains("she showed it") && assigned.data.contains(&pay_no.to_string()));
    let kept = notice(&world, notice_id).await;
    let act = kept.act.unwrap();
    assert_eq!((kept.state, act.by.as_str(), act.reason.as_str()), (NoticeState::Settled, "operator:olivia", "she showed it"));
    // What the channel sends on about it is acknowledged.
    let head = world.head().await;
    assert_eq!(deliver(&world, &raw).await, (NoticeVerdict::Recorded, "success"));
    assert_eq!((world.head().await, listed(&world).await.len()), (head, 1));
}

#[tokio::test]
async fn money_that_is_not_owed_goes_back_under_the_number_that_the_channel_knows() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    world.pay(pay_no).await;
    let (_, notice_id) = unmatched(&world, COURSE_PRICE).await;
    world.channel.queries(Ok(paid("trade-9", COURSE_PRICE)));
    assign(&world, notice_id, pay_no, None).await.unwrap();
    assert_eq!(world.all("SurplusPaymentReceived").await[0]["reason"], "paid_twice");
    let refund_no = world.load(pay_no.order_id()).await.refunds[0].refund_no;
    world.channel.asked();
    world.commands.drive_refund(&Context::of_channel("alipay", CORRELATION), refund_no).await.unwrap();
    assert_eq!(world.channel.asked(), [(QueryRefund, "01".to_owned()), (Refund, "01".to_owned())]);
    let request = world.channel.refund_requests().remove(0);
    assert_eq!((request.out_trade_no.as_str(), request.refund_no), (FOREIGN, refund_no.to_string()));
    assert_eq!(world.all("RefundSucceeded").await.len(), 1);
}

#[tokio::test]
async fn another_amount_is_believed_as_the_channel_answers_it_and_goes_back() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    let (_, notice_id) = unmatched(&world, 100).await;
    world.channel.queries(Ok(paid("trade-9", 100)));
    assign(&world, notice_id, pay_no, None).await.unwrap();
    let surplus = world.all("SurplusPaymentReceived").await.remove(0);
    assert_eq!((surplus["amount"].as_i64(), surplus["reason"].as_str()), (Some(100), Some("amount_mismatch")));
    assert_eq!(world.load(pay_no.order_id()).await.status, OrderStatus::AwaitingPayment);
}

#[tokio::test]
async fn money_for_an_order_that_has_expired_is_late_and_revives_it_or_goes_back() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    let (_, notice_id) = unmatched(&world, COURSE_PRICE).await;
    world.clock.advance(ORDER_LIFE);
    let (now, context) = (world.commands.now(), Context::of_channel("alipay", CORRELATION));
    let expire = |order: &Order| Order::decide(order, OrderCommand::Expire { now });
    world.commands.orders.execute(&streams::order(pay_no.order_id()), &context, expire).await.unwrap();
    world.commands.record_closed(&context, pay_no, ClosingProof::ChannelClosed).await.unwrap();
    assert_eq!(world.load(pay_no.order_id()).await.status, OrderStatus::Expired);
    world.channel.queries(Ok(paid("trade-9", COURSE_PRICE)));
    assign(&world, notice_id, pay_no, None).await.unwrap();
    assert_eq!((world.all("LatePaymentReceived").await.len(), world.all("PaymentConfirmed").await.len()), (1, 0));
    world.commands.settle_late_payment(&context, pay_no.order_id(), pay_no).await.unwrap();
    let order = world.load(pay_no.order_id()).await;
    assert_eq!((order.status, order.refunds.len()), (OrderStatus::Paid, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_assign_the_same_money_at_once_give_it_to_one_pay_record_once() {
    let world = World::new().await;
    let first = world.pending().await;
    let other = {
        let selected = world.select("bob", "course-rust").await;
        let order = world.create(&buyer("bob"), of_selection(selected), None).await.unwrap().0.resource_id.parse().unwrap();
        world.commands.create_pay_record(&buyer("bob"), order, domain::Channel::AlipayQr, None, None, CORRELATION).await.unwrap().pay_no
    };
    let (_, notice_id) = unmatched(&world, COURSE_PRICE).await;
    for _ in 0..40 {
        world.channel.queries(Ok(paid("trade-9", COURSE_PRICE)));
    }
    let processes = [world.commands.clone(), world.other_process()];
    let acts = (0..40).map(|number| {
        let (commands, pay_no) = (processes[number % 2].clone(), if number % 3 == 0 { other } else { first });
        tokio::spawn(async move {
            let done = commands.assign_notice(&olivia(), notice_id, pay_no, "hers", None, CORRELATION).await;
            (pay_no, done.map(|done| done.state))
        })
    });
    let mut given_to = std::collections::BTreeSet::new();
    for act in acts.collect::<Vec<_>>() {
        match act.await.unwrap() {
            (pay_no, Ok(NoticeState::Settled)) => drop(given_to.insert(pay_no)),
            (_, Err(NoticeFailure::Ended | NoticeFailure::Command(CommandFailure::Contended(_)))) => {}
            (_, unexpected) => panic!("{unexpected:?}"),
        }
    }
    assert_eq!(given_to.len(), 1);
    assert_eq!((world.all("UnknownCaptureAssigned").await.len(), world.all("PaymentConfirmed").await.len()), (1, 1));
    assert_eq!(world.all("SurplusPaymentReceived").await.len(), 0);
}

#[tokio::test]
async fn money_that_the_channel_does_not_say_it_holds_is_not_assigned() {
    let silences = [
        (Ok(TradeState::NotFound), "unconfirmed"),
        (Ok(paid("trade-8", COURSE_PRICE)), "unconfirmed"),
        (Ok(TradeState::ClosedUnpaid), "unconfirmed"),
        (Ok(TradeState::ClosedRefunded(captured("trade-9", COURSE_PRICE))), "went back"),
        (Err(unknown(Query)), "unavailable"),
    ];
    for (silence, why) in silences {
        let world = World::new().await;
        let pay_no = world.pending().await;
        let (_, notice_id) = unmatched(&world, COURSE_PRICE).await;
        let head = world.head().await;
        world.channel.queries(silence);
        let failure = assign(&world, notice_id, pay_no, None).await.unwrap_err();
        let is_it = match why {
            "went back" => matches!(failure, NoticeFailure::WentBack),
            "unavailable" => matches!(failure, NoticeFailure::Command(CommandFailure::ChannelUnavailable)),
            _ => matches!(failure, NoticeFailure::Unconfirmed),
        };
        assert!(is_it, "{failure:?}");
        assert_eq!((world.head().await, notice(&world, notice_id).await.state), (head, NoticeState::Open));
    }
}

#[tokio::test]
async fn only_unmatched_money_is_assigned_and_only_to_a_pay_record_of_its_wallet() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    let (_, notice_id) = unmatched(&world, COURSE_PRICE).await;
    let never = PayNo::new(pay_no.order_id(), 9).unwrap();
    assert!(matches!(assign(&world, notice_id, never, None).await, Err(NoticeFailure::UnknownPayRecord)));
    assert!(matches!(assign(&world, notice_id, "77701".parse().unwrap(), None).await, Err(NoticeFailure::UnknownPayRecord)));
    assert!(matches!(assign(&world, 99, pay_no, None).await, Err(NoticeFailure::NotFound)));
    let free = world.create(&alice(), of_product("gift", None, 1), None).await.unwrap().0;
    let unasked = PayNo::new(free.resource_id.parse().unwrap(), 1).unwrap();
    assert!(matches!(assign(&world, notice_id, unasked, None).await, Err(NoticeFailure::OtherWallet)));
    let head = world.head().await;
    let forged = world.channel.notifies(Err(NotificationRefusal::BadSignature));
    deliver(&world, &forged).await;
    let closed = Notification { news: News::ClosedUnpaid, ..notification(FOREIGN, "trade-9", COURSE_PRICE) };
    deliver(&world, &world.channel.notifies(Ok(closed))).await;
    let others: Vec<_> = listed(&world).await.into_iter().map(|notice| notice.notice_id).filter(|id| *id != notice_id).collect();
    assert_eq!(others.len(), 2);
    for other in others {
        assert!(matches!(assign(&world, other, pay_no, None).await, Err(NoticeFailure::NotUnmatched)), "{other}");
    }
    assert_eq!(world.head().await, head);
}

#[tokio::test]
async fn it_is_assigned_once_and_a_repeat_is_answered_alike() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    let (_, notice_id) = unmatched(&world, COURSE_PRICE).await;
    world.channel.queries(Ok(paid("trade-9", COURSE_PRICE)));
    let first = assign(&world, notice_id, pay_no, Some(&key("k", "a"))).await.unwrap();
    let head = world.head().await;
    let again = assign(&world, notice_id, pay_no, Some(&key("k", "a"))).await.unwrap();
    assert_eq!(NoticeAnswer { replayed: true, ..first }, again);
    assert!(!assign(&world, notice_id, pay_no, None).await.unwrap().replayed);
    assert!(matches!(assign(&world, notice_id, pay_no, Some(&key("k", "b"))).await, Err(NoticeFailure::KeyReused)));
    let other = PayNo::new(pay_no.order_id(), 2).unwrap();
    assert!(matches!(assign(&world, notice_id, other, None).await, Err(NoticeFailure::Ended)));
    assert!(matches!(dismiss(&world, notice_id, None).await, Err(NoticeFailure::Ended)));
    assert!(matches!(rejudge(&world, notice_id, None).await, Err(NoticeFailure::Ended)));
    assert_eq!(world.head().await, head);
}

#[tokio::test]
async fn who_dies_between_the_intent_and_the_money_is_followed_by_whoever_repeats_it() {
    for fault in [Fault::Unavailable, Fault::Busy] {
        let world = World::new().await;
        let pay_no = world.pending().await;
        let (raw, notice_id) = unmatched(&world, COURSE_PRICE).await;
        world.channel.queries(Ok(paid("trade-9", COURSE_PRICE)));
        world.log.next("order-", fault);
        assert!(matches!(assign(&world, notice_id, pay_no, Some(&key("k", "a"))).await, Err(NoticeFailure::Command(_))));
        assert_eq!(world.all("UnknownCaptureAssigned").await.len(), 1);
        assert_eq!((world.status(pay_no).await, notice(&world, notice_id).await.state), (PayRecordStatus::Pending, NoticeState::Open));
        assert_eq!(deliver(&world, &raw).await.1, "fail", "not acknowledged before it is where it belongs");
        world.channel.queries(Ok(paid("trade-9", COURSE_PRICE)));
        assign(&world, notice_id, pay_no, Some(&key("k", "a"))).await.unwrap();
        assert_eq!((world.status(pay_no).await, notice(&world, notice_id).await.state), (PayRecordStatus::Confirmed, NoticeState::Settled));
        assert_eq!((world.all("UnknownCaptureAssigned").await.len(), world.all("PaymentConfirmed").await.len()), (1, 1));
    }
}

#[tokio::test]
async fn what_the_inbox_did_not_take_is_written_by_the_repeat_and_nothing_is_doubled() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    let (_, notice_id) = unmatched(&world, COURSE_PRICE).await;
    world.channel.queries(Ok(paid("trade-9", COURSE_PRICE)));
    world.inbox.fail(1);
    assert!(matches!(assign(&world, notice_id, pay_no, None).await, Err(NoticeFailure::Command(CommandFailure::Inbox(_)))));
    assert_eq!(notice(&world, notice_id).await.state, NoticeState::Open);
    let head = world.head().await;
    world.channel.asked();
    assign(&world, notice_id, pay_no, None).await.unwrap();
    assert_eq!((world.channel.asked(), world.head().await), (vec![], head), "what is on the order already is not asked about");
    assert_eq!(notice(&world, notice_id).await.state, NoticeState::Settled);
}

#[tokio::test]
async fn money_that_the_pay_record_knows_already_is_not_doubled() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    let (_, notice_id) = unmatched(&world, COURSE_PRICE).await;
    // Its own number came to the log another way.
    world.channel.queries(Ok(paid("trade-9", COURSE_PRICE)));
    world.sync(pay_no).await.unwrap();
    assign(&world, notice_id, pay_no, None).await.unwrap();
    assert_eq!((world.all("PaymentConfirmed").await.len(), world.all("SurplusPaymentReceived").await.len()), (1, 0));
}

#[tokio::test]
async fn what_went_back_of_assigned_money_is_recorded_on_its_order() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    let (_, notice_id) = unmatched(&world, COURSE_PRICE).await;
    world.channel.queries(Ok(paid("trade-9", COURSE_PRICE)));
    assign(&world, notice_id, pay_no, None).await.unwrap();
    let total = Amount::new(100, Currency::Cny).unwrap();
    let refunded =
        |notification: Notification| Notification { news: News::Refunded { total, whole: false, refund_no: None }, ..notification };
    let doubtful = Notification { query_first: true, ..refunded(notification(FOREIGN, "trade-9", COURSE_PRICE)) };
    assert_eq!(deliver(&world, &world.channel.notifies(Ok(doubtful))).await.0, NoticeVerdict::Unconfirmed);
    let raw = world.channel.notifies(Ok(refunded(notification(FOREIGN, "trade-9", COURSE_PRICE))));
    assert_eq!(deliver(&world, &raw).await, (NoticeVerdict::Recorded, "success"));
    assert_eq!(world.all("RefundObserved").await.len(), 1);
}
