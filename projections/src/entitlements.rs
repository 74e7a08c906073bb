//! Entitlements: a consumer of PaymentConfirmed and RefundSucceeded.
//!
//! Each line of study material or tutoring of a paid order entitles its buyer to what was bought, whether the order holds
//! nothing else or is a mixed one. All of an order's are revoked, once and for good, when all that was paid for it has gone
//! back; a part revokes none.

use database::Time;
use domain::ProductKind;
use domain::order::{OrderEvent, OrderStreamEvent, OrderType, RefundSucceeded};
use domain::pay_record::{OrderItem, PayRecordEvent, PaymentConfirmed};
use domain::stored::StoredFormError;
use event_store::RecordedEvent;
use followers::SubjectFilter;

use crate::{ConsumerProjector, Projector, Unready};

mod table;
#[cfg(test)]
mod tests;

pub(crate) use table::TABLE;

/// The order types whose orders may hold lines that entitle to something.
const ORDER_TYPES: [&str; 3] = ["material", "tutoring", "mixed"];

/// What a line entitles to; `None` where it entitles to nothing. A line that does not say what it is, is what its order is.
fn entitling(order_type: &OrderType, item: &OrderItem) -> Option<ProductKind> {
    let kind = item.kind.or_else(|| ProductKind::parse(order_type.as_str()));
    kind.filter(|kind| matches!(kind, ProductKind::Material | ProductKind::Tutoring))
}

fn entitles(order_type: &OrderType, items: &[OrderItem]) -> bool {
    items.iter().any(|item| entitling(order_type, item).is_some())
}

/// A row of `entitlement_view`; its columns are described in `migrations/views`.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "each column is described where the table is made")]
pub struct EntitlementRow {
    pub entitlement_id: String,
    pub order_id: String,
    pub buyer_id: String,
    pub kind: String,
    pub goods_id: String,
    pub sku_id: Option<String>,
    pub name: String,
    pub quantity: i64,
    pub status: String,
    pub granted_at: Time,
    pub revoked_at: Option<Time>,
    pub position: i64,
}

/// What the lines of an order entitle to, in their order; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntitlementsOfOrder {
    /// One row for each line that entitles to something.
    pub lines: Vec<EntitlementRow>,
}

/// What the consumer listens to.
#[derive(Clone, Debug)]
pub enum EntitlementFact {
    /// An order was paid, of whatever business.
    Paid(PaymentConfirmed),
    /// Money went back.
    Refunded(RefundSucceeded),
    /// Something else, which does not concern it.
    Other,
}

/// The consumer that keeps entitlements.
#[derive(Debug)]
pub enum Entitlements {}

impl ConsumerProjector for Entitlements {
    const REBUILD_NAME: &'static str = "entitlements:rebuild";

    fn subjects() -> Vec<SubjectFilter> {
        let of = |event_type: &'static str| {
            ORDER_TYPES.map(|order_type| SubjectFilter { aggregate: "pay_record", event_type, order_type: Some(order_type) })
        };
        ["PaymentConfirmed", "RefundSucceeded"].into_iter().flat_map(of).collect()
    }
}

impl Projector for Entitlements {
    type Row = EntitlementsOfOrder;
    type Event = EntitlementFact;

    const NAME: &'static str = "entitlements";

    fn wanted() -> Vec<&'static str> {
        vec!["PaymentConfirmed", "RefundSucceeded"]
    }

    fn read(recorded: &RecordedEvent) -> Result<EntitlementFact, StoredFormError> {
        Ok(match OrderStreamEvent::from_stored(&recorded.event_type, recorded.schema_version, &recorded.data)? {
            OrderStreamEvent::PayRecord(PayRecordEvent::PaymentConfirmed(event)) => EntitlementFact::Paid(event),
            OrderStreamEvent::Order(OrderEvent::RefundSucceeded(event)) => EntitlementFact::Refunded(event),
            _ => EntitlementFact::Other,
        })
    }

    fn key(event: &EntitlementFact, _: &RecordedEvent) -> Option<String> {
        match event {
            EntitlementFact::Paid(event) => entitles(&event.order_type, &event.items).then(|| event.order_id.to_string()),
            EntitlementFact::Refunded(event) => {
                (event.fully_refunded && entitles(&event.order_type, &event.items)).then(|| event.order_id.to_string())
            }
            EntitlementFact::Other => None,
        }
    }

    fn ready(row: Option<&EntitlementsOfOrder>, event: &EntitlementFact) -> Result<(), Unready> {
        match (row, event) {
            (None, EntitlementFact::Refunded(event)) => Err(Unready { what: "the payment of order", key: event.order_id.to_string() }),
            _ => Ok(()),
        }
    }

    fn evolve(row: Option<EntitlementsOfOrder>, event: &EntitlementFact, recorded: &RecordedEvent) -> Option<EntitlementsOfOrder> {
        match (row, event) {
            (None, EntitlementFact::Paid(event)) => {
                let lines = (1..).zip(&event.items).filter_map(|(number, item)| {
                    let kind = entitling(&event.order_type, item)?;
                    Some(EntitlementRow::granted(event, number, kind, item, recorded))
                });
                Some(EntitlementsOfOrder { lines: lines.collect() })
            }
            (Some(mut row), EntitlementFact::Refunded(event)) => {
                for line in row.lines.iter_mut().filter(|line| line.revoked_at.is_none()) {
                    "revoked".clone_into(&mut line.status);
                    line.revoked_at = Some(event.refunded_at.into());
                    line.position = recorded.position.as_i64();
                }
                Some(row)
            }
            (row, _) => row,
        }
    }
}

impl EntitlementRow {
    fn granted(event: &PaymentConfirmed, number: usize, kind: ProductKind, item: &OrderItem, recorded: &RecordedEvent) -> Self {
        Self {
            // Of equal width, so that the lines stand in their order wherever ids are compared.
            entitlement_id: format!("{}-{number:03}", event.order_id),
            order_id: event.order_id.to_string(),
            buyer_id: event.buyer_id.as_str().to_owned(),
            kind: kind.word().to_owned(),
            goods_id: item.goods_id.as_str().to_owned(),
            sku_id: item.sku_id.as_ref().map(|sku_id| sku_id.as_str().to_owned()),
            name: item.name.clone(),
            quantity: i64::from(item.quantity),
            status: "active".to_owned(),
            granted_at: event.paid_at.into(),
            revoked_at: None,
            position: recorded.position.as_i64(),
        }
    }
}
