use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chassis::extract::{Path, Query};
use chassis::problem::{Problem, field};
use domain::PayNo;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, VARY};
use http::{HeaderMap, StatusCode};
use qr::{QrError, QrOptions};
use serde::Deserialize;

use super::row;
use crate::access::Scope;
use crate::after;
use crate::etag::EntityTag;
use crate::failure::QueryFailure;
use crate::progress::Follower;
use crate::state::QueryState;

/// The client may keep the image for a minute, and asks whether it has changed after that; nobody in between keeps it.
const CACHED: [(HeaderName, HeaderValue); 2] =
    [(CACHE_CONTROL, HeaderValue::from_static("private, max-age=60")), (VARY, HeaderValue::from_static("authorization"))];

/// The parameters of `GET /api/v1/pay-records/{pay_no}/qr`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ImageQuery {
    #[serde(default)]
    format: Format,
    size: Option<String>,
    level: Option<String>,
    foreground: Option<String>,
    background: Option<String>,
    after_position: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Format {
    #[default]
    Png,
    Svg,
}

impl Format {
    fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Svg => "image/svg+xml",
        }
    }

    fn draw(self, content: &str, options: &QrOptions) -> Result<Bytes, QrError> {
        match self {
            Self::Png => qr::png(content, options).map(Bytes::from),
            Self::Svg => qr::svg(content, options).map(Bytes::from),
        }
    }
}

/// `GET /api/v1/pay-records/{pay_no}/qr`: the record's own code and nothing else, in the wished look.
pub(crate) async fn image(
    State(state): State<QueryState>,
    scope: Scope,
    Path(pay_no): Path<PayNo>,
    Query(query): Query<ImageQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let options = options(&query)?;
    after::reached(&state, &[Follower::PayRecords], &headers, query.after_position.as_deref()).await?;
    let row = row::one(&state, &scope, pay_no).await?.ok_or_else(Problem::not_found)?;
    let Some(content) = row.qr_content() else {
        let none = Problem::not_found().detail("This pay record has no code to scan.");
        return Err(none.detail_zh("该支付记录没有可扫描的二维码。"));
    };
    let tag = tag(row.revision, query.format, &options);
    if tag.is_held_by(&headers) {
        return Ok((StatusCode::NOT_MODIFIED, CACHED, [(ETAG, tag.to_header())]).into_response());
    }
    let (format, content) = (query.format, content.to_owned());
    // The largest images take milliseconds, for which other requests should not wait.
    let drawing = tokio::task::spawn_blocking(move || format.draw(&content, &options)).await;
    let image = drawing.map_err(|error| Problem::internal(&error))?.map_err(undrawn)?;
    Ok((CACHED, [(ETAG, tag.to_header()), (CONTENT_TYPE, HeaderValue::from_static(format.media_type()))], image).into_response())
}

fn options(query: &ImageQuery) -> Result<QrOptions, Problem> {
    QrOptions::parse(query.size.as_deref(), query.level.as_deref(), query.foreground.as_deref(), query.background.as_deref())
        .map_err(|error| Problem::invalid(error.field.name(), error.fault.code(), error.fault.to_string()))
}

fn undrawn(error: QrError) -> Problem {
    match error {
        QrError::ContentTooLong { .. } => Problem::invalid("level", "content_too_long", "the code holds too much for this level"),
        QrError::SizeTooSmall { needed, .. } => {
            Problem::invalid("size", field::OUT_OF_RANGE, format!("must be at least {needed} for this code"))
        }
        error @ QrError::Png(_) => QueryFailure::Code(error).into(),
    }
}

fn tag(revision: i64, format: Format, options: &QrOptions) -> EntityTag {
    let colour = |text: String| text.trim_start_matches('#').to_owned();
    let (foreground, background) = (colour(options.foreground().to_string()), colour(options.background().to_string()));
    let (size, level) = (options.size(), options.level().letter());
    EntityTag::of_revision_and(revision, &format!("{format:?}-{size}-{level}-{foreground}-{background}"))
}
