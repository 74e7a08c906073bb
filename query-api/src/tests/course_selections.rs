use chassis::identity::Role;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::rows::{ORDER, SELECTION};
use super::stage::{Stage, start};

fn path() -> String {
    format!("/api/v1/course-selections/{SELECTION}")
}

#[tokio::test]
async fn an_unpaid_selection_says_what_it_costs() {
    let stage = Stage::new().await;
    stage.selection(SELECTION, None).await;
    let selection = stage.as_buyer("alice").read(&path()).await;
    for (member, value) in [
        ("course_id", json!("course-rust")),
        ("charge", json!("paid")),
        ("status", json!("unpaid")),
        ("price_amount", json!(19_900)),
        ("price_text", json!("199.00")),
        ("currency", json!("CNY")),
        ("order_id", Value::Null),
        ("opened_at", Value::Null),
        ("starts_at", Value::Null),
    ] {
        assert_eq!(selection[member], value, "{member}");
    }
}

#[tokio::test]
async fn an_open_selection_is_active_until_its_time_is_over() {
    let stage = Stage::new().await;
    let ends_at = start() + TimeDelta::days(30);
    stage.selection(SELECTION, Some((start(), Some(ends_at)))).await;
    let alice = stage.as_buyer("alice");
    let selection = alice.read(&path()).await;
    assert_eq!((&selection["status"], &selection["order_id"]), (&json!("active"), &json!(ORDER)));
    assert_eq!((&selection["starts_at"], &selection["ends_at"]), (&json!("2026-07-20T08:00:00Z"), &json!("2026-08-19T08:00:00Z")));
    stage.clock.set(ends_at - TimeDelta::microseconds(1));
    assert_eq!(stage.as_buyer("alice").read(&path()).await["status"], "active");
    stage.clock.set(ends_at);
    assert_eq!(stage.as_buyer("alice").read(&path()).await["status"], "ended");
}

#[tokio::test]
async fn a_selection_whose_money_went_back_has_ended_whatever_the_time() {
    let stage = Stage::new().await;
    let ends_at = start() + TimeDelta::days(30);
    stage.selection(SELECTION, Some((start(), Some(ends_at)))).await;
    // The channel's clock may be ahead of ours.
    let sql = "update course_selection_view set status = 'ended', ends_at = $1";
    stage.views.execute(sql, database::values![start() + TimeDelta::seconds(3)]).await.unwrap();
    let selection = stage.as_buyer("alice").read(&path()).await;
    assert_eq!((&selection["status"], &selection["ends_at"]), (&json!("ended"), &json!("2026-07-20T08:00:03Z")));
    assert_eq!(stage.as_buyer("alice").get(&path()).await.header("etag"), "\"0\"");
}

#[tokio::test]
async fn the_entity_tag_is_the_revision_and_never_hides_that_the_selection_was_opened_or_ended() {
    let stage = Stage::new().await;
    stage.selection(SELECTION, None).await;
    let ends_at = start() + TimeDelta::days(1);
    let shown = async |status: &str| {
        let reply = stage.as_buyer("alice").get_with(&path(), &[("if-none-match", "\"0\"")]).await;
        assert_eq!((reply.status.as_u16(), reply.header("etag"), &reply.json()["status"]), (200, "\"0\"", &json!(status)));
    };
    shown("unpaid").await;
    let sql = "update course_selection_view set status = 'active', opened_at = $1, ends_at = $2";
    stage.views.execute(sql, database::values![start(), ends_at]).await.unwrap();
    shown("active").await;
    stage.clock.set(ends_at);
    shown("ended").await;
}

#[tokio::test]
async fn only_the_buyer_finds_it_and_only_buyers_may_ask() {
    let stage = Stage::new().await;
    stage.selection(SELECTION, None).await;
    stage.as_buyer("bob").get(&path()).await.assert_problem(404, "not_found");
    for id in ["331284905317990401", "0", "abc"] {
        stage.as_buyer("alice").get(&format!("/api/v1/course-selections/{id}")).await.assert_problem(404, "not_found");
    }
    for path in [path(), "/api/v1/course-table".to_owned()] {
        stage.as_nobody().get(&path).await.assert_problem(401, "unauthenticated");
        for role in [Role::Service, Role::Operator, Role::Auditor] {
            stage.as_role("alice", role).get(&path).await.assert_problem(403, "forbidden");
        }
    }
}

#[tokio::test]
async fn the_course_table_holds_the_callers_courses_the_newest_first() {
    let stage = Stage::new().await;
    for number in 1..=5_i64 {
        stage.course(&format!("33128490531799040{number}"), "alice", start() + TimeDelta::seconds(number / 2)).await;
    }
    stage.course("331284905317990409", "bob", start()).await;
    let alice = stage.as_buyer("alice");
    let first = alice.read("/api/v1/course-table?limit=2").await;
    let second = alice.read(&format!("/api/v1/course-table?limit=2&cursor={}", first["next_cursor"].as_str().unwrap())).await;
    let third = alice.read(&format!("/api/v1/course-table?limit=2&cursor={}", second["next_cursor"].as_str().unwrap())).await;
    assert_eq!(third["next_cursor"], Value::Null);
    let listed: Vec<_> = [first, second, third].iter().flat_map(|page| page["items"].as_array().unwrap().clone()).collect();
    let ids: Vec<_> = listed.iter().map(|row| row["selection_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["331284905317990405", "331284905317990404", "331284905317990403", "331284905317990402", "331284905317990401"]);
    assert_eq!((&listed[0]["course_id"], &listed[0]["title"]), (&json!("course-rust"), &json!("Rust")));
}

#[tokio::test]
async fn a_wrong_parameter_of_the_table_is_refused_by_name() {
    let stage = Stage::new().await;
    for (query, field) in [("limit=0", "limit"), ("cursor=x", "cursor"), ("status=open", "status"), ("after_position=-1", "after_position")]
    {
        assert_eq!(stage.as_buyer("alice").refused_field(&format!("/api/v1/course-table?{query}")).await, field);
    }
}
