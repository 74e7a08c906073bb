use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use chassis::correlation::Correlation;
use chassis::extract::{Json, Path};
use chassis::problem::{Code, Problem, field};
use domain::SkuId;
use serde::Deserialize;
use serde_json::json;

use crate::caller::Caller;
use crate::routes::orders::{MAX_REASON_CHARS, text};
use crate::routes::role::InOperator;
use crate::routes::{ApiState, answer, caller_key};
use crate::stock::StockChange;

/// The most that one receipt or adjustment may be.
const MAX_QUANTITY: u32 = 1_000_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StockBody {
    quantity: i64,
    reason: String,
}

/// `POST /api/v1/stock/{sku_id}/receipts`: `quantity` more came in.
pub(super) async fn receive(
    State(api): State<ApiState>,
    InOperator(identity): InOperator,
    Correlation(correlation_id): Correlation,
    Path(sku_id): Path<SkuId>,
    headers: HeaderMap,
    Json(body): Json<StockBody>,
) -> Result<Response, Problem> {
    let quantity = u32::try_from(body.quantity).ok().filter(|quantity| (1..=MAX_QUANTITY).contains(quantity));
    let quantity = quantity.ok_or_else(|| Problem::invalid("quantity", field::OUT_OF_RANGE, "1 to 1000000."))?;
    change(&api, &InOperator(identity), correlation_id, &sku_id, &headers, ("receipts", StockChange::Receipt(quantity)), body).await
}

/// `POST /api/v1/stock/{sku_id}/adjustments`: a count found `quantity` more than the books say; negative for fewer.
pub(super) async fn adjust(
    State(api): State<ApiState>,
    InOperator(identity): InOperator,
    Correlation(correlation_id): Correlation,
    Path(sku_id): Path<SkuId>,
    headers: HeaderMap,
    Json(body): Json<StockBody>,
) -> Result<Response, Problem> {
    if body.quantity == 0 || body.quantity.unsigned_abs() > u64::from(MAX_QUANTITY) {
        return Err(Problem::invalid("quantity", field::OUT_OF_RANGE, "-1000000 to 1000000, and not 0."));
    }
    let change_by = StockChange::Adjustment(body.quantity);
    change(&api, &InOperator(identity), correlation_id, &sku_id, &headers, ("adjustments", change_by), body).await
}

async fn change(
    api: &ApiState,
    InOperator(identity): &InOperator,
    correlation_id: uuid::Uuid,
    sku_id: &SkuId,
    headers: &HeaderMap,
    (word, change): (&str, StockChange),
    body: StockBody,
) -> Result<Response, Problem> {
    let caller = Caller::of(identity, InOperator::ROLES).ok_or_else(|| Problem::new(Code::Forbidden))?;
    let content = format!("{}\n{}", body.quantity, body.reason);
    let key = caller_key(headers, &identity.subject, &format!("POST /api/v1/stock/{sku_id}/{word}"), &content)?;
    text("reason", &body.reason, MAX_REASON_CHARS)?;
    let changed = api.commands.change_stock(&caller, sku_id, change, body.reason, key.as_ref(), correlation_id).await?;
    let answered = json!({ "sku_id": sku_id, "available": changed.available });
    Ok(answer(StatusCode::OK, answered, changed.position, changed.replayed))
}
