//! Kept notifications, for operators. Their table is the write side's own state and no view, so this side reads it too.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chassis::correlation::Correlation;
use chassis::extract::{Json, Path, Query};
use chassis::identity::{Identity, Role};
use chassis::problem::{Code, Problem, field};
use domain::PayNo;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::caller::{Caller, CallerKey};
use crate::inbox::{NoticeFilter, NoticeState, StoredNotice};
use crate::notices::NoticeAnswer;
use crate::render::time;
use crate::routes::orders::{MAX_REASON_CHARS, text};
use crate::routes::role::InOperator;
use crate::routes::{ApiState, answer, caller_key, page_limit};

/// No verdict's word is longer.
const MAX_VERDICT_CHARS: usize = 64;

/// The parameters of `GET /api/v1/notices`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    verdict: Option<String>,
    state: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

/// `GET /api/v1/notices`: what was kept of notifications, the newest first. Their texts are never shown.
pub(super) async fn list(State(api): State<ApiState>, identity: Identity, Query(query): Query<ListQuery>) -> Result<Json<Value>, Problem> {
    identity.require_any(&[Role::Operator, Role::Auditor])?;
    let limit = page_limit(query.limit)?;
    let state = match query.state.as_deref() {
        None | Some("all") => None,
        Some(word) => {
            let unknown = || Problem::invalid("state", field::UNKNOWN_VALUE, "must be open, settled or all");
            Some(NoticeState::parse(word).ok_or_else(unknown)?)
        }
    };
    if let Some(verdict) = &query.verdict {
        text("verdict", verdict, MAX_VERDICT_CHARS)?;
    }
    let filter = NoticeFilter { verdict: query.verdict, state };
    let before = query.cursor.as_deref().map(read_cursor).transpose()?;
    let mut notices = api.commands.kept_notices(&filter, before, limit + 1).await?;
    let page = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = notices.len() > page;
    notices.truncate(page);
    let next_cursor = notices.last().filter(|_| has_more).map(|last| URL_SAFE_NO_PAD.encode(last.notice_id.to_string()));
    let items: Vec<Value> = notices.iter().map(shown).collect();
    Ok(Json(json!({ "items": items, "next_cursor": next_cursor })))
}

fn read_cursor(cursor: &str) -> Result<i64, Problem> {
    let text = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let number = text.and_then(|text| text.parse().ok());
    number.ok_or_else(|| Problem::invalid("cursor", field::MALFORMED, "must be a next_cursor of this list"))
}

fn shown(notice: &StoredNotice) -> Value {
    let act = notice.act.as_ref();
    json!({
        "id": notice.notice_id.to_string(),
        "channel": notice.wallet,
        "genuine": notice.is_authentic,
        "tells": notice.news,
        "out_trade_no": notice.out_trade_no,
        "trade_no": notice.trade_no,
        "amount": notice.amount.map(domain::Money::amount_minor),
        "amount_text": notice.amount.map(domain::Money::major_text),
        "currency": notice.amount.map(|amount| amount.currency().code()),
        "verdict": notice.verdict,
        "state": notice.state.as_str(),
        "times_received": notice.times_seen,
        "received_at": time(notice.first_received_at),
        "last_received_at": time(notice.last_received_at),
        "action": act.map(|act| act.action.as_str()),
        "pay_no": act.and_then(|act| act.action.pay_no()),
        "acted_by": act.map(|act| &act.by),
        "acted_at": act.map(|act| time(act.at)),
        "reason": act.map(|act| &act.reason),
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReasonBody {
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AssignBody {
    reason: String,
    pay_no: PayNo,
}

/// An operator's wish about one notification.
struct Wish {
    caller: Caller,
    notice_id: i64,
    key: Option<CallerKey>,
}

impl Wish {
    fn new(InOperator(identity): &InOperator, id: &str, headers: &HeaderMap, word: &str, content: &str) -> Result<Self, Problem> {
        let caller = Caller::of(identity, InOperator::ROLES).ok_or_else(|| Problem::new(Code::Forbidden))?;
        let notice_id = id.parse().map_err(|_| Problem::not_found())?;
        let key = caller_key(headers, &identity.subject, &format!("POST /api/v1/notices/{notice_id}/{word}"), content)?;
        Ok(Self { caller, notice_id, key })
    }
}

/// `POST /api/v1/notices/{id}/rejudge`
pub(super) async fn rejudge(
    State(api): State<ApiState>,
    operator: InOperator,
    Correlation(correlation_id): Correlation,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<ReasonBody>,
) -> Result<Response, Problem> {
    let wish = Wish::new(&operator, &id, &headers, "rejudge", &body.reason)?;
    text("reason", &body.reason, MAX_REASON_CHARS)?;
    let done = api.commands.rejudge_notice(&wish.caller, wish.notice_id, &body.reason, wish.key.as_ref(), correlation_id).await?;
    Ok(done_answer(&done))
}

/// `POST /api/v1/notices/{id}/assign`
pub(super) async fn assign(
    State(api): State<ApiState>,
    operator: InOperator,
    Correlation(correlation_id): Correlation,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<AssignBody>,
) -> Result<Response, Problem> {
    let wish = Wish::new(&operator, &id, &headers, "assign", &format!("{}\n{}", body.pay_no, body.reason))?;
    text("reason", &body.reason, MAX_REASON_CHARS)?;
    let (key, commands) = (wish.key.as_ref(), &api.commands);
    let done = commands.assign_notice(&wish.caller, wish.notice_id, body.pay_no, &body.reason, key, correlation_id).await?;
    Ok(done_answer(&done))
}

/// `POST /api/v1/notices/{id}/dismiss`
pub(super) async fn dismiss(
    State(api): State<ApiState>,
    operator: InOperator,
    Correlation(correlation_id): Correlation,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<ReasonBody>,
) -> Result<Response, Problem> {
    let wish = Wish::new(&operator, &id, &headers, "dismiss", &body.reason)?;
    text("reason", &body.reason, MAX_REASON_CHARS)?;
    let done = api.commands.dismiss_notice(&wish.caller, wish.notice_id, &body.reason, wish.key.as_ref(), correlation_id).await?;
    Ok(done_answer(&done))
}

fn done_answer(done: &NoticeAnswer) -> Response {
    let pay_no = done.action.pay_no();
    let body = json!({
        "id": done.notice_id.to_string(),
        "action": done.action.as_str(),
        "verdict": done.verdict,
        "state": done.state.as_str(),
        "pay_no": pay_no,
        "order_id": pay_no.map(PayNo::order_id),
    });
    answer(StatusCode::OK, body, done.position, done.replayed)
}
