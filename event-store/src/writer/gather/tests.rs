use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc, oneshot};
use uuid::Uuid;

use super::super::{Command, Verdict};
use super::{BATCH_APPENDS, BATCH_BYTES, BATCH_EVENTS, Waiting};
use crate::port::{AppendError, ExpectedRevision, Metadata, NewEvent, StreamId};

type Asked = oneshot::Receiver<Result<Verdict, AppendError>>;

fn event(id: u128) -> NewEvent {
    NewEvent {
        event_id: Uuid::from_u128(id),
        event_type: "NoteTaken".to_owned(),
        schema_version: 1,
        data: "{}".to_owned(),
        metadata: Metadata { correlation_id: Uuid::nil(), causation_id: None, actor: "test".to_owned(), source: "test".to_owned() },
    }
}

fn command(ids: impl IntoIterator<Item = u128>, bytes: usize) -> (Command, Asked) {
    let (answer, asked) = oneshot::channel();
    let room = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
    let events = ids.into_iter().map(event).collect();
    let stream_id = StreamId::parse("note-1").unwrap();
    (Command { stream_id, expected: ExpectedRevision::NoStream, events, bytes, answer, _room: room }, asked)
}

/// What waits, with the callers who wait for it.
fn waiting(commands: Vec<(Command, Asked)>) -> (Waiting, Vec<Asked>) {
    let (queue, waiting) = mpsc::channel(commands.len().max(1));
    let mut asked = Vec::new();
    for (command, caller) in commands {
        assert!(queue.try_send(command).is_ok());
        asked.push(caller);
    }
    (Waiting::new(waiting), asked)
}

fn ids(batch: &[Command]) -> Vec<u128> {
    batch.iter().flat_map(|command| &command.events).map(|event| event.event_id.as_u128()).collect()
}

#[test]
fn what_waits_is_taken_in_order_and_in_bounded_batches() {
    let (mut waiting, _asked) = waiting((0..450).map(|id| command([id], 100)).collect());
    let sizes: Vec<usize> = (0..4).map(|_| waiting.gather().len()).collect();
    assert_eq!(sizes, [BATCH_APPENDS, BATCH_APPENDS, 50, 0]);
}

#[test]
fn a_batch_has_no_more_events_than_its_limit() {
    let full = BATCH_EVENTS as u128;
    let (mut waiting, _asked) = waiting(vec![command(0..full - 1, 1), command([full, full + 1], 1), command([full + 2], 1)]);
    assert_eq!(ids(&waiting.gather()).len(), BATCH_EVENTS - 1);
    assert_eq!(ids(&waiting.gather()), [full, full + 1, full + 2]);
}

#[test]
fn a_batch_has_no_more_bytes_than_its_limit() {
    let (mut waiting, _asked) = waiting(vec![command([1], BATCH_BYTES), command([2], 1), command([3], BATCH_BYTES - 1)]);
    assert_eq!(ids(&waiting.gather()), [1]);
    assert_eq!(ids(&waiting.gather()), [2, 3]);
}

#[test]
fn appends_that_share_an_id_never_meet() {
    let (mut waiting, _asked) = waiting(vec![command([1, 2], 1), command([2], 1), command([3], 1), command([1], 1), command([2], 1)]);
    assert_eq!(ids(&waiting.gather()), [1, 2, 3]);
    assert_eq!(ids(&waiting.gather()), [2, 1]);
    assert_eq!(ids(&waiting.gather()), [2]);
    assert!(waiting.gather().is_empty());
}

#[test]
fn what_nobody_waits_for_is_left_out() {
    let (mut waiting, mut asked) = waiting(vec![command([1], 1), command([2], 1), command([3], 1)]);
    asked.remove(1);
    assert_eq!(ids(&waiting.gather()), [1, 3]);
}

#[tokio::test]
async fn a_closed_queue_is_emptied_before_it_ends() {
    let (mut waiting, _asked) = waiting(vec![command([1], 1), command([2], 1)]);
    waiting.close();
    assert!(waiting.wait().await);
    assert_eq!(ids(&waiting.gather()), [1, 2]);
    assert!(!waiting.wait().await);
}
