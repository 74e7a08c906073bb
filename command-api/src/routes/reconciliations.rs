//! Statements of channels beside the log, for operators. What came of each day is the write side's own state and no view, so
//! this side reads it too.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chassis::correlation::Correlation;
use chassis::extract::{Json, Query};
use chassis::identity::{Identity, Role};
use chassis::problem::{Code, Problem, field};
use chrono::NaiveDate;
use domain::Channel;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::caller::Caller;
use crate::reconcile::{DayState, Discrepancy, Reconciliation, StatementDay};
use crate::render::time;
use crate::routes::role::InOperator;
use crate::routes::{ApiState, page_limit};
use crate::wallet::Wallet;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReconcileBody {
    channel: Channel,
    date: NaiveDate,
}

/// `POST /api/v1/operations/reconciliations`: compares a day with the statement of the wallet that a channel belongs to.
pub(super) async fn create(
    State(api): State<ApiState>,
    InOperator(identity): InOperator,
    Correlation(correlation_id): Correlation,
    Json(body): Json<ReconcileBody>,
) -> Result<Response, Problem> {
    let caller = Caller::of(&identity, InOperator::ROLES).ok_or_else(|| Problem::new(Code::Forbidden))?;
    let result = api.commands.reconcile(&caller, body.channel, body.date, correlation_id).await?;
    let mut answered = compared(&result);
    answered["wallet"] = json!(result.wallet.as_str());
    answered["date"] = json!(result.date);
    Ok((StatusCode::OK, Json(answered)).into_response())
}

fn compared(result: &Reconciliation) -> Value {
    json!({
        "lines": result.lines,
        "matched": result.matched,
        "recorded": result.recorded,
        "discrepancies": result.discrepancies.iter().map(shown).collect::<Vec<Value>>(),
    })
}

/// The parameters of `GET /api/v1/operations/reconciliations`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    state: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

/// `GET /api/v1/operations/reconciliations`: the days that were compared, or are to be, the newest first.
pub(super) async fn list(State(api): State<ApiState>, identity: Identity, Query(query): Query<ListQuery>) -> Result<Json<Value>, Problem> {
    identity.require_any(&[Role::Operator, Role::Auditor])?;
    let limit = page_limit(query.limit)?;
    let state = match query.state.as_deref() {
        None | Some("all") => None,
        Some(word) => {
            let unknown = || Problem::invalid("state", field::UNKNOWN_VALUE, "must be open, matched, different, missing or all");
            Some(DayState::parse(word).ok_or_else(unknown)?)
        }
    };
    let after = query.cursor.as_deref().map(read_cursor).transpose()?;
    let mut days = api.commands.statement_days(state, after, limit + 1).await?;
    let page = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = days.len() > page;
    days.truncate(page);
    let next_cursor = days.last().filter(|_| has_more).map(|last| format!("{}.{}", last.date, last.wallet.as_str()));
    let items: Vec<Value> = days.iter().map(day).collect();
    Ok(Json(json!({ "items": items, "next_cursor": next_cursor })))
}

fn read_cursor(cursor: &str) -> Result<(NaiveDate, Wallet), Problem> {
    let parts = cursor.split_once('.').and_then(|(date, wallet)| Some((date.parse().ok()?, Wallet::parse(wallet)?)));
    parts.ok_or_else(|| Problem::invalid("cursor", field::MALFORMED, "must be a next_cursor of this list"))
}

fn day(day: &StatementDay) -> Value {
    json!({
        "wallet": day.wallet.as_str(),
        "date": day.date,
        "state": day.state.as_str(),
        "tries": day.tries,
        "word": day.word,
        "next_at": day.next_at.map(time),
        "looked_at": time(day.looked_at),
        "result": day.result.as_ref().map(compared),
    })
}

fn shown(discrepancy: &Discrepancy) -> Value {
    json!({
        "kind": discrepancy.kind.as_str(),
        "movement": discrepancy.movement.as_str(),
        "out_trade_no": discrepancy.out_trade_no,
        "trade_no": discrepancy.trade_no,
        "refund_no": discrepancy.refund_no,
        "amount": discrepancy.amount.amount_minor(),
        "amount_text": discrepancy.amount.major_text(),
        "currency": discrepancy.amount.currency().code(),
    })
}
