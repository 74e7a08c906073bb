use super::*;

#[tokio::test]
async fn the_same_key_with_the_same_content_answers_the_same_number() {
    let world = World::new().await;
    let key = key("k", "notes");
    let (first, standing) = world.create(&alice(), of_product("notes", None, 1), Some(&key)).await.unwrap();
    assert_eq!((first.is_new, first.replayed, first.position), (true, false, standing.position));
    let head = world.head().await;
    for commands in [world.commands.clone(), world.other_process()] {
        let (again, _) = commands.create_order(&alice(), of_product("notes", None, 1), Some(&key), CORRELATION).await.unwrap();
        assert_eq!(again, Created { replayed: true, ..first.clone() });
    }
    assert_eq!(world.head().await, head, "a repeat appends nothing");
}

#[tokio::test]
async fn the_same_key_with_other_content_is_refused_and_nothing_is_appended() {
    let world = World::new().await;
    world.create(&alice(), of_product("notes", None, 1), Some(&key("k", "one"))).await.unwrap();
    let head = world.head().await;
    let reused = world.create(&alice(), of_product("notes", None, 2), Some(&key("k", "two"))).await;
    assert!(matches!(reused, Err(CommandFailure::KeyReused)));
    assert_eq!(world.head().await, head);
}

#[tokio::test]
async fn a_key_is_its_subjects_and_its_routes_own() {
    let world = World::new().await;
    let keys = [
        CallerKey::new("alice", "POST /a", "k", "notes"),
        CallerKey::new("bob", "POST /a", "k", "notes"),
        CallerKey::new("alice", "POST /b", "k", "notes"),
        CallerKey::new("alice", "POST /a", "l", "notes"),
        // Where one part ends and the next begins counts.
        CallerKey::new("aliceP", "OST /a", "k", "notes"),
    ];
    let mut numbers = std::collections::BTreeSet::new();
    for key in &keys {
        let (created, _) = world.create(&alice(), of_product("notes", None, 1), Some(key)).await.unwrap();
        numbers.insert(created.resource_id);
    }
    assert_eq!(numbers.len(), keys.len());
}

#[tokio::test]
async fn without_a_key_each_order_of_a_product_is_another() {
    let world = World::new().await;
    let (one, _) = world.create(&alice(), of_product("notes", None, 1), None).await.unwrap();
    let (two, _) = world.create(&alice(), of_product("notes", None, 1), None).await.unwrap();
    assert_ne!(one.resource_id, two.resource_id);
}

#[tokio::test]
async fn what_was_claimed_before_a_crash_is_finished_by_a_retry_at_the_price_of_the_claim() {
    let world = World::new().await;
    let key = key("k", "notes");
    world.log.next("order-", Fault::Unavailable);
    let died = world.create(&alice(), of_product("notes", None, 3), Some(&key)).await;
    assert!(matches!(died, Err(CommandFailure::Append(_))));
    assert_eq!(orders_made(&world).await, 0);
    let claimed = world.all("IdempotencyKeyClaimed").await.remove(0);

    world.change("notes", |draft| draft.price = domain::Money::new(9_999, domain::Currency::Cny).unwrap()).await;
    let (created, standing) =
        world.other_process().create_order(&alice(), of_product("notes", None, 3), Some(&key), CORRELATION).await.unwrap();
    assert_eq!(claimed["intent"]["order"]["order_id"], created.resource_id.as_str());
    assert_eq!(standing.state.created.as_ref().unwrap().draft.amount.as_i64(), 3 * 599);
    assert!(created.is_new && created.replayed);
    assert_eq!(orders_made(&world).await, 1);
}

#[tokio::test]
async fn a_retry_needs_nothing_of_what_the_claim_resolved() {
    let world = World::new().await;
    let key = key("k", "notes");
    world.log.next("order-", Fault::Unavailable);
    world.create(&alice(), of_product("notes", None, 1), Some(&key)).await.unwrap_err();
    world.change("notes", |draft| draft.on_sale = false).await;
    world.create(&alice(), of_product("notes", None, 1), Some(&key)).await.unwrap();
    assert_eq!(orders_made(&world).await, 1);
}

#[tokio::test]
async fn a_refused_request_binds_no_key() {
    let world = World::new().await;
    let key = key("k", "withdrawn");
    let refused = world.create(&alice(), of_product("withdrawn", None, 1), Some(&key)).await;
    assert!(matches!(refused, Err(CommandFailure::Invalid { field: "product_id", code: "not_on_sale", .. })));
    assert_eq!(world.head().await, 0);
    world.change("withdrawn", |draft| draft.on_sale = true).await;
    let (created, _) = world.create(&alice(), of_product("withdrawn", None, 1), Some(&key)).await.unwrap();
    assert!(created.is_new && !created.replayed);
}

#[tokio::test]
async fn a_claim_that_another_process_made_just_before_is_the_one_that_counts() {
    let world = World::new().await;
    let key = key("k", "notes");
    let (other, the_key) = (world.other_process(), key.clone());
    world.log.meanwhile("idempotency-", async move {
        other.create_order(&alice(), of_product("notes", None, 1), Some(&the_key), CORRELATION).await.unwrap();
    });
    let (created, _) = world.create(&alice(), of_product("notes", None, 1), Some(&key)).await.unwrap();
    assert!(created.replayed);
    assert_eq!(orders_made(&world).await, 1);
    assert_eq!(world.all("OrderCreated").await[0]["order_id"], created.resource_id.as_str());
}

#[tokio::test]
async fn an_unknown_outcome_of_the_claim_or_of_the_creation_makes_one_order() {
    for (prefix, fault) in [
        ("idempotency-", Fault::UnknownBefore),
        ("idempotency-", Fault::UnknownAfter),
        ("order-", Fault::UnknownBefore),
        ("order-", Fault::UnknownAfter),
    ] {
        let world = World::new().await;
        world.log.next(prefix, fault);
        let (created, _) = world.create(&alice(), of_product("notes", None, 1), Some(&key("k", "notes"))).await.unwrap();
        assert!(created.is_new && !created.replayed);
        assert_eq!((orders_made(&world).await, key_events(&world).await.0), (1, 1));
    }
}

#[tokio::test]
async fn a_key_answers_what_it_made_although_that_has_ended_and_another_has_its_place() {
    // The same key twice at once: the one that was held up finds its own order made, ended, and another in its place.
    let world = World::new().await;
    let key = key("k", "seat-1");
    let wish = || crate::OrderRequest::Business(business("seat-1"));
    let (first_other, second_other, the_key) = (world.other_process(), world.other_process(), key.clone());
    // The first append of a key's stream is the caller's claim; the second, of the business key, is held up.
    world.log.meanwhile("idempotency-", async {});
    world.log.meanwhile("idempotency-", async move {
        let (own, _) = first_other.create_order(&service(), wish(), Some(&the_key), CORRELATION).await.unwrap();
        let own_id = own.resource_id.parse().unwrap();
        assert!(first_other.cancel_order(&service(), own_id, None, None, None, CORRELATION).await.unwrap().is_proven);
        let (next, _) = second_other.create_order(&service(), wish(), None, CORRELATION).await.unwrap();
        assert_ne!(own.resource_id, next.resource_id);
    });
    let (created, _) = world.create(&service(), wish(), Some(&key)).await.unwrap();
    let made = world.all("OrderCreated").await;
    assert_eq!((made.len(), created.is_new, created.replayed), (2, true, true));
    assert_eq!(made[0]["order_id"], created.resource_id.as_str());
    let (again, _) = world.create(&service(), wish(), Some(&key)).await.unwrap();
    assert_eq!(again.resource_id, created.resource_id);
}

#[tokio::test]
async fn one_key_never_gives_two_answers_although_its_two_requests_find_different_orders() {
    let world = World::new().await;
    let key = key("k", "seat-1");
    let wish = || crate::OrderRequest::Business(business("seat-1"));
    let (ended, _) = world.create(&service(), wish(), None).await.unwrap();
    cancel(&world, &service(), &ended).await;

    // Held up just before it binds its key to the order that it is about to make.
    let (third, twin, the_key) = (world.other_process(), world.other_process(), key.clone());
    world.log.meanwhile("idempotency-", async {});
    world.log.meanwhile("idempotency-", async move {
        let (live, _) = third.create_order(&service(), wish(), None, CORRELATION).await.unwrap();
        let (answered, _) = twin.create_order(&service(), wish(), Some(&the_key), CORRELATION).await.unwrap();
        assert_eq!(answered.resource_id, live.resource_id);
    });
    let (created, _) = world.create(&service(), wish(), Some(&key)).await.unwrap();
    let made = world.all("OrderCreated").await;
    assert_eq!(made.len(), 2, "the ended one and the live one");
    assert_eq!(made[1]["order_id"], created.resource_id.as_str());
    assert!(!created.is_new && world.log.is_done());
    let (again, _) = world.create(&service(), wish(), Some(&key)).await.unwrap();
    assert_eq!((again.resource_id, again.replayed), (created.resource_id, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_posts_of_one_key_at_once_have_one_effect_and_other_contents_are_refused() {
    let world = World::new().await;
    let posts = (0..50).map(|number| {
        let commands = if number % 2 == 0 { world.commands.clone() } else { world.other_process() };
        let quantity = 1 + number % 5 / 4;
        tokio::spawn(async move {
            let key = key("k", &quantity.to_string());
            commands.create_order(&alice(), of_product("notes", None, quantity), Some(&key), CORRELATION).await
        })
    });
    let (mut numbers, mut refused) = (std::collections::BTreeSet::new(), 0);
    for post in posts.collect::<Vec<_>>() {
        match post.await.unwrap() {
            Ok((created, _)) => drop(numbers.insert(created.resource_id)),
            Err(CommandFailure::KeyReused) => refused += 1,
            Err(failure) => panic!("{failure}"),
        }
    }
    assert_eq!((numbers.len(), orders_made(&world).await), (1, 1));
    assert!(refused == 10 || refused == 40, "one of the two contents won: {refused}");
}
