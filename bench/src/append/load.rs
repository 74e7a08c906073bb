//! The load: callers that each take fresh orders through three events, one append after the other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use event_store::{EventStore, ExpectedRevision, Metadata, NewEvent, StreamId};
use futures_util::future::try_join_all;
use uuid::Uuid;

use crate::figures::Latencies;
use crate::trouble::{Doing, Trouble};

/// The bytes of each event's JSON.
pub(super) const EVENT_BYTES: usize = 300;

/// The life of an order in events, each appended at the revision that the one before has left.
const LIFE: [&str; 3] = ["OrderCreated", "PayRecordIssued", "PaymentConfirmed"];

/// Something that appends one event to one stream and answers when it is durable.
#[async_trait]
pub(super) trait Appender: Send + Sync {
    /// Errors: the stream is at another revision, or the database failed. Neither must happen under this load.
    async fn append(&self, stream_id: &StreamId, expected: ExpectedRevision, event: NewEvent) -> Result<(), Trouble>;
}

/// Our log, through its port.
pub(super) struct Port(pub(super) Arc<dyn EventStore>);

#[async_trait]
impl Appender for Port {
    async fn append(&self, stream_id: &StreamId, expected: ExpectedRevision, event: NewEvent) -> Result<(), Trouble> {
        self.0.append(stream_id, expected, vec![event]).await.map(drop).doing("append to the log")
    }
}

/// What a round has done.
pub(super) struct Round {
    /// One for each append.
    pub(super) latencies: Latencies,
    /// From the first caller's start to the last caller's end.
    pub(super) elapsed: Duration,
}

/// Lets `callers` append at once for about `length`; each finishes the append that it is in.
pub(super) async fn drive(appender: &Arc<dyn Appender>, callers: usize, length: Duration) -> Result<Round, Trouble> {
    let started = Instant::now();
    let callers = (0..callers).map(|_| tokio::spawn(call(Arc::clone(appender), started + length)));
    let done = try_join_all(callers).await.doing("wait for the callers")?;
    let elapsed = started.elapsed();
    let mut latencies = Latencies::default();
    for caller in done {
        latencies.join(caller?);
    }
    Ok(Round { latencies, elapsed })
}

async fn call(appender: Arc<dyn Appender>, until: Instant) -> Result<Latencies, Trouble> {
    let mut latencies = Latencies::default();
    loop {
        let order = Uuid::now_v7().simple().to_string();
        let stream_id = StreamId::parse(&format!("order-{order}")).ok_or_else(|| Trouble::new("the stream has no name"))?;
        let mut expected = ExpectedRevision::NoStream;
        for (revision, event_type) in (0..).zip(LIFE) {
            if Instant::now() >= until {
                return Ok(latencies);
            }
            let event = event(event_type, &order);
            let started = Instant::now();
            appender.append(&stream_id, expected, event).await?;
            latencies.add(started.elapsed());
            expected = ExpectedRevision::Exactly(revision);
        }
    }
}

/// An event of [`EVENT_BYTES`], like those of a payment.
pub(super) fn event(event_type: &str, order: &str) -> NewEvent {
    let head = format!(r#"{{"order_id":"{order}","channel":"alipay_qr","amount":19900,"currency":"CNY","note":""#);
    let filling = "x".repeat(EVENT_BYTES - head.len() - 2);
    NewEvent {
        event_id: Uuid::now_v7(),
        event_type: event_type.to_owned(),
        schema_version: 1,
        data: format!(r#"{head}{filling}"}}"#),
        metadata: Metadata {
            correlation_id: Uuid::now_v7(),
            causation_id: None,
            actor: "buyer:bench".to_owned(),
            source: "bench".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_the_size_that_is_told() {
        let event = event("OrderCreated", &Uuid::now_v7().simple().to_string());
        assert_eq!(event.data.len(), EVENT_BYTES);
        assert!(serde_json::from_str::<serde_json::Value>(&event.data).is_ok());
    }
}
