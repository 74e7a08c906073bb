use std::time::Duration;

use chassis::identity::Role;
use event_store::Position;
use futures_util::future::join_all;

use super::rows::{ORDER, OrderSeed, PAY_NO, REFUND, RefundSeed, SELECTION, SKU};
use super::stage::Stage;
use crate::{Behind, Follower};

/// Short, so that a test of lateness does not last.
const SOON: Duration = Duration::from_millis(50);

fn at(number: i64) -> Position {
    Position::new(number).unwrap()
}

#[tokio::test]
async fn what_is_reached_is_answered_at_once() {
    let stage = Stage::new().await;
    stage.all_at(7).await;
    let progress = stage.state.progress();
    let all = [Follower::Orders, Follower::PayRecords, Follower::CourseSelections];
    progress.reach(&all, at(7)).await.unwrap();
    progress.reach(&all, at(3)).await.unwrap();
    progress.reach(&[], at(99)).await.unwrap();
}

#[tokio::test]
async fn a_follower_that_has_not_begun_has_reached_only_the_start() {
    let stage = Stage::new().await;
    let progress = stage.state.progress();
    progress.reach(&[Follower::Orders], Position::START).await.unwrap();
    assert!(matches!(progress.reach_within(SOON, &[Follower::Orders], at(1)).await, Err(Behind::Late)));
}

#[tokio::test]
async fn the_slowest_follower_counts() {
    let stage = Stage::new().await;
    stage.follower_at("orders", 9).await;
    stage.follower_at("pay_records", 8).await;
    let progress = stage.state.progress();
    progress.reach(&[Follower::Orders], at(9)).await.unwrap();
    let both = [Follower::Orders, Follower::PayRecords];
    assert!(matches!(progress.reach_within(SOON, &both, at(9)).await, Err(Behind::Late)));
    progress.reach(&both, at(8)).await.unwrap();
}

#[tokio::test]
async fn hundreds_who_wait_are_all_answered_when_the_view_has_come() {
    let stage = Stage::new().await;
    stage.all_at(1).await;
    let waiting = (0..300_i64).map(|number| {
        let progress = stage.state.progress().clone();
        tokio::spawn(async move { progress.reach(&[Follower::Orders], at(2 + number % 3)).await })
    });
    let waiting: Vec<_> = waiting.collect();
    for position in 2..=4 {
        stage.all_at(position).await;
        stage.log.wake(position);
    }
    for answer in join_all(waiting).await {
        answer.unwrap().unwrap();
    }
}

#[tokio::test]
async fn who_looked_for_all_may_leave_and_the_others_still_hear() {
    let stage = Stage::new().await;
    stage.all_at(1).await;
    let waiting = |limit| {
        let progress = stage.state.progress().clone();
        tokio::spawn(async move { progress.reach_within(limit, &[Follower::Orders], at(2)).await })
    };
    let impatient: Vec<_> = (0..10).map(|_| waiting(SOON)).collect();
    let patient: Vec<_> = (0..10).map(|_| waiting(Duration::from_secs(30))).collect();
    for answer in join_all(impatient).await {
        assert!(matches!(answer.unwrap(), Err(Behind::Late)));
    }
    stage.all_at(2).await;
    for answer in join_all(patient).await {
        answer.unwrap().unwrap();
    }
}

#[tokio::test]
async fn checkpoints_that_cannot_be_read_are_told_apart_from_lateness() {
    let stage = Stage::new().await;
    stage.views.close().await;
    assert!(matches!(stage.state.progress().reach(&[Follower::Orders], at(1)).await, Err(Behind::Unreadable(_))));
    let reply = stage.as_buyer("alice").get("/api/v1/orders?after_position=1").await;
    reply.assert_problem(503, "store_unavailable");
}

#[tokio::test]
async fn every_query_waits_for_the_views_that_it_reads_and_for_no_other() {
    let mut stage = Stage::new().await;
    stage.order(OrderSeed::default()).await;
    stage.pay_record(PAY_NO, ORDER, None, Some("https://qr.example/a")).await;
    stage.selection(SELECTION, None).await;
    stage.refund(RefundSeed::default()).await;
    stage.stock(5, 0, 0, 0).await;
    for (path, followers) in [
        ("/api/v1/orders".to_owned(), &["orders"][..]),
        (format!("/api/v1/orders/{ORDER}"), &["orders", "pay_records"]),
        (format!("/api/v1/orders/{ORDER}/watch"), &["orders", "pay_records"]),
        (format!("/api/v1/pay-records/{PAY_NO}"), &["pay_records"]),
        (format!("/api/v1/pay-records/{PAY_NO}/qr"), &["pay_records"]),
        (format!("/api/v1/course-selections/{SELECTION}"), &["course_selections"]),
        ("/api/v1/course-table".to_owned(), &["course_selections"]),
        (format!("/api/v1/refunds/{REFUND}"), &["pay_records"]),
        ("/api/v1/points".to_owned(), &["points"]),
        ("/api/v1/surplus-payments".to_owned(), &["surplus_payments"]),
        ("/api/v1/coupons".to_owned(), &["coupons"]),
        (format!("/api/v1/stock/{SKU}"), &["stock"]),
    ] {
        stage.all_at(0).await;
        // What was seen is remembered, so each route gets a state that has seen nothing.
        stage.state = crate::QueryState::new(stage.state.ports.clone());
        let both = stage.as_bearer(stage.token("alice", &[Role::Buyer, Role::Operator]));
        let headers = [("paystream-after", "9")];
        let mut asked = std::pin::pin!(both.open(&path, &headers));
        assert!(tokio::time::timeout(SOON, asked.as_mut()).await.is_err(), "{path} did not wait");
        for follower in followers {
            stage.follower_at(follower, 9).await;
        }
        stage.log.wake(9);
        assert_eq!(asked.await.status().as_u16(), 200, "{path}");
    }
}

#[tokio::test]
async fn a_view_that_does_not_come_is_view_behind_and_says_when_to_come_again() {
    let stage = Stage::new().await;
    stage.all_at(4).await;
    let alice = stage.as_buyer("alice");
    let reply = alice.get_with("/api/v1/orders", &[("paystream-after", "4611686018427387904")]).await;
    reply.assert_problem(503, "view_behind");
    assert_eq!(reply.header("retry-after"), "1");
}

#[tokio::test]
async fn what_is_no_position_is_refused_by_name() {
    let stage = Stage::new().await;
    for nonsense in ["-1", "soon", "1.5", "99999999999999999999999999", ""] {
        let reply = stage.as_buyer("alice").get_with("/api/v1/orders", &[("paystream-after", nonsense)]).await;
        reply.assert_problem(422, "invalid");
        assert_eq!(reply.json()["errors"][0]["field"], "Paystream-After");
    }
}
