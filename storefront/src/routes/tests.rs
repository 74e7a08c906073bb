use std::net::SocketAddr;

use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use chassis::identity::Role;
use chrono::TimeDelta;
use database::testing::TestDatabase;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::catalogue::SqlCatalogue;
use crate::demo;
use crate::sessions::{SessionConfig, SessionLimits};
use crate::testing::Process;

struct Shop {
    process: Process,
    router: Router,
    _test: TestDatabase,
}

async fn shop_with(limits: SessionLimits) -> Shop {
    let test = TestDatabase::sqlite();
    let process = Process::start(&test, &SessionConfig { limits, ..SessionConfig::default() }).await;
    let router = routes(RouteState {
        catalogue: Arc::new(SqlCatalogue::new(process.database.clone())),
        accounts: Arc::new(Accounts::new(process.database.clone())),
        sessions: process.sessions.clone(),
        verifier: process.verifier.clone(),
    });
    Shop { process, router, _test: test }
}

async fn shop() -> Shop {
    shop_with(SessionLimits::default()).await
}

impl Shop {
    async fn ask(&self, method: &str, path: &str, token: Option<&str>, body: Option<Value>) -> (StatusCode, Value) {
        let mut request = Request::builder().method(method).uri(path).extension(ConnectInfo(SocketAddr::from(([192, 0, 2, 1], 5000))));
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = match body {
            None => Body::empty(),
            Some(value) => {
                request = request.header(CONTENT_TYPE, "application/json");
                Body::from(value.to_string())
            }
        };
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let status = response.status();
        let bytes = to_bytes(response.into_body(), 1_000_000).await.unwrap();
        (status, if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() })
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.ask("GET", path, None, None).await
    }

    async fn ids(&self, query: &str) -> Vec<String> {
        let (status, page) = self.get(&format!("/api/v1/products{query}")).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        page["items"].as_array().unwrap().iter().map(|item| item["product_id"].as_str().unwrap().to_owned()).collect()
    }

    async fn sign_in(&self, username: &str, password: &str) -> (StatusCode, Value) {
        self.ask("POST", "/api/v1/sessions", None, Some(json!({ "username": username, "password": password }))).await
    }
}

fn code(answer: &(StatusCode, Value)) -> (u16, &str) {
    (answer.0.as_u16(), answer.1["code"].as_str().unwrap_or_default())
}

fn field_of(answer: &(StatusCode, Value)) -> &str {
    assert_eq!(code(answer), (422, "invalid"), "{answer:?}");
    answer.1["errors"][0]["field"].as_str().unwrap()
}

#[tokio::test]
async fn anybody_sees_the_two_courses_one_of_them_free() {
    let shop = shop().await;
    let (status, page) = shop.get("/api/v1/products?kind=course").await;
    assert_eq!(status, StatusCode::OK);
    let shown: Vec<_> = page["items"].as_array().unwrap().iter().map(|item| [&item["product_id"], &item["price_text"]]).collect();
    assert_eq!(shown, [["course-free", "0.00"], ["course-rust", "199.00"]]);
    assert_eq!(page["next_cursor"], Value::Null);
}

#[tokio::test]
async fn a_product_is_shown_as_the_contract_says() {
    let shop = shop().await;
    let (status, product) = shop.get("/api/v1/products/goods-mug").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        product,
        json!({
            "product_id": "goods-mug", "kind": "goods", "category_id": "programming", "title": "Ferris 马克杯",
            "description": "350 毫升，陶瓷。 A ceramic mug.", "price_amount": 3900, "price_text": "39.00", "currency": "CNY",
            "price_version": 1, "valid_days": null, "starts_at": null, "on_sale": true, "buyer_limit": null, "hold_s": null,
            "skus": [{ "sku_id": "goods-mug-white", "name": "白色 / white", "price_amount": 3900, "price_text": "39.00" }],
        })
    );
    let (_, course) = shop.get("/api/v1/products/course-rust").await;
    assert_eq!((&course["kind"], &course["valid_days"], &course["skus"]), (&json!("course"), &json!(365), &json!([])));
}

#[tokio::test]
async fn a_product_that_does_not_exist_is_not_found() {
    let shop = shop().await;
    for path in ["/api/v1/products/nothing", "/api/v1/products/%E8%AF%BE", "/api/v1/products/a%00b"] {
        assert_eq!(code(&shop.get(path).await), (404, "not_found"), "{path}");
    }
}

#[tokio::test]
async fn a_list_is_filtered_and_what_is_withdrawn_is_left_out() {
    let shop = shop().await;
    assert_eq!(shop.ids("").await.len(), 5);
    assert_eq!(shop.ids("?q=%E9%A9%AC%E5%85%8B%E6%9D%AF").await, ["goods-mug"]);
    assert_eq!(shop.ids("?kind=course&q=rust&category=programming").await, ["course-rust"]);
    assert_eq!(shop.ids("?q=&category=").await.len(), 5);
    assert!(shop.ids("?category=kitchen").await.is_empty());
    shop.process.database.execute("update product set on_sale = 0 where product_id = 'goods-mug'", Vec::new()).await.unwrap();
    assert!(shop.ids("?kind=goods").await.is_empty());
    let (status, product) = shop.get("/api/v1/products/goods-mug").await;
    assert_eq!((status, &product["on_sale"]), (StatusCode::OK, &json!(false)));
}

#[tokio::test]
async fn a_list_is_read_page_by_page_to_its_end() {
    let shop = shop().await;
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    for pages in 1.. {
        let (status, page) = shop.get(&format!("/api/v1/products?limit=2{cursor}")).await;
        assert_eq!(status, StatusCode::OK);
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["product_id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else {
            assert_eq!(pages, 3);
            break;
        };
        assert!(!next.contains("course") && !next.contains("goods"));
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, shop.ids("?limit=200").await);
    // A page that ends with the list says so, though it is full.
    assert_eq!(shop.get("/api/v1/products?limit=5").await.1["next_cursor"], Value::Null);
}

#[tokio::test]
async fn a_list_that_cannot_be_read_so_names_the_parameter() {
    let shop = shop().await;
    let long = format!("q={}", "x".repeat(101));
    let cases = [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=-1", "limit"),
        ("limit=x", "limit"),
        ("kind=car", "kind"),
        ("kind=Course", "kind"),
        ("category=a%20b", "category"),
        ("q=%00", "q"),
        (&long, "q"),
        ("cursor=!", "cursor"),
        ("cursor=", "cursor"),
        ("cursor=4pi6", "cursor"),
        ("page=2", "page"),
        ("limit=1&limit=2", "limit"),
    ];
    for (query, field) in cases {
        assert_eq!(field_of(&shop.get(&format!("/api/v1/products?{query}")).await), field, "{query}");
    }
}

#[tokio::test]
async fn signing_in_gives_tokens_that_say_who_one_is() {
    let shop = shop().await;
    let (status, tokens) = shop.sign_in("alice", demo::PASSWORD).await;
    assert_eq!((status, &tokens["token_type"], &tokens["expires_in"]), (StatusCode::OK, &json!("Bearer"), &json!(900)));
    let (status, me) = shop.ask("GET", "/api/v1/me", tokens["access_token"].as_str(), None).await;
    let alice = json!({ "account_id": "alice", "username": "alice", "display_name": "Alice 爱丽丝", "roles": ["buyer"] });
    assert_eq!((status, me), (StatusCode::OK, alice));
}

#[tokio::test]
async fn a_token_without_an_account_has_no_names() {
    let shop = shop().await;
    let token = shop.process.issuer.issue("someone-else", &[Role::Service]).token;
    let (status, me) = shop.ask("GET", "/api/v1/me", Some(token.expose()), None).await;
    let nobody = json!({ "account_id": "someone-else", "username": null, "display_name": null, "roles": ["service"] });
    assert_eq!((status, me), (StatusCode::OK, nobody));
}

#[tokio::test]
async fn without_a_good_token_one_is_nobody() {
    let shop = shop().await;
    for token in [None, Some("x"), Some("")] {
        for (method, path) in [("GET", "/api/v1/me"), ("DELETE", "/api/v1/sessions")] {
            assert_eq!(code(&shop.ask(method, path, token, None).await), (401, "unauthenticated"), "{method} {path} {token:?}");
        }
    }
    let token = shop.process.issuer.issue("alice", &[Role::Buyer]).token;
    shop.process.clock.advance(TimeDelta::hours(1));
    assert_eq!(code(&shop.ask("GET", "/api/v1/me", Some(token.expose()), None).await), (401, "unauthenticated"));
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_are_answered_alike() {
    let shop = shop().await;
    let (wrong, unknown) = (shop.sign_in("alice", "wrong").await, shop.sign_in("nobody", demo::PASSWORD).await);
    assert_eq!(code(&wrong), (401, "unauthenticated"));
    assert_eq!(wrong, unknown);
}

#[tokio::test]
async fn a_sign_in_that_cannot_be_read_so_names_the_field() {
    let shop = shop().await;
    let long = "x".repeat(1025);
    let cases = [
        (json!({ "username": "alice" }), "password"),
        (json!({ "username": "alice", "password": 1 }), "password"),
        (json!({ "username": "alice", "password": "" }), "password"),
        (json!({ "username": "", "password": "x" }), "username"),
        (json!({ "username": "alice", "password": long }), "password"),
        (json!({ "username": "alice", "password": "x", "role": "operator" }), "role"),
    ];
    for (body, field) in cases {
        let answer = shop.ask("POST", "/api/v1/sessions", None, Some(body)).await;
        assert_eq!(field_of(&answer), field);
        assert!(!answer.1.to_string().contains("xxxx"));
    }
    let answer = shop.ask("POST", "/api/v1/sessions/refresh", None, Some(json!({ "refresh_token": "" }))).await;
    assert_eq!(field_of(&answer), "refresh_token");
    assert_eq!(code(&shop.ask("POST", "/api/v1/sessions", None, None).await), (415, "unsupported_media_type"));
}

#[tokio::test]
async fn tokens_are_refreshed_once_and_a_second_time_ends_the_session() {
    let shop = shop().await;
    let (_, first) = shop.sign_in("alice", demo::PASSWORD).await;
    let refresh = json!({ "refresh_token": first["refresh_token"] });
    let (status, second) = shop.ask("POST", "/api/v1/sessions/refresh", None, Some(refresh.clone())).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(shop.ask("GET", "/api/v1/me", second["access_token"].as_str(), None).await.0, StatusCode::OK);
    assert_eq!(code(&shop.ask("POST", "/api/v1/sessions/refresh", None, Some(refresh)).await), (401, "unauthenticated"));
    assert_eq!(code(&shop.ask("GET", "/api/v1/me", second["access_token"].as_str(), None).await), (401, "unauthenticated"));
}

#[tokio::test]
async fn after_signing_out_the_tokens_are_not_good_any_more() {
    let shop = shop().await;
    let (_, tokens) = shop.sign_in("alice", demo::PASSWORD).await;
    let access_token = tokens["access_token"].as_str();
    assert_eq!(shop.ask("DELETE", "/api/v1/sessions", access_token, None).await, (StatusCode::NO_CONTENT, Value::Null));
    assert_eq!(code(&shop.ask("GET", "/api/v1/me", access_token, None).await), (401, "unauthenticated"));
    let refresh = json!({ "refresh_token": tokens["refresh_token"] });
    assert_eq!(code(&shop.ask("POST", "/api/v1/sessions/refresh", None, Some(refresh)).await), (401, "unauthenticated"));
}

#[tokio::test]
async fn one_address_is_told_to_wait() {
    let shop = shop_with(SessionLimits { failures_per_name_per_minute: 10, attempts_per_address_per_minute: 2 }).await;
    for _ in 0..2 {
        assert_eq!(shop.sign_in("alice", "wrong").await.0, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(code(&shop.sign_in("bob", demo::PASSWORD).await), (429, "rate_limited"));
}

#[tokio::test]
async fn without_the_store_every_route_says_so_and_nothing_more() {
    let shop = shop().await;
    let token = shop.process.issuer.issue("alice", &[Role::Buyer]).token;
    shop.process.database.close().await;
    let answers = [
        shop.get("/api/v1/products").await,
        shop.get("/api/v1/products/course-rust").await,
        shop.ask("GET", "/api/v1/me", Some(token.expose()), None).await,
        shop.sign_in("alice", demo::PASSWORD).await,
        shop.ask("DELETE", "/api/v1/sessions", Some(token.expose()), None).await,
    ];
    for answer in &answers {
        assert_eq!(code(answer), (503, "store_unavailable"), "{answer:?}");
        assert!(!answer.1.to_string().contains("pool"));
    }
}
