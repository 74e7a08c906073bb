//! `paystream parked`: what consumers could not take, for operators.

use std::path::Path;
use std::sync::Arc;

use chassis::clock::{Clock, SystemClock};
use chassis::identity::Role;
use chrono::{DateTime, SecondsFormat, Utc};
use clap::Subcommand;
use event_store::OpenError;
use followers::{ParkedMessage, ParkedState, ParkingDesk, ParkingDeskError};
use serde::{Deserialize, Serialize};

use crate::chosen::Trouble;
use crate::settings::Settings;
use crate::stores::{self, Log};
use crate::terminal::say;
use crate::{keys, running};

/// What the embedded log is told of this process, which looks whether a server holds it.
const BRIEF_HOLDER: &str = "paystream parked";

/// The most messages that a list shows.
const LISTED: u32 = 200;

/// Where a running server is asked.
pub(crate) const PATH: &str = "/api/v1/operations/parked";

/// What is to be done about parked messages.
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum ParkedCommand {
    /// Lists them, at most 200: all but skipped ones, or those of one state.
    List {
        /// waiting, parked, behind or skipped.
        #[arg(long)]
        state: Option<String>,
    },
    /// Shows one of them, with the event's content.
    Show {
        /// Its number, for instance points-1234.
        id: String,
    },
    /// Has the messages of its stream tried again, from the first.
    Redrive {
        /// Its number, for instance points-1234.
        id: String,
    },
    /// Passes it over for good; what waits behind it is tried.
    Skip {
        /// Its number, for instance points-1234.
        id: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
}

/// What came of it, in lines for people.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ParkedAnswer {
    pub(crate) lines: Vec<String>,
}

/// Why nothing came of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ParkedError {
    /// A word that names no state.
    #[error("the state is not one")]
    State(#[from] followers::UnknownParkedState),
    /// A reason is to be said.
    #[error("a reason must be said, of at most 500 characters")]
    Reason,
    /// See [`ParkingDeskError`].
    #[error("nothing was done about the parked message")]
    Desk(#[from] ParkingDeskError),
}

/// Does what is asked. Whatever is to be tried again the consumer tries at its next run.
pub(crate) async fn act(desk: &ParkingDesk, command: ParkedCommand, now: DateTime<Utc>) -> Result<ParkedAnswer, ParkedError> {
    let lines = match command {
        ParkedCommand::List { state } => {
            let state: Option<ParkedState> = state.map(|word| word.parse()).transpose()?;
            let mut lines: Vec<String> = desk.list(state, LISTED).await?.iter().map(line).collect();
            if lines.is_empty() {
                lines.push("There are none.".to_owned());
            }
            lines
        }
        ParkedCommand::Show { id } => {
            let message = desk.show(&id).await?;
            vec![line(&message), message.event.data]
        }
        ParkedCommand::Redrive { id } => {
            desk.redrive(&id, now).await?;
            vec![format!("{id}: its stream is tried again from the first message")]
        }
        ParkedCommand::Skip { id, reason } => {
            if reason.trim().is_empty() || reason.chars().count() > 500 {
                return Err(ParkedError::Reason);
            }
            desk.skip(&id, &reason, now).await?;
            tracing::warn!(parked.id = id, "an operator has skipped a message");
            vec![format!("{id}: skipped")]
        }
    };
    Ok(ParkedAnswer { lines })
}

fn line(message: &ParkedMessage) -> String {
    let ParkedMessage { parked_id, state, tries, reason, skip_reason, retry_at, parked_at, event, .. } = message;
    let time = |time: &DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
    let retry = retry_at.as_ref().map_or_else(String::new, |at| format!(", again at {}", time(at)));
    let skipped = skip_reason.as_ref().map_or_else(String::new, |reason| format!(" (skipped: {reason})"));
    let what = format!("{} of {}", event.event_type, event.stream_id);
    format!("{parked_id}  {state}, {tries} tries{retry}  since {}  {what}: {reason}{skipped}", time(parked_at))
}

/// `paystream parked …`: in the server that holds the embedded log if one runs, else here.
pub(crate) async fn run(config: Option<&Path>, command: ParkedCommand) -> Result<(), Trouble> {
    let settings = Settings::load(config, &[])?;
    keys::prepare_folders(&settings)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let answer = match Log::open(&settings, &clock, BRIEF_HOLDER).await {
        Ok(log) => {
            let views = stores::open_views(&settings).await?;
            let answer = act(&ParkingDesk::new(views.clone()), command, clock.now()).await;
            log.shutdown().await;
            views.close().await;
            answer.map_err(Trouble::Parked)?
        }
        Err(Trouble::Log { source: OpenError::Held { holder }, .. }) if holder.starts_with("http") => {
            ask(&settings, &holder, &command).await?
        }
        Err(trouble) => return Err(trouble),
    };
    for line in &answer.lines {
        say(line);
    }
    Ok(())
}

async fn ask(settings: &Settings, server: &str, command: &ParkedCommand) -> Result<ParkedAnswer, Trouble> {
    let clock = Arc::new(SystemClock::default());
    running::follow(&clock, server).await;
    let issued = keys::issuer(settings, clock)?.issue("paystream-parked", &[Role::Operator]);
    let remote = |source| Trouble::Remote { url: server.to_owned(), source };
    // The server runs on this machine: no proxy leads to it.
    let client = reqwest::Client::builder().no_proxy().build().map_err(remote)?;
    let asked = client.post(format!("{server}{PATH}")).bearer_auth(issued.token.expose()).json(command);
    let answer = asked.send().await.map_err(remote)?;
    if !answer.status().is_success() {
        return Err(Trouble::RemoteParked(answer.text().await.map_err(remote)?));
    }
    answer.json().await.map_err(remote)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_told_to_a_server_as_it_was_given() {
        let skip = ParkedCommand::Skip { id: "points-7".to_owned(), reason: "lost".to_owned() };
        let told = serde_json::to_string(&skip).unwrap();
        assert_eq!(told, r#"{"act":"skip","id":"points-7","reason":"lost"}"#);
        assert!(matches!(serde_json::from_str(&told).unwrap(), ParkedCommand::Skip { id, reason } if id == "points-7" && reason == "lost"));
        assert!(serde_json::from_str::<ParkedCommand>(r#"{"act":"drop","id":"points-7"}"#).is_err());
    }
}
