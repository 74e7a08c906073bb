use chrono::{DateTime, SecondsFormat, Utc};
use domain::operations::ParkedAct;
use event_store::Position;
use followers::{ParkedMessage, ParkedState};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{ParkedActs, ParkedFailure, ParkedOutcome, ParkedWish};
use crate::caller::{Caller, CallerKey};
use crate::text::{self, MAX_REASON_CHARS};

/// The most messages that a list shows.
const LISTED: u32 = 200;

/// What an operator asks about parked messages, as `POST /api/v1/operations/parked` takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case", deny_unknown_fields)]
pub enum ParkedCommand {
    /// Lists them, at most 200: all but skipped ones, or those of one state.
    List {
        /// `waiting`, `parked`, `behind` or `skipped`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        state: Option<String>,
    },
    /// Shows one of them, with the event's content.
    Show {
        /// Its number, for instance `points-1234`.
        id: String,
    },
    /// Has the messages of its stream tried again, from the first.
    Redrive {
        /// Its number.
        id: String,
        /// Why.
        reason: String,
    },
    /// Passes it over for good; what waits behind it is tried.
    Skip {
        /// Its number.
        id: String,
        /// Why.
        reason: String,
    },
}

impl ParkedCommand {
    /// What the operator says why; `None` where nothing is changed.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::List { .. } | Self::Show { .. } => None,
            Self::Redrive { reason, .. } | Self::Skip { reason, .. } => Some(reason),
        }
    }

    /// Looks at what can be judged before anything is opened or asked. Errors: [`ParkedFailure::Reason`].
    pub fn check(&self) -> Result<(), ParkedFailure> {
        self.reason().map_or(Ok(()), |reason| Ok(text::check(reason, MAX_REASON_CHARS)?))
    }
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParkedReply {
    /// For people.
    pub lines: Vec<String>,
    /// The number of the wish, by which the log names it; null where nothing was to be changed.
    pub act_id: Option<Uuid>,
    /// `done`, or `lapsed` where there was nothing to be done any more; null where nothing was to be changed.
    pub outcome: Option<String>,
}

impl ParkedReply {
    fn of_lines(lines: Vec<String>) -> Self {
        Self { lines, act_id: None, outcome: None }
    }
}

impl ParkedActs {
    /// Does what is asked. Answers with the reply, for an act, the log position of its last event and whether its key had
    /// asked for it before. Errors also where [`ParkedCommand::check`] refuses.
    pub async fn command(
        &self,
        caller: &Caller,
        command: ParkedCommand,
        key: Option<&CallerKey>,
        correlation_id: Uuid,
    ) -> Result<(ParkedReply, Option<(Position, bool)>), ParkedFailure> {
        command.check()?;
        let (act, parked_id, reason) = match command {
            ParkedCommand::List { state } => {
                let state: Option<ParkedState> = state.map(|word| word.parse()).transpose()?;
                let mut lines: Vec<String> = self.desk().list(state, LISTED).await?.iter().map(line).collect();
                if lines.is_empty() {
                    lines.push("There are none.".to_owned());
                }
                return Ok((ParkedReply::of_lines(lines), None));
            }
            ParkedCommand::Show { id } => {
                let message = self.desk().show(&id).await?;
                return Ok((ParkedReply::of_lines(vec![line(&message), message.event.data]), None));
            }
            ParkedCommand::Redrive { id, reason } => (ParkedAct::Redrive, id, reason),
            ParkedCommand::Skip { id, reason } => (ParkedAct::Skip, id, reason),
        };
        let acted = self.act(caller, ParkedWish { act, parked_id: parked_id.clone(), reason }, key, correlation_id).await?;
        let said = match (acted.outcome, act) {
            (ParkedOutcome::Done, ParkedAct::Redrive) => "its stream is tried again from the first message",
            (ParkedOutcome::Done, ParkedAct::Skip) => "skipped",
            (ParkedOutcome::Lapsed, _) => "nothing was done: it has been taken or skipped meanwhile",
        };
        let lines = vec![format!("{parked_id}: {said}")];
        let reply = ParkedReply { lines, act_id: Some(acted.act_id), outcome: Some(acted.outcome.as_str().to_owned()) };
        Ok((reply, Some((acted.position, acted.replayed))))
    }
}

fn line(message: &ParkedMessage) -> String {
    let ParkedMessage { parked_id, state, tries, reason, skip_reason, retry_at, parked_at, event, .. } = message;
    let time = |time: &DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
    let retry = retry_at.as_ref().map_or_else(String::new, |at| format!(", again at {}", time(at)));
    let skipped = skip_reason.as_ref().map_or_else(String::new, |reason| format!(" (skipped: {reason})"));
    let what = format!("{} of {}", event.event_type, event.stream_id);
    format!("{parked_id}  {state}, {tries} tries{retry}  since {}  {what}: {reason}{skipped}", time(parked_at))
}
