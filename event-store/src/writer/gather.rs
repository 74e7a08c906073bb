use std::collections::{HashSet, VecDeque};

use tokio::sync::mpsc;
use uuid::Uuid;

use super::Command;
use crate::limits;

/// The most appends of a batch: larger ones win little and make each caller wait longer.
const BATCH_APPENDS: usize = 200;

/// The most events of a batch. One append never has more.
const BATCH_EVENTS: usize = limits::MAX_EVENTS;

/// The most bytes of a batch. One append never has more.
const BATCH_BYTES: usize = limits::MAX_BYTES;

/// The queue before the writer, and what was taken from it but did not fit the last batch.
pub(super) struct Waiting {
    queue: mpsc::Receiver<Command>,
    held: VecDeque<Command>,
    closed: bool,
}

impl Waiting {
    pub(super) fn new(queue: mpsc::Receiver<Command>) -> Self {
        Self { queue, held: VecDeque::new(), closed: false }
    }

    /// Waits until something is there; false once it is closed and empty.
    pub(super) async fn wait(&mut self) -> bool {
        if self.held.is_empty() {
            match self.queue.recv().await {
                Some(command) => self.held.push_back(command),
                None => return false,
            }
        }
        true
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Takes nothing more in.
    pub(super) fn close(&mut self) {
        self.closed = true;
        self.queue.close();
    }

    /// The next batch, in the order of arrival.
    ///
    /// Two appends that name the same event id never meet in one: the later one, usually a repeat of the earlier, waits for the
    /// next batch and is there judged by what the log then holds.
    pub(super) fn gather(&mut self) -> Vec<Command> {
        let mut batch = Vec::new();
        let mut ids: HashSet<Uuid> = HashSet::new();
        let (mut events, mut bytes) = (0, 0);
        let mut later = VecDeque::new();
        while batch.len() < BATCH_APPENDS && later.len() < BATCH_APPENDS {
            let Some(command) = self.held.pop_front().or_else(|| self.queue.try_recv().ok()) else { break };
            // Its caller has gone; to write it now or never are both what a crash could have done.
            if command.answer.is_closed() {
                continue;
            }
            if command.events.iter().any(|event| ids.contains(&event.event_id)) {
                later.push_back(command);
                continue;
            }
            if events + command.events.len() > BATCH_EVENTS || bytes + command.bytes > BATCH_BYTES {
                self.held.push_front(command);
                break;
            }
            events += command.events.len();
            bytes += command.bytes;
            ids.extend(command.events.iter().map(|event| event.event_id));
            batch.push(command);
        }
        later.append(&mut self.held);
        self.held = later;
        batch
    }
}

#[cfg(test)]
mod tests;
