use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chassis::extract::{Json, Path, Query};
use chassis::problem::Problem;
use chrono::{DateTime, Utc};
use database::{Time, values};
use domain::course_selection::SelectionStatus;
use domain::{Currency, SelectionId};
use http::HeaderMap;
use http::header::ETAG;
use serde::{Deserialize, Serialize};

use crate::access::Buyer;
use crate::after;
use crate::etag::EntityTag;
use crate::failure::QueryFailure;
use crate::money;
use crate::progress::Follower;
use crate::state::QueryState;

/// The parameters of `GET /api/v1/course-selections/{selection_id}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShowQuery {
    after_position: Option<String>,
}

/// A row of `course_selection_view`.
#[derive(Debug, sqlx::FromRow)]
struct SelectionRow {
    selection_id: String,
    course_id: String,
    title: String,
    charge: String,
    price_amount: i64,
    currency: String,
    status: String,
    starts_at: Option<Time>,
    order_id: Option<String>,
    opened_at: Option<Time>,
    ends_at: Option<Time>,
    selected_at: Time,
    revision: i64,
}

/// A course selection as the contract shows it.
#[derive(Debug, Serialize)]
struct SelectionView {
    selection_id: String,
    course_id: String,
    title: String,
    charge: String,
    status: &'static str,
    price_amount: i64,
    price_text: String,
    currency: Currency,
    order_id: Option<String>,
    selected_at: DateTime<Utc>,
    opened_at: Option<DateTime<Utc>>,
    starts_at: Option<DateTime<Utc>>,
    ends_at: Option<DateTime<Utc>>,
}

const ONE: &str = "select selection_id, course_id, title, charge, price_amount, currency, status, starts_at, order_id, opened_at, ends_at, \
     selected_at, revision from course_selection_view where selection_id = $1 and buyer_id = $2";

/// `GET /api/v1/course-selections/{selection_id}`
pub(crate) async fn show(
    State(state): State<QueryState>,
    Buyer(buyer_id): Buyer,
    Path(selection_id): Path<SelectionId>,
    Query(query): Query<ShowQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    after::reached(&state, &[Follower::CourseSelections], &headers, query.after_position.as_deref()).await?;
    let values = values![selection_id.to_string(), buyer_id];
    let row: Option<SelectionRow> = state.views().fetch_optional(ONE, values).await.map_err(QueryFailure::from)?;
    let row = row.ok_or_else(Problem::not_found)?;
    let status = row.status(state.ports.clock.now());
    // Payment, refund and time change what is shown and are no revision of its stream, so the tag is no reason for a 304.
    let tag = EntityTag::of_revision(row.revision);
    Ok(([(ETAG, tag.to_header())], Json(row.shown(status)?)).into_response())
}

impl SelectionRow {
    fn status(&self, now: DateTime<Utc>) -> SelectionStatus {
        // Its money went back: only that is told by the column, time is not.
        if self.status == SelectionStatus::Ended.as_str() {
            return SelectionStatus::Ended;
        }
        match (self.opened_at, self.ends_at) {
            (None, _) => SelectionStatus::Unpaid,
            (Some(_), Some(Time(ends_at))) if ends_at <= now => SelectionStatus::Ended,
            (Some(_), _) => SelectionStatus::Active,
        }
    }

    fn shown(self, status: SelectionStatus) -> Result<SelectionView, QueryFailure> {
        let price = money::read(self.price_amount, &self.currency)?;
        Ok(SelectionView {
            selection_id: self.selection_id,
            course_id: self.course_id,
            title: self.title,
            charge: self.charge,
            status: status.as_str(),
            price_amount: price.amount_minor(),
            price_text: price.major_text(),
            currency: price.currency(),
            order_id: self.order_id,
            selected_at: self.selected_at.into(),
            opened_at: self.opened_at.map(Into::into),
            // An open course begins when it was opened, unless it has a later date.
            starts_at: self.opened_at.max(self.starts_at).map(Into::into),
            ends_at: self.ends_at.map(Into::into),
        })
    }
}
