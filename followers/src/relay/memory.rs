use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::broker::{Ack, Acknowledgement, Broker, BrokerError, Extent, Tail, TailMessage};
use super::message::{Origin, Outgoing};

/// A broker in memory, with a stream that tests lose, cut and fill.
#[derive(Default)]
pub struct MemoryStream {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    exists: bool,
    messages: Vec<Outgoing>,
    /// Sequence numbers that were given away before the first message kept.
    before: u64,
    room: Option<usize>,
    faults: VecDeque<Fault>,
}

/// What befalls the next message that is handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is stored as it should be.
    None,
    /// It is stored, and the acknowledgement is lost.
    LostAck,
    /// It is lost on its way.
    Lost,
    /// The broker refuses it.
    Refused,
    /// The broker says that it has it already, and does not store it.
    Duplicate,
}

impl MemoryStream {
    /// The messages that are there, in order.
    pub fn messages(&self) -> Vec<Outgoing> {
        self.lock().messages.clone()
    }

    /// Looks at the messages that are there, in order. Nothing else is done with the stream meanwhile.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&[Outgoing]) -> T) -> T {
        look(&self.lock().messages)
    }

    /// The stream is lost.
    pub fn lose(&self) {
        *self.lock() = State::default();
    }

    /// All messages are taken out; the sequence numbers go on.
    pub fn purge(&self) {
        let mut state = self.lock();
        state.before += u64::try_from(state.messages.len()).unwrap_or(u64::MAX);
        state.messages.clear();
    }

    /// Only the first `count` messages are left, as if the rest had never come.
    pub fn truncate(&self, count: usize) {
        self.lock().messages.truncate(count);
    }

    /// Puts a message at the end, as somebody else would.
    pub fn push(&self, message: Outgoing) {
        let mut state = self.lock();
        state.exists = true;
        state.messages.push(message);
    }

    /// There is room for so many messages; `None` for any number.
    pub fn set_room(&self, room: Option<usize>) {
        self.lock().room = room;
    }

    /// What befalls the next messages, one each.
    pub fn befall(&self, faults: impl IntoIterator<Item = Fault>) {
        self.lock().faults.extend(faults);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn extent(&self) -> Extent {
        let messages = u64::try_from(self.messages.len()).unwrap_or(u64::MAX);
        Extent { last_sequence: self.before + messages, messages }
    }

    fn there(&self) -> Result<&Self, BrokerError> {
        if self.exists { Ok(self) } else { Err(BrokerError::NoStream) }
    }

    fn take(&mut self, message: Outgoing, expected: u64) -> Result<Ack, BrokerError> {
        let fault = self.faults.pop_front().unwrap_or(Fault::None);
        self.there()?;
        match fault {
            Fault::Lost => return Err(BrokerError::TimedOut),
            Fault::Refused => return Err(BrokerError::Refused("as the test wishes".to_owned())),
            Fault::None | Fault::LostAck | Fault::Duplicate => {}
        }
        if expected != self.extent().last_sequence {
            return Err(BrokerError::Moved);
        }
        if fault == Fault::Duplicate {
            return Ok(Ack { sequence: expected, is_duplicate: true });
        }
        if self.room.is_some_and(|room| self.messages.len() >= room) {
            return Err(BrokerError::Full("maximum messages".to_owned()));
        }
        self.messages.push(message);
        if fault == Fault::LostAck { Err(BrokerError::TimedOut) } else { Ok(Ack { sequence: expected + 1, is_duplicate: false }) }
    }
}

fn origin(message: &Outgoing) -> Option<Origin> {
    Origin::read(|name| message.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str()))
}

#[async_trait]
impl Broker for MemoryStream {
    async fn ensure_stream(&self) -> Result<(), BrokerError> {
        self.lock().exists = true;
        Ok(())
    }

    async fn tail(&self) -> Result<Tail, BrokerError> {
        let state = self.lock();
        let extent = state.there()?.extent();
        let last = state.messages.last().map(|message| TailMessage { sequence: extent.last_sequence, origin: origin(message) });
        Ok(Tail { extent, last })
    }

    async fn extent(&self) -> Result<Extent, BrokerError> {
        Ok(self.lock().there()?.extent())
    }

    async fn publish(&self, message: Outgoing, expected_last_sequence: u64) -> Result<Acknowledgement, BrokerError> {
        let outcome = self.lock().take(message, expected_last_sequence);
        Ok(Box::pin(std::future::ready(outcome)))
    }
}
