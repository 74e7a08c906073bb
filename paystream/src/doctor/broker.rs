//! The broker: whether it answers, is new enough, and keeps messages.

use std::time::Duration;

use chassis::problem::Chain;
use followers::nats::{Connection, Nats, NatsError};

use super::Finding;
use crate::settings::{NatsSettings, Settings};
use crate::variables::NATS;

/// How long the broker has to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);

const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

pub(super) async fn look(settings: &Settings) -> Vec<Finding> {
    match &settings.nats {
        None => Vec::new(),
        Some(nats) => look_at(nats).await.unwrap_or_else(|said| vec![Finding::wrong(NATS, format!("{}: {said}", nats.url))]),
    }
}

/// What should be known of a broker that works; else why it does not.
async fn look_at(settings: &NatsSettings) -> Result<Vec<Finding>, String> {
    let nats = Nats::connect(&settings.url, "paystream-doctor").await.map_err(|error| Chain(&error).to_string())?;
    let answered = tokio::time::timeout(ANSWER_LIMIT, async {
        while nats.connection() == Connection::Absent {
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    });
    answered.await.map_err(|_| "it does not answer, or refuses the user and the password".to_owned())?;
    if let Connection::TooOld(version) = nats.connection() {
        return Err(NatsError::TooOld(version).to_string());
    }
    let account = nats.jetstream().query_account().await;
    account.map_err(|error| format!("JetStream is not switched on for this account: {}", Chain(&error)))?;
    // Clients are not told.
    let said = "see that its configuration has sync_interval: always; without it a loss of power loses acknowledged messages";
    Ok(vec![Finding::note(NATS, said)])
}
