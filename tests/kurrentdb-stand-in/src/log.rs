//! What the stand-in holds: one log of records, and among them those of others.

use std::collections::HashMap;

use tonic::Status;
use uuid::Uuid;

use crate::messages::{AppendOutcome, CurrentRevision, Written, WrittenPlace, WrittenRevision};
use crate::messages::{
    Elsewhere, Expected, FilterBy, FilterSubject, Id, IdForm, LogStart, OneStream, Place, ProposedEvent, ReadEvent, RepeatedExpectation,
    StoredEvent, StreamName, StreamStart, WholeLog,
};

/// The most bytes of an append, which is the server's default.
const MAX_APPEND: usize = 1024 * 1024;

/// What a record takes beside its texts.
const RECORD_BYTES: u64 = 97;

/// After so many appends another application writes something, so that positions and pages are never ours alone.
const STRANGER_EVERY: u64 = 3;

/// Where the first event's time lies, in units of 100 ns.
const FIRST_TICKS: u64 = 17_500_000_000_000_000;

#[derive(Default)]
pub(crate) struct Log {
    records: Vec<StoredEvent>,
    streams: HashMap<Vec<u8>, Vec<usize>>,
    end: u64,
    appends: u64,
}

impl Log {
    /// A log as a server has made it for itself, with records of its own.
    pub(crate) fn new() -> Self {
        let mut log = Self::default();
        log.write_for_others("$settings");
        log
    }

    /// Writes the events or says where the stream is. Events that stand where they are expected are not written twice: that is
    /// an answer of success.
    pub(crate) fn append(&mut self, stream: &[u8], expected: Expected, events: Vec<ProposedEvent>) -> Result<AppendOutcome, Status> {
        if events.is_empty() {
            return Err(Status::unimplemented("the stand-in wants events"));
        }
        let bytes: usize = events.iter().map(|event| event.data.len() + event.custom_metadata.len()).sum();
        if bytes > MAX_APPEND {
            return Err(Status::invalid_argument("the append is too large"));
        }
        let ids = events.iter().map(|event| id_of(event.id.as_ref())).collect::<Result<Vec<_>, _>>()?;
        let length = self.streams.get(stream).map_or(0, Vec::len) as u64;
        let first = match expected {
            Expected::NoStream(()) => 0,
            Expected::Revision(revision) => revision.saturating_add(1),
            Expected::Any(()) | Expected::Exists(()) => return Err(Status::unimplemented("the stand-in wants to know the revision")),
        };
        if first > length || (first < length && !self.stand_there(stream, first, &ids)) {
            return Ok(elsewhere(length, expected));
        }
        if first == length {
            for (revision, event) in (first..).zip(events) {
                self.push(stream, revision, event)?;
            }
            self.appends += 1;
            if self.appends.is_multiple_of(STRANGER_EVERY) {
                self.write_for_others("another-application");
            }
        }
        let last = first + ids.len() as u64 - 1;
        let place = self.record(stream, last).map(|record| Place { commit: record.commit, prepare: record.prepare });
        Ok(AppendOutcome::Written(Written {
            revision: Some(WrittenRevision::Last(last)),
            place: Some(place.map_or(WrittenPlace::Unknown(()), WrittenPlace::Known)),
        }))
    }

    /// Events of one stream; `None` where there is no such stream.
    pub(crate) fn read_stream(&self, from: &OneStream, is_backward: bool, limit: u64) -> Option<Vec<ReadEvent>> {
        let name = from.stream.as_ref().map(|stream| stream.bytes.as_slice()).unwrap_or_default();
        let indexes = self.streams.get(name)?;
        let found: Box<dyn Iterator<Item = &usize>> = match (from.start, is_backward) {
            (None | Some(StreamStart::First(())), false) => Box::new(indexes.iter()),
            (Some(StreamStart::Revision(revision)), false) => Box::new(indexes.iter().skip(at_most(revision))),
            (Some(StreamStart::End(())), false) => Box::new(std::iter::empty()),
            (None | Some(StreamStart::End(())), true) => Box::new(indexes.iter().rev()),
            (Some(StreamStart::Revision(revision)), true) => Box::new(indexes.iter().take(at_most(revision).saturating_add(1)).rev()),
            (Some(StreamStart::First(())), true) => Box::new(indexes.iter().take(1)),
        };
        Some(found.take(at_most(limit)).filter_map(|index| self.records.get(*index)).map(answer).collect())
    }

    /// Events of all streams. A place must be one where a record begins, or beyond the end; forwards its record is the first.
    pub(crate) fn read_all(
        &self,
        from: WholeLog,
        is_backward: bool,
        limit: u64,
        filter: Option<&FilterBy>,
    ) -> Result<Vec<ReadEvent>, Status> {
        let split = match from.start {
            Some(LogStart::Place(place)) => {
                if place.commit < self.end && self.records.binary_search_by_key(&place.commit, |record| record.commit).is_err() {
                    return Err(Status::unknown("no record begins at this position"));
                }
                self.records.partition_point(|record| record.commit < place.commit)
            }
            Some(LogStart::End(())) => self.records.len(),
            None | Some(LogStart::First(())) => 0,
        };
        let (before, after) = self.records.split_at(split);
        let found: Box<dyn Iterator<Item = &StoredEvent>> =
            if is_backward { Box::new(before.iter().rev()) } else { Box::new(after.iter()) };
        Ok(found.filter(|record| is_admitted(record, filter)).take(at_most(limit)).map(answer).collect())
    }

    /// How many events there are in streams whose names begin so.
    pub(crate) fn count(&self, prefix: &str) -> usize {
        self.streams.iter().filter(|(name, _)| name.starts_with(prefix.as_bytes())).map(|(_, indexes)| indexes.len()).sum()
    }

    fn stand_there(&self, stream: &[u8], first: u64, ids: &[Uuid]) -> bool {
        (first..).zip(ids).all(|(revision, id)| {
            self.record(stream, revision).is_some_and(|record| id_of(record.id.as_ref()).is_ok_and(|stored| stored == *id))
        })
    }

    fn record(&self, stream: &[u8], revision: u64) -> Option<&StoredEvent> {
        self.streams.get(stream)?.get(at_most(revision)).and_then(|index| self.records.get(*index))
    }

    fn push(&mut self, stream: &[u8], revision: u64, event: ProposedEvent) -> Result<(), Status> {
        let mut metadata = event.metadata;
        for member in ["type", "content-type"] {
            if !metadata.contains_key(member) {
                return Err(Status::invalid_argument(format!("an event has no {member}")));
            }
        }
        let index = self.records.len();
        metadata.insert("created".to_owned(), (FIRST_TICKS + index as u64 * 10_000).to_string());
        let length = RECORD_BYTES + (stream.len() + event.data.len() + event.custom_metadata.len()) as u64;
        let id = id_of(event.id.as_ref())?;
        self.records.push(StoredEvent {
            id: Some(Id { form: Some(IdForm::Text(id.to_string())) }),
            stream: Some(StreamName { bytes: stream.to_vec() }),
            revision,
            prepare: self.end,
            commit: self.end,
            metadata,
            custom_metadata: event.custom_metadata,
            data: event.data,
        });
        self.streams.entry(stream.to_vec()).or_default().push(index);
        self.end += length;
        Ok(())
    }

    fn write_for_others(&mut self, stream: &str) {
        let revision = self.streams.get(stream.as_bytes()).map_or(0, Vec::len) as u64;
        let metadata = [("type", "SomethingElse"), ("content-type", "application/octet-stream")];
        let event = ProposedEvent {
            id: Some(Id { form: Some(IdForm::Text(Uuid::from_u128(u128::from(self.end)).to_string())) }),
            metadata: metadata.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            custom_metadata: Vec::new(),
            data: vec![0, 159, 146, 150],
        };
        // It has all that an event must have.
        drop(self.push(stream.as_bytes(), revision, event));
    }
}

fn answer(record: &StoredEvent) -> ReadEvent {
    ReadEvent { event: Some(record.clone()), commit: Some(record.commit) }
}

fn elsewhere(length: u64, expected: Expected) -> AppendOutcome {
    AppendOutcome::Elsewhere(Elsewhere {
        current: Some(length.checked_sub(1).map_or(CurrentRevision::NoStream(()), CurrentRevision::Last)),
        expected: Some(match expected {
            Expected::Revision(revision) => RepeatedExpectation::Revision(revision),
            Expected::NoStream(()) => RepeatedExpectation::NoStream(()),
            Expected::Any(()) => RepeatedExpectation::Any(()),
            Expected::Exists(()) => RepeatedExpectation::Exists(()),
        }),
    })
}

fn is_admitted(record: &StoredEvent, filter: Option<&FilterBy>) -> bool {
    let stream = record.stream.as_ref().map(|stream| stream.bytes.as_slice()).unwrap_or_default();
    let name = record.metadata.get("type").map(String::as_bytes).unwrap_or_default();
    match filter.and_then(|filter| filter.subject.as_ref()) {
        None => true,
        Some(FilterSubject::StreamName(pattern)) => pattern.prefixes.iter().any(|prefix| stream.starts_with(prefix.as_bytes())),
        Some(FilterSubject::EventType(pattern)) => pattern.prefixes.iter().any(|prefix| name.starts_with(prefix.as_bytes())),
    }
}

fn id_of(id: Option<&Id>) -> Result<Uuid, Status> {
    let parsed = match id.and_then(|id| id.form.as_ref()) {
        Some(IdForm::Halves(halves)) => Some(Uuid::from_u64_pair(halves.high.cast_unsigned(), halves.low.cast_unsigned())),
        Some(IdForm::Text(text)) => text.parse().ok(),
        None => None,
    };
    parsed.ok_or_else(|| Status::invalid_argument("an event has no id"))
}

fn at_most(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
