use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use event_store::Position;

use super::{MemoryBook, ParkedMessage, ParkedState, ParkingDesk, ParkingDeskError};
use crate::Checkpoint;

/// The checkpoint of operators' wishes, in `follower_checkpoint`.
const CHECKPOINT: &str = "parked_upkeep";

/// Parked messages as whoever carries out operators' wishes reaches them.
#[async_trait]
pub trait ParkedMessages: Send + Sync {
    /// The oldest messages in a state, or in any but skipped, at most `limit`.
    async fn list(&self, state: Option<ParkedState>, limit: u32) -> Result<Vec<ParkedMessage>, ParkingDeskError>;

    /// One message. Errors: [`ParkingDeskError::Unknown`].
    async fn show(&self, parked_id: &str) -> Result<ParkedMessage, ParkingDeskError>;

    /// Has the queue of a message tried again from its first, at once and with all its tries.
    async fn redrive(&self, parked_id: &str, now: DateTime<Utc>) -> Result<(), ParkingDeskError>;

    /// Passes a message over for good, and has what waits behind it tried.
    async fn skip(&self, parked_id: &str, reason: &str, now: DateTime<Utc>) -> Result<(), ParkingDeskError>;

    /// Puts back that a message was skipped, where the tables have been made anew since. Errors: [`ParkingDeskError::Changed`]
    /// where its consumer has put it there meanwhile.
    async fn restore(&self, skipped: &ParkedMessage) -> Result<(), ParkingDeskError>;

    /// How far in the log operators' wishes were carried out.
    async fn checkpoint(&self) -> Result<Checkpoint, ParkingDeskError>;

    /// Moves that checkpoint. Errors: [`ParkingDeskError::Overtaken`].
    async fn advance(&self, from: Checkpoint, to: Position) -> Result<(), ParkingDeskError>;
}

#[async_trait]
impl ParkedMessages for ParkingDesk {
    async fn list(&self, state: Option<ParkedState>, limit: u32) -> Result<Vec<ParkedMessage>, ParkingDeskError> {
        Self::list(self, state, limit).await
    }

    async fn show(&self, parked_id: &str) -> Result<ParkedMessage, ParkingDeskError> {
        Self::show(self, parked_id).await
    }

    async fn redrive(&self, parked_id: &str, now: DateTime<Utc>) -> Result<(), ParkingDeskError> {
        Self::redrive(self, parked_id, now).await
    }

    async fn skip(&self, parked_id: &str, reason: &str, now: DateTime<Utc>) -> Result<(), ParkingDeskError> {
        Self::skip(self, parked_id, reason, now).await
    }

    async fn restore(&self, skipped: &ParkedMessage) -> Result<(), ParkingDeskError> {
        Self::restore(self, skipped).await
    }

    async fn checkpoint(&self) -> Result<Checkpoint, ParkingDeskError> {
        Ok(Checkpoint::load(self.views(), CHECKPOINT).await?)
    }

    async fn advance(&self, from: Checkpoint, to: Position) -> Result<(), ParkingDeskError> {
        from.advance_alone(self.views(), CHECKPOINT, to).await?;
        Ok(())
    }
}

/// Parked messages in memory, of one consumer.
#[derive(Debug)]
pub struct MemoryParking {
    kept: Mutex<(MemoryBook, Checkpoint)>,
}

impl MemoryParking {
    /// These messages.
    pub fn new(book: MemoryBook) -> Self {
        Self { kept: Mutex::new((book, Checkpoint::FIRST)) }
    }

    /// All messages, in the order of the log.
    pub fn parked(&self) -> Vec<ParkedMessage> {
        self.with(|book, _| book.parked())
    }

    /// Does something to the messages, as a consumer would.
    pub fn at_the_book<T>(&self, act: impl FnOnce(&mut MemoryBook) -> T) -> T {
        self.with(|book, _| act(book))
    }

    fn with<T>(&self, act: impl FnOnce(&mut MemoryBook, &mut Checkpoint) -> T) -> T {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (book, checkpoint) = &mut *kept;
        act(book, checkpoint)
    }
}

#[async_trait]
impl ParkedMessages for MemoryParking {
    async fn list(&self, state: Option<ParkedState>, limit: u32) -> Result<Vec<ParkedMessage>, ParkingDeskError> {
        let mut listed = self.parked();
        listed.retain(|message| state.map_or(message.state != ParkedState::Skipped, |state| message.state == state));
        listed.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(listed)
    }

    async fn show(&self, parked_id: &str) -> Result<ParkedMessage, ParkingDeskError> {
        self.parked().into_iter().find(|message| message.parked_id == parked_id).ok_or(ParkingDeskError::Unknown)
    }

    async fn redrive(&self, parked_id: &str, now: DateTime<Utc>) -> Result<(), ParkingDeskError> {
        self.with(|book, _| book.redrive(parked_id, now))
    }

    async fn skip(&self, parked_id: &str, reason: &str, now: DateTime<Utc>) -> Result<(), ParkingDeskError> {
        self.with(|book, _| book.skip(parked_id, reason, now))
    }

    async fn restore(&self, skipped: &ParkedMessage) -> Result<(), ParkingDeskError> {
        self.with(|book, _| if book.restore(skipped) { Ok(()) } else { Err(ParkingDeskError::Changed) })
    }

    async fn checkpoint(&self) -> Result<Checkpoint, ParkingDeskError> {
        Ok(self.with(|_, checkpoint| *checkpoint))
    }

    async fn advance(&self, from: Checkpoint, to: Position) -> Result<(), ParkingDeskError> {
        self.with(|_, checkpoint| from.advance_in_memory(checkpoint, to)).map(drop).map_err(|_| ParkingDeskError::Overtaken)
    }
}
