//! The connection to NATS, which the relay and the consumers of a process share.

use std::fmt;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::{self, context::ContextBuilder};
use async_nats::{Client, ConnectOptions, Event};

mod url;
mod version;

pub use url::{NatsUrl, NatsUrlError};
pub use version::{OLDEST_NATS, ServerVersion};

/// The JetStream stream that holds the published events.
pub const STREAM: &str = "PAYSTREAM";

/// How long an acknowledgement or the answer to a question may take.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// How many messages may be on their way to the broker at once. Whoever publishes keeps below it.
const MAX_ACKS_IN_FLIGHT: usize = 1024;

/// The longest wait between two attempts to reach a broker.
const LONGEST_RECONNECT_WAIT: Duration = Duration::from_secs(2);

/// Where the connection stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connection {
    /// There is none at the moment; it is being tried again.
    Absent,
    /// It stands, with a server that is new enough.
    Ready,
    /// It stands, with a server that is too old: nothing is published to it and nothing read from it.
    TooOld(ServerVersion),
}

/// Why there is no connection to work with.
#[derive(Debug, thiserror::Error)]
pub enum NatsError {
    /// The client could not be made.
    #[error("no connection to NATS can be made")]
    Connect(#[from] async_nats::ConnectError),
    /// See [`Connection::TooOld`].
    #[error("the nats-server is {0}; {OLDEST_NATS} or newer is needed")]
    TooOld(ServerVersion),
}

/// A connection to NATS that mends itself. A clone is the same connection.
#[derive(Clone)]
pub struct Nats {
    client: Client,
    jetstream: jetstream::Context,
    place: String,
}

impl Nats {
    /// Begins to connect, and answers at once: a broker that starts later is found when it is there.
    ///
    /// `name` is what the server's own lists call this client. Errors: what no waiting mends, such as a wrong TLS set-up.
    pub async fn connect(url: &NatsUrl, name: &str) -> Result<Self, NatsError> {
        let place = url.to_string();
        let told = place.clone();
        let options = ConnectOptions::new()
            .name(name)
            .retry_on_initial_connect()
            .max_reconnects(None)
            .request_timeout(Some(ANSWER_LIMIT))
            .reconnect_delay_callback(|attempt| Duration::from_millis(50).saturating_mul(1 << attempt.min(16)).min(LONGEST_RECONNECT_WAIT))
            .event_callback(move |event| {
                tell(&told, &event);
                std::future::ready(())
            });
        let client = url.with_credentials(options).connect(url.servers()).await?;
        let jetstream = ContextBuilder::new().timeout(ANSWER_LIMIT).max_ack_inflight(MAX_ACKS_IN_FLIGHT).build(client.clone());
        Ok(Self { client, jetstream, place })
    }

    /// JetStream over this connection. Ask [`Self::connection`] first: questions without a connection wait for it until they
    /// time out.
    pub fn jetstream(&self) -> &jetstream::Context {
        &self.jetstream
    }

    /// The client itself.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Where the connection stands now.
    pub fn connection(&self) -> Connection {
        if self.client.connection_state() != State::Connected {
            return Connection::Absent;
        }
        match self.server_version() {
            None => Connection::Absent,
            Some(version) if version.is_new_enough() => Connection::Ready,
            Some(version) => Connection::TooOld(version),
        }
    }

    /// What the server says that it is; `None` before the first connection.
    pub fn server_version(&self) -> Option<ServerVersion> {
        let version = self.client.server_info().version;
        (!version.is_empty()).then(|| ServerVersion::new(&version))
    }
}

impl fmt::Display for Nats {
    /// The servers' addresses; never a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.fmt(f)
    }
}

fn tell(place: &str, event: &Event) {
    match event {
        Event::Connected => tracing::info!(nats.place = place, "connected to NATS"),
        Event::Disconnected => tracing::warn!(nats.place = place, "the connection to NATS is lost; it is tried again"),
        Event::Closed | Event::Draining => tracing::debug!(nats.place = place, "the connection to NATS ends"),
        other => tracing::warn!(nats.place = place, event = %other, "the connection to NATS is in trouble"),
    }
}
