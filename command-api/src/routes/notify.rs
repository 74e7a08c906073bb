use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chassis::client_address::ClientAddress;
use chassis::correlation::Correlation;
use chassis::extract::RawBody;
use chassis::problem::Problem;
use gateway::RawNotification;

use crate::notices::{NoticeVerdict, Unverified};
use crate::routes::ApiState;

/// As for every route. A genuine notification is a few kilobytes.
const BODY_LIMIT: usize = chassis::extract::BODY_LIMIT;
/// Refused notifications from one address at once.
pub(super) const MAX_FAILED_BURST: u32 = 600;
/// Refused notifications from one address in a minute, from then on.
pub(super) const MAX_FAILED_PER_MINUTE: u32 = 600;

/// `POST /notify/alipay`: answered in the channel's own words, and only when what it tells is durable.
pub(super) async fn alipay(
    State(api): State<ApiState>,
    client: ClientAddress,
    Correlation(correlation_id): Correlation,
    headers: HeaderMap,
    RawBody(body): RawBody<BODY_LIMIT>,
) -> Result<Response, Problem> {
    let (key, now) = (client.network(), api.commands.now());
    // Only what proves false counts, and only that is refused: the channel may share an address with whoever forges.
    let over = api.failed_notices.peek(key, now);
    let unverified = if over.is_ok() { Unverified::Keep } else { Unverified::Drop };
    let raw = RawNotification { headers: raw_headers(&headers), body: body.to_vec() };
    let (verdict, reply) = api.commands.take_alipay_notice(raw, unverified, correlation_id).await?;
    if let NoticeVerdict::Refused(refusal) = verdict
        && !refusal.is_authentic()
    {
        over?;
        if api.failed_notices.check(key, now).is_err() {
            tracing::warn!("an address sends notifications that do not prove genuine");
        }
    }
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Ok((status, [(header::CONTENT_TYPE, reply.content_type)], reply.body).into_response())
}

fn raw_headers(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect()
}
