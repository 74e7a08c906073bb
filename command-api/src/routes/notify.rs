use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chassis::client_address::ClientAddress;
use chassis::correlation::Correlation;
use chassis::extract::RawBody;
use chassis::problem::Problem;
use gateway::RawNotification;
use uuid::Uuid;

use crate::notices::{NoticeVerdict, Unverified};
use crate::routes::ApiState;
use crate::wallet::Wallet;

/// As for every route. A genuine notification is a few kilobytes.
const BODY_LIMIT: usize = chassis::extract::BODY_LIMIT;
/// Refused notifications from one address at once.
pub(super) const MAX_FAILED_BURST: u32 = 600;
/// Refused notifications from one address in a minute, from then on.
pub(super) const MAX_FAILED_PER_MINUTE: u32 = 600;

/// `POST /notify/alipay`
pub(super) async fn alipay(
    State(api): State<ApiState>,
    client: ClientAddress,
    Correlation(correlation_id): Correlation,
    headers: HeaderMap,
    RawBody(body): RawBody<BODY_LIMIT>,
) -> Result<Response, Problem> {
    take(&api, Wallet::Alipay, &client, correlation_id, &headers, &body).await
}

/// `POST /notify/wechat/v3` and `/notify/wechat/v3/refund`. A refund that was made on the merchant platform is told in the
/// words of v2, wherever the merchant speaks v3.
pub(super) async fn wechat_v3(
    State(api): State<ApiState>,
    client: ClientAddress,
    Correlation(correlation_id): Correlation,
    headers: HeaderMap,
    RawBody(body): RawBody<BODY_LIMIT>,
) -> Result<Response, Problem> {
    let is_v2 = body.trim_ascii_start().starts_with(b"<") && api.commands.has_wallet(Wallet::WechatV2);
    let wallet = if is_v2 { Wallet::WechatV2 } else { Wallet::Wechat };
    take(&api, wallet, &client, correlation_id, &headers, &body).await
}

/// `POST /notify/wechat/v2` and `/notify/wechat/v2/refund`
pub(super) async fn wechat_v2(
    State(api): State<ApiState>,
    client: ClientAddress,
    Correlation(correlation_id): Correlation,
    headers: HeaderMap,
    RawBody(body): RawBody<BODY_LIMIT>,
) -> Result<Response, Problem> {
    take(&api, Wallet::WechatV2, &client, correlation_id, &headers, &body).await
}

/// Answered in the channel's own words, and only when what it tells is durable.
async fn take(
    api: &ApiState,
    wallet: Wallet,
    client: &ClientAddress,
    correlation_id: Uuid,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, Problem> {
    let (key, now) = (client.network(), api.commands.now());
    // Only what proves false counts, and only that is refused: the channel may share an address with whoever forges.
    let over = api.failed_notices.peek(key, now);
    let unverified = if over.is_ok() { Unverified::Keep } else { Unverified::Drop };
    let raw = RawNotification { headers: raw_headers(headers), body: body.to_vec() };
    let (verdict, reply) = api.commands.take_notice(wallet, raw, unverified, correlation_id).await?;
    if let NoticeVerdict::Refused(refusal) = verdict
        && refusal.is_suspicious()
    {
        over?;
        if api.failed_notices.check(key, now).is_err() {
            tracing::warn!("an address sends notifications that do not prove genuine");
        }
    }
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if reply.body.is_empty() {
        return Ok(status.into_response());
    }
    Ok((status, [(header::CONTENT_TYPE, reply.content_type)], reply.body).into_response())
}

pub(super) fn raw_headers(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect()
}
