//! Parking with real projectors and tables: what is parked, and that a rebuild parks the same.

use std::sync::Arc;

use database::testing::TestDatabase;
use database::{Area, Database, values};
use domain::order::OrderStreamEvent;
use domain::pay_record::PayRecordEvent;
use followers::{Follower, ParkedState, ParkingDesk};

use crate::testing::*;
use crate::{MIGRATIONS, View, all, checksum, rebuild};

/// Two paid orders; what the first one's payment says cannot be read by anybody, and it is refunded later.
async fn with_poison() -> Story {
    let story = Story::new();
    for number in [1, 2] {
        let order = order_id(number);
        story.order(order, [created(order, "goods", "7").into()]).await;
    }
    let stream = format!("order-{}", order_id(1));
    story.append(&stream, [("PaymentConfirmed".to_owned(), 2, "{\"pay_no\":\"secret\"}".to_owned())]).await;
    let payment: OrderStreamEvent = PayRecordEvent::from(confirmed(order_id(2), 1, "goods", "7")).into();
    story.order(order_id(2), [payment]).await;
    story.append(&stream, [order_event(refund_succeeded(order_id(1), 1, 9900, true))]).await;
    story
}

async fn points(views: &Database, story: &Story) -> Arc<dyn Follower> {
    let followers = all(views, &story.reader(), &still());
    let points = followers.into_iter().find(|follower| follower.name() == "points").unwrap();
    while !points.run_once().await.unwrap().caught_up {}
    points
}

async fn migrated(place: &TestDatabase) -> Database {
    let views = place.open(Area::Views).await.unwrap();
    views.migrate(MIGRATIONS).await.unwrap();
    views
}

async fn parked(views: &Database) -> Vec<(String, ParkedState)> {
    let all = ParkingDesk::new(views.clone()).list(None, 10).await.unwrap();
    all.into_iter().map(|message| (message.parked_id, message.state)).collect()
}

#[tokio::test]
async fn without_a_broker_too_one_order_waits_and_the_others_go_on() {
    let story = with_poison().await;
    for place in [TestDatabase::sqlite(), TestDatabase::postgres().await] {
        let views = migrated(&place).await;
        points(&views, &story).await;
        assert_eq!(parked(&views).await, [("points-3".to_owned(), ParkedState::Waiting), ("points-5".to_owned(), ParkedState::Behind)]);
        let (entries,): (i64,) = views.fetch_one("select count(*) from point_entry_view", values![]).await.unwrap();
        assert_eq!(entries, 1, "the other order has its points");
        let reason = ParkingDesk::new(views.clone()).show("points-3").await.unwrap().reason;
        assert!(reason.starts_with("PaymentConfirmed cannot be read: line 1") && !reason.contains("secret"), "{reason}");
    }
}

#[tokio::test]
async fn a_rebuild_parks_what_it_cannot_take_and_takes_the_place_of_what_was_parked() {
    let story = with_poison().await;
    for place in [TestDatabase::sqlite(), TestDatabase::postgres().await] {
        let views = migrated(&place).await;
        let follower = points(&views, &story).await;
        let before = (checksum(View::Points, &views).await.unwrap(), parked(&views).await);
        let clock = chassis::clock::ManualClock::new(at(6000));
        rebuild(View::Points, &views, &story.reader(), &clock).await.unwrap();
        assert_eq!((checksum(View::Points, &views).await.unwrap(), parked(&views).await), before);

        let desk = ParkingDesk::new(views.clone());
        desk.skip("points-5", "it never had points", at(6000)).await.unwrap();
        rebuild(View::Points, &views, &story.reader(), &clock).await.unwrap();
        assert_eq!(parked(&views).await, [("points-3".to_owned(), ParkedState::Waiting)], "what was skipped stays so");
        assert_eq!(desk.list(Some(ParkedState::Skipped), 10).await.unwrap().len(), 1);
        assert!(follower.run_once().await.unwrap().caught_up);
        assert_eq!(checksum(View::Points, &views).await.unwrap().rows, before.0.rows);
    }
}

#[tokio::test]
async fn a_rebuild_is_never_behind_a_consumer_of_a_broker() {
    let story = with_poison().await;
    let place = TestDatabase::sqlite();
    let views = migrated(&place).await;
    points(&views, &story).await;
    let ahead = "insert into consumer_mark (mark_id, consumer, position) values ('points s', 'points', $1)";
    views.execute(ahead, values![i64::MAX]).await.unwrap();
    let clock = chassis::clock::ManualClock::new(at(6000));
    let refused = rebuild(View::Points, &views, &story.reader(), &clock).await;
    assert!(matches!(refused, Err(crate::RebuildError::CannotCatchUp)), "{refused:?}");
}
