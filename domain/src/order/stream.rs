use super::events::OrderEvent;
use crate::pay_record::PayRecordEvent;
use crate::stored::StoredFormError;

/// An event on an order's stream: the order's own, or one of its pay records'.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderStreamEvent {
    /// About the order.
    Order(OrderEvent),
    /// About one of its pay records.
    PayRecord(PayRecordEvent),
}

impl OrderStreamEvent {
    /// The stored name.
    pub fn event_type(&self) -> &'static str {
        match self {
            Self::Order(event) => event.event_type(),
            Self::PayRecord(event) => event.event_type(),
        }
    }

    /// The number of the shape in which it is written today.
    pub fn schema_version(&self) -> u16 {
        match self {
            Self::Order(event) => event.schema_version(),
            Self::PayRecord(event) => event.schema_version(),
        }
    }

    /// The content's exact JSON.
    pub fn to_json(&self) -> String {
        match self {
            Self::Order(event) => event.to_json(),
            Self::PayRecord(event) => event.to_json(),
        }
    }

    /// Reads what was stored, in whatever shape it was.
    pub fn from_stored(event_type: &str, schema_version: u16, data: &str) -> Result<Self, StoredFormError> {
        if PayRecordEvent::STORED.iter().any(|(name, _)| *name == event_type) {
            PayRecordEvent::from_stored(event_type, schema_version, data).map(Self::PayRecord)
        } else {
            OrderEvent::from_stored(event_type, schema_version, data).map(Self::Order)
        }
    }
}

impl<E: Into<OrderEvent>> From<E> for OrderStreamEvent {
    fn from(event: E) -> Self {
        Self::Order(event.into())
    }
}

impl From<PayRecordEvent> for OrderStreamEvent {
    fn from(event: PayRecordEvent) -> Self {
        Self::PayRecord(event)
    }
}
