use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use event_store::Position;

use super::{Asked, BookChange, Mark, ParkedChange, ParkedMessage, ParkedState, ParkingDeskError, Standing};
use crate::{Checkpoint, Overtaken};

/// The marks and parked messages of one consumer in memory, for the simulation. Whoever owns it keeps it beside the rows.
#[derive(Clone, Debug, Default)]
pub struct MemoryBook {
    marks: BTreeMap<String, Position>,
    parked: BTreeMap<String, ParkedMessage>,
}

impl MemoryBook {
    /// Where the consumer stands.
    pub fn standing(&self, asked: &Asked) -> Standing {
        let marks = asked.subjects.iter().filter_map(|subject| self.marks.get_key_value(subject));
        let is_due = |message: &&ParkedMessage| {
            message.state == ParkedState::Waiting
                && message.retry_at.is_some_and(|at| at <= asked.now)
                && (asked.part.is_none() || message.part == asked.part)
        };
        let due = self.parked.values().filter(is_due).take(usize::try_from(asked.most_due).unwrap_or(usize::MAX));
        let due: Vec<String> = due.map(|message| message.event.stream_id.as_str().to_owned()).collect();
        let mut standing = Standing {
            marks: marks.map(|(subject, position)| (subject.clone(), *position)).collect(),
            due,
            kept: u64::try_from(self.parked.len()).unwrap_or(u64::MAX),
            ..Standing::default()
        };
        let streams: BTreeSet<String> = asked.streams.iter().chain(&standing.due).cloned().collect();
        for stream_id in streams {
            let mut queue = self.queue(&stream_id);
            standing.skipped.extend(queue.extract_if(.., |one| one.state == ParkedState::Skipped).map(|one| one.event.event_id));
            if !queue.is_empty() {
                standing.queues.insert(stream_id, queue);
            }
        }
        standing
    }

    /// How far the consumer has come on these subjects.
    pub fn marks(&self, subjects: &BTreeSet<String>) -> BTreeMap<String, Position> {
        let found = subjects.iter().filter_map(|subject| self.marks.get_key_value(subject));
        found.map(|(subject, position)| (subject.clone(), *position)).collect()
    }

    /// All parked messages, in the order of the log.
    pub fn parked(&self) -> Vec<ParkedMessage> {
        let mut all: Vec<ParkedMessage> = self.parked.values().cloned().collect();
        all.sort_by_key(|message| message.event.position);
        all
    }

    fn queue(&self, stream_id: &str) -> Vec<ParkedMessage> {
        self.parked().into_iter().filter(|message| message.event.stream_id.as_str() == stream_id).collect()
    }

    /// Writes the change, all or nothing, with the checkpoint `stored`.
    pub fn write(&mut self, change: &BookChange, stored: &mut Checkpoint) -> Result<Checkpoint, Overtaken> {
        let mut moved = *stored;
        if let Some(to) = change.to {
            change.from.advance_in_memory(&mut moved, to)?;
        } else if moved.generation != change.from.generation {
            return Err(Overtaken);
        }
        let mut after = self.clone();
        for Mark { subject, from, to } in &change.marks {
            if after.marks.insert(subject.clone(), *to) != *from {
                return Err(Overtaken);
            }
        }
        for one in &change.parked {
            after.alter(one)?;
        }
        *self = after;
        *stored = moved;
        Ok(moved)
    }

    fn alter(&mut self, change: &ParkedChange) -> Result<(), Overtaken> {
        match change {
            ParkedChange::Park(message) => match self.parked.insert(message.parked_id.clone(), message.as_ref().clone()) {
                None => Ok(()),
                Some(_) => Err(Overtaken),
            },
            ParkedChange::Change { before, after } => {
                self.expect(&after.parked_id, *before)?;
                self.parked.insert(after.parked_id.clone(), after.as_ref().clone());
                Ok(())
            }
            ParkedChange::Hold { parked_id, before } => self.expect(parked_id, *before),
            ParkedChange::Release { parked_id, before } => {
                self.expect(parked_id, *before)?;
                self.parked.remove(parked_id);
                Ok(())
            }
        }
    }

    fn expect(&self, parked_id: &str, before: (ParkedState, u32)) -> Result<(), Overtaken> {
        let found = self.parked.get(parked_id).map(|message| (message.state, message.tries));
        if found == Some(before) { Ok(()) } else { Err(Overtaken) }
    }

    /// See [`super::ParkingDesk::redrive`].
    pub fn redrive(&mut self, parked_id: &str, now: DateTime<Utc>) -> Result<(), ParkingDeskError> {
        let stream_id = self.unskipped(parked_id)?.event.stream_id.as_str().to_owned();
        self.try_head_again(&stream_id, now);
        Ok(())
    }

    /// See [`super::ParkingDesk::skip`].
    pub fn skip(&mut self, parked_id: &str, reason: &str, now: DateTime<Utc>) -> Result<(), ParkingDeskError> {
        let message = self.unskipped(parked_id)?;
        let (was_head, stream_id) = (message.state != ParkedState::Behind, message.event.stream_id.as_str().to_owned());
        if let Some(message) = self.parked.get_mut(parked_id) {
            (message.state, message.skip_reason, message.retry_at) = (ParkedState::Skipped, Some(reason.to_owned()), None);
        }
        if was_head {
            self.try_head_again(&stream_id, now);
        }
        Ok(())
    }

    /// Puts a message here where it is not yet; whether it was not.
    pub fn restore(&mut self, message: &ParkedMessage) -> bool {
        match self.parked.entry(message.parked_id.clone()) {
            Entry::Occupied(_) => false,
            Entry::Vacant(vacant) => {
                vacant.insert(message.clone());
                true
            }
        }
    }

    fn unskipped(&self, parked_id: &str) -> Result<&ParkedMessage, ParkingDeskError> {
        let message = self.parked.get(parked_id).ok_or(ParkingDeskError::Unknown)?;
        if message.state == ParkedState::Skipped { Err(ParkingDeskError::Skipped) } else { Ok(message) }
    }

    fn try_head_again(&mut self, stream_id: &str, now: DateTime<Utc>) {
        let head = self.queue(stream_id).into_iter().find(|message| message.state != ParkedState::Skipped);
        if let Some(message) = head.and_then(|head| self.parked.get_mut(&head.parked_id)) {
            (message.state, message.tries, message.retry_at) = (ParkedState::Waiting, 0, Some(now));
        }
    }
}
