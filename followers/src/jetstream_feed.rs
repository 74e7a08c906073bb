//! A durable JetStream consumer of one part as a feed of messages.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy, ReplayPolicy, pull};
use async_nats::jetstream::message::{AckKind, Acker};
use async_nats::jetstream::{self};
use async_trait::async_trait;
use chrono::TimeDelta;
use event_store::{Position, StoreFailure};
use futures_util::StreamExt;

use crate::Lag;
use crate::message_feed::{Batch, Message, MessageFeed, MessageFeedError, Part, SubjectFilter, decode};
use crate::nats::{Connection, Nats, STREAM};

/// How long a message may stay without an answer before it comes again; then longer and longer.
pub const ACK_WAITS: [Duration; 3] = [Duration::from_secs(30), Duration::from_mins(1), Duration::from_mins(2)];

/// How many messages of one consumer may be without an answer.
const MAX_ACK_PENDING: i64 = 256;

/// How long a question without messages waits for the first one.
const FIRST_MESSAGE_WAIT: Duration = Duration::from_secs(2);

/// How long what is there already may take to come.
const FETCH_LIMIT: Duration = Duration::from_secs(5);

/// The messages of one part for one consumer, from the stream `PAYSTREAM`.
///
/// The durable consumer, named for instance `points-p07`, is made with the first question, and again when it is gone: after
/// the broker was emptied, everything is delivered once more. Nothing is given up by the broker; that is the business of
/// whoever takes the messages.
pub struct JetStreamFeed {
    nats: Nats,
    name: String,
    filters: Vec<SubjectFilter>,
    part: Part,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    consumer: Option<Consumer<pull::Config>>,
    ackers: HashMap<u64, Acker>,
    next_receipt: u64,
}

impl State {
    /// Reads a message, and keeps by what it is acknowledged; answers it with how many lie behind it.
    fn read(&mut self, message: jetstream::Message) -> Result<(Message, u64), MessageFeedError> {
        let subject = message.subject.to_string();
        let foreign = |reason| MessageFeedError::Foreign { subject: subject.clone(), reason };
        let (deliveries, pending) = {
            let info = message.info().map_err(|_| foreign("it does not say how often it came"))?;
            (u64::try_from(info.delivered).unwrap_or(1), info.pending)
        };
        let body = std::str::from_utf8(&message.payload).map_err(|_| foreign("its body is no text"))?;
        let value = |name: &str| message.headers.as_ref()?.get(name).map(async_nats::HeaderValue::as_str);
        let (link, event) = decode(&subject, value, body)?;
        let receipt = self.next_receipt;
        self.next_receipt += 1;
        let (_, acker) = message.split();
        self.ackers.insert(receipt, acker);
        Ok((Message { event, link: Some(link), deliveries, receipt }, pending))
    }
}

impl JetStreamFeed {
    /// What `filters` admit of `part`, for the consumer `name`.
    pub fn new(nats: Nats, name: &str, filters: Vec<SubjectFilter>, part: Part) -> Self {
        Self { nats, name: name.to_owned(), filters, part, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn config(&self) -> pull::Config {
        pull::Config {
            durable_name: Some(format!("{}-{}", self.name, self.part)),
            description: Some(format!("Paystream's {} of the part {}", self.name, self.part)),
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::Explicit,
            ack_wait: ACK_WAITS[0],
            backoff: ACK_WAITS.to_vec(),
            max_deliver: -1,
            max_ack_pending: MAX_ACK_PENDING,
            replay_policy: ReplayPolicy::Instant,
            filter_subjects: self.filters.iter().map(|filter| filter.subject(self.part)).collect(),
            ..pull::Config::default()
        }
    }

    fn jetstream(&self) -> Result<&jetstream::Context, MessageFeedError> {
        match self.nats.connection() {
            Connection::Ready => Ok(self.nats.jetstream()),
            Connection::Absent => Err(unavailable("there is no connection to NATS")),
            Connection::TooOld(version) => Err(unavailable(format!("the nats-server {version} is too old"))),
        }
    }

    async fn consumer(&self) -> Result<Consumer<pull::Config>, MessageFeedError> {
        let jetstream = self.jetstream()?;
        if let Some(consumer) = self.state().consumer.clone() {
            return Ok(consumer);
        }
        let made = jetstream.create_consumer_on_stream(self.config(), STREAM).await.map_err(unavailable)?;
        self.state().consumer = Some(made.clone());
        Ok(made)
    }

    /// What is there, or the first that comes within a while.
    async fn fetch(&self, limit: usize) -> Result<Vec<jetstream::Message>, MessageFeedError> {
        let consumer = self.consumer().await?;
        let mut there = consumer.fetch().max_messages(limit).messages().await.map_err(unavailable)?;
        let mut messages = collect(&mut there).await?;
        if messages.is_empty() {
            let mut next = consumer.batch().max_messages(1).expires(FIRST_MESSAGE_WAIT).messages().await.map_err(unavailable)?;
            messages = collect(&mut next).await?;
        }
        Ok(messages)
    }

    fn acker(&self, receipt: u64) -> Option<Acker> {
        self.state().ackers.remove(&receipt)
    }
}

async fn collect(batch: &mut pull::Batch) -> Result<Vec<jetstream::Message>, MessageFeedError> {
    let mut messages = Vec::new();
    let all = async {
        while let Some(message) = batch.next().await {
            messages.push(message.map_err(unavailable)?);
        }
        Ok::<(), MessageFeedError>(())
    };
    // What has come is not thrown away because the end was not told.
    match tokio::time::timeout(FETCH_LIMIT, all).await {
        Ok(Err(error)) if messages.is_empty() => Err(error),
        _ => Ok(messages),
    }
}

fn unavailable(error: impl Into<StoreFailure>) -> MessageFeedError {
    MessageFeedError::Unavailable(error.into())
}

#[async_trait]
impl MessageFeed for JetStreamFeed {
    fn part(&self) -> Option<Part> {
        Some(self.part)
    }

    async fn batch(&self, _: Position, limit: usize) -> Result<Batch, MessageFeedError> {
        // Whoever asks for more has answered what there was, or has died at it: then it comes again by itself.
        self.state().ackers.clear();
        let fetched = self.fetch(limit).await;
        if fetched.is_err() {
            // It may be gone, with or without its stream: it is made anew.
            self.state().consumer = None;
        }
        let mut messages = Vec::new();
        let mut pending = 0;
        let mut state = self.state();
        for message in fetched? {
            let (message, behind) = state.read(message)?;
            messages.push(message);
            pending = behind;
        }
        Ok(Batch { messages, reached: None, caught_up: pending == 0, unknown: 0 })
    }

    async fn ack(&self, receipts: &[u64]) -> Result<(), MessageFeedError> {
        for receipt in receipts {
            if let Some(acker) = self.acker(*receipt) {
                acker.ack().await.map_err(unavailable)?;
            }
        }
        Ok(())
    }

    async fn nak(&self, receipt: u64, delay: TimeDelta) -> Result<(), MessageFeedError> {
        let Some(acker) = self.acker(receipt) else { return Ok(()) };
        acker.ack_with(AckKind::Nak(delay.to_std().ok())).await.map_err(unavailable)
    }

    async fn lag(&self, _: Position) -> Result<Lag, MessageFeedError> {
        let mut consumer = self.consumer().await?;
        let info = consumer.info().await.map_err(unavailable)?;
        Ok(Lag { events: info.num_pending + u64::try_from(info.num_ack_pending).unwrap_or(0), since: None })
    }
}
