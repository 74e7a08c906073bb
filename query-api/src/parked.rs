//! Messages that a consumer could not take.

use axum::extract::State;
use chassis::extract::{Json, Query};
use chassis::problem::Problem;
use chrono::{DateTime, Utc};
use database::{Time, values};
use serde::{Deserialize, Serialize};

use crate::access::Overseer;
use crate::failure::QueryFailure;
use crate::page::{self, Page, Place};
use crate::state::QueryState;

/// The parameters of `GET /api/v1/parked`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    state: Option<Wanted>,
    limit: Option<u32>,
    cursor: Option<String>,
}

/// How a parked message stands.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Wanted {
    Waiting,
    Parked,
    Behind,
    Skipped,
}

impl Wanted {
    fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Parked => "parked",
            Self::Behind => "behind",
            Self::Skipped => "skipped",
        }
    }
}

/// A row of `parked_message`.
#[derive(Debug, sqlx::FromRow)]
struct ParkedRow {
    parked_id: String,
    consumer: String,
    state: String,
    tries: i64,
    reason: String,
    skip_reason: Option<String>,
    retry_at: Option<Time>,
    parked_at: Time,
    stream_id: String,
    revision: i64,
    position: i64,
    event_id: String,
    event_type: String,
}

/// A parked message as the list has it: what it is, and why it waits; not what stands in it.
#[derive(Debug, Serialize)]
pub(crate) struct ParkedView {
    id: String,
    consumer: String,
    state: String,
    tries: i64,
    reason: String,
    skip_reason: Option<String>,
    retry_at: Option<DateTime<Utc>>,
    parked_at: DateTime<Utc>,
    order_id: Option<String>,
    stream_id: String,
    revision: i64,
    position: String,
    event_id: String,
    event_type: String,
}

macro_rules! list_of {
    ($which:literal) => {
        concat!(
            "select parked_id, consumer, state, tries, reason, skip_reason, retry_at, parked_at, stream_id, revision, position, event_id, \
             event_type from parked_message where ",
            $which,
            " and consumer not like '%:rebuild' and (parked_at, parked_id) < ($2, $3) order by parked_at desc, parked_id desc limit cast($4 as bigint)"
        )
    };
}

const UNSKIPPED: &str = list_of!("state <> 'skipped' and $1 = ''");
const IN_STATE: &str = list_of!("state = $1");

/// `GET /api/v1/parked`: the newest first; skipped ones only where they are asked for.
pub(crate) async fn list(
    State(state): State<QueryState>,
    Overseer: Overseer,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<ParkedView>>, Problem> {
    let limit = page::limit(query.limit)?;
    let place = Place::read(query.cursor.as_deref())?;
    let (sql, wanted) = query.state.map_or((UNSKIPPED, ""), |wanted| (IN_STATE, wanted.word()));
    let values = values![wanted, place.at, place.id, limit + 1];
    let rows: Vec<ParkedRow> = state.views().fetch_all(sql, values).await.map_err(QueryFailure::from)?;
    let place = |row: &ParkedRow| Place { at: row.parked_at.into(), id: row.parked_id.clone() };
    Ok(Json(Page::new(rows, limit, place, |row| Ok::<_, Problem>(ParkedView::from(row)))?))
}

impl From<ParkedRow> for ParkedView {
    fn from(row: ParkedRow) -> Self {
        Self {
            id: row.parked_id,
            consumer: row.consumer,
            state: row.state,
            tries: row.tries,
            reason: row.reason,
            skip_reason: row.skip_reason,
            retry_at: row.retry_at.map(Into::into),
            parked_at: row.parked_at.into(),
            order_id: row.stream_id.strip_prefix("order-").map(str::to_owned),
            stream_id: row.stream_id,
            revision: row.revision,
            position: row.position.to_string(),
            event_id: row.event_id,
            event_type: row.event_type,
        }
    }
}
