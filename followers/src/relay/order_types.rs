use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use event_store::{EventFilter, LogReader, Position, ReadError, RecordedEvent, StreamId};
use lru::LruCache;
use serde::Deserialize;

use super::message::{NO_ORDER_TYPE, ORDER_STREAM};

/// How many orders' types are kept. Events of one order lie near each other in the log.
const KEPT: NonZeroUsize = NonZeroUsize::new(16_384).unwrap();

/// How many orders are read at a time.
const PAGE_ORDERS: usize = 500;

/// The event that says an order's type.
const ORDER_CREATED: &str = "OrderCreated";

/// The order type of each stream: what the first event of the order's stream says. It never changes.
pub(super) struct OrderTypes {
    kept: Mutex<LruCache<StreamId, String>>,
}

/// The member of OrderCreated that counts here.
#[derive(Deserialize)]
struct Created {
    order_type: String,
}

impl OrderTypes {
    pub(super) fn new() -> Self {
        Self { kept: Mutex::new(LruCache::new(KEPT)) }
    }

    /// The order type of the event's stream; [`NO_ORDER_TYPE`] where it is no order's, or its order was never made.
    pub(super) async fn of(&self, event: &RecordedEvent, log: &dyn LogReader) -> Result<String, ReadError> {
        if !event.stream_id.as_str().starts_with(ORDER_STREAM) {
            return Ok(NO_ORDER_TYPE.to_owned());
        }
        if let Some(order_type) = self.lock().get(&event.stream_id) {
            return Ok(order_type.clone());
        }
        let order_type = if event.revision == 0 {
            order_type(event)
        } else {
            log.read_stream(&event.stream_id, 0, 1).await?.first().map_or_else(|| NO_ORDER_TYPE.to_owned(), order_type)
        };
        self.lock().put(event.stream_id.clone(), order_type.clone());
        Ok(order_type)
    }

    /// Whether the stream is an order's whose type is not kept.
    pub(super) fn lacks(&self, stream_id: &StreamId) -> bool {
        stream_id.as_str().starts_with(ORDER_STREAM) && !self.lock().contains(stream_id)
    }

    /// Keeps the types of the orders made after `after` and up to `up_to`.
    pub(super) async fn learn(&self, after: Position, up_to: Position, log: &dyn LogReader) -> Result<(), ReadError> {
        let filter = EventFilter { event_types: vec![ORDER_CREATED.to_owned()], up_to: Some(up_to), ..EventFilter::default() };
        let mut after = after;
        loop {
            let page = log.read_all_filtered(after, PAGE_ORDERS, &filter).await?;
            for first in page.iter().filter(|event| event.revision == 0) {
                self.lock().put(first.stream_id.clone(), order_type(first));
            }
            match page.last() {
                Some(last) if page.len() == PAGE_ORDERS => after = last.position,
                _ => return Ok(()),
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, LruCache<StreamId, String>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn order_type(first: &RecordedEvent) -> String {
    let created: Option<Created> = (first.event_type == ORDER_CREATED).then(|| serde_json::from_str(&first.data).ok()).flatten();
    // A word that is none of ours may not break the subject.
    created
        .map(|created| created.order_type)
        .filter(|word| domain::order::OrderType::parse(word).is_ok())
        .unwrap_or_else(|| NO_ORDER_TYPE.to_owned())
}
