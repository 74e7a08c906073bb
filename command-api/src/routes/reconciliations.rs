use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chassis::correlation::Correlation;
use chassis::extract::Json;
use chassis::problem::{Code, Problem};
use chrono::NaiveDate;
use domain::Channel;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::caller::Caller;
use crate::reconcile::Discrepancy;
use crate::routes::ApiState;
use crate::routes::role::InOperator;

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
    let answered = json!({
        "wallet": result.wallet.as_str(),
        "date": result.date,
        "lines": result.lines,
        "matched": result.matched,
        "recorded": result.recorded,
        "discrepancies": result.discrepancies.iter().map(shown).collect::<Vec<Value>>(),
    });
    Ok((StatusCode::OK, Json(answered)).into_response())
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
