//! What is told of every request: one log line, one count, one duration.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Instant;

use ::http::{HeaderValue, Method, StatusCode};
use ::metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use axum::RequestExt;
use axum::extract::{MatchedPath, RawPathParams, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use tracing::field::{Empty, display};
use tracing::{Instrument, Span};

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

/// The field of log lines that holds an order's number.
const ORDER_ID: &str = "order.id";

/// The field of log lines that holds a pay record's number.
const PAY_NO: &str = "pay.no";

/// The longest number in a path that is told, in characters.
const NUMBER_LIMIT: usize = 64;

pub(super) fn describe() {
    describe_counter!(REQUESTS, Unit::Count, "HTTP requests answered");
    describe_histogram!(REQUEST_SECONDS, Unit::Seconds, "Time to answer an HTTP request");
}

/// Middleware: gives the request its ids, a span with its method and route, one log line and its metrics.
///
/// Only the route's template is told, never the path, the query or a body: they may hold tokens and persons' data. Of the
/// path's parameters the numbers `order_id` and `pay_no` are told, as `order.id` and `pay.no`; see also [`tell_order`].
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
        order.id = Empty,
        pay.no = Empty,
    );
    tell_numbers(&span, &mut request).await;
    request.extensions_mut().insert(correlation);
    request.extensions_mut().insert(request_id.clone());
    let mut response = next.run(request).instrument(span.clone()).await;
    span.in_scope(|| tell(method, route, started, &response));
    put_id(&mut response, &request_id);
    response
}

/// Tells the order that the running request turned out to be about, in all of its lines from now on.
pub fn tell_order(order_id: &impl Display) {
    Span::current().record(ORDER_ID, display(order_id));
}

/// Tells the pay record that the running request turned out to be about, in all of its lines from now on.
pub fn tell_pay_no(pay_no: &impl Display) {
    Span::current().record(PAY_NO, display(pay_no));
}

/// Tells the numbers that the path names. A path without parameters, and one that is no text, names none.
async fn tell_numbers(span: &Span, request: &mut Request) {
    let Ok(parameters) = request.extract_parts::<RawPathParams>().await else { return };
    for (name, value) in &parameters {
        let field = match name {
            "order_id" => ORDER_ID,
            "pay_no" => PAY_NO,
            _ => continue,
        };
        // What a client made up is not told: it could be anything.
        if value.len() <= NUMBER_LIMIT && value.bytes().all(|byte| byte.is_ascii_digit()) {
            span.record(field, display(value));
        }
    }
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
