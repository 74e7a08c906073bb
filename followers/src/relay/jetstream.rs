//! JetStream as the relay's broker.

use async_nats::jetstream::context::{PublishError, PublishErrorKind, RequestError, RequestErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::response::Response;
use async_nats::jetstream::stream::{Info, LastRawMessageErrorKind, Stream};
use async_nats::jetstream::{self, ErrorCode};
use async_nats::{HeaderMap, HeaderName, jetstream::message::StreamMessage};
use async_trait::async_trait;

use super::broker::{Ack, Acknowledgement, Broker, BrokerError, Extent, Tail, TailMessage};
use super::declaration::StreamDeclaration;
use super::message::{Origin, Outgoing, SUBJECTS};
use crate::nats::{Connection, Nats, STREAM};

/// The stream `PAYSTREAM` of a connection.
pub struct JetStreamBroker {
    nats: Nats,
    declaration: StreamDeclaration,
}

impl JetStreamBroker {
    /// The stream as `declaration` says.
    pub fn new(nats: Nats, declaration: StreamDeclaration) -> Self {
        Self { nats, declaration }
    }

    /// JetStream, if there is a connection to a server that may be used.
    fn ready(&self) -> Result<&jetstream::Context, BrokerError> {
        match self.nats.connection() {
            Connection::Ready => Ok(self.nats.jetstream()),
            Connection::Absent => Err(BrokerError::Absent),
            Connection::TooOld(version) => Err(BrokerError::TooOld(version)),
        }
    }

    async fn info(&self) -> Result<Info, BrokerError> {
        let answer: Response<Info> =
            self.ready()?.request(format!("STREAM.INFO.{STREAM}"), &()).await.map_err(|error| unanswered(&error))?;
        match answer {
            Response::Ok(info) => Ok(info),
            Response::Err { error } => Err(refused(&error)),
        }
    }

    /// The stream's last message, asked of its leader.
    async fn last_message(&self) -> Result<Option<StreamMessage>, BrokerError> {
        let stream: Stream<()> = self.ready()?.get_stream_no_info(STREAM).await.map_err(|error| BrokerError::Failed(Box::new(error)))?;
        match stream.get_last_raw_message_by_subject(SUBJECTS).await {
            Ok(message) => Ok(Some(message)),
            Err(error) => match error.kind() {
                LastRawMessageErrorKind::NoMessageFound => Ok(None),
                LastRawMessageErrorKind::JetStream(error) => Err(refused(&error)),
                _ => {
                    let known = request_error(&error).map(unanswered);
                    Err(known.unwrap_or_else(|| BrokerError::Failed(Box::new(error))))
                }
            },
        }
    }
}

#[async_trait]
impl Broker for JetStreamBroker {
    async fn ensure_stream(&self) -> Result<(), BrokerError> {
        let info = match self.info().await {
            Ok(info) => info,
            Err(BrokerError::NoStream) => {
                let wanted = self.declaration.config();
                let subject = format!("STREAM.CREATE.{STREAM}");
                let answer: Response<Info> = self.ready()?.request(subject, &wanted).await.map_err(|error| unanswered(&error))?;
                match answer {
                    Response::Ok(info) => {
                        tracing::info!(nats.stream = STREAM, "the stream was made");
                        info
                    }
                    Response::Err { error } => return Err(refused(&error)),
                }
            }
            Err(error) => return Err(error),
        };
        let differences = self.declaration.differences(&info.config);
        if differences.is_empty() { Ok(()) } else { Err(BrokerError::Differs(differences)) }
    }

    async fn tail(&self) -> Result<Tail, BrokerError> {
        let state = self.info().await?.state;
        let last = if state.messages == 0 { None } else { self.last_message().await? };
        let last = last.map(|message| TailMessage { sequence: message.sequence, origin: origin(&message.headers) });
        if let Some(gaps @ 1..) = state.deleted_count {
            tracing::warn!(
                nats.stream = STREAM,
                gaps,
                "messages are missing inside the stream; delete the stream to have it filled again whole"
            );
        }
        let last_sequence = last.as_ref().map_or(0, |last| last.sequence).max(state.last_sequence);
        Ok(Tail { extent: Extent { last_sequence, messages: state.messages }, last })
    }

    async fn extent(&self) -> Result<Extent, BrokerError> {
        let state = self.info().await?.state;
        Ok(Extent { last_sequence: state.last_sequence, messages: state.messages })
    }

    async fn publish(&self, message: Outgoing, expected_last_sequence: u64) -> Result<Acknowledgement, BrokerError> {
        let jetstream = self.ready()?;
        let mut headers = HeaderMap::new();
        for (name, value) in message.headers {
            headers.insert(HeaderName::from_static(name), value);
        }
        let outbound = PublishMessage::build().headers(headers).expected_last_sequence(expected_last_sequence).payload(message.body.into());
        let acknowledgement = jetstream.send_publish(message.subject, outbound).await.map_err(not_published)?;
        Ok(Box::pin(async move {
            let ack = acknowledgement.await.map_err(not_published)?;
            Ok(Ack { sequence: ack.sequence, is_duplicate: ack.duplicate })
        }))
    }
}

fn origin(headers: &HeaderMap) -> Option<Origin> {
    Origin::read(|name| headers.get(name).map(async_nats::HeaderValue::as_str))
}

fn not_published(error: PublishError) -> BrokerError {
    match error.kind() {
        PublishErrorKind::StreamNotFound => BrokerError::NoStream,
        PublishErrorKind::WrongLastSequence | PublishErrorKind::WrongLastMessageId => BrokerError::Moved,
        PublishErrorKind::TimedOut => BrokerError::TimedOut,
        PublishErrorKind::BrokenPipe => BrokerError::Absent,
        PublishErrorKind::MaxPayloadExceeded => BrokerError::TooLarge(error.to_string()),
        PublishErrorKind::MaxAckPending | PublishErrorKind::Other => {
            let refusal = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<jetstream::Error>()).map(refused);
            refusal.unwrap_or_else(|| BrokerError::Failed(Box::new(error)))
        }
    }
}

/// A question without an answer.
fn unanswered(error: &RequestError) -> BrokerError {
    match error.kind() {
        RequestErrorKind::TimedOut => BrokerError::TimedOut,
        RequestErrorKind::NoResponders => {
            BrokerError::Refused("nobody answers for JetStream: it is not enabled, or has no leader".to_owned())
        }
        RequestErrorKind::InvalidSubject | RequestErrorKind::Other => BrokerError::Failed(error.to_string().into()),
    }
}

fn request_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a RequestError> {
    std::iter::successors(Some(error), |error| error.source()).find_map(|error| error.downcast_ref::<RequestError>())
}

/// What the server said no with.
fn refused(error: &jetstream::Error) -> BrokerError {
    match error.error_code() {
        ErrorCode::STREAM_NOT_FOUND => BrokerError::NoStream,
        ErrorCode::STREAM_WRONG_LAST_SEQUENCE => BrokerError::Moved,
        // The store's own refusals (limits, a disk that is full) come under one code.
        ErrorCode::STREAM_STORE_FAILED
        | ErrorCode::INSUFFICIENT_RESOURCES
        | ErrorCode::STORAGE_RESOURCES_EXCEEDED
        | ErrorCode::MEMORY_RESOURCES_EXCEEDED
        | ErrorCode::ACCOUNT_RESOURCES_EXCEEDED => BrokerError::Full(error.to_string()),
        ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM => BrokerError::TooLarge(error.to_string()),
        _ => BrokerError::Refused(error.to_string()),
    }
}
