use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use chassis::client_address::ClientAddress;
use chassis::correlation::Correlation;
use chassis::extract::{Path, Query, RawBody};
use chassis::problem::{Problem, field};
use domain::ProductId;
use gateway::{NotificationRefusal, RawNotification};
use qr::{QrError, QrOptions};
use serde::Deserialize;

use crate::routes::ApiState;
use crate::routes::notify::raw_headers;

/// A genuine callback has less than a kilobyte.
const CALLBACK_LIMIT: usize = 16 * 1024;
/// The code changes with the merchant's key alone.
const CACHED: (HeaderName, HeaderValue) = (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=60"));
const XML: &str = "text/xml; charset=utf-8";

/// `POST /wechat/native-callback`: WeChat Pay tells of the scan of a product's code, and the buyer waits. Answered in its
/// own words, with the payment that it leads the buyer to or with why there is none.
pub(super) async fn callback(
    State(api): State<ApiState>,
    client: ClientAddress,
    Correlation(correlation_id): Correlation,
    headers: HeaderMap,
    RawBody(body): RawBody<CALLBACK_LIMIT>,
) -> Result<Response, Problem> {
    let codes = api.commands.ports.channels.product_codes().ok_or_else(Problem::not_found)?;
    let text = match codes.read_scan(&body) {
        Ok(scan) => {
            let answer = api.commands.answer_scan(&scan, correlation_id).await;
            api.commands.scan_reply(codes, &answer)
        }
        Err(refusal) => {
            let raw = RawNotification { headers: raw_headers(&headers), body: body.to_vec() };
            refuse(&api, &client, raw, refusal).await?;
            codes.scan_refusal().to_owned()
        }
    };
    Ok(([(header::CONTENT_TYPE, XML)], text).into_response())
}

/// Keeps what is not believed, and counts it with the notifications that are not: whoever sends many is held off.
async fn refuse(api: &ApiState, client: &ClientAddress, raw: RawNotification, refusal: NotificationRefusal) -> Result<(), Problem> {
    let (key, now) = (client.network(), api.commands.now());
    tracing::info!(notice.verdict = %refusal, "what tells of a scan is not believed");
    metrics::counter!("paystream_product_scans_total", "verdict" => refusal.to_string()).increment(1);
    let over = api.failed_notices.peek(key, now);
    if refusal.is_authentic() || over.is_ok() {
        api.commands.keep_refused_scan(raw, refusal).await?;
    }
    if refusal.is_suspicious() {
        over?;
        if api.failed_notices.check(key, now).is_err() {
            tracing::warn!("an address sends callbacks that do not prove genuine");
        }
    }
    Ok(())
}

/// The parameters of `GET /api/v1/products/{id}/wechat-qr`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CodeQuery {
    #[serde(default)]
    format: Format,
    size: Option<String>,
    level: Option<String>,
    foreground: Option<String>,
    background: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Format {
    #[default]
    Png,
    Svg,
    /// What the code holds, for whoever draws it themselves.
    Text,
}

/// `GET /api/v1/products/{id}/wechat-qr`: the code of a product, to be printed. It never expires.
pub(super) async fn image(
    State(api): State<ApiState>,
    Path(product_id): Path<ProductId>,
    Query(query): Query<CodeQuery>,
) -> Result<Response, Problem> {
    let options = QrOptions::parse(query.size.as_deref(), query.level.as_deref(), query.foreground.as_deref(), query.background.as_deref())
        .map_err(|error| Problem::invalid(error.field.name(), error.fault.code(), error.fault.to_string()))?;
    let content = api.commands.product_code(&product_id).await?;
    let of_type = |media_type| [CACHED, (header::CONTENT_TYPE, HeaderValue::from_static(media_type))];
    Ok(match query.format {
        Format::Png => (of_type("image/png"), qr::png(&content, &options).map_err(undrawn)?).into_response(),
        Format::Svg => (of_type("image/svg+xml"), qr::svg(&content, &options).map_err(undrawn)?).into_response(),
        Format::Text => (of_type("text/plain; charset=utf-8"), content).into_response(),
    })
}

fn undrawn(error: QrError) -> Problem {
    match error {
        QrError::ContentTooLong { .. } => Problem::invalid("level", "content_too_long", "the code holds too much for this level"),
        QrError::SizeTooSmall { needed, .. } => {
            Problem::invalid("size", field::OUT_OF_RANGE, format!("must be at least {needed} for this code"))
        }
        error @ QrError::Png(_) => Problem::internal(&error),
    }
}
