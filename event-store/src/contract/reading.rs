use tokio::time::timeout;

use super::{PATIENCE, Place, check_whole, event, events, push, read_everything, stream};
use crate::port::{EventFilter, EventStore, ExpectedRevision, Position, RecordedEvent};

pub(super) async fn an_unknown_stream_is_empty(place: &dyn Place) {
    let store = place.open().await;
    assert_eq!(store.head().await.unwrap(), Position::START);
    assert_eq!(*store.appended().borrow(), Position::START);
    assert!(read_everything(&*store).await.is_empty());
    assert!(store.read_stream(&stream("note-1"), 0, 10).await.unwrap().is_empty());
    push(&*store, &stream("note-1"), events("a", 2)).await;
    assert!(store.read_stream(&stream("note-10"), 0, 10).await.unwrap().is_empty());
    assert!(store.read_stream(&stream("NOTE-1"), 0, 10).await.unwrap().is_empty());
    assert!(store.read_stream(&stream("note-1"), 2, 10).await.unwrap().is_empty());
    assert!(store.read_stream(&stream("note-1"), u64::MAX, 10).await.unwrap().is_empty());
    assert!(store.read_stream(&stream("note-1"), 0, 0).await.unwrap().is_empty());
    let beyond = store.head().await.unwrap().as_i64() + 1_000_000_000;
    assert!(store.read_all(Position::new(beyond).unwrap(), 10).await.unwrap().is_empty());
    place.close().await;
}

pub(super) async fn pages_resume_anywhere(place: &dyn Place) {
    let store = place.open().await;
    for number in 0..60 {
        push(&*store, &stream(&format!("note-{}", number % 7)), events("a", number % 3 + 1)).await;
    }
    let everything = check_whole(place, &*store).await;
    for size in [1, 2, 7, 50, 1000] {
        let mut found = Vec::new();
        loop {
            let after = found.last().map_or(Position::START, |event: &RecordedEvent| event.position);
            let page = store.read_all(after, size).await.unwrap();
            assert!(page.len() <= size);
            if page.is_empty() {
                break;
            }
            found.extend(page);
        }
        assert_eq!(found, everything, "in pages of {size}");
    }
    let notes = stream("note-3");
    let whole: Vec<_> = everything.into_iter().filter(|event| event.stream_id == notes).collect();
    assert_eq!(store.read_stream(&notes, 0, usize::MAX).await.unwrap(), whole);
    assert_eq!(store.read_stream(&notes, 3, 4).await.unwrap(), whole[3..7]);
    place.close().await;
}

pub(super) async fn pages_may_be_large(place: &dyn Place) {
    let store = place.open().await;
    let notes = stream("note-1");
    for number in 0..20 {
        let expected = if number == 0 { ExpectedRevision::NoStream } else { ExpectedRevision::Exactly(number * 250 - 1) };
        store.append(&notes, expected, events("a", 250)).await.unwrap();
    }
    assert_eq!(check_whole(place, &*store).await.len(), 5_000);
    assert_eq!(store.read_stream(&notes, 0, 5_000).await.unwrap().len(), 5_000);
    assert_eq!(store.read_stream(&notes, 4_999, 5_000).await.unwrap().len(), 1);
    place.close().await;
}

pub(super) async fn filters_admit_what_they_say(place: &dyn Place) {
    let store = place.open().await;
    for number in 0..40 {
        let mut new = events("a", 2);
        new[0].event_type = format!("Type{}", number % 4);
        push(&*store, &stream(&format!("note-{}", number % 5)), new).await;
    }
    let everything = check_whole(place, &*store).await;
    let (early, late) = (&everything[20], &everything[60]);
    let plain = EventFilter::default();
    let filters = [
        plain.clone(),
        EventFilter { stream_id: Some(stream("note-2")), ..plain.clone() },
        EventFilter { stream_id: Some(stream("none")), ..plain.clone() },
        EventFilter { event_types: vec!["Type1".to_owned()], ..plain.clone() },
        EventFilter { event_types: ["Type1", "NoteTaken", "None", "Type1"].map(str::to_owned).to_vec(), ..plain.clone() },
        EventFilter { stream_id: Some(stream("note-2")), event_types: vec!["NoteTaken".to_owned()], ..plain.clone() },
        EventFilter { from: Some(early.recorded_at), ..plain.clone() },
        EventFilter { until: Some(late.recorded_at), ..plain.clone() },
        EventFilter { from: Some(early.recorded_at), until: Some(late.recorded_at), up_to: Some(late.position), ..plain.clone() },
        EventFilter { until: Some(everything[0].recorded_at), ..plain.clone() },
        EventFilter { up_to: Some(early.position), event_types: vec!["NoteTaken".to_owned()], ..plain.clone() },
        EventFilter { up_to: Some(Position::START), ..plain },
    ];
    for filter in filters {
        for after in [Position::START, everything[9].position, everything[79].position] {
            let expected: Vec<_> = everything.iter().filter(|event| event.position > after && filter.admits(event)).cloned().collect();
            assert_eq!(store.read_all_filtered(after, 1_000, &filter).await.unwrap(), expected, "{filter:?} after {after}");
            let few = store.read_all_filtered(after, 3, &filter).await.unwrap();
            assert_eq!(few, expected[..expected.len().min(3)], "{filter:?} after {after}");
        }
    }
    place.close().await;
}

pub(super) async fn followers_are_woken(place: &dyn Place) {
    let store = place.open().await;
    let mut appended = store.appended();
    let waiting = tokio::spawn(async move {
        timeout(PATIENCE, appended.wait_for(|position| *position > Position::START)).await.unwrap().map(|position| *position).unwrap()
    });
    let written = append_one(&*store).await;
    assert_eq!(waiting.await.unwrap(), written);
    // Copied out first: whoever keeps what `borrow` answers over an await keeps the log from telling anybody anything.
    let heard = *store.appended().borrow();
    assert_eq!(heard, store.head().await.unwrap());
    place.close().await;
}

async fn append_one(store: &dyn EventStore) -> Position {
    store.append(&stream("note-1"), ExpectedRevision::NoStream, vec![event("a")]).await.unwrap().last_position()
}
