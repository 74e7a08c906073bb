use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chassis::extract::{Json, Path, Query};
use chassis::problem::Problem;
use domain::RefundNo;
use http::header::ETAG;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use super::row;
use super::view::RefundView;
use crate::access::Scope;
use crate::after;
use crate::etag::EntityTag;
use crate::progress::Follower;
use crate::state::QueryState;

/// The parameters of `GET /api/v1/refunds/{refund_no}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShowQuery {
    after_position: Option<String>,
}

/// `GET /api/v1/refunds/{refund_no}`
pub(crate) async fn show(
    State(state): State<QueryState>,
    scope: Scope,
    Path(refund_no): Path<RefundNo>,
    Query(query): Query<ShowQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    after::reached(&state, &[Follower::PayRecords], &headers, query.after_position.as_deref()).await?;
    let row = row::one(&state, &scope, refund_no).await?.ok_or_else(Problem::not_found)?;
    let tag = EntityTag::of_revision(row.revision);
    if tag.is_held_by(&headers) {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, tag.to_header())]).into_response());
    }
    Ok(([(ETAG, tag.to_header())], Json(RefundView::try_from(row)?)).into_response())
}
