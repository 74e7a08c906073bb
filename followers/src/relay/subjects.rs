use std::sync::Arc;

use event_store::{LogReader, Position, ReadError, RecordedEvent};

use super::message::{Catalogue, Kind, subject_of};
use super::order_types::OrderTypes;

/// Tells the subject on which the relay publishes an event.
pub struct Subjects {
    log: Arc<dyn LogReader>,
    catalogue: Catalogue,
    order_types: OrderTypes,
}

impl Subjects {
    /// The subjects of the events of `log`.
    pub fn new(log: Arc<dyn LogReader>) -> Self {
        Self { log, catalogue: Catalogue::new(), order_types: OrderTypes::new() }
    }

    /// The event's subject; `None` for one that stays inside, or that this version does not know.
    pub async fn of(&self, event: &RecordedEvent) -> Result<Option<String>, ReadError> {
        let Kind::Published(aggregate) = self.kind(event) else { return Ok(None) };
        self.of_published(event, aggregate).await.map(Some)
    }

    /// The subject of an event that is published under `aggregate`.
    pub(super) async fn of_published(&self, event: &RecordedEvent, aggregate: &str) -> Result<String, ReadError> {
        let order_type = self.order_types.of(event, self.log.as_ref()).await?;
        Ok(subject_of(aggregate, &event.event_type, &order_type, &event.stream_id))
    }

    /// What the event is to the relay.
    pub(super) fn kind(&self, event: &RecordedEvent) -> Kind {
        self.catalogue.kind(&event.event_type)
    }

    /// Whether the event's subject is told by another event: the first one of its order.
    pub(super) fn ask_the_order(&self, event: &RecordedEvent) -> bool {
        event.revision > 0 && self.order_types.lacks(&event.stream_id)
    }

    /// Reads the types of the orders made after `after` and up to `up_to` together, for events of many of them.
    pub(super) async fn learn_orders(&self, after: Position, up_to: Position) -> Result<(), ReadError> {
        self.order_types.learn(after, up_to, self.log.as_ref()).await
    }
}
