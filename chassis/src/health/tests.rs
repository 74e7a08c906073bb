use std::sync::atomic::AtomicUsize;

use axum::body::{Body, to_bytes};
use http::Request;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tower::ServiceExt;

use super::*;
use crate::clock::ManualClock;

struct Fixed(Finding);

#[async_trait]
impl Check for Fixed {
    async fn check(&self) -> Finding {
        self.0.clone()
    }
}

/// Counts how often it was asked, and answers when it is let go.
#[derive(Default)]
struct Gate {
    asked: AtomicUsize,
    open: Notify,
}

#[async_trait]
impl Check for Gate {
    async fn check(&self) -> Finding {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.open.notified().await;
        Finding::Ready
    }
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(DateTime::from_timestamp(1_700_000_000, 0).unwrap()))
}

async fn ask(readiness: Readiness, path: &str) -> (StatusCode, Value) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = routes(Arc::new(readiness)).oneshot(request).await.unwrap();
    (response.status(), serde_json::from_slice(&to_bytes(response.into_body(), 10_000).await.unwrap()).unwrap())
}

fn missing(text: &str) -> Arc<Fixed> {
    Arc::new(Fixed(Finding::Missing(text.to_owned())))
}

#[tokio::test]
async fn a_process_that_runs_is_alive_whatever_is_missing() {
    let readiness = Readiness::new(clock()).with("log", missing("locked"));
    assert_eq!(ask(readiness, "/healthz").await, (StatusCode::OK, json!({"status": "alive"})));
}

#[tokio::test]
async fn a_process_tells_its_own_time() {
    let clock = clock();
    clock.advance(TimeDelta::days(400) + TimeDelta::microseconds(7));
    let router = routes(Arc::new(Readiness::new(Arc::clone(&clock) as Arc<dyn Clock>)));
    let response = router.oneshot(Request::get("/healthz").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.headers()[DATE], "Wed, 18 Dec 2024 22:13:20 GMT");
    assert_eq!(time_of(response.headers()), Some(clock.now() - TimeDelta::microseconds(7)));
    assert_eq!(time_of(&HeaderMap::new()), None);
}

#[tokio::test]
async fn a_process_with_all_it_needs_is_ready() {
    let readiness = Readiness::new(clock()).with("log", Arc::new(Fixed(Finding::Ready)));
    assert_eq!(ask(readiness, "/readyz").await, (StatusCode::OK, json!({"status": "ready", "missing": [], "warnings": []})));
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let readiness = Readiness::new(clock()).with("log", missing("the disk is full")).with("views", Arc::new(Fixed(Finding::Ready)));
    let expected = json!({"status": "not_ready", "missing": [{"name": "log", "reason": "the disk is full"}], "warnings": []});
    assert_eq!(ask(readiness, "/readyz").await, (StatusCode::SERVICE_UNAVAILABLE, expected));
}

#[tokio::test]
async fn a_warning_is_told_and_takes_traffic() {
    let readiness = Readiness::new(clock()).with("clock", Arc::new(Fixed(Finding::Warning("61 s apart".to_owned()))));
    let (status, report) = ask(readiness, "/readyz").await;
    assert_eq!((status, &report["warnings"][0]["reason"]), (StatusCode::OK, &json!("61 s apart")));
}

#[tokio::test(start_paused = true)]
async fn a_check_that_does_not_answer_is_missing() {
    let readiness = Readiness::new(clock()).with("log", Arc::new(Gate::default()));
    let report = readiness.report().await;
    assert_eq!(report.missing, [Reason { name: "log".to_owned(), reason: "no answer in time".to_owned() }]);
}

#[tokio::test]
async fn an_answer_is_given_again_for_less_than_a_second() {
    let (clock, gate) = (clock(), Arc::new(Gate::default()));
    let readiness = Readiness::new(clock.clone()).with("log", gate.clone());
    for (advance_ms, asked) in [(0, 1), (899, 1), (1, 2), (-1, 3)] {
        clock.advance(TimeDelta::milliseconds(advance_ms));
        gate.open.notify_one();
        assert!(readiness.report().await.is_ready());
        assert_eq!(gate.asked.load(Ordering::Relaxed), asked, "after {advance_ms} ms");
    }
}

#[tokio::test]
async fn one_request_looks_while_the_others_get_the_last_answer() {
    let (clock, gate) = (clock(), Arc::new(Gate::default()));
    let readiness = Arc::new(Readiness::new(clock.clone()).with("log", gate.clone()));
    let looking = tokio::spawn({
        let readiness = Arc::clone(&readiness);
        async move { readiness.report().await }
    });
    while gate.asked.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(readiness.report().await, not_looked_yet());
    gate.open.notify_one();
    assert!(looking.await.unwrap().is_ready());
    assert!(readiness.report().await.is_ready());
    assert_eq!(gate.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_look_that_was_abandoned_does_not_stop_the_next() {
    let gate = Arc::new(Gate::default());
    let readiness = Readiness::new(clock()).with("log", gate.clone());
    assert!(futures_util::FutureExt::now_or_never(readiness.report()).is_none());
    gate.open.notify_one();
    assert!(readiness.report().await.is_ready());
}
