use chassis::ids::derived_id;
use uuid::Uuid;

use crate::caller::Caller;

/// Who wishes, and what led to it.
#[derive(Clone, Debug)]
pub struct Context {
    /// The same for everything that one request from outside led to.
    pub correlation_id: Uuid,
    /// The event that led to it, if one did.
    pub causation_id: Option<Uuid>,
    /// Who, for instance `buyer:alice`.
    pub actor: String,
    /// Which part of the system, for instance `command-api`.
    pub source: &'static str,
    /// Where its events' ids come from.
    pub event_ids: EventIds,
}

const SOURCE: &str = "command-api";

impl Context {
    /// What a caller's command says of itself in its events.
    pub(crate) fn of_caller(caller: &Caller, correlation_id: Uuid) -> Self {
        Self { correlation_id, causation_id: None, actor: caller.actor(), source: SOURCE, event_ids: EventIds::Fresh }
    }

    /// The same for what comes after: where ids are derived, they are others.
    pub(crate) fn then(&self, word: &str) -> Self {
        let event_ids = match self.event_ids {
            EventIds::Fresh => EventIds::Fresh,
            EventIds::Derived { cause, handler } => EventIds::Derived { cause: derived_id(cause, word), handler },
        };
        Self { event_ids, ..self.clone() }
    }

    /// What is recorded because a wallet told it.
    pub(crate) fn of_channel(wallet: &str, correlation_id: Uuid) -> Self {
        Self { correlation_id, causation_id: None, actor: format!("channel:{wallet}"), source: SOURCE, event_ids: EventIds::Fresh }
    }
}

/// Where the ids of new events come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventIds {
    /// Each is new.
    Fresh,
    /// A process manager's: made from the event that caused them, so that doing it twice makes the same.
    Derived {
        /// The event that caused them.
        cause: Uuid,
        /// The process manager's name.
        handler: &'static str,
    },
}
