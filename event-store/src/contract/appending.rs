use chrono::Timelike;
use uuid::Uuid;

use super::{Place, check_whole, conflict_at, event, events, push, stream};
use crate::limits;
use crate::port::{AppendError, ExpectedRevision, NewEvent};

pub(super) async fn expectations_are_held(place: &dyn Place) {
    let store = place.open().await;
    let notes = stream("note-1");
    let first = store.append(&notes, ExpectedRevision::NoStream, events("a", 3)).await.unwrap();
    assert_eq!((first.last_revision, first.positions.len()), (2, 3));
    let second = store.append(&notes, ExpectedRevision::Exactly(2), events("b", 2)).await.unwrap();
    assert_eq!(second.last_revision, 4);
    assert!(second.positions[0] > first.last_position());
    let other = store.append(&stream("note-2"), ExpectedRevision::NoStream, events("c", 1)).await.unwrap();
    assert_eq!(other.last_revision, 0);

    let everything = check_whole(place, &*store).await;
    let read: Vec<(&str, u64)> = everything.iter().map(|event| (event.stream_id.as_str(), event.revision)).collect();
    assert_eq!(read, [("note-1", 0), ("note-1", 1), ("note-1", 2), ("note-1", 3), ("note-1", 4), ("note-2", 0)]);
    let positions: Vec<_> = everything.iter().map(|event| event.position).collect();
    assert_eq!(positions, [first.positions, second.positions, other.positions].concat());
    place.close().await;
}

pub(super) async fn conflicts_say_where_the_stream_is(place: &dyn Place) {
    let store = place.open().await;
    let notes = stream("note-1");
    let try_at = |expected| store.append(&notes, expected, events("x", 2));
    assert_eq!(conflict_at(try_at(ExpectedRevision::Exactly(0)).await), None);
    push(&*store, &notes, events("a", 5)).await;
    assert_eq!(conflict_at(try_at(ExpectedRevision::NoStream).await), Some(4));
    assert_eq!(conflict_at(try_at(ExpectedRevision::Exactly(0)).await), Some(4));
    assert_eq!(conflict_at(try_at(ExpectedRevision::Exactly(3)).await), Some(4));
    assert_eq!(conflict_at(try_at(ExpectedRevision::Exactly(5)).await), Some(4));
    assert_eq!(conflict_at(try_at(ExpectedRevision::Exactly(1_000_000)).await), Some(4));
    assert_eq!(check_whole(place, &*store).await.len(), 5, "a conflict writes nothing");
    place.close().await;
}

pub(super) async fn what_cannot_be_written_is_refused(place: &dyn Place) {
    let store = place.open().await;
    let broken = |change: fn(&mut NewEvent)| {
        let mut events = events("x", 2);
        change(&mut events[1]);
        events
    };
    let mut twice = events("x", 2);
    twice[1].event_id = twice[0].event_id;
    let cases = [
        (ExpectedRevision::NoStream, vec![]),
        (ExpectedRevision::NoStream, twice),
        (ExpectedRevision::NoStream, events("x", limits::MAX_EVENTS + 1)),
        (ExpectedRevision::Exactly(u64::MAX), events("x", 1)),
        (ExpectedRevision::Exactly(i64::MAX as u64), events("x", 1)),
        (ExpectedRevision::NoStream, broken(|event| event.data = "{\"note\":".into())),
        (ExpectedRevision::NoStream, broken(|event| event.data = String::new())),
        (ExpectedRevision::NoStream, broken(|event| event.data = "{\"note\":\"\u{0}\"}".into())),
        (ExpectedRevision::NoStream, broken(|event| event.data = format!("\"{}\"", "x".repeat(limits::MAX_BYTES)))),
        (ExpectedRevision::NoStream, broken(|event| event.event_type = String::new())),
        (ExpectedRevision::NoStream, broken(|event| event.event_type = "a name".into())),
        (ExpectedRevision::NoStream, broken(|event| event.event_type = "x".repeat(limits::MAX_EVENT_TYPE + 1))),
        (ExpectedRevision::NoStream, broken(|event| event.schema_version = 0)),
        (ExpectedRevision::NoStream, broken(|event| event.schema_version = u16::MAX)),
        (ExpectedRevision::NoStream, broken(|event| event.metadata.actor = "a\u{0}b".into())),
        (ExpectedRevision::NoStream, broken(|event| event.metadata.source = "x".repeat(limits::MAX_ACTOR + 1))),
    ];
    for (expected, new) in cases {
        let shown = format!("{expected:?} {:.200}", format!("{:?}", new.last()));
        let answer = store.append(&stream("note-1"), expected, new).await;
        assert!(matches!(answer, Err(AppendError::Invalid(_))), "{shown}: {answer:?}");
    }
    assert!(check_whole(place, &*store).await.is_empty());
    place.close().await;
}

pub(super) async fn an_id_names_one_event(place: &dyn Place) {
    let store = place.open().await;
    let taken = event("taken");
    push(&*store, &stream("note-1"), vec![taken.clone()]).await;
    let again = store.append(&stream("note-2"), ExpectedRevision::NoStream, vec![event("new"), taken.clone()]).await;
    assert!(matches!(again, Err(AppendError::Invalid(_))), "{again:?}");
    let later = store.append(&stream("note-1"), ExpectedRevision::Exactly(0), vec![taken.clone()]).await;
    assert!(matches!(later, Err(AppendError::Invalid(_))), "{later:?}");

    // Among appends at once it is refused alone.
    let tasks: Vec<_> = (0..32)
        .map(|number| {
            let (store, taken) = (store.clone(), taken.clone());
            let new = if number == 7 { vec![taken] } else { events("fine", 2) };
            tokio::spawn(async move { store.append(&stream(&format!("many-{number}")), ExpectedRevision::NoStream, new).await })
        })
        .collect();
    for (number, task) in tasks.into_iter().enumerate() {
        let answer = task.await.unwrap();
        assert_eq!(matches!(answer, Err(AppendError::Invalid(_))), number == 7, "{number}: {answer:?}");
        assert_eq!(answer.is_ok(), number != 7);
    }

    // Of two that claim one new id at once, one has it.
    let claimed = event("claimed");
    let (left, right) = (stream("left"), stream("right"));
    let (one, two) = tokio::join!(
        store.append(&left, ExpectedRevision::NoStream, vec![claimed.clone()]),
        store.append(&right, ExpectedRevision::NoStream, vec![claimed.clone()]),
    );
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    check_whole(place, &*store).await;
    place.close().await;
}

pub(super) async fn what_is_written_is_read_exactly(place: &dyn Place) {
    let store = place.open().await;
    let notes = stream("order-7231!~");
    let texts = [
        r#"{"b":1,"a":2,"a":3}"#.to_owned(),
        " { \"a\" :\t[ 1 ,2.50, 1e2,-0 ] ,\r\n\"z\":null } ".to_owned(),
        "{\"姓名\":\"李雷 😀\",\"u\":\"\\u00e9\\ud83d\\ude00\\/\",\"e\":\"e\u{301}\",\"q\":\"'$1 ?1 \\\\ \\\"\"}".to_owned(),
        "\"plain\"".to_owned(),
        "12345678901234567890.000".to_owned(),
        format!("{{\"long\":\"{}\"}}", "长".repeat(50_000)),
    ];
    let new: Vec<NewEvent> = texts
        .iter()
        .enumerate()
        .map(|(number, text)| {
            let mut event = event("");
            event.data.clone_from(text);
            event.event_type = format!("Type{number}");
            event.schema_version = u16::try_from(number).unwrap() + 1;
            event.metadata.causation_id = (number % 2 == 0).then(Uuid::now_v7);
            event.metadata.actor = format!("buyer:小红{number}");
            event
        })
        .collect();
    let appended = store.append(&notes, ExpectedRevision::NoStream, new.clone()).await.unwrap();
    let read = store.read_stream(&notes, 0, usize::MAX).await.unwrap();
    assert_eq!(read.len(), new.len());
    for (number, (written, read)) in new.into_iter().zip(read).enumerate() {
        assert_eq!(read.data, written.data);
        assert_eq!(read.metadata, written.metadata);
        assert_eq!((read.event_id, &read.event_type, read.schema_version), (written.event_id, &written.event_type, written.schema_version));
        assert_eq!((&read.stream_id, read.revision, read.position), (&notes, number as u64, appended.positions[number]));
        assert_eq!(read.recorded_at, appended.recorded_at);
        assert_eq!(read.recorded_at.nanosecond() % 1_000, 0, "times are whole microseconds");
    }
    place.close().await;
}

pub(super) async fn times_never_fall(place: &dyn Place) {
    let store = place.open().await;
    for number in 0..20 {
        push(&*store, &stream(&format!("note-{number}")), events("a", 2)).await;
    }
    let everything = check_whole(place, &*store).await;
    assert!(everything.windows(2).all(|pair| pair[0].recorded_at <= pair[1].recorded_at));
    place.close().await;
}
