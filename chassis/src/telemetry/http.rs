//! What is told of every request: one log line, one count, one duration.

use std::sync::Arc;
use std::time::Instant;

use ::http::{HeaderValue, Method, StatusCode};
use ::metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;

use crate::correlation::{self, REQUEST_ID, RequestId};
use crate::ids::IdSource;
use crate::problem::Problem;

/// Counts requests, by method, route and status.
pub const REQUESTS: &str = "paystream_http_requests_total";

/// Durations of requests up to the answer's first byte, by method and route.
pub const REQUEST_SECONDS: &str = "paystream_http_request_duration_seconds";

/// What stands for the route of an address that none has.
const NO_ROUTE: &str = "unmatched";

/// Routes that machines ask all the time, logged at level debug unless they fail.
const QUIET: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

pub(super) fn describe() {
    describe_counter!(REQUESTS, Unit::Count, "HTTP requests answered");
    describe_histogram!(REQUEST_SECONDS, Unit::Seconds, "Time to answer an HTTP request");
}

/// Middleware: gives the request its ids, a span with its method and route, one log line and its metrics.
///
/// Only the route's template is told, never the path, the query or a body: they may hold tokens and persons' data.
pub async fn observe(State(ids): State<Arc<dyn IdSource>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = method(request.method());
    let route = request.extensions().get::<MatchedPath>().map_or(NO_ROUTE, MatchedPath::as_str).to_owned();
    let (request_id, correlation) = correlation::of_request(request.headers(), ids.as_ref());
    let span = tracing::info_span!(
        "http_request",
        request.id = request_id.0,
        correlation.id = %correlation.0,
        http.method = method,
        http.route = route,
    );
    request.extensions_mut().insert(correlation);
    request.extensions_mut().insert(request_id.clone());
    let mut response = next.run(request).instrument(span.clone()).await;
    span.in_scope(|| tell(method, route, started, &response));
    put_id(&mut response, &request_id);
    response
}

fn tell(method: &'static str, route: String, started: Instant, response: &Response) {
    let duration = started.elapsed();
    let duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let status = response.status();
    let problem_code = response.extensions().get::<Problem>().map(|problem| problem.code.word());
    let http_status = status.as_u16();
    if status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE {
        tracing::error!(http.status = http_status, duration_ms, problem.code = problem_code, "request failed");
    } else if status.is_server_error() {
        tracing::warn!(http.status = http_status, duration_ms, problem.code = problem_code, "request not served for now");
    } else if QUIET.contains(&route.as_str()) {
        tracing::debug!(http.status = http_status, duration_ms, "request answered");
    } else {
        tracing::info!(http.status = http_status, duration_ms, problem.code = problem_code, "request answered");
    }
    counter!(REQUESTS, "method" => method, "route" => route.clone(), "status" => status.as_str().to_owned()).increment(1);
    histogram!(REQUEST_SECONDS, "method" => method, "route" => route).record(duration);
}

fn put_id(response: &mut Response, request_id: &RequestId) {
    if let Ok(value) = HeaderValue::from_str(&request_id.0) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
}

/// The method's name; one word for all that nobody defined, so that a client cannot make metrics grow.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}

#[cfg(test)]
mod tests;
