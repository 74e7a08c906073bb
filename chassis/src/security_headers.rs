//! Headers that keep browsers from doing with our answers what nobody meant.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use http::{HeaderValue, header};

/// What pages may load and do: only what comes from here, and images inside the page for codes.
pub const CONTENT_POLICY: &str = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; \
    form-action 'self'; frame-ancestors 'none'";

/// What an answer gets where its handler has not said otherwise.
const DEFAULTS: [(HeaderName, &str); 6] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (CONTENT_SECURITY_POLICY, CONTENT_POLICY),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (CACHE_CONTROL, "no-store"),
];

/// Middleware: sets the security headers, and `Cache-Control: no-store`, where the handler set none of its own.
pub async fn security_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in DEFAULTS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response.headers_mut().remove(header::SERVER);
    response
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use axum::{Router, middleware};
    use tower::ServiceExt;

    use super::*;

    async fn ask(path: &str) -> Response {
        let cached = || async { ([(CACHE_CONTROL, "max-age=60"), (CONTENT_SECURITY_POLICY, "default-src 'none'")], "x") };
        let router =
            Router::new().route("/plain", get(|| async { "x" })).route("/cached", get(cached)).layer(middleware::from_fn(security_headers));
        router.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn every_answer_is_kept_to_itself() {
        for path in ["/plain", "/nowhere"] {
            let response = ask(path).await;
            for (name, value) in DEFAULTS {
                assert_eq!(response.headers()[name], value, "{path}");
            }
        }
        assert!(CONTENT_POLICY.contains("frame-ancestors 'none'") && !CONTENT_POLICY.contains("unsafe"));
    }

    #[tokio::test]
    async fn a_handler_may_say_otherwise() {
        let response = ask("/cached").await;
        assert_eq!(response.headers()[CACHE_CONTROL], "max-age=60");
        assert_eq!(response.headers()[CONTENT_SECURITY_POLICY], "default-src 'none'");
        assert_eq!(response.headers()[X_CONTENT_TYPE_OPTIONS], "nosniff");
    }
}
