use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use chassis::correlation::Correlation;
use chassis::extract::{Json, Path};
use chassis::problem::{Code, Problem, field};
use domain::{Currency, MinorUnits, OrderId, PayNo, RefundNo};
use serde::Deserialize;
use serde_json::json;

use crate::caller::Caller;
use crate::refunds::{OperatorChoice, RefundAnswer, RefundWish};
use crate::routes::orders::{MAX_REASON_CHARS, text};
use crate::routes::role::InOperator;
use crate::routes::{ApiState, answer, caller_key, if_match};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RefundBody {
    amount: MinorUnits,
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReasonBody {
    reason: String,
}

/// `POST /api/v1/orders/{order_id}/refunds`
pub(super) async fn create(
    State(api): State<ApiState>,
    InOperator(identity): InOperator,
    Correlation(correlation_id): Correlation,
    Path(order_id): Path<OrderId>,
    headers: HeaderMap,
    Json(body): Json<RefundBody>,
) -> Result<Response, Problem> {
    let caller = Caller::of(&identity, InOperator::ROLES).ok_or_else(|| Problem::new(Code::Forbidden))?;
    let content = format!("{}\n{}", body.amount.as_i64(), body.reason);
    let key = caller_key(&headers, &identity.subject, &format!("POST /api/v1/orders/{order_id}/refunds"), &content)?;
    let expected = if_match(&api, &headers, order_id).await?;
    text("reason", &body.reason, MAX_REASON_CHARS)?;
    if body.amount.as_i64() == 0 {
        return Err(Problem::invalid("amount", field::OUT_OF_RANGE, "At least 1."));
    }
    let amount = body.amount.of(Currency::Cny);
    let wish = RefundWish { amount, reason: body.reason };
    let requested = api.commands.request_refund(&caller, order_id, wish, key.as_ref(), expected, correlation_id).await?;
    // Whoever requested it is answered how it was requested, however far it has come by now.
    Ok(refund_answer(&requested, "requested"))
}

/// `POST /api/v1/refunds/{refund_no}/retry`
pub(super) async fn retry(
    State(api): State<ApiState>,
    InOperator(identity): InOperator,
    Correlation(correlation_id): Correlation,
    Path(refund_no): Path<RefundNo>,
    headers: HeaderMap,
    Json(body): Json<ReasonBody>,
) -> Result<Response, Problem> {
    choose(&api, OperatorChoice::Retry, &InOperator(identity), correlation_id, refund_no, &headers, body).await
}

/// `POST /api/v1/refunds/{refund_no}/settle`
pub(super) async fn settle(
    State(api): State<ApiState>,
    InOperator(identity): InOperator,
    Correlation(correlation_id): Correlation,
    Path(refund_no): Path<RefundNo>,
    headers: HeaderMap,
    Json(body): Json<ReasonBody>,
) -> Result<Response, Problem> {
    choose(&api, OperatorChoice::Settle, &InOperator(identity), correlation_id, refund_no, &headers, body).await
}

async fn choose(
    api: &ApiState,
    choice: OperatorChoice,
    InOperator(identity): &InOperator,
    correlation_id: uuid::Uuid,
    refund_no: RefundNo,
    headers: &HeaderMap,
    body: ReasonBody,
) -> Result<Response, Problem> {
    let caller = Caller::of(identity, InOperator::ROLES).ok_or_else(|| Problem::new(Code::Forbidden))?;
    let word = match choice {
        OperatorChoice::Retry => "retry",
        OperatorChoice::Settle => "settle",
    };
    let key = caller_key(headers, &identity.subject, &format!("POST /api/v1/refunds/{refund_no}/{word}"), &body.reason)?;
    text("reason", &body.reason, MAX_REASON_CHARS)?;
    let chosen = api.commands.choose_refund(&caller, refund_no, choice, body.reason, key.as_ref(), correlation_id).await?;
    Ok(refund_answer(&chosen, chosen.status.as_str()))
}

fn refund_answer(refund: &RefundAnswer, status: &str) -> Response {
    let body = json!({ "refund_no": refund.refund_no, "status": status });
    let code = if status == "succeeded" { StatusCode::OK } else { StatusCode::ACCEPTED };
    answer(code, body, refund.order.position, refund.replayed)
}

/// `POST /api/v1/surplus-payments/{id}/resolve`: the id is the pay number, `-`, and the channel's number of the payment.
pub(super) async fn resolve(
    State(api): State<ApiState>,
    InOperator(identity): InOperator,
    Correlation(correlation_id): Correlation,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<ReasonBody>,
) -> Result<Response, Problem> {
    let caller = Caller::of(&identity, InOperator::ROLES).ok_or_else(|| Problem::new(Code::Forbidden))?;
    let key = caller_key(&headers, &identity.subject, &format!("POST /api/v1/surplus-payments/{id}/resolve"), &body.reason)?;
    text("reason", &body.reason, MAX_REASON_CHARS)?;
    let (pay_no, trade_no) = id.split_once('-').ok_or_else(Problem::not_found)?;
    let pay_no: PayNo = pay_no.parse().map_err(|_| Problem::not_found())?;
    let resolved = api.commands.resolve_surplus(&caller, pay_no, trade_no.to_owned(), body.reason, key.as_ref(), correlation_id).await?;
    let (standing, replayed) = resolved;
    Ok(answer(StatusCode::OK, json!({ "id": id, "state": "resolved" }), standing.position, replayed))
}
