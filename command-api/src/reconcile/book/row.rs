//! A day's result as it is stored.

use chrono::NaiveDate;
use domain::{Currency, Money};
use serde::{Deserialize, Serialize};

use super::Reconciliation;
use crate::reconcile::{Discrepancy, DiscrepancyKind, Movement};
use crate::wallet::Wallet;

#[derive(Serialize, Deserialize)]
struct Stored {
    lines: usize,
    matched: usize,
    recorded: usize,
    #[serde(default)]
    unanswered: usize,
    discrepancies: Vec<StoredDiscrepancy>,
}

#[derive(Serialize, Deserialize)]
struct StoredDiscrepancy {
    kind: DiscrepancyKind,
    movement: Movement,
    out_trade_no: String,
    trade_no: String,
    refund_no: Option<String>,
    amount: i64,
    currency: Currency,
}

/// The text of the column.
pub(super) fn written(result: &Reconciliation) -> String {
    let discrepancies = result.discrepancies.iter().map(|found| StoredDiscrepancy {
        kind: found.kind,
        movement: found.movement,
        out_trade_no: found.out_trade_no.clone(),
        trade_no: found.trade_no.clone(),
        refund_no: found.refund_no.clone(),
        amount: found.amount.amount_minor(),
        currency: found.amount.currency(),
    });
    let Reconciliation { lines, matched, recorded, unanswered, .. } = *result;
    let stored = Stored { lines, matched, recorded, unanswered, discrepancies: discrepancies.collect() };
    serde_json::to_string(&stored).unwrap_or_else(|error| unreachable!("numbers and texts in a struct are JSON: {error}"))
}

/// Reads the column; `None` for a text that this version does not read.
pub(super) fn read(wallet: Wallet, date: NaiveDate, text: &str) -> Option<Reconciliation> {
    let stored: Stored = serde_json::from_str(text).ok()?;
    let discrepancies = stored.discrepancies.into_iter().map(|found| {
        Some(Discrepancy {
            kind: found.kind,
            movement: found.movement,
            out_trade_no: found.out_trade_no,
            trade_no: found.trade_no,
            refund_no: found.refund_no,
            amount: Money::new(found.amount, found.currency).ok()?,
        })
    });
    let discrepancies = discrepancies.collect::<Option<_>>()?;
    let Stored { lines, matched, recorded, unanswered, .. } = stored;
    Some(Reconciliation { wallet, date, lines, matched, recorded, unanswered, discrepancies })
}
