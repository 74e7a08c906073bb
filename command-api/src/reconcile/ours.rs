//! What the log holds of a day and the channel's statement does not.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use domain::{Channel, Currency, Money, RefundNo};
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
    /// statement does not hold.
    pub(super) async fn missing_in(
        &self,
        wallet: Wallet,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
        statement: &Statement,
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
            let Some(last) = page.last() else { return Ok(without_foreign(missing, statement)) };
            after = last.position;
            let told =
                page.iter().filter_map(discrepancy).filter(|(channel, at, _)| wallet.may_tell_of(*channel) && (from..until).contains(at));
            missing.extend(
                told.map(|(_, _, found)| found).filter(|found| !in_statement.contains(&(&found.trade_no, found.refund_no.as_deref()))),
            );
        }
    }
}

/// Without the refunds that the channel has under numbers of its own: each line of such a number, with the sum of one of
/// ours of the same payment, is that one.
fn without_foreign(mut missing: Vec<Discrepancy>, statement: &Statement) -> Vec<Discrepancy> {
    let foreign = statement.lines.iter().filter(|line| match &line.kind {
        StatementLineKind::Refund { refund_no, .. } => refund_no.parse::<RefundNo>().is_err(),
        StatementLineKind::Payment => false,
    });
    let mut foreign: Vec<(&str, Money)> = foreign.map(|line| (line.trade_no.as_str(), line.amount)).collect();
    missing.retain(|found| {
        let place = foreign.iter().position(|(trade_no, amount)| *trade_no == found.trade_no && *amount == found.amount);
        let place = place.filter(|_| found.movement == Movement::Refund);
        place.map(|place| foreign.swap_remove(place)).is_none()
    });
    missing
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
