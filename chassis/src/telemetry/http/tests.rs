use std::io;
use std::sync::Mutex;

use ::http::StatusCode;
use axum::body::{Body, to_bytes};
use axum::routing::get;
use axum::{Router, middleware};
use chrono::DateTime;
use serde_json::Value;
use tower::ServiceExt;
use tracing_subscriber::fmt::MakeWriter;

use super::*;
use crate::clock::ManualClock;
use crate::correlation::Correlation;
use crate::ids::SeededIds;
use crate::problem::{Code, Problem};
use crate::telemetry::log::{LogFormat, lines};
use crate::telemetry::{metrics_handle, metrics_routes};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

fn router() -> Router {
    let ids: Arc<dyn IdSource> = Arc::new(SeededIds::new(1, Arc::new(ManualClock::new(DateTime::UNIX_EPOCH))));
    Router::new()
        .route("/pay/{token}", get(|correlation: Correlation| async move { correlation.0.to_string() }))
        .route("/orders/{order_id}", get(|| async {}))
        .route("/pay-records/{pay_no}/sync", get(|| async { tell_order(&"7231") }))
        .route("/broken", get(|| async { Problem::new(Code::Internal) }))
        .route("/away", get(|| async { Problem::new(Code::Busy) }))
        .route("/healthz", get(|| async {}))
        .merge(metrics_routes())
        .layer(middleware::from_fn_with_state(ids, observe))
}

fn request(method: &str, path: &str) -> Request {
    Request::builder().method(method).uri(path).header(REQUEST_ID, "front-end:42").body(Body::from("body-secret")).unwrap()
}

async fn logged(format: LogFormat, method: &str, path: &str) -> (Response, String) {
    let written = Lines::default();
    let dispatch = lines(format, "debug", false, written.clone()).unwrap();
    let guard = tracing::dispatcher::set_default(&dispatch);
    let response = router().oneshot(request(method, path)).await.unwrap();
    drop(guard);
    (response, written.text())
}

#[tokio::test]
async fn a_request_is_one_line_with_its_route_and_nothing_of_what_it_carries() {
    let (response, text) = logged(LogFormat::Json, "GET", "/pay/path-secret?q=query-secret").await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(!text.contains("secret"), "{text}");
    let line: Value = serde_json::from_str(text.trim_end()).unwrap();
    assert_eq!((&line["message"], &line["level"]), (&Value::from("request answered"), &Value::from("INFO")));
    assert_eq!(line["http.status"], 200);
    assert!(line["duration_ms"].is_u64());
    let span = &line["span"];
    assert_eq!((&span["http.route"], &span["http.method"]), (&Value::from("/pay/{token}"), &Value::from("GET")));
    assert_eq!(span["request.id"], "front-end:42");
    let body = to_bytes(response.into_body(), 1000).await.unwrap();
    assert_eq!(span["correlation.id"].as_str().unwrap().as_bytes(), &body);
}

#[tokio::test]
async fn the_text_form_tells_the_same() {
    let (_, text) = logged(LogFormat::Text, "GET", "/pay/path-secret").await;
    assert_eq!(text.lines().count(), 1);
    for part in ["request answered", "front-end:42", "/pay/{token}", "http.status=200"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("secret"), "{text}");
}

#[tokio::test]
async fn the_numbers_that_the_path_names_are_told_in_both_forms() {
    for (path, order_id, pay_no) in [
        ("/orders/7231", Some("7231"), None),
        ("/pay-records/723101/sync", Some("7231"), Some("723101")),
        ("/orders/path-secret", None, None),
        ("/broken", None, None),
    ] {
        let (_, text) = logged(LogFormat::Json, "GET", path).await;
        let line: Value = serde_json::from_str(text.trim_end()).unwrap();
        assert_eq!((line["span"]["order.id"].as_str(), line["span"]["pay.no"].as_str()), (order_id, pay_no), "{text}");
        let (_, text) = logged(LogFormat::Text, "GET", path).await;
        for (field, value) in [("order.id", order_id), ("pay.no", pay_no)] {
            match value {
                Some(value) => assert!(text.contains(&format!("{field}={value}")), "{text}"),
                None => assert!(!text.contains(field), "{text}"),
            }
        }
        assert!(!text.contains("secret"), "{text}");
    }
}

#[tokio::test]
async fn an_address_without_a_route_is_told_without_its_path() {
    let (response, text) = logged(LogFormat::Text, "GET", "/nowhere/path-secret").await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert!(text.contains(NO_ROUTE) && !text.contains("secret"), "{text}");
}

#[tokio::test]
async fn failures_are_told_louder_and_machines_quieter() {
    for (path, level, code) in [("/broken", "ERROR", Some("internal")), ("/away", "WARN", Some("busy")), ("/healthz", "DEBUG", None)] {
        let (_, text) = logged(LogFormat::Json, "GET", path).await;
        let line: Value = serde_json::from_str(text.trim_end()).unwrap();
        assert_eq!((line["level"].as_str(), line["problem.code"].as_str()), (Some(level), code), "{path}");
    }
}

#[tokio::test]
async fn the_answer_carries_the_requests_id() {
    let response = router().oneshot(request("GET", "/healthz")).await.unwrap();
    assert_eq!(response.headers()[REQUEST_ID], "front-end:42");
}

#[tokio::test]
async fn requests_are_counted_and_timed_by_route() {
    metrics_handle();
    router().oneshot(request("GET", "/pay/path-secret")).await.unwrap();
    router().oneshot(request("BREW", "/pay/path-secret")).await.unwrap();
    let response = router().oneshot(request("GET", "/metrics")).await.unwrap();
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/plain; version=0.0.4"));
    let text = String::from_utf8(to_bytes(response.into_body(), 1_000_000).await.unwrap().to_vec()).unwrap();
    assert!(!text.contains("secret"));
    for part in [
        "# TYPE paystream_http_requests_total counter",
        "paystream_http_requests_total{method=\"GET\",route=\"/pay/{token}\",status=\"200\"}",
        "paystream_http_requests_total{method=\"OTHER\",route=\"/pay/{token}\",status=\"405\"}",
        "paystream_http_request_duration_seconds_bucket{method=\"GET\",route=\"/pay/{token}\",le=\"0.005\"}",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}
