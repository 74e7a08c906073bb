//! `/sandbox/bills/{date}`: what moved in a day through every wallet, for people and tests.

use std::sync::Arc;

use axum::extract::State;
use chassis::extract::{Json, Path};
use chassis::problem::{Problem, field};
use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use super::problem;
use crate::Sandbox;
use crate::movement::{Movement, MovementKind};
use crate::trade::Wallet;

#[derive(Debug, Serialize)]
pub(super) struct Bill {
    date: NaiveDate,
    items: Vec<Item>,
}

/// A movement. Amounts are in fen.
#[derive(Debug, Serialize)]
struct Item {
    channel: &'static str,
    kind: &'static str,
    out_trade_no: String,
    trade_no: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_no: Option<String>,
    amount: i64,
    fee_amount: i64,
    currency: &'static str,
    at: DateTime<Utc>,
}

/// Shows a day, as it stands now: the channels' own bills of it come later.
pub(super) async fn show(State(sandbox): State<Arc<Sandbox>>, Path(date): Path<String>) -> Result<Json<Bill>, Problem> {
    let day: Option<NaiveDate> = date.parse().ok();
    let date = day.ok_or_else(|| Problem::invalid("date", field::UNKNOWN_VALUE, "must be a day, for instance 2026-03-05"))?;
    let mut items = Vec::new();
    for wallet in Wallet::ALL {
        let movements = sandbox.movements(wallet, date).await.map_err(|error| problem(&error))?;
        items.extend(movements.into_iter().map(item));
    }
    items.sort_by_key(|item| item.at);
    Ok(Json(Bill { date, items }))
}

fn item(movement: Movement) -> Item {
    let (kind, refund_no) = match movement.kind {
        MovementKind::Payment => ("payment", None),
        MovementKind::Refund { request_no } => ("refund", Some(request_no)),
    };
    Item {
        channel: movement.wallet.as_str(),
        kind,
        out_trade_no: movement.out_trade_no,
        trade_no: movement.trade_no,
        refund_no,
        amount: movement.amount.amount_minor(),
        fee_amount: movement.fee_minor,
        currency: movement.amount.currency().code(),
        at: movement.at,
    }
}
