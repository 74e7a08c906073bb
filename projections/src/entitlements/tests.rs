use database::Area;
use database::testing::TestDatabase;
use domain::OrderId;
use domain::order::OrderType;
use followers::{ConsumerEffect, Follower};

use super::*;
use crate::testing::*;
use crate::{ConsumerStore, Consumption, MIGRATIONS, MemoryViewStore, SqlViewStore, ViewStore};

fn order() -> OrderId {
    order_id(2)
}

fn payment(order_type: &str) -> Stored {
    let mut event = confirmed(order(), 1, order_type, "77");
    let mut second = event.items[0].clone();
    (second.sku_id, second.quantity) = (None, 3);
    event.items.push(second);
    order_event(PayRecordEvent::from(event))
}

fn refund(order_type: &str, fully_refunded: bool) -> Stored {
    let mut event = refund_succeeded(order(), 1, 9900, fully_refunded);
    event.order_type = OrderType::parse(order_type).unwrap();
    order_event(event)
}

/// What the order entitles to after those of the events that concern it.
fn after(events: impl IntoIterator<Item = Stored>) -> Option<EntitlementsOfOrder> {
    let events = stream(&format!("order-{}", order()), events);
    let concern = |recorded: &RecordedEvent| Entitlements::key(&Entitlements::read(recorded).unwrap(), recorded).is_some();
    fold::<Entitlements>(None, &events.into_iter().filter(concern).collect::<Vec<_>>())
}

#[test]
fn each_line_of_paid_material_or_tutoring_entitles_to_it() {
    for kind in ["material", "tutoring"] {
        let lines = after([payment(kind)]).unwrap().lines;
        let [first, second] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!((first.entitlement_id.clone(), first.order_id.clone()), (format!("{}-001", order()), order().to_string()));
        assert_eq!((first.buyer_id.as_str(), first.kind.as_str(), first.goods_id.as_str()), ("alice", kind, "course-rust"));
        assert_eq!((first.sku_id.as_deref(), first.quantity, first.status.as_str()), (Some("sku-1"), 1, "active"));
        assert_eq!((first.granted_at, first.revoked_at, first.position), (Time(at(100)), None, 1));
        assert_eq!((second.entitlement_id.clone(), second.sku_id.as_deref(), second.quantity), (format!("{}-002", order()), None, 3));
    }
}

#[test]
fn other_business_entitles_to_nothing() {
    for kind in ["course", "goods", "mixed", "exam_fee"] {
        assert_eq!(after([payment(kind), refund(kind, true)]), None, "{kind}");
    }
}

/// Goods, study material, another business's line, and tutoring, in this order.
fn mixed_lines() -> Vec<OrderItem> {
    let line = &confirmed(order(), 1, "mixed", "77").items[0];
    let kinds = [Some(ProductKind::Goods), Some(ProductKind::Material), None, Some(ProductKind::Tutoring)];
    kinds.map(|kind| OrderItem { kind, ..line.clone() }).to_vec()
}

fn mixed_payment() -> Stored {
    order_event(PayRecordEvent::from(PaymentConfirmed { items: mixed_lines(), ..confirmed(order(), 1, "mixed", "77") }))
}

fn mixed_refund(fully_refunded: bool) -> Stored {
    let order_type = OrderType::parse("mixed").unwrap();
    order_event(RefundSucceeded { items: mixed_lines(), order_type, ..refund_succeeded(order(), 1, 9900, fully_refunded) })
}

#[test]
fn of_a_mixed_order_the_lines_of_material_and_tutoring_entitle_and_no_others() {
    let lines = after([mixed_payment()]).unwrap().lines;
    let told: Vec<_> = lines.iter().map(|line| (line.entitlement_id.as_str(), line.kind.as_str())).collect();
    let id = |number: u8| format!("{}-00{number}", order());
    assert_eq!(told, [(id(2).as_str(), "material"), (id(4).as_str(), "tutoring")]);
    assert_eq!(after([mixed_payment(), mixed_refund(false)]), after([mixed_payment()]));
    let lines = after([mixed_payment(), mixed_refund(true)]).unwrap().lines;
    assert!(lines.len() == 2 && lines.iter().all(|line| line.status == "revoked"), "{lines:?}");
}

#[test]
fn mixed_orders_are_asked_for_by_subject_and_other_business_is_not() {
    let admitted = |order_type: &str| {
        ["PaymentConfirmed", "RefundSucceeded"].map(|event_type| {
            let subject = format!("paystream.v1.pay_record.{event_type}.{order_type}.p07");
            Entitlements::subjects().iter().any(|filter| filter.admits(&subject))
        })
    };
    for order_type in ["material", "tutoring", "mixed"] {
        assert_eq!(admitted(order_type), [true, true], "{order_type}");
    }
    for order_type in ["course", "goods", "workshop", "none"] {
        assert_eq!(admitted(order_type), [false, false], "{order_type}");
    }
}

#[test]
fn a_whole_refund_revokes_all_of_them_and_a_part_none() {
    let row = after([payment("material")]);
    assert_eq!(after([payment("material"), refund("material", false)]), row);
    let lines = after([payment("material"), refund("material", true)]).unwrap().lines;
    assert!(lines.iter().all(|line| line.status == "revoked" && line.revoked_at == Some(Time(at(200))) && line.position == 2), "{lines:?}");
}

#[test]
fn what_is_told_again_changes_nothing() {
    let once = [payment("material"), refund("material", true)];
    assert_eq!(after(once.clone().into_iter().chain(once.clone())), after(once));
    assert_eq!(after([payment("material"), payment("material")]), after([payment("material")]));
}

#[test]
fn a_refund_waits_for_its_payment() {
    let events = stream("order-2", [refund("material", true)]);
    let event = Entitlements::read(&events[0]).unwrap();
    assert!(Entitlements::ready(None, &event).is_err());
    assert!(Entitlements::ready(after([payment("material")]).as_ref(), &event).is_ok());
}

async fn follow<S: ConsumerStore<EntitlementsOfOrder> + 'static>(rows: S, story: &Story) -> impl Follower {
    let feed = followers::LogMessageFeed::new(std::sync::Arc::new(followers::LogFeed::new(story.reader(), Entitlements::wanted())));
    let effect = std::sync::Arc::new(Consumption::<Entitlements, S>::new(rows));
    assert_eq!((effect.name(), effect.skipped_for()), ("entitlements", "entitlements"));
    let consumer = followers::Consumer::new(std::sync::Arc::new(feed), effect, still()).with_batch_messages(1);
    while !consumer.run_once().await.unwrap().caught_up {}
    consumer
}

#[tokio::test]
async fn every_store_holds_the_same_rows() {
    let story = Story::new();
    story.append(&format!("order-{}", order()), [payment("material"), refund("material", false), refund("material", true)]).await;
    let memory = MemoryViewStore::default();
    follow(memory.clone(), &story).await;
    let keys = [order().to_string()];
    assert_eq!(memory.get(&keys[0]).unwrap().lines.len(), 2);
    for place in [TestDatabase::sqlite(), TestDatabase::postgres().await] {
        let views = place.open(Area::Views).await.unwrap();
        views.migrate(MIGRATIONS).await.unwrap();
        follow(SqlViewStore::<Entitlements>::new(views.clone()), &story).await;
        let rows = SqlViewStore::<Entitlements>::new(views).load(&keys).await.unwrap();
        assert_eq!(rows, memory.load(&keys).await.unwrap());
    }
}
