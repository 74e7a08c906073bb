use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::DateTime;
use tokio::sync::{Semaphore, oneshot};
use uuid::Uuid;

use super::super::Command;
use super::{Heads, Verdict, plan};
use crate::port::{Appended, ExpectedRevision, Metadata, NewEvent, Position, StreamId};

fn command(stream: &str, expected: ExpectedRevision, ids: &[u128]) -> Command {
    let event = |id: &u128| NewEvent {
        event_id: Uuid::from_u128(*id),
        event_type: "NoteTaken".to_owned(),
        schema_version: 1,
        data: "{}".to_owned(),
        metadata: Metadata { correlation_id: Uuid::nil(), causation_id: None, actor: "test".to_owned(), source: "test".to_owned() },
    };
    let room = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
    Command {
        stream_id: StreamId::parse(stream).unwrap(),
        expected,
        events: ids.iter().map(event).collect(),
        bytes: 1,
        answer: oneshot::channel().0,
        _room: room,
    }
}

fn written(last_revision: u64, positions: &[i64]) -> Verdict {
    let positions = positions.iter().map(|number| Position::new(*number).unwrap()).collect();
    Verdict::Written(Appended { last_revision, positions, recorded_at: DateTime::UNIX_EPOCH, is_repeat: false })
}

#[test]
fn each_append_is_judged_by_what_the_earlier_ones_do() {
    use ExpectedRevision::{Exactly, NoStream};
    let batch = [
        command("a", NoStream, &[1, 2]),
        command("a", Exactly(1), &[3]),
        command("a", Exactly(1), &[4]),
        command("b", Exactly(7), &[5]),
        command("b", NoStream, &[6]),
        command("c", Exactly(0), &[7]),
        command("d", NoStream, &[8, 9]),
        command("d", NoStream, &[10]),
    ];
    let heads = Heads { revisions: HashMap::from([("b".to_owned(), 7)]), position: 20 };
    let verdicts = plan(&batch, heads, &HashSet::from([Uuid::from_u128(9)]), DateTime::UNIX_EPOCH);
    let expected = [
        written(1, &[21, 22]),
        written(2, &[23]),
        Verdict::Mismatch { actual: Some(2) },
        written(8, &[24]),
        Verdict::Mismatch { actual: Some(8) },
        Verdict::Mismatch { actual: None },
        Verdict::IdTaken,
        written(0, &[25]),
    ];
    assert_eq!(verdicts, expected);
}
