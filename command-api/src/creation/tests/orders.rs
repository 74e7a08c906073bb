use domain::SkuId;
use domain::order::Client;
use domain::{Currency, MinorUnits, Money};

use super::*;
use crate::OrderRequest;

#[tokio::test]
async fn an_order_of_a_selection_costs_what_the_catalogue_says_now() {
    let world = World::new().await;
    let selection_id = world.select("alice", "course-rust").await;
    world.change("course-rust", |draft| draft.price = Money::new(29_900, Currency::Cny).unwrap()).await;
    let (created, standing) = world.create(&alice(), of_selection(selection_id), None).await.unwrap();
    let made = standing.state.created.as_ref().unwrap();
    assert_eq!((made.draft.amount.as_i64(), made.draft.items[0].price_version), (29_900, Some(2)));
    assert_eq!((made.draft.order_type.as_str(), &made.draft.out_business_id), ("course", &selection_id.to_string()));
    assert_eq!((made.draft.source, made.draft.client), (OrderSource::CourseSelection, Client::Web));
    assert_eq!(made.expires_at.to_rfc3339(), "2026-07-20T08:30:00+00:00", "a channel's expiry has whole seconds");
    assert!(created.is_new);
}

#[tokio::test]
async fn one_selection_has_one_order_at_a_time() {
    let world = World::new().await;
    let selection_id = world.select("alice", "course-rust").await;
    let (first, _) = world.create(&alice(), of_selection(selection_id), None).await.unwrap();
    world.change("course-rust", |draft| draft.price = Money::new(1, Currency::Cny).unwrap()).await;
    let (again, _) = world.create(&alice(), of_selection(selection_id), None).await.unwrap();
    assert_eq!(again, Created { is_new: false, ..first.clone() });
    cancel(&world, &alice(), &first).await;
    let (next, standing) = world.create(&alice(), of_selection(selection_id), None).await.unwrap();
    assert!(next.is_new && next.resource_id != first.resource_id);
    assert_eq!(standing.state.created.as_ref().unwrap().draft.amount.as_i64(), 1);
}

#[tokio::test]
async fn a_selection_that_is_another_s_free_withdrawn_or_unknown_makes_no_order() {
    let world = World::new().await;
    let (paid, free) = (world.select("alice", "course-rust").await, world.select("alice", "course-free").await);
    let head = world.head().await;
    assert!(matches!(world.create(&buyer("bob"), of_selection(paid), None).await, Err(CommandFailure::NotFound)));
    let unknown = of_selection(SelectionId::parse("12345").unwrap());
    assert!(matches!(world.create(&alice(), unknown, None).await, Err(CommandFailure::NotFound)));
    let refused = world.create(&alice(), of_selection(free), None).await;
    assert!(matches!(refused, Err(CommandFailure::Invalid { field: "selection_id", code: "free_course", .. })));
    world.change("course-rust", |draft| draft.on_sale = false).await;
    let refused = world.create(&alice(), of_selection(paid), None).await;
    assert!(matches!(refused, Err(CommandFailure::Invalid { field: "selection_id", code: "not_on_sale", .. })));
    assert_eq!(world.head().await, head);
}

#[tokio::test]
async fn a_product_is_ordered_at_its_own_price_or_at_its_variants() {
    let world = World::new().await;
    world.receive("mug-white", 3).await;
    for (id, sku_id, name, unit_price, order_type) in
        [("notes", None, "The notes", 599, "material"), ("mug", Some("mug-white"), "The mug white", 2_700, "goods")]
    {
        let (_, standing) = world.create(&alice(), of_product(id, sku_id, 3), None).await.unwrap();
        let draft = &standing.state.created.as_ref().unwrap().draft;
        let item = &draft.items[0];
        assert_eq!((item.name.as_str(), item.unit_price_amount.as_i64(), item.quantity), (name, unit_price, 3));
        assert_eq!(item.sku_id.as_ref().map(SkuId::as_str), sku_id);
        assert_eq!((draft.amount.as_i64(), draft.order_type.as_str()), (3 * unit_price, order_type));
        assert_eq!((draft.source, draft.client), (OrderSource::Product, Client::App));
        assert_eq!(draft.out_business_id, draft.order_id.to_string());
    }
}

#[tokio::test]
async fn a_variant_must_be_named_and_be_the_products() {
    let world = World::new().await;
    let cases = [("mug", None, "required"), ("mug", Some("mug-red"), "unknown_value"), ("notes", Some("mug-black"), "unknown_value")];
    for (id, sku_id, word) in cases {
        let refused = world.create(&alice(), of_product(id, sku_id, 1), None).await;
        assert!(matches!(refused, Err(CommandFailure::Invalid { field: "sku_id", code, .. }) if code == word), "{id} {sku_id:?}");
    }
    assert_eq!(world.head().await, 0);
}

#[tokio::test]
async fn a_course_an_unknown_and_a_withdrawn_product_are_not_ordered() {
    let world = World::new().await;
    for id in ["course-rust", "course-free"] {
        assert!(matches!(world.create(&alice(), of_product(id, None, 1), None).await, Err(CommandFailure::SelectionRequired)));
    }
    assert!(matches!(world.create(&alice(), of_product("cup", None, 1), None).await, Err(CommandFailure::NotFound)));
    let withdrawn = world.create(&alice(), of_product("withdrawn", None, 1), None).await;
    assert!(matches!(withdrawn, Err(CommandFailure::Invalid { field: "product_id", code: "not_on_sale", .. })));
    assert_eq!(world.head().await, 0);
}

#[tokio::test]
async fn an_order_that_owes_nothing_is_paid_as_it_is_made_and_no_channel_is_asked() {
    let world = World::new().await;
    let (created, standing) = world.create(&alice(), of_product("gift", None, 1), None).await.unwrap();
    let order_id = created.resource_id.parse().unwrap();
    assert_eq!(standing.state.status, OrderStatus::Paid);
    assert_eq!(world.order_types(order_id).await, ["OrderCreated", "PayRecordIssued", "PaymentConfirmed", "OrderPaid"]);
    assert!(world.channel.asked().is_empty());
    let (_, standing) = world.create(&alice(), of_product("gift", None, 1), None).await.unwrap();
    assert_ne!(standing.state.created.as_ref().unwrap().draft.order_id, order_id);
}

#[tokio::test]
async fn a_sum_beyond_all_amounts_is_refused() {
    let world = World::new().await;
    let mut order = business("seat-1");
    order.items[0].unit_price_amount = MinorUnits::new(Money::MAX_MINOR).unwrap();
    let refused = world.create(&service(), OrderRequest::Business(order.clone()), None).await;
    assert!(matches!(refused, Err(CommandFailure::Invalid { field: "items", code: "out_of_range", .. })));
    order.items[0].quantity = 1;
    order.items.push(order.items[0].clone());
    let refused = world.create(&service(), OrderRequest::Business(order), None).await;
    assert!(matches!(refused, Err(CommandFailure::Invalid { field: "items", code: "out_of_range", .. })));
    assert_eq!(world.head().await, 0);
}

#[tokio::test]
async fn a_role_that_a_route_never_lets_through_makes_nothing() {
    let world = World::new().await;
    let broken = world.create(&alice(), OrderRequest::Business(business("seat-1")), None).await;
    assert!(matches!(broken, Err(CommandFailure::Broken(_))));
    let broken = world.create(&service(), of_product("notes", None, 1), None).await;
    assert!(matches!(broken, Err(CommandFailure::Broken(_))));
    assert_eq!(world.head().await, 0);
}
