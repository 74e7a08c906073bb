//! Which message lies before another on its subject: the log says it, whatever the broker holds.

use std::collections::HashMap;

use event_store::{EventFilter, LogReader, Position, ReadError};
use uuid::Uuid;

use super::subjects::Subjects;

/// How many events are read at a time.
const PAGE_EVENTS: usize = 500;

/// How many events are read at most to catch up with another relay; from there on looking back anew costs less.
const MOST_CAUGHT_UP: usize = 2_000;

/// How many positions the first look back spans. Each further one spans four times as many, until one finds a page of events.
const FIRST_SPAN: u64 = 1_000;

/// Where more than one position in so many has an event whose order's type is wanted, the orders made there are read together,
/// and not the first event of each order by itself.
const DENSE: i64 = 32;

/// The last position on each subject, up to a place in the log.
///
/// All events after `base` are known, and further down those of the types that were looked for: what lies before the first
/// message of a subject since the start is found when it is asked for. It is true of the log alone, so nothing that befalls
/// the broker makes it wrong, and a stream that lost messages inside shows the hole.
#[derive(Default)]
pub(super) struct Predecessors {
    lineage: Uuid,
    base: Position,
    reached: Position,
    last: HashMap<String, Position>,
    /// Down to where the events of a type are known, for those that are known further down than `base`.
    searched: HashMap<String, Position>,
}

impl Predecessors {
    fn at(position: Position, lineage: Uuid) -> Self {
        Self { lineage, base: position, reached: position, ..Self::default() }
    }

    /// Goes to `position`, behind which messages are to follow. Another lineage's log is another log.
    pub(super) async fn go_to(
        &mut self,
        position: Position,
        lineage: Uuid,
        log: &dyn LogReader,
        subjects: &Subjects,
    ) -> Result<(), ReadError> {
        let lies_above = |last: &Position| *last > position;
        if self.lineage != lineage || position < self.base || self.last.values().any(lies_above) {
            *self = Self::at(position, lineage);
        }
        // What lies between stays inside: no message is of it.
        self.reached = self.reached.min(position);
        let mut read = 0;
        while self.reached < position {
            let page = log.read_all(self.reached, PAGE_EVENTS).await?;
            read += page.len();
            if page.is_empty() || read > MOST_CAUGHT_UP {
                *self = Self::at(position, lineage);
                break;
            }
            for event in page.iter().take_while(|event| event.position <= position) {
                if let Some(subject) = subjects.of(event).await? {
                    self.last.insert(subject, event.position);
                }
                self.reached = event.position;
            }
        }
        Ok(())
    }

    /// The last position on `subject`, whose events are of the type `event_type`.
    async fn last_on(
        &mut self,
        subject: &str,
        event_type: &str,
        log: &dyn LogReader,
        subjects: &Subjects,
    ) -> Result<Option<Position>, ReadError> {
        let mut span = FIRST_SPAN;
        loop {
            if let Some(last) = self.last.get(subject) {
                return Ok(Some(*last));
            }
            let up_to = self.searched.get(event_type).copied().unwrap_or(self.base);
            if up_to == Position::START {
                return Ok(None);
            }
            let Some(after) = log.step_back(up_to, span) else {
                self.read_from_the_start(log, subjects).await?;
                continue;
            };
            let found = self.look_back(event_type, after, up_to, log, subjects).await?;
            if found < PAGE_EVENTS {
                span = span.saturating_mul(4);
            }
        }
    }

    /// Makes all events known, once, where the log cannot be read from a place further down than `base`.
    async fn read_from_the_start(&mut self, log: &dyn LogReader, subjects: &Subjects) -> Result<(), ReadError> {
        let mut last = HashMap::new();
        let mut read_to = Position::START;
        while read_to < self.base {
            let page = log.read_all(read_to, PAGE_EVENTS).await?;
            let Some(end) = page.last() else { break };
            for event in page.iter().take_while(|event| event.position <= self.base) {
                if let Some(subject) = subjects.of(event).await? {
                    last.insert(subject, event.position);
                }
            }
            read_to = end.position;
        }
        for (subject, position) in last {
            // What is known of a subject lies further up.
            self.last.entry(subject).or_insert(position);
        }
        self.base = Position::START;
        Ok(())
    }

    /// Makes the events of a type known that lie after `after` and up to `up_to`; answers how many they are.
    async fn look_back(
        &mut self,
        event_type: &str,
        after: Position,
        up_to: Position,
        log: &dyn LogReader,
        subjects: &Subjects,
    ) -> Result<usize, ReadError> {
        let filter = EventFilter { event_types: vec![event_type.to_owned()], up_to: Some(up_to), ..EventFilter::default() };
        let mut last = HashMap::new();
        let (mut read_to, mut found) = (after, 0);
        loop {
            let page = log.read_all_filtered(read_to, PAGE_EVENTS, &filter).await?;
            let (Some(first), Some(end)) = (page.first(), page.last()) else { break };
            let of_orders = page.iter().filter(|event| subjects.ask_the_order(event)).count();
            let span = end.position.as_i64().saturating_sub(first.position.as_i64());
            if i64::try_from(of_orders).is_ok_and(|events| events.saturating_mul(DENSE) > span) {
                subjects.learn_orders(first.position, end.position).await?;
            }
            for event in &page {
                if let Some(subject) = subjects.of(event).await? {
                    last.insert(subject, event.position);
                }
            }
            (read_to, found) = (end.position, found + page.len());
            if page.len() < PAGE_EVENTS {
                break;
            }
        }
        for (subject, position) in last {
            // What is known of a subject lies further up.
            self.last.entry(subject).or_insert(position);
        }
        self.searched.insert(event_type.to_owned(), after);
        Ok(found)
    }
}

/// The same beyond what is known to be stored: for messages that are on their way. Dropped, it leaves nothing.
pub(super) struct Ahead<'a> {
    known: &'a mut Predecessors,
    last: HashMap<String, Position>,
    log: &'a dyn LogReader,
    subjects: &'a Subjects,
}

impl<'a> Ahead<'a> {
    pub(super) fn new(known: &'a mut Predecessors, log: &'a dyn LogReader, subjects: &'a Subjects) -> Self {
        Self { known, last: HashMap::new(), log, subjects }
    }

    /// Takes the next message, of an event of `event_type` at `position`, and answers the position of the one before it on
    /// `subject`; `None` for the first.
    pub(super) async fn follow(&mut self, subject: &str, event_type: &str, position: Position) -> Result<Option<Position>, ReadError> {
        if let Some(last) = self.last.get_mut(subject) {
            return Ok(Some(std::mem::replace(last, position)));
        }
        let previous = self.known.last_on(subject, event_type, self.log, self.subjects).await?;
        self.last.insert(subject.to_owned(), position);
        Ok(previous)
    }

    /// All messages were stored, up to the event at `reached`.
    pub(super) fn arrived(self, reached: Position) {
        self.known.last.extend(self.last);
        self.known.reached = reached;
    }
}
