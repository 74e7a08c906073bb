//! What the log holds of a day and the channel's statement does not.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use domain::{Channel, Currency, Money};
use event_store::{EventFilter, Position, RecordedEvent};
use gateway::{Statement, StatementLineKind};
use serde::Deserialize;

use super::{Discrepancy, DiscrepancyKind, Movement};
use crate::failure::CommandFailure;
use crate::service::Commands;
use crate::wallet::Wallet;

/// The events that tell of money which moved.
const MOVEMENTS: [&str; 4] = ["PaymentConfirmed", "LatePaymentReceived", "SurplusPaymentReceived", "RefundSucceeded"];

/// How many events are read at a time.
const PAGE: usize = 500;

/// How much sooner than the channel says it happened our clock may have recorded it.
const CLOCKS_APART: TimeDelta = TimeDelta::hours(1);

/// What of such an event is looked at.
#[derive(Deserialize)]
struct Told {
    channel: Channel,
    pay_no: String,
    trade_no: String,
    amount: i64,
    currency: Currency,
    paid_at: DateTime<Utc>,
    refund_no: Option<String>,
    refund_amount: Option<i64>,
    refunded_at: Option<DateTime<Utc>>,
}

impl Commands {
    /// Payments and refunds of `wallet` from one moment until before another, as the channel itself named the time, that the
    /// statement does not hold. It holds those that are `told` of under numbers of the channel's own.
    pub(super) async fn missing_in(
        &self,
        wallet: Wallet,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
        statement: &Statement,
        told: &BTreeSet<String>,
    ) -> Result<Vec<Discrepancy>, CommandFailure> {
        let in_statement: BTreeSet<(&str, Option<&str>)> = statement
            .lines
            .iter()
            .map(|line| match &line.kind {
                StatementLineKind::Payment => (line.trade_no.as_str(), None),
                StatementLineKind::Refund { refund_no, .. } => (line.trade_no.as_str(), Some(refund_no.as_str())),
            })
            .collect();
        let filter =
            EventFilter { event_types: MOVEMENTS.map(str::to_owned).to_vec(), from: Some(from - CLOCKS_APART), ..EventFilter::default() };
        let (mut missing, mut after) = (Vec::new(), Position::START);
        loop {
            let page = self.ports.log.read_all_filtered(after, PAGE, &filter).await?;
            let Some(last) = page.last() else { return Ok(missing) };
            after = last.position;
            let of_day =
                page.iter().filter_map(discrepancy).filter(|(channel, at, _)| wallet.may_tell_of(*channel) && (from..until).contains(at));
            let is_missing = |found: &Discrepancy| {
                let is_told = found.refund_no.as_ref().is_some_and(|refund_no| told.contains(refund_no));
                !is_told && !in_statement.contains(&(&found.trade_no, found.refund_no.as_deref()))
            };
            missing.extend(of_day.map(|(_, _, found)| found).filter(is_missing));
        }
    }
}

/// What the event tells, with its channel and the time at the channel.
fn discrepancy(event: &RecordedEvent) -> Option<(Channel, DateTime<Utc>, Discrepancy)> {
    let told: Told = serde_json::from_str(&event.data).ok()?;
    let is_refund = event.event_type == "RefundSucceeded";
    let (movement, at, minor) =
        if is_refund { (Movement::Refund, told.refunded_at?, told.refund_amount?) } else { (Movement::Payment, told.paid_at, told.amount) };
    let found = Discrepancy {
        kind: DiscrepancyKind::OursOnly,
        movement,
        out_trade_no: told.pay_no,
        trade_no: told.trade_no,
        refund_no: told.refund_no.filter(|_| is_refund),
        amount: Money::new(minor, told.currency).ok()?,
    };
    Some((told.channel, at, found))
}
