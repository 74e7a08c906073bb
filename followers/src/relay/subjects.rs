use std::sync::Arc;

use event_store::{LogReader, ReadError, RecordedEvent};

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
        let Kind::Published(aggregate) = self.catalogue.kind(&event.event_type) else { return Ok(None) };
        let order_type = self.order_types.of(event, self.log.as_ref()).await?;
        Ok(Some(subject_of(aggregate, &event.event_type, &order_type, &event.stream_id)))
    }
}
