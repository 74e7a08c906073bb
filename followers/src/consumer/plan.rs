use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use event_store::{Position, RecordedEvent};

use super::{Hole, Inapplicable};
use crate::message_feed::{Link, Message};
use crate::parking::{BookChange, Mark, ParkedChange, ParkedMessage, ParkedState, Patience, Standing, TURNS_OF};

/// The first and the longest wait of a message whose predecessor has not come.
const HOLE_WAITS: (TimeDelta, TimeDelta) = (TimeDelta::milliseconds(250), TimeDelta::seconds(8));

/// After so many deliveries the message before it is not late but missing.
const HOLE_DELIVERIES: u64 = 8;

/// The mark that counts the writes of a part. Of two workers that have loaded the same rows, one finds it moved.
pub(super) fn turns_of(part: &str) -> String {
    format!("{TURNS_OF} {part}")
}

/// What the feed is told of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was dealt with.
    Done,
    /// It is to come again.
    Later(TimeDelta),
}

/// What becomes of a batch.
pub(super) struct Planned {
    pub(super) change: BookChange,
    pub(super) verdicts: Vec<(u64, Verdict)>,
    /// How many events had their effect.
    pub(super) taken: usize,
    /// Whether a run right after this one finds something to do.
    pub(super) has_more: bool,
    /// A message that is missing for good, as it seems.
    pub(super) hole: Option<Hole>,
}

/// One message of a queue, and how its row stood.
struct Queued {
    message: ParkedMessage,
    stored: Option<ParkedMessage>,
}

/// What is made of a batch, decided in memory. All of it is written at once or nothing is.
pub(super) struct Plan<'p> {
    change: BookChange,
    patience: &'p Patience,
    now: DateTime<Utc>,
    part: Option<String>,
    marks: BTreeMap<String, Position>,
    stepped: BTreeMap<String, Option<Position>>,
    queues: BTreeMap<String, VecDeque<Queued>>,
    due: Vec<String>,
    skipped: BTreeSet<uuid::Uuid>,
    released: Vec<ParkedChange>,
    verdicts: Vec<(u64, Verdict)>,
    taken: usize,
    hole: Option<Hole>,
}

/// Takes the effect of one event.
type Apply<'a> = &'a mut dyn FnMut(&RecordedEvent) -> Result<(), Inapplicable>;

impl<'p> Plan<'p> {
    pub(super) fn new(standing: Standing, change: BookChange, patience: &'p Patience, now: DateTime<Utc>, part: Option<String>) -> Self {
        let as_stored = |message: ParkedMessage| Queued { stored: Some(message.clone()), message };
        let queues = standing.queues.into_iter().map(|(stream, queue)| (stream, queue.into_iter().map(as_stored).collect()));
        Self {
            change,
            patience,
            now,
            part,
            marks: standing.marks,
            stepped: BTreeMap::new(),
            queues: queues.collect(),
            due: standing.due,
            skipped: standing.skipped,
            released: Vec::new(),
            verdicts: Vec::new(),
            taken: 0,
            hole: None,
        }
    }

    /// Tries what is due again, and what waits behind it as soon as it is out of the way.
    pub(super) fn retry_due(&mut self, apply: Apply<'_>) {
        for stream_id in self.due.clone() {
            self.retry(&stream_id, apply);
        }
    }

    fn retry(&mut self, stream_id: &str, apply: Apply<'_>) {
        let Some(queue) = self.queues.get_mut(stream_id) else { return };
        while let Some(Queued { message, stored }) = queue.front_mut() {
            match apply(&message.event) {
                Ok(()) => {
                    self.taken += 1;
                    if let Some(stored) = stored {
                        let before = (stored.state, stored.tries);
                        self.released.push(ParkedChange::Release { parked_id: stored.parked_id.clone(), before });
                    }
                    queue.pop_front();
                }
                Err(reason) => {
                    message.tries += 1;
                    tried_in_vain(message, reason, self.patience, self.now);
                    return;
                }
            }
        }
    }

    /// Deals with one message. Those of a batch come in the order of the log.
    pub(super) fn take(&mut self, message: &Message, apply: Apply<'_>) {
        let position = message.event.position;
        if let Some(link) = &message.link {
            let mark = self.marks.get(&link.subject).copied();
            if mark.is_some_and(|mark| position <= mark) {
                self.verdicts.push((message.receipt, Verdict::Done));
                return;
            }
            if let Some(missing) = link.previous.filter(|previous| mark.is_none_or(|mark| mark < *previous)) {
                self.wait(message, link, missing);
                return;
            }
            self.stepped.entry(link.subject.clone()).or_insert(mark);
            self.marks.insert(link.subject.clone(), position);
        }
        self.verdicts.push((message.receipt, Verdict::Done));
        self.settle(&message.event, apply);
    }

    /// A message whose predecessor has not come waits for it.
    fn wait(&mut self, message: &Message, link: &Link, missing: Position) {
        let doublings = u32::try_from(message.deliveries.saturating_sub(1).min(5)).unwrap_or(5);
        let delay = (HOLE_WAITS.0 * (1 << doublings)).min(HOLE_WAITS.1);
        self.verdicts.push((message.receipt, Verdict::Later(delay)));
        if message.deliveries >= HOLE_DELIVERIES {
            self.hole.get_or_insert_with(|| Hole { subject: link.subject.clone(), missing });
        }
    }

    fn settle(&mut self, event: &RecordedEvent, apply: Apply<'_>) {
        if self.skipped.contains(&event.event_id) {
            return;
        }
        let stream_id = event.stream_id.as_str();
        let queue = self.queues.entry(stream_id.to_owned()).or_default();
        if queue.iter().any(|queued| queued.message.event.event_id == event.event_id) {
            return;
        }
        if queue.front().is_some_and(|head| head.message.event.position < event.position) {
            let message = self.parked(event, "it waits for an earlier one of its stream".to_owned());
            self.enqueue(ParkedMessage { state: ParkedState::Behind, ..message });
            return;
        }
        match apply(event) {
            Ok(()) => {
                self.taken += 1;
                // What waits came too early: perhaps for want of this one.
                self.retry(stream_id, apply);
            }
            Err(reason) => {
                let mut message = ParkedMessage { tries: 1, ..self.parked(event, String::new()) };
                tried_in_vain(&mut message, reason, self.patience, self.now);
                self.enqueue(message);
            }
        }
    }

    fn parked(&self, event: &RecordedEvent, reason: String) -> ParkedMessage {
        ParkedMessage {
            parked_id: ParkedMessage::id_of(self.change.consumer, event.position),
            consumer: self.change.consumer.to_owned(),
            part: self.part.clone(),
            state: ParkedState::Waiting,
            tries: 0,
            reason,
            skip_reason: None,
            retry_at: None,
            parked_at: self.now,
            event: event.clone(),
        }
    }

    /// Puts a message into its queue, in the order of the log; what is not the first waits.
    fn enqueue(&mut self, message: ParkedMessage) {
        let queue = self.queues.entry(message.event.stream_id.as_str().to_owned()).or_default();
        let at = queue.iter().take_while(|queued| queued.message.event.position < message.event.position).count();
        queue.insert(at, Queued { message, stored: None });
        for Queued { message, .. } in queue.iter_mut().skip(1).filter(|queued| queued.message.state != ParkedState::Behind) {
            (message.state, message.retry_at) = (ParkedState::Behind, None);
        }
    }

    pub(super) fn finish(self) -> Planned {
        let Self { mut change, part, marks, stepped, queues, due, released, verdicts, taken, hole, .. } = self;
        change.marks = stepped
            .into_iter()
            .filter_map(|(subject, from)| {
                let to = *marks.get(&subject)?;
                Some(Mark { subject, from, to })
            })
            .collect();
        change.parked = released;
        for queue in queues.into_values() {
            written(queue, &mut change.parked);
        }
        // What was loaded holds only if no other worker of the part has written since, on whichever subject.
        if let Some(part) = part.filter(|_| !change.marks.is_empty() || !change.parked.is_empty()) {
            let subject = turns_of(&part);
            let from = marks.get(&subject).copied();
            let to = Position::new(from.unwrap_or_default().as_i64() + 1).unwrap_or_default();
            change.marks.insert(0, Mark { subject, from, to });
        }
        Planned { change, verdicts, taken, has_more: due.len() >= super::MOST_DUE as usize, hole }
    }
}

/// A message could not be taken: it is tried again after a while, or never by itself.
fn tried_in_vain(message: &mut ParkedMessage, reason: Inapplicable, patience: &Patience, now: DateTime<Utc>) {
    message.reason = reason.0;
    (message.state, message.retry_at) = match patience.after(message.tries) {
        Some(wait) => (ParkedState::Waiting, Some(now + wait)),
        None => (ParkedState::Parked, None),
    };
}

/// What of a queue is to be written.
fn written(queue: VecDeque<Queued>, changes: &mut Vec<ParkedChange>) {
    let has_new = queue.iter().any(|queued| queued.stored.is_none());
    for (number, Queued { message, stored }) in queue.into_iter().enumerate() {
        let Some(stored) = stored else {
            changes.push(ParkedChange::Park(Box::new(message)));
            continue;
        };
        let before = (stored.state, stored.tries);
        if message != stored {
            changes.push(ParkedChange::Change { before, after: Box::new(message) });
        } else if has_new && number == 0 {
            changes.push(ParkedChange::Hold { parked_id: message.parked_id, before });
        }
    }
}
