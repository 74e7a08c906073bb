//! Orders of courses as they come to lie in the log, each from its selection to its payment, with the events that the program
//! writes, so that every view and consumer finds in them what it looks for.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::course_selection::CourseSelectionEvent;
use domain::order::OrderStreamEvent;
use domain::stored::StoredFormError;
use event_store::{EventStore, ExpectedRevision, Metadata, NewEvent, Position, StreamId};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

use crate::trouble::{Doing, Trouble};

/// How many events one order has, its selection's included. All of them are published.
pub(crate) const EVENTS_OF_AN_ORDER: u32 = 6;

/// How many of them lie in the order's own stream.
pub(crate) const EVENTS_OF_ITS_STREAM: u32 = 5;

/// How many orders are on their way at once.
const AT_ONCE: usize = 512;

/// Order and selection of the templates; those of the other orders follow.
const FIRST_ORDER: u64 = 7_000_000_000_000_000_000;
const FIRST_SELECTION: u64 = 6_000_000_000_000_000_000;

/// The oldest stored forms, which every version reads; what is appended has today's.
const SELECTED: &str = r#"{"selection_id":"6000000000000000000","buyer_id":"buyer-7000000000000000000","course_id":"course-rust",
"title":"Rust from the start","charge":"paid","price_amount":19900,"currency":"CNY","price_version":3,"starts_at":null,
"valid_days":365,"selected_at":"2026-11-20T08:29:30.004512Z"}"#;
const CREATED: &str = r#"{"order_id":"7000000000000000000","buyer_id":"buyer-7000000000000000000","order_type":"course",
"out_business_id":"6000000000000000000","source":"course_selection","title":"Rust from the start","items":[{"goods_id":"course-rust",
"name":"Rust from the start","quantity":1,"unit_price_amount":19900,"price_version":3}],"amount":19900,"currency":"CNY","client":"web",
"created_at":"2026-11-20T08:30:00.123456Z","expires_at":"2026-11-20T09:00:00Z"}"#;
const ISSUED: &str = r#"{"pay_no":"700000000000000000001","order_id":"7000000000000000000","channel":"alipay_qr","amount":19900,
"currency":"CNY","request":{"subject":"Rust from the start","product_code":"QR_CODE_OFFLINE","time_expire":"2026-11-20T09:00:00Z",
"notify_url":"https://pay.example.com/notify/alipay"},"issued_at":"2026-11-20T08:30:05.771002Z"}"#;
const PREPARED: &str = r#"{"pay_no":"700000000000000000001","code_url":"https://qr.example.com/bax7000000000000000000",
"code_expires_at":"2026-11-20T09:00:00Z"}"#;
const CONFIRMED: &str = r#"{"pay_no":"700000000000000000001","order_id":"7000000000000000000","order_type":"course",
"out_business_id":"6000000000000000000","buyer_id":"buyer-7000000000000000000","amount":19900,"currency":"CNY","channel":"alipay_qr",
"trade_no":"trade-7000000000000000000","paid_at":"2026-11-20T08:31:42Z","paid_at_offset":"+08:00",
"received_at":"2026-11-20T08:31:43.218907Z","learned_by":"notification","items":[{"goods_id":"course-rust","name":"Rust from the start",
"quantity":1,"unit_price_amount":19900,"price_version":3}]}"#;
const PAID: &str = r#"{"order_id":"7000000000000000000","pay_no":"700000000000000000001","paid_at":"2026-11-20T08:31:42Z"}"#;

/// Tells the log what befell orders.
pub(crate) struct Story {
    log: Arc<dyn EventStore>,
    selected: Template,
    /// The order's own events, by the appends in which they come.
    steps: Vec<Vec<Template>>,
}

/// An event of the first order, in today's stored form.
struct Template {
    event_type: &'static str,
    schema_version: u16,
    data: String,
}

impl Template {
    fn of_order(event_type: &'static str, oldest: &str) -> Result<Self, StoredFormError> {
        let event = OrderStreamEvent::from_stored(event_type, 1, oldest)?;
        Ok(Self { event_type, schema_version: event.schema_version(), data: event.to_json() })
    }

    fn selected() -> Result<Self, StoredFormError> {
        let event = CourseSelectionEvent::from_stored("CourseSelected", 1, SELECTED)?;
        Ok(Self { event_type: "CourseSelected", schema_version: event.schema_version(), data: event.to_json() })
    }

    fn event(&self, number: u32) -> NewEvent {
        let data = self.data.replace(&FIRST_ORDER.to_string(), &order_id(number));
        NewEvent {
            event_id: Uuid::now_v7(),
            event_type: self.event_type.to_owned(),
            schema_version: self.schema_version,
            data: data.replace(&FIRST_SELECTION.to_string(), &selection_id(number)),
            metadata: Metadata {
                correlation_id: Uuid::now_v7(),
                causation_id: None,
                actor: "buyer:bench".to_owned(),
                source: "bench".to_owned(),
            },
        }
    }
}

/// The number of an order.
fn order_id(number: u32) -> String {
    (FIRST_ORDER + u64::from(number)).to_string()
}

fn selection_id(number: u32) -> String {
    (FIRST_SELECTION + u64::from(number)).to_string()
}

fn stream_id(prefix: &str, id: &str) -> Result<StreamId, Trouble> {
    StreamId::parse(&format!("{prefix}-{id}")).ok_or_else(|| Trouble::new("a stream has no name"))
}

impl Story {
    /// Tells `log`.
    pub(crate) fn new(log: Arc<dyn EventStore>) -> Result<Self, Trouble> {
        let make = || {
            let of_order = Template::of_order;
            let steps = vec![
                vec![of_order("OrderCreated", CREATED)?],
                vec![of_order("PayRecordIssued", ISSUED)?],
                vec![of_order("PayRecordPrepared", PREPARED)?],
                vec![of_order("PaymentConfirmed", CONFIRMED)?, of_order("OrderPaid", PAID)?],
            ];
            Ok::<_, StoredFormError>((Template::selected()?, steps))
        };
        let (selected, steps) = make().doing("read an oldest stored form")?;
        Ok(Self { log, selected, steps })
    }

    /// Tells of the orders with these numbers, each once, many at the same time.
    pub(crate) async fn tell(&self, numbers: Range<u32>) -> Result<(), Trouble> {
        let orders = stream::iter(numbers).map(|number| self.tell_one(number));
        orders.buffer_unordered(AT_ONCE).try_for_each(|_| std::future::ready(Ok(()))).await
    }

    /// Tells of one order, append after append; answers where its payment lies.
    pub(crate) async fn tell_one(&self, number: u32) -> Result<Position, Trouble> {
        let selection = stream_id("course_selection", &selection_id(number))?;
        self.append(&selection, ExpectedRevision::NoStream, vec![self.selected.event(number)]).await?;
        let order = stream_id("order", &order_id(number))?;
        let (mut expected, mut payment) = (ExpectedRevision::NoStream, Position::START);
        for step in &self.steps {
            let events: Vec<NewEvent> = step.iter().map(|template| template.event(number)).collect();
            let appended = self.append(&order, expected, events).await?;
            expected = ExpectedRevision::Exactly(appended.last_revision);
            payment = appended.positions.first().copied().unwrap_or_default();
        }
        Ok(payment)
    }

    /// Tells of one order after another, so many in a second, until it is over; answers where their payments lie, and when
    /// each was durable.
    pub(crate) async fn go_on(
        &self,
        first: u32,
        orders_per_second: u32,
        is_over: watch::Receiver<bool>,
    ) -> Result<Vec<(Position, Instant)>, Trouble> {
        let mut beat = tokio::time::interval(Duration::from_secs(1) / orders_per_second);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut payments = Vec::new();
        for number in first.. {
            if *is_over.borrow() {
                break;
            }
            beat.tick().await;
            payments.push((self.tell_one(number).await?, Instant::now()));
        }
        Ok(payments)
    }

    async fn append(
        &self,
        stream_id: &StreamId,
        expected: ExpectedRevision,
        events: Vec<NewEvent>,
    ) -> Result<event_store::Appended, Trouble> {
        self.log.append(stream_id, expected, events).await.doing("append to the log")
    }
}

#[cfg(test)]
mod tests {
    use event_store::{LogReader, MemoryEventStore};

    use super::*;

    #[tokio::test]
    async fn an_order_has_its_events_under_its_own_numbers() {
        let log = Arc::new(MemoryEventStore::new(Arc::new(chrono::DateTime::<chrono::Utc>::default)));
        let story = Story::new(Arc::clone(&log) as _).unwrap();
        story.tell(0..3).await.unwrap();
        let payment = story.tell_one(3).await.unwrap();
        let events = log.read_all(Position::START, 100).await.unwrap();
        assert_eq!(events.len(), 4 * EVENTS_OF_AN_ORDER as usize);
        let of_last: Vec<_> = events.iter().filter(|event| event.stream_id.as_str() == "order-7000000000000000003").collect();
        assert_eq!(of_last.len(), EVENTS_OF_ITS_STREAM as usize);
        assert!(of_last.iter().all(|event| event.data.contains("7000000000000000003") && !event.data.contains("7000000000000000000")));
        assert!(of_last[0].data.contains("6000000000000000003"));
        assert_eq!((of_last[3].event_type.as_str(), of_last[3].position), ("PaymentConfirmed", payment));
    }
}
