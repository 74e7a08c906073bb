use axum::extract::State;
use chassis::extract::{Json, Query};
use chassis::problem::Problem;
use chrono::{DateTime, Utc};
use database::{Time, values};
use http::HeaderMap;
use serde::{Deserialize, Serialize};

use crate::access::Buyer;
use crate::after;
use crate::failure::QueryFailure;
use crate::page::{self, Page, Place};
use crate::progress::Follower;
use crate::state::QueryState;

/// The parameters of `GET /api/v1/course-table`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TableQuery {
    limit: Option<u32>,
    cursor: Option<String>,
    after_position: Option<String>,
}

/// A row of `course_table_view`.
#[derive(Debug, sqlx::FromRow)]
struct CourseRow {
    selection_id: String,
    course_id: String,
    title: String,
    order_id: Option<String>,
    opened_at: Time,
    starts_at: Time,
    ends_at: Option<Time>,
}

/// A course in the course table.
#[derive(Debug, Serialize)]
pub(crate) struct CourseView {
    selection_id: String,
    course_id: String,
    title: String,
    order_id: Option<String>,
    opened_at: DateTime<Utc>,
    starts_at: DateTime<Utc>,
    ends_at: Option<DateTime<Utc>>,
}

const PAGE: &str = "select selection_id, course_id, title, order_id, opened_at, starts_at, ends_at from course_table_view \
     where buyer_id = $1 and (opened_at, selection_id) < ($2, $3) order by opened_at desc, selection_id desc limit cast($4 as bigint)";

/// `GET /api/v1/course-table`: the courses that were opened for the caller, the newest first.
pub(crate) async fn table(
    State(state): State<QueryState>,
    Buyer(buyer_id): Buyer,
    Query(query): Query<TableQuery>,
    headers: HeaderMap,
) -> Result<Json<Page<CourseView>>, Problem> {
    let limit = page::limit(query.limit)?;
    let place = Place::read(query.cursor.as_deref())?;
    after::reached(&state, &[Follower::CourseSelections], &headers, query.after_position.as_deref()).await?;
    let values = values![buyer_id, place.at, place.id, limit + 1];
    let rows: Vec<CourseRow> = state.views().fetch_all(PAGE, values).await.map_err(QueryFailure::from)?;
    let place = |row: &CourseRow| Place { at: row.opened_at.into(), id: row.selection_id.clone() };
    let page = Page::new(rows, limit, place, |row| Ok::<_, Problem>(CourseView::from(row)))?;
    Ok(Json(page))
}

impl From<CourseRow> for CourseView {
    fn from(row: CourseRow) -> Self {
        Self {
            selection_id: row.selection_id,
            course_id: row.course_id,
            title: row.title,
            order_id: row.order_id,
            opened_at: row.opened_at.into(),
            starts_at: row.starts_at.into(),
            ends_at: row.ends_at.map(Into::into),
        }
    }
}
