//! The routes of the write side, in one table.

mod notices;
mod notify;
mod orders;
mod parked;
mod pay_records;
mod product_codes;
mod reconciliations;
mod refunds;
mod role;
mod selections;
mod stock;

use std::sync::Arc;

use axum::extract::FromRef;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use chassis::admission::{Admission, admit};
use chassis::extract::Json;
use chassis::identity::TokenVerifier;
use chassis::problem::{Code, Problem, field};
use chassis::rate_limit::RateLimiter;
use domain::pay_record::PayRecordStatus;
use domain::{Channel, OrderId};
use event_store::Position;
use serde_json::Value;

use crate::aggregate::AggregateCode;
use crate::caller::CallerKey;
use crate::checkout::{self, OpenWatches, Pages};
use crate::failure::CommandFailure;
use crate::links::Links;
use crate::pay_records::Attempted;
use crate::render::{self, QrImages};
use crate::service::Commands;
use crate::streams;

pub use parked::{PARKED_PATH, parked_routes};

/// What the routes work with.
#[derive(Clone)]
pub struct ApiState {
    pub(crate) commands: Commands,
    pub(crate) links: Links,
    pub(crate) pages: Arc<dyn Pages>,
    pub(crate) images: QrImages,
    pub(crate) failed_notices: Arc<RateLimiter>,
    pub(crate) watches: OpenWatches,
    admission: Arc<Admission>,
    verifier: Arc<TokenVerifier>,
}

impl ApiState {
    /// The state of the routes.
    pub fn new(commands: Commands, links: Links, pages: Arc<dyn Pages>, verifier: Arc<TokenVerifier>, admission: Arc<Admission>) -> Self {
        let failed_notices = Arc::new(RateLimiter::per_minute(notify::MAX_FAILED_BURST, notify::MAX_FAILED_PER_MINUTE));
        Self { commands, links, pages, images: QrImages::new(), failed_notices, watches: OpenWatches::default(), admission, verifier }
    }
}

impl FromRef<ApiState> for Arc<TokenVerifier> {
    fn from_ref(api: &ApiState) -> Self {
        Self::clone(&api.verifier)
    }
}

/// Every route of the write side.
pub fn routes(api: ApiState) -> Router {
    let admission = middleware::from_fn_with_state(Arc::clone(&api.admission), admit);
    let commands = Router::new()
        .route("/api/v1/course-selections", post(selections::create))
        .route("/api/v1/orders", post(orders::create))
        .route("/api/v1/orders/{order_id}/cancel", post(orders::cancel))
        .route("/api/v1/orders/{order_id}/pay-records", post(pay_records::create))
        .route("/api/v1/pay-records/{pay_no}/sync", post(pay_records::sync))
        .route("/api/v1/orders/{order_id}/refunds", post(refunds::create))
        .route("/api/v1/refunds/{refund_no}/retry", post(refunds::retry))
        .route("/api/v1/refunds/{refund_no}/settle", post(refunds::settle))
        .route("/api/v1/surplus-payments/{id}/resolve", post(refunds::resolve))
        .route("/api/v1/notices/{id}/rejudge", post(notices::rejudge))
        .route("/api/v1/notices/{id}/assign", post(notices::assign))
        .route("/api/v1/notices/{id}/dismiss", post(notices::dismiss))
        .route("/api/v1/stock/{sku_id}/receipts", post(stock::receive))
        .route("/api/v1/stock/{sku_id}/adjustments", post(stock::adjust))
        .route("/api/v1/operations/reconciliations", post(reconciliations::create))
        .route("/api/v1/products/{id}/wechat-qr", get(product_codes::image))
        .route("/pay/{token}", get(checkout::pay))
        .route("/wechat/oauth/{token}", get(checkout::authorized))
        .route("/checkout/{token}/pay-records", post(checkout::create_pay_record))
        .route("/checkout/{token}/sync", post(checkout::sync))
        .route("/checkout/{token}/renew", post(checkout::renew))
        .route_layer(admission);
    Router::new()
        .merge(commands)
        .route("/return/{token}", get(checkout::returned))
        .route("/checkout/offer", get(checkout::offer))
        .route("/checkout/{token}", get(checkout::page))
        .route("/checkout/{token}/watch", get(checkout::watch))
        .route("/notify/alipay", post(notify::alipay))
        .route("/notify/wechat/v3", post(notify::wechat_v3))
        .route("/notify/wechat/v3/refund", post(notify::wechat_v3))
        .route("/notify/wechat/v2", post(notify::wechat_v2))
        .route("/notify/wechat/v2/refund", post(notify::wechat_v2))
        .route("/wechat/native-callback", post(product_codes::callback))
        .route("/api/v1/notices", get(notices::list))
        .route("/api/v1/operations/reconciliations", get(reconciliations::list))
        .with_state(api)
}

const POSITION: HeaderName = HeaderName::from_static("paystream-position");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// An answer with the position of the command's last event.
pub(crate) fn answer(status: StatusCode, body: Value, position: Position, replayed: bool) -> Response {
    let mut response = (status, Json(body)).into_response();
    response.headers_mut().insert(POSITION, HeaderValue::from(position.as_i64()));
    if replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

/// How a wish to pay is answered, on both routes that take one.
pub(crate) fn attempt_answer(api: &ApiState, attempted: &Attempted) -> Result<Response, Problem> {
    let record = attempted.record()?;
    let status = match (record.status, attempted.is_new) {
        (PayRecordStatus::Preparing, _) => StatusCode::ACCEPTED,
        (_, true) => StatusCode::CREATED,
        (_, false) => StatusCode::OK,
    };
    let body = render::pay_record(&attempted.order.state, record, &api.links, &api.images);
    let mut body = body.map_err(|error| Problem::internal(&error))?;
    body["client_parameters"] = render::client_parameters(api.commands.client_parameters(record)?);
    Ok(answer(status, body, attempted.order.position, attempted.replayed))
}

/// How the order's own code is answered, on both routes.
pub(crate) fn aggregate_answer(api: &ApiState, given: &AggregateCode) -> Result<Response, Problem> {
    let status = if given.is_new { StatusCode::CREATED } else { StatusCode::OK };
    let body = render::aggregate(&given.order.state, &api.links, &api.images).map_err(|error| Problem::internal(&error))?;
    Ok(answer(status, body, given.order.position, given.replayed))
}

/// How many items a page has that says nothing, and at most.
const PAGE_ITEMS: u32 = 20;
const MOST_PAGE_ITEMS: u32 = 200;

/// How many items a page is to have.
pub(crate) fn page_limit(limit: Option<u32>) -> Result<u32, Problem> {
    match limit.unwrap_or(PAGE_ITEMS) {
        limit @ 1..=MOST_PAGE_ITEMS => Ok(limit),
        _ => Err(Problem::invalid("limit", field::OUT_OF_RANGE, "must be 1 to 200")),
    }
}

/// The caller's key for this command, if one came.
pub(crate) fn caller_key(headers: &HeaderMap, subject: &str, route: &str, content: &str) -> Result<Option<CallerKey>, Problem> {
    let mut values = headers.get_all(KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let refused = || Problem::invalid("Idempotency-Key", field::INVALID, "1 to 255 visible characters, once");
    let key = value.to_str().map_err(|_| refused())?;
    if key.is_empty() || key.len() > CallerKey::MAX_LEN || values.next().is_some() {
        return Err(refused());
    }
    Ok(Some(CallerKey::new(subject, route, key, content)))
}

/// The revision that `If-Match` names, if it came and is not `*`. Of several it is the order's own, if that is among them.
pub(crate) async fn if_match(api: &ApiState, headers: &HeaderMap, order_id: OrderId) -> Result<Option<u64>, Problem> {
    let values = headers.get_all(header::IF_MATCH).iter().map(|value| value.to_str().unwrap_or_default());
    let tags: Vec<&str> = values.flat_map(|value| value.split(',')).map(str::trim).filter(|tag| !tag.is_empty()).collect();
    if tags.contains(&"*") || !headers.contains_key(header::IF_MATCH) {
        return Ok(None);
    }
    let revision_of = |tag: &&str| tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).and_then(|tag| tag.parse().ok());
    // A tag that we never gave out matches nothing.
    let revisions: Vec<u64> = tags.iter().filter_map(revision_of).collect();
    let first = *revisions.first().ok_or_else(|| Problem::new(Code::PreconditionFailed))?;
    if revisions.len() == 1 {
        return Ok(Some(first));
    }
    let standing = api.commands.orders.load(&streams::order(order_id)).await.map_err(CommandFailure::from)?;
    Ok(Some(standing.revision.filter(|revision| revisions.contains(revision)).unwrap_or(first)))
}

/// The channel of a contract's word.
pub(crate) fn channel_word(word: &str) -> Result<Channel, Problem> {
    Channel::parse(word).ok_or_else(|| Problem::invalid("channel", field::UNKNOWN_VALUE, "There is no such channel."))
}

#[cfg(test)]
mod tests;
