//! What must be true of the log, told by a model of its own: it reads the stored JSON and shares no rule with the product.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use chrono::{DateTime, TimeDelta, Utc};
use event_store::RecordedEvent;
use serde_json::Value;
use uuid::Uuid;

use crate::broken::{Broken, check};
use crate::ports::Alipay;

mod coupons;
mod orders;
mod records;
mod refunds;
mod selections;
mod stock;
mod unknown;

use coupons::CouponFacts;
pub(crate) use orders::{OrderFacts, Stage};
pub(crate) use records::RecordFacts;
pub(crate) use refunds::RefundFacts;
use selections::SelectionFacts;
use stock::StockFacts;
pub(crate) use unknown::UnknownFacts;

/// How the log speaks of money that the channel took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Confirmed,
    Surplus,
    Late,
    Unknown,
}

/// What the log has said so far.
#[derive(Default)]
pub(crate) struct Ledger {
    position: i64,
    recorded_at: Option<DateTime<Utc>>,
    event_ids: BTreeSet<Uuid>,
    /// The streams with their numbers of events.
    streams: BTreeMap<String, u64>,
    /// The position of each stream's first event.
    begun: BTreeMap<String, i64>,
    /// For each position the stream of its event.
    stream_at: Vec<String>,
    pub(crate) orders: BTreeMap<String, OrderFacts>,
    /// Numbers whose orders will never be made.
    abandoned: BTreeSet<String>,
    pub(crate) trades: BTreeMap<String, Standing>,
    /// The order that has a business key now.
    live_business: BTreeMap<(String, String, String), String>,
    pub(crate) selections: BTreeMap<String, SelectionFacts>,
    pub(crate) stock: BTreeMap<String, StockFacts>,
    pub(crate) coupons: BTreeMap<String, CouponFacts>,
    /// Money that matched nothing, and what operators decided on it.
    pub(crate) unknown: BTreeMap<String, UnknownFacts>,
    /// The pay numbers whose codes were ever shown, in order.
    pub(crate) shown: Vec<String>,
    /// Correlations of forged notifications.
    pub(crate) forged: BTreeSet<Uuid>,
    /// What an append owes to its own end: confirmed and not paid, revived and not confirmed, surplus and not refunded,
    /// settled or observed and not succeeded.
    owed: BTreeSet<(String, &'static str)>,
    /// How many events of each kind, a reason beside its name.
    kinds: BTreeMap<String, u64>,
    hasher: DefaultHasher,
}

/// What the ledger looks at beside the log.
pub(crate) struct Outside<'o> {
    pub(crate) alipay: &'o Alipay,
    /// The latest time that any clock here has shown.
    pub(crate) latest: DateTime<Utc>,
}

impl Ledger {
    /// How many events the log has.
    pub(crate) fn len(&self) -> usize {
        self.stream_at.len()
    }

    /// The last position that was taken.
    pub(crate) fn position(&self) -> i64 {
        self.position
    }

    /// How many events of each kind there are.
    pub(crate) fn kinds(&self) -> &BTreeMap<String, u64> {
        &self.kinds
    }

    /// A hash of all that the log has said.
    pub(crate) fn hash(&self) -> u64 {
        self.hasher.finish()
    }

    /// The stream of the event at `position`.
    pub(crate) fn stream_at(&self, position: i64) -> Option<&str> {
        let index = usize::try_from(position).ok()?.checked_sub(1)?;
        self.stream_at.get(index).map(String::as_str)
    }

    /// The position of a stream's first event.
    pub(crate) fn begun_at(&self, stream: &str) -> Option<i64> {
        self.begun.get(stream).copied()
    }

    /// The last revision of a stream.
    pub(crate) fn revision(&self, stream: &str) -> Option<u64> {
        self.streams.get(stream).and_then(|events| events.checked_sub(1))
    }

    /// Takes the events that one step has brought.
    pub(crate) fn take(&mut self, events: &[RecordedEvent], outside: &Outside<'_>) -> Result<(), Broken> {
        for event in events {
            self.take_envelope(event)?;
            let data: Value = serde_json::from_str(&event.data)
                .map_err(|error| Broken::new("each event is JSON", format!("{} at {}: {error}", event.event_type, event.position)))?;
            *self.kinds.entry(kind(&event.event_type, &data)).or_default() += 1;
            let stream = event.stream_id.as_str();
            if let Some(order_id) = stream.strip_prefix("order-") {
                self.take_order_event(order_id, event, &data, outside)?;
            } else if let Some(selection_id) = stream.strip_prefix("course_selection-") {
                self.take_selection_event(selection_id, &data, outside)?;
            } else if let Some(sku_id) = stream.strip_prefix("stock-") {
                self.take_stock_event(sku_id, &event.event_type, &data)?;
            } else if let Some(coupon_id) = stream.strip_prefix("coupon-") {
                self.take_coupon_event(coupon_id, &event.event_type, &data)?;
            } else if stream.starts_with("unknown_capture-") {
                self.take_unknown(&event.event_type, &data, outside)?;
            }
        }
        check(self.owed.is_empty(), "a payment and what follows from it are one append", || format!("{:?}", self.owed))
    }

    fn take_envelope(&mut self, event: &RecordedEvent) -> Result<(), Broken> {
        let what = || format!("{} at {} on {}", event.event_type, event.position, event.stream_id);
        check(event.position.as_i64() == self.position + 1, "positions are dense and in order", what)?;
        self.position += 1;
        let stream = event.stream_id.as_str();
        let next = self.streams.entry(stream.to_owned()).or_default();
        check(event.revision == *next, "revisions of a stream follow each other", what)?;
        if *next == 0 {
            self.begun.insert(stream.to_owned(), self.position);
        }
        *next += 1;
        self.stream_at.push(stream.to_owned());
        check(self.event_ids.insert(event.event_id), "an event id names one event", what)?;
        check(self.recorded_at.is_none_or(|before| before <= event.recorded_at), "the log's time does not go back", what)?;
        self.recorded_at = Some(event.recorded_at);
        check(!self.forged.contains(&event.metadata.correlation_id), "a forged notification changes nothing", what)?;
        (event.position.as_i64(), stream, event.revision, event.event_id, &event.event_type, &event.data).hash(&mut self.hasher);
        Ok(())
    }

    /// Money is told of once, as the channel holds it.
    fn take_capture(
        &mut self,
        trade_no: &str,
        out_trade_no: &str,
        amount_minor: i64,
        standing: Standing,
        outside: &Outside<'_>,
    ) -> Result<(), Broken> {
        let held = outside.alipay.captured(trade_no);
        // What came under a number of nobody's is the pay record's that an operator says it is.
        let is_assigned = self.unknown.get(trade_no).is_some_and(|money| money.was_assigned_to(out_trade_no));
        let is_its = |number: &str| number == out_trade_no || is_assigned;
        let matches = held.as_ref().is_some_and(|held| is_its(&held.out_trade_no) && held.amount_minor == amount_minor);
        check(matches, "money on the log is money that the channel holds", || {
            format!("{standing:?} {trade_no} of {out_trade_no}, {amount_minor}; the channel holds {held:?}")
        })?;
        let before = self.trades.insert(trade_no.to_owned(), standing);
        let follows = match (before, standing) {
            (None, _) | (Some(Standing::Late), Standing::Confirmed) => true,
            (Some(Standing::Unknown), Standing::Confirmed | Standing::Surplus | Standing::Late) => is_assigned,
            _ => false,
        };
        check(follows, "each capture is on the log once", || format!("{trade_no}: {before:?}, then {standing:?}"))
    }
}

/// The event's name, with what tells its sorts apart.
fn kind(event_type: &str, data: &Value) -> String {
    let sort = match event_type {
        "SurplusPaymentReceived" => "reason",
        "PayRecordClosed" => "proof",
        "PaymentConfirmed" => "learned_by",
        "RefundRequested" => "cause",
        _ => return event_type.to_owned(),
    };
    format!("{event_type} {}", text(data, sort))
}

pub(crate) fn text(data: &Value, member: &str) -> String {
    data[member].as_str().unwrap_or_default().to_owned()
}

pub(crate) fn number(data: &Value, member: &str) -> i64 {
    data[member].as_i64().unwrap_or(-1)
}

/// The time in a member; `None` where there is none.
pub(crate) fn time(data: &Value, member: &str) -> Option<DateTime<Utc>> {
    data[member].as_str().and_then(|text| text.parse().ok())
}

/// So many days, at most a century.
pub(crate) fn days(count: i64) -> TimeDelta {
    TimeDelta::days(count.clamp(0, 36_525))
}
