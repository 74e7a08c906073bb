use chrono::DateTime;
use uuid::Uuid;

use super::*;
use crate::port::Metadata;

fn event(position: i64, stream: &str, revision: u64, bytes: usize) -> RecordedEvent {
    RecordedEvent {
        position: at(position),
        stream_id: stream_id(stream),
        revision,
        event_id: Uuid::from_u128(position.unsigned_abs().into()),
        event_type: "NoteTaken".to_owned(),
        schema_version: 1,
        recorded_at: DateTime::UNIX_EPOCH,
        data: "x".repeat(bytes),
        metadata: Metadata { correlation_id: Uuid::nil(), causation_id: None, actor: String::new(), source: String::new() },
    }
}

fn at(position: i64) -> Position {
    Position::new(position).unwrap()
}

fn stream_id(name: &str) -> StreamId {
    StreamId::parse(name).unwrap()
}

fn positions(read: Option<Vec<RecordedEvent>>) -> Option<Vec<i64>> {
    read.map(|events| events.iter().map(|event| event.position.as_i64()).collect())
}

#[test]
fn what_was_added_is_read_and_what_lies_before_it_is_not_known() {
    let recent = Recent::at(at(10));
    assert_eq!(positions(recent.read_all(at(10), 5)), Some(vec![]));
    assert_eq!(recent.read_all(at(9), 5), None);
    recent.add(vec![event(11, "note-1", 4, 1), event(12, "note-2", 0, 1), event(13, "note-1", 5, 1)]);
    assert_eq!(positions(recent.read_all(at(10), 5)), Some(vec![11, 12, 13]));
    assert_eq!(positions(recent.read_all(at(11), 1)), Some(vec![12]));
    assert_eq!(positions(recent.read_all(at(13), 5)), Some(vec![]));
    assert_eq!((recent.read_all(at(9), 5), recent.read_all(at(14), 5)), (None, None));
    assert_eq!(positions(recent.read_stream(&stream_id("note-1"), 5, 9)), Some(vec![13]));
    assert_eq!(positions(recent.read_stream(&stream_id("note-1"), 6, 9)), Some(vec![]));
    assert_eq!(recent.read_stream(&stream_id("note-1"), 3, 9), None);
    assert_eq!(recent.read_stream(&stream_id("note-3"), 0, 9), None);
    assert_eq!((recent.last_revision(&stream_id("note-1")), recent.last_revision(&stream_id("note-3"))), (Some(5), None));
    assert_eq!(recent.last(), Some((13, DateTime::UNIX_EPOCH)));
}

#[test]
fn after_a_failure_and_after_a_gap_only_what_follows_is_known() {
    let recent = Recent::at(at(0));
    recent.add(vec![event(1, "note-1", 0, 1)]);
    recent.forget();
    assert_eq!((recent.read_all(at(1), 5), recent.last()), (None, None));
    recent.add(vec![event(4, "note-1", 2, 1)]);
    assert_eq!((recent.read_all(at(2), 5), positions(recent.read_all(at(3), 5))), (None, Some(vec![4])));
    recent.add(vec![event(7, "note-2", 0, 1)]);
    assert_eq!((recent.read_all(at(3), 5), positions(recent.read_all(at(6), 5))), (None, Some(vec![7])));
    assert_eq!(recent.last_revision(&stream_id("note-1")), None);
}

#[test]
fn the_oldest_go_when_there_are_too_many_or_they_are_too_large() {
    let recent = Recent::at(at(0));
    let many = i64::try_from(MOST_EVENTS).unwrap() + 3;
    recent.add((1..=many).map(|position| event(position, &format!("note-{position}"), 0, 1)).collect());
    assert_eq!((recent.read_all(at(2), 1), positions(recent.read_all(at(3), 1))), (None, Some(vec![4])));
    assert_eq!((recent.last_revision(&stream_id("note-3")), recent.last_revision(&stream_id("note-4"))), (None, Some(0)));
    recent.add(vec![event(many + 1, "note-1", 1, MOST_BYTES)]);
    assert_eq!(positions(recent.read_all(at(many), 5)), Some(vec![many + 1]));
    assert_eq!(recent.read_all(at(many - 1), 5), None);
}
