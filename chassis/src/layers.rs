//! The layers around every router, in their order.

use std::any::Any;
use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::response::{IntoResponse, Response};
use axum::{Router, middleware};
use tower_http::catch_panic::CatchPanicLayer;

use crate::client_address::{self, TrustedProxies};
use crate::extract::BODY_LIMIT;
use crate::ids::IdSource;
use crate::problem::{self, Code, Problem};
use crate::security_headers::security_headers;
use crate::telemetry::observe;

/// Puts around a finished router what every process does alike, from the outside in: where it comes from, log and metrics, security
/// headers, the problem's language, panics as problems, a limit for bodies. `unknown_address` answers what no route has, for
/// programs with [`problem::unknown_route`].
pub fn standard<T: 'static>(
    router: Router,
    ids: Arc<dyn IdSource>,
    proxies: TrustedProxies,
    unknown_address: impl Handler<T, ()>,
) -> Router {
    router
        .fallback(unknown_address)
        .method_not_allowed_fallback(problem::unknown_method)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(problem::localise))
        .layer(middleware::from_fn(security_headers))
        .layer(middleware::from_fn_with_state(ids, observe))
        .layer(middleware::from_fn_with_state(Arc::new(proxies), client_address::resolve))
}

/// The panic itself was printed by the panic hook; its words are not for clients.
fn panicked(_panic: Box<dyn Any + Send>) -> Response {
    tracing::error!("a handler panicked");
    Problem::new(Code::Internal).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::routing::{get, post};
    use chrono::DateTime;
    use http::header::{ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_LANGUAGE};
    use http::{Request, StatusCode};
    use serde_json::Value;
    use tower::ServiceExt;

    use super::*;
    use crate::clock::ManualClock;
    use crate::correlation::REQUEST_ID;
    use crate::ids::SeededIds;

    async fn panics() -> String {
        panic!("hunter2")
    }

    async fn ask(method: &str, path: &str, body: impl Into<Body>) -> (StatusCode, Value) {
        let ids = Arc::new(SeededIds::new(1, Arc::new(ManualClock::new(DateTime::UNIX_EPOCH))));
        let router = Router::new().route("/panics", get(panics)).route("/text", post(|text: String| async { text }));
        let request = Request::builder().method(method).uri(path).header(ACCEPT_LANGUAGE, "zh").body(body.into()).unwrap();
        let response = standard(router, ids, TrustedProxies::default(), problem::unknown_route).oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        assert!(headers.contains_key(REQUEST_ID) && headers[CACHE_CONTROL] == "no-store", "{path}");
        let bytes = to_bytes(response.into_body(), 1_000_000).await.unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("hunter2"));
        let document = serde_json::from_slice(&bytes).unwrap_or_default();
        if document != Value::Null {
            assert_eq!(headers[CONTENT_LANGUAGE], "zh", "{path}");
        }
        (status, document)
    }

    #[tokio::test]
    async fn a_panic_is_a_problem_that_tells_nothing() {
        let (status, document) = ask("GET", "/panics", "").await;
        assert_eq!((status, document["code"].as_str()), (StatusCode::INTERNAL_SERVER_ERROR, Some("internal")));
    }

    #[tokio::test]
    async fn unknown_addresses_and_methods_are_problems() {
        assert_eq!(ask("GET", "/nowhere", "").await.1["code"], "not_found");
        assert_eq!(ask("GET", "/text", "").await.1["code"], "method_not_allowed");
    }

    #[tokio::test]
    async fn bodies_are_limited_for_every_extractor() {
        assert_eq!(ask("POST", "/text", "x".repeat(BODY_LIMIT)).await.0, StatusCode::OK);
        assert_eq!(ask("POST", "/text", "x".repeat(BODY_LIMIT + 1)).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    }
}
