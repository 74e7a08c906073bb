use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chassis::extract::{Json, Path, Query};
use chassis::problem::Problem;
use domain::{Channel, PayNo};
use http::header::ETAG;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use super::row;
use super::view::{PayRecordAlone, PayRecordView};
use crate::access::Scope;
use crate::after;
use crate::etag::EntityTag;
use crate::progress::Follower;
use crate::state::QueryState;

/// The parameters of `GET /api/v1/pay-records/{pay_no}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShowQuery {
    after_position: Option<String>,
}

/// `GET /api/v1/pay-records/{pay_no}`
pub(crate) async fn show(
    State(state): State<QueryState>,
    scope: Scope,
    Path(pay_no): Path<PayNo>,
    Query(query): Query<ShowQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    after::reached(&state, &[Follower::PayRecords], &headers, query.after_position.as_deref()).await?;
    let row = row::one(&state, &scope, pay_no).await?.ok_or_else(Problem::not_found)?;
    let tag = EntityTag::of_revision(row.revision);
    if tag.is_held_by(&headers) {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, tag.to_header())]).into_response());
    }
    let qr_code = match row.qr_content() {
        Some(content) => Some(state.codes.data_url(&row.pay_no, content)?.to_string()),
        None => None,
    };
    let pay_record = PayRecordView::try_from(row)?;
    let has_page = !matches!(pay_record.channel, Channel::None | Channel::CashOnDelivery);
    let pay_url = has_page.then(|| (state.ports.pay_url)(pay_no));
    Ok(([(ETAG, tag.to_header())], Json(PayRecordAlone { pay_record, qr_code, pay_url })).into_response())
}
