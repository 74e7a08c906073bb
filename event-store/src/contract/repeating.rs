use super::{Place, check_whole, conflict_at, event, events, push, stream};
use crate::Appended;
use crate::port::ExpectedRevision;

pub(super) async fn a_repeat_answers_the_first_result(place: &dyn Place) {
    let store = place.open().await;
    let notes = stream("note-1");
    let (new, more) = (events("a", 3), events("b", 2));
    let first = store.append(&notes, ExpectedRevision::NoStream, new.clone()).await.unwrap();
    assert_eq!(store.append(&notes, ExpectedRevision::NoStream, new.clone()).await.unwrap(), Appended { is_repeat: true, ..first.clone() });
    let second = store.append(&notes, ExpectedRevision::Exactly(2), more.clone()).await.unwrap();
    push(&*store, &notes, events("c", 1)).await;
    push(&*store, &stream("note-2"), events("d", 1)).await;
    assert_eq!(store.append(&notes, ExpectedRevision::NoStream, new).await.unwrap(), Appended { is_repeat: true, ..first.clone() });
    assert_eq!(store.append(&notes, ExpectedRevision::Exactly(2), more).await.unwrap(), Appended { is_repeat: true, ..second });
    assert_eq!(check_whole(place, &*store).await.len(), 7, "a repeat writes nothing");
    place.close().await;
}

pub(super) async fn repeats_at_once_answer_one_result(place: &dyn Place) {
    let store = place.open().await;
    for round in 0..5 {
        let notes = stream(&format!("note-{round}"));
        let new = events("a", 3);
        let tasks: Vec<_> = (0..24)
            .map(|number| {
                let (store, notes, new) = (store.clone(), notes.clone(), new.clone());
                tokio::spawn(async move {
                    if number % 3 == 0 {
                        // Others, so that the repeats meet strangers in their batch.
                        store.append(&stream(&format!("{notes}-{number}")), ExpectedRevision::NoStream, events("b", 1)).await.unwrap();
                    }
                    store.append(&notes, ExpectedRevision::NoStream, new).await
                })
            })
            .collect();
        let mut answers = Vec::new();
        for task in tasks {
            answers.push(task.await.unwrap().unwrap());
        }
        let written = answers.iter().filter(|answer| !answer.is_repeat).count();
        assert_eq!(written, 1, "one of them wrote, and the others are told that they did not");
        let of = |answer: &Appended| (answer.last_revision, answer.positions.clone(), answer.recorded_at);
        assert!(answers.iter().all(|answer| of(answer) == of(&answers[0])), "{answers:?}");
        assert_eq!(store.read_stream(&notes, 0, 100).await.unwrap().len(), 3);
    }
    check_whole(place, &*store).await;
    place.close().await;
}

pub(super) async fn a_repeat_after_a_restart_answers_the_first_result(place: &dyn Place) {
    let store = place.open().await;
    let notes = stream("note-1");
    let new = events("a", 3);
    let first = store.append(&notes, ExpectedRevision::NoStream, new.clone()).await.unwrap();
    let before = check_whole(place, &*store).await;
    drop(store);
    place.close().await;

    let store = place.open().await;
    assert_eq!(check_whole(place, &*store).await, before);
    assert_eq!(store.append(&notes, ExpectedRevision::NoStream, new).await.unwrap(), Appended { is_repeat: true, ..first.clone() });
    assert_eq!(push(&*store, &notes, events("b", 1)).await.last_revision, 3);
    check_whole(place, &*store).await;
    place.close().await;
}

pub(super) async fn what_only_looks_like_a_repeat_is_a_conflict(place: &dyn Place) {
    let store = place.open().await;
    let notes = stream("note-1");
    let new = events("a", 3);
    push(&*store, &notes, new.clone()).await;
    let mut other = new.clone();
    other[2] = event("other");
    assert_eq!(conflict_at(store.append(&notes, ExpectedRevision::NoStream, other).await), Some(2));
    let swapped = vec![new[1].clone(), new[0].clone(), new[2].clone()];
    assert_eq!(conflict_at(store.append(&notes, ExpectedRevision::NoStream, swapped).await), Some(2));
    let longer = [new.clone(), events("b", 1)].concat();
    assert_eq!(conflict_at(store.append(&notes, ExpectedRevision::NoStream, longer).await), Some(2));
    assert_eq!(conflict_at(store.append(&notes, ExpectedRevision::Exactly(0), new.clone()).await), Some(2));
    assert_eq!(conflict_at(store.append(&stream("note-2"), ExpectedRevision::Exactly(0), new).await), None);
    assert_eq!(check_whole(place, &*store).await.len(), 3);
    place.close().await;
}
