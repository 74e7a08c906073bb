//! The connection to the broker, and the relay that fills it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chassis::health::{Check, Finding};
use followers::nats::{Connection, Nats, NatsError};
use followers::relay::{JetStreamBroker, Relay, StreamDeclaration};

use crate::app::Parts;
use crate::chosen::Trouble;
use crate::settings::{NatsSettings, Role};
use crate::variables;

/// How long the start waits for the broker, to refuse one that is too old. One that comes later is looked at then.
const FIRST_LOOK: Duration = Duration::from_millis(500);

const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// Begins to connect. A broker that is not there yet is no reason not to start; one that loses messages is.
pub(crate) async fn connect(settings: Option<&NatsSettings>) -> Result<Option<Nats>, Trouble> {
    let Some(settings) = settings else { return Ok(None) };
    let place = settings.url.to_string();
    let trouble = |source| Trouble::Nats { variable: variables::NATS, place: place.clone(), source };
    let nats = Nats::connect(&settings.url, "paystream").await.map_err(trouble)?;
    let first_look = async {
        while nats.connection() == Connection::Absent {
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    };
    if tokio::time::timeout(FIRST_LOOK, first_look).await.is_err() {
        tracing::warn!(nats.place = %nats, "NATS does not answer yet; it is tried again");
    }
    match nats.connection() {
        Connection::TooOld(version) => Err(trouble(NatsError::TooOld(version))),
        Connection::Ready | Connection::Absent => Ok(Some(nats)),
    }
}

/// The relay of a process, if it plays that role.
pub(crate) fn relay(parts: &Parts) -> Option<Arc<Relay>> {
    let (nats, settings) = (parts.nats.as_ref()?, parts.settings.nats.as_ref()?);
    parts.settings.plays(Role::Relay).then(|| {
        let declaration = StreamDeclaration { replicas: settings.replicas };
        let broker = Arc::new(JetStreamBroker::new(nats.clone(), declaration));
        Arc::new(Relay::new(parts.log.reader(), broker, parts.clock()))
    })
}

/// The broker takes what the relay gives it.
pub(crate) struct BrokerCheck {
    nats: Nats,
    relay: Option<Arc<Relay>>,
    /// Whether the process does anything that the broker's loss leaves whole: orders are made and paid without it.
    serves_requests: bool,
}

impl BrokerCheck {
    pub(crate) fn new(nats: Nats, relay: Option<Arc<Relay>>, parts: &Parts) -> Self {
        let serves_requests = parts.settings.plays(Role::CommandApi) || parts.settings.plays(Role::QueryApi);
        Self { nats, relay, serves_requests }
    }

    fn trouble(&self) -> Option<String> {
        match self.nats.connection() {
            Connection::Absent => Some(format!("no connection to {}", self.nats)),
            Connection::TooOld(version) => Some(NatsError::TooOld(version).to_string()),
            Connection::Ready => self.relay.as_ref().and_then(|relay| relay.trouble()),
        }
    }
}

#[async_trait]
impl Check for BrokerCheck {
    async fn check(&self) -> Finding {
        match self.trouble() {
            None => Finding::Ready,
            Some(reason) if self.serves_requests => Finding::Warning(reason),
            Some(reason) => Finding::Missing(reason),
        }
    }
}
