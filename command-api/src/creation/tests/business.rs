use domain::MinorUnits;

use super::*;
use crate::{BusinessOrder, Caller, OrderRequest};

async fn wish(world: &World, order: BusinessOrder, key: Option<&CallerKey>) -> Result<Created, CommandFailure> {
    world.create(&service(), OrderRequest::Business(order), key).await.map(|(created, _)| created)
}

#[tokio::test]
async fn an_order_of_another_system_is_made_as_it_says() {
    let world = World::new().await;
    let order = BusinessOrder { description: Some("Thursdays".to_owned()), ..business("seat-1") };
    let (created, standing) = world.create(&service(), OrderRequest::Business(order), None).await.unwrap();
    let draft = &standing.state.created.as_ref().unwrap().draft;
    assert_eq!((created.is_new, draft.amount.as_i64()), (true, 8_400));
    assert_eq!((draft.order_type.as_str(), draft.out_business_id.as_str()), ("workshop", "seat-1"));
    assert_eq!((draft.service.as_deref(), draft.description.as_deref()), (Some("school"), Some("Thursdays")));
    assert_eq!((draft.buyer_id.as_str(), draft.source), ("member-1", OrderSource::Business));
    assert_eq!(draft.items[0].price_version, None, "its prices are none of the catalogue's");
}

#[tokio::test]
async fn the_same_business_again_answers_its_order() {
    let world = World::new().await;
    let first = wish(&world, business("seat-1"), None).await.unwrap();
    let head = world.head().await;
    let again = wish(&world, business("seat-1"), None).await.unwrap();
    assert_eq!(again, Created { is_new: false, ..first });
    assert_eq!(world.head().await, head);
}

#[tokio::test]
async fn the_same_business_with_any_other_content_is_refused() {
    let world = World::new().await;
    wish(&world, business("seat-1"), None).await.unwrap();
    let head = world.head().await;
    let changes: [fn(&mut BusinessOrder); 8] = [
        |order| order.buyer_id = buyer_id_of("member-2"),
        |order| order.title = "Morning workshop".to_owned(),
        |order| order.description = Some(String::new()),
        |order| order.items[0].quantity = 3,
        |order| order.items[0].unit_price_amount = MinorUnits::new(4_201).unwrap(),
        |order| order.items[0].name = "Two seats".to_owned(),
        |order| order.items[0].goods_id = product("workshop-2"),
        |order| order.items.push(order.items[0].clone()),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut order = business("seat-1");
        change(&mut order);
        assert!(matches!(wish(&world, order, None).await, Err(CommandFailure::BusinessIdConflict)), "change {number}");
    }
    assert_eq!(world.head().await, head);
}

#[tokio::test]
async fn another_service_and_another_kind_of_business_have_numbers_of_their_own() {
    let world = World::new().await;
    let first = wish(&world, business("seat-1"), None).await.unwrap();
    let library = Caller::Service("library".to_owned());
    let (second, _) = world.create(&library, OrderRequest::Business(business("seat-1")), None).await.unwrap();
    let fee = BusinessOrder { order_type: OrderType::parse_foreign("fee").unwrap(), ..business("seat-1") };
    let third = wish(&world, fee, None).await.unwrap();
    assert!(second.is_new && third.is_new);
    assert!(first.resource_id != second.resource_id && second.resource_id != third.resource_id);
}

#[tokio::test]
async fn after_an_order_that_ended_unpaid_the_same_business_is_a_new_order_of_the_next_generation() {
    let world = World::new().await;
    let first = wish(&world, business("seat-1"), None).await.unwrap();
    cancel(&world, &service(), &first).await;
    // What was agreed then binds nobody any more.
    let cheaper = BusinessOrder { title: "Summer workshop".to_owned(), ..business("seat-1") };
    let second = wish(&world, cheaper.clone(), None).await.unwrap();
    assert!(second.is_new && second.resource_id != first.resource_id);
    let generations: Vec<_> = world.all("IdempotencyKeyClaimed").await.iter().map(|claim| claim["generation"].as_i64()).collect();
    assert_eq!(generations, [Some(0), Some(1)]);
    assert_eq!(world.all("IdempotencyKeyFreed").await.len(), 1);
    assert!(!wish(&world, cheaper, None).await.unwrap().is_new);
    assert!(matches!(wish(&world, business("seat-1"), None).await, Err(CommandFailure::BusinessIdConflict)));
}

#[tokio::test]
async fn a_closing_and_a_paid_order_keep_their_business() {
    let world = World::new().await;
    let first = wish(&world, business("seat-1"), None).await.unwrap();
    let order_id = first.resource_id.parse().unwrap();
    let attempted =
        world.commands.create_pay_record(&service(), order_id, domain::Channel::AlipayQr, None, None, CORRELATION).await.unwrap();
    world.channel.queries(Err(unknown(gateway::Operation::Query)));
    let cancelled = world.commands.cancel_order(&service(), order_id, None, None, None, CORRELATION).await.unwrap();
    assert!(!cancelled.is_proven);
    assert_eq!(wish(&world, business("seat-1"), None).await.unwrap().resource_id, first.resource_id);

    let capture = captured("trade-1", 8_400);
    let context = Context::of_channel("alipay", CORRELATION);
    let learned_by = domain::pay_record::CaptureSource::Query;
    world.commands.record_capture(&context, attempted.pay_no, &capture, learned_by).await.unwrap();
    assert_eq!(wish(&world, business("seat-1"), None).await.unwrap().resource_id, first.resource_id);
    assert_eq!(orders_made(&world).await, 1);
}

#[tokio::test]
async fn a_key_whose_business_exists_already_answers_with_that_order_for_ever() {
    let world = World::new().await;
    let first = wish(&world, business("seat-1"), None).await.unwrap();
    let key = key("k", "seat-1");
    let found = wish(&world, business("seat-1"), Some(&key)).await.unwrap();
    assert_eq!((&found.resource_id, found.is_new, found.replayed), (&first.resource_id, false, false));
    cancel(&world, &service(), &first).await;
    wish(&world, business("seat-1"), None).await.unwrap();
    let head = world.head().await;
    let again = wish(&world, business("seat-1"), Some(&key)).await.unwrap();
    assert_eq!((again.resource_id, again.is_new, again.replayed), (first.resource_id, false, true));
    assert_eq!((world.head().await, key_events(&world).await.1), (head, 1));
}

#[tokio::test]
async fn what_somebody_claimed_and_died_over_is_made_by_the_next_who_asks() {
    let world = World::new().await;
    world.log.next("order-", Fault::Unavailable);
    wish(&world, business("seat-1"), None).await.unwrap_err();
    assert_eq!(orders_made(&world).await, 0);
    let found = wish(&world, business("seat-1"), None).await.unwrap();
    assert!(!found.is_new);
    assert_eq!(world.all("OrderCreated").await[0]["order_id"], found.resource_id.as_str());
    let (claimed, _, _) = key_events(&world).await;
    assert_eq!(claimed, 1);
}

#[tokio::test]
async fn two_that_replace_an_ended_order_at_once_make_one() {
    let world = World::new().await;
    let first = wish(&world, business("seat-1"), None).await.unwrap();
    cancel(&world, &service(), &first).await;
    let other = world.other_process();
    world.log.meanwhile("idempotency-", async move {
        other.create_order(&service(), OrderRequest::Business(business("seat-1")), None, CORRELATION).await.unwrap();
    });
    let second = wish(&world, business("seat-1"), None).await.unwrap();
    assert!(world.log.is_done() && !second.is_new);
    assert_eq!((orders_made(&world).await, key_events(&world).await), (2, (2, 0, 1)));
}

#[tokio::test]
async fn a_business_key_that_moves_at_every_try_is_told_as_busy() {
    let world = World::new().await;
    for _ in 0..3 {
        world.log.next("idempotency-", Fault::Conflict);
    }
    let contended = wish(&world, business("seat-1"), None).await;
    assert!(matches!(contended, Err(CommandFailure::Contended(_))));
    assert_eq!(world.head().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_make_one_order_of_one_business() {
    let world = World::new().await;
    let posts = (0..32).map(|_| {
        let commands = world.other_process();
        tokio::spawn(async move { commands.create_order(&service(), OrderRequest::Business(business("seat-1")), None, CORRELATION).await })
    });
    let mut made = 0;
    for post in posts.collect::<Vec<_>>() {
        made += usize::from(post.await.unwrap().unwrap().0.is_new);
    }
    assert_eq!((made, orders_made(&world).await), (1, 1));
}

#[tokio::test]
async fn an_order_that_its_late_payment_revives_meanwhile_is_answered_and_no_other_made() {
    let world = World::new().await;
    let first = wish(&world, business("seat-1"), None).await.unwrap();
    let (order_id, context) = (first.resource_id.parse().unwrap(), Context::of_caller(&service(), CORRELATION));
    let attempted = world.commands.create_pay_record(&service(), order_id, domain::Channel::AlipayQr, None, None, CORRELATION).await;
    let pay_no = attempted.unwrap().pay_no;
    world.clock.advance(ORDER_LIFE);
    let ends = [
        OrderCommand::Expire { now: world.commands.now() },
        OrderCommand::ClosePayRecord { pay_no, proof: domain::pay_record::ClosingProof::ChannelClosed },
    ];
    for end in ends {
        world.commands.orders.execute(&streams::order(order_id), &context, |order| Order::decide(order, end.clone())).await.unwrap();
    }
    world.commands.record_capture(&context, pay_no, &captured("trade-1", 8_400), domain::pay_record::CaptureSource::Query).await.unwrap();
    let draft = world.load(order_id).await.created.unwrap().draft;
    let hold = || IdempotencyCommand::Hold { resource_id: order_id.to_string(), pay_no };
    let business_key = business_stream(&draft).unwrap();
    world.commands.keys.execute(&business_key, &context, |key| IdempotencyKey::decide(key, hold())).await.unwrap();

    // It has ended when it is looked at, and is revived while the caller's key is bound.
    world.log.meanwhile("idempotency-", async {});
    let other = world.other_process();
    world.log.meanwhile("idempotency-", async move { other.settle_late_payment(&context, order_id, pay_no).await.unwrap() });
    let again = wish(&world, business("seat-1"), Some(&key("again", "seat-1"))).await.unwrap();
    assert!(world.log.is_done() && !again.is_new);
    assert_eq!((again.resource_id, orders_made(&world).await), (first.resource_id, 1));
    assert_eq!(world.load(order_id).await.status, OrderStatus::Paid);
}
