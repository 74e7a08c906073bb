use axum::Router;
use axum::body::{Body, to_bytes};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{ACCEPT_LANGUAGE, ALLOW, CONTENT_LANGUAGE, CONTENT_TYPE, RETRY_AFTER, VARY, WWW_AUTHENTICATE};
use http::{Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::language::Language;

async fn document(response: Response) -> Value {
    serde_json::from_slice(&to_bytes(response.into_body(), 65_536).await.unwrap()).unwrap()
}

async fn ask(router: Router, method: &str, path: &str, language: Option<&str>) -> Response {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(language) = language {
        request = request.header(ACCEPT_LANGUAGE, language);
    }
    router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

fn router() -> Router {
    Router::new()
        .route("/paid", get(|| async { Problem::new(Code::OrderAlreadyPaid).detail("Paid at noon.") }))
        .route("/both", get(|| async { Problem::new(Code::OrderClosed).detail("Ended at noon.").detail_zh("中午已结束。") }))
        .route("/bad", get(|| async { Problem::invalid("amount", field::REQUIRED, "is missing").field("x", "own_word", "own text") }))
        .route("/fine", get(|| async { "fine" }))
        .fallback(unknown_route)
        .method_not_allowed_fallback(unknown_method)
        .layer(middleware::from_fn(localise))
}

#[tokio::test]
async fn a_problem_answers_its_status_and_document() {
    let response = Problem::new(Code::OrderAlreadyPaid).into_response();
    assert_eq!(response.status(), StatusCode::CONFLICT);
    assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
    assert_eq!(response.headers()[CONTENT_LANGUAGE], "en");
    assert!(!response.headers().contains_key(RETRY_AFTER));
    assert_eq!(
        document(response).await,
        json!({
            "type": "/problems/order_already_paid",
            "title": "Already paid",
            "status": 409,
            "detail": "This order is already paid. Please do not pay again.",
            "code": "order_already_paid",
        })
    );
}

#[tokio::test]
async fn field_errors_and_further_members_are_told() {
    let problem = Problem::invalid("items[0].quantity", field::OUT_OF_RANGE, "is 0").with("sku_id", "77");
    let document = document(problem.into_response()).await;
    assert_eq!(document["errors"], json!([{"field": "items[0].quantity", "code": "out_of_range", "message": "is 0"}]));
    assert_eq!(document["sku_id"], "77");
}

#[tokio::test]
async fn a_further_member_never_replaces_a_standard_one() {
    let problem = Problem::new(Code::InsufficientStock).with("status", 200).with("code", "fine").with("errors", "none");
    let text = problem.to_json(Language::En);
    assert_eq!(text.matches("\"status\"").count(), 1);
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&document["status"], &document["code"]), (&json!(409), &json!("insufficient_stock")));
    assert!(document.get("errors").is_none());
}

#[tokio::test]
async fn temporary_problems_say_when_to_ask_again() {
    assert_eq!(Problem::new(Code::ViewBehind).into_response().headers()[RETRY_AFTER], "1");
    assert_eq!(Problem::new(Code::RateLimited).retry_after(17).into_response().headers()[RETRY_AFTER], "17");
}

#[tokio::test]
async fn only_a_missing_identity_is_challenged_and_a_bad_token_is_named() {
    assert_eq!(Problem::new(Code::Unauthenticated).into_response().headers()[WWW_AUTHENTICATE], "Bearer");
    assert_eq!(Problem::token_refused().into_response().headers()[WWW_AUTHENTICATE], "Bearer error=\"invalid_token\"");
    assert!(!Problem::new(Code::Forbidden).into_response().headers().contains_key(WWW_AUTHENTICATE));
}

#[tokio::test]
async fn chinese_is_answered_to_who_prefers_it() {
    let response = ask(router(), "GET", "/paid", Some("zh-CN,zh;q=0.9")).await;
    assert_eq!(response.status(), StatusCode::CONFLICT);
    assert_eq!(response.headers()[CONTENT_LANGUAGE], "zh");
    assert_eq!(response.headers()[VARY], "accept-language");
    let document = document(response).await;
    assert_eq!((&document["title"], &document["code"]), (&json!("订单已支付"), &json!("order_already_paid")));
    assert_eq!(document["detail"], Code::OrderAlreadyPaid.detail(Language::Zh));
}

#[tokio::test]
async fn english_is_answered_to_everyone_else() {
    for language in [None, Some("en"), Some("de")] {
        let response = ask(router(), "GET", "/paid", language).await;
        assert_eq!(response.headers()[CONTENT_LANGUAGE], "en");
        assert_eq!(document(response).await["detail"], "Paid at noon.");
    }
}

#[tokio::test]
async fn an_own_chinese_detail_and_the_fields_texts_are_answered_in_chinese() {
    assert_eq!(document(ask(router(), "GET", "/both", Some("zh")).await).await["detail"], "中午已结束。");
    let errors = document(ask(router(), "GET", "/bad", Some("zh")).await).await["errors"].clone();
    assert_eq!(errors[0]["message"], "缺少必填字段");
    assert_eq!(errors[1]["message"], "own text");
}

#[tokio::test]
async fn an_answer_that_is_no_problem_is_left_alone() {
    let response = ask(router(), "GET", "/fine", Some("zh")).await;
    assert!(!response.headers().contains_key(VARY));
    assert_eq!(to_bytes(response.into_body(), 100).await.unwrap(), "fine");
}

#[tokio::test]
async fn unknown_addresses_and_methods_are_problems_too() {
    let response = ask(router(), "GET", "/nowhere", None).await;
    assert_eq!(document(response).await["code"], "not_found");
    let response = ask(router(), "POST", "/fine", None).await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.headers()[ALLOW], "GET,HEAD");
    assert_eq!(document(response).await["code"], "method_not_allowed");
}

#[derive(Debug, thiserror::Error)]
#[error("outer")]
struct Outer(#[source] std::io::Error);

#[test]
fn a_chain_names_every_source() {
    assert_eq!(Chain(&Outer(std::io::Error::other("disk is full"))).to_string(), "outer: disk is full");
}

#[test]
fn a_failure_of_ours_tells_nothing_of_its_cause() {
    let problem = Problem::internal(&Outer(std::io::Error::other("password is hunter2"))).detail("password is hunter2");
    for language in [Language::En, Language::Zh] {
        assert!(!problem.to_json(language).contains("hunter2"));
    }
}
