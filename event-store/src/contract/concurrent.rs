use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};

use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{OrderChecker, PATIENCE, Place, Seen, after, check_whole, conflict_at, event, events, push, read_everything, stream};
use crate::port::{AppendError, Appended, EventStore, ExpectedRevision, Position, StreamId};

/// How many write at once.
const WRITERS: usize = 64;

pub(super) async fn one_stream_holds_under_many_writers(place: &dyn Place) {
    const EACH: usize = 3;
    let store = place.open().await;
    let tasks: Vec<JoinHandle<Vec<u64>>> = (0..WRITERS)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                let (mut last, mut won) = (None, Vec::new());
                while won.len() < EACH {
                    match store.append(&stream("hot"), after(last), vec![event(&format!("{writer}"))]).await {
                        Ok(appended) => {
                            last = Some(appended.last_revision);
                            won.push(appended.last_revision);
                        }
                        Err(AppendError::Conflict { actual, .. }) => {
                            assert!(actual != last, "a conflict where the stream is as expected");
                            last = actual;
                        }
                        Err(error) => panic!("{error:?}"),
                    }
                }
                won
            })
        })
        .collect();
    let mut won = Vec::new();
    for task in tasks {
        won.extend(task.await.unwrap());
    }
    won.sort_unstable();
    let expected: Vec<u64> = (0..).take(WRITERS * EACH).collect();
    assert_eq!(won, expected, "each revision was given to one writer");
    assert_eq!(check_whole(place, &*store).await.len(), WRITERS * EACH);
    place.close().await;
}

pub(super) async fn a_conflict_fails_its_caller_alone(place: &dyn Place) {
    let store = place.open().await;
    push(&*store, &stream("taken"), events("a", 2)).await;
    for _ in 0..5 {
        let tasks: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let store = store.clone();
                tokio::spawn(async move {
                    if writer % 4 == 0 {
                        let refused = store.append(&stream("taken"), ExpectedRevision::Exactly(0), events("x", 2)).await;
                        assert_eq!(conflict_at(refused), Some(1));
                    } else {
                        let own = stream(&format!("own-{writer}-{}", event("").event_id));
                        assert_eq!(store.append(&own, ExpectedRevision::NoStream, events("b", 2)).await.unwrap().last_revision, 1);
                        assert_eq!(store.append(&own, ExpectedRevision::Exactly(1), events("c", 1)).await.unwrap().last_revision, 2);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    }
    assert_eq!(check_whole(place, &*store).await.len(), 2 + 5 * 48 * 3);
    place.close().await;
}

pub(super) async fn a_reader_sees_no_late_arrival(place: &dyn Place) {
    let store = place.open().await;
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<JoinHandle<OrderChecker>> = [1, 37, 1000].map(|size| tokio::spawn(follow(store.clone(), size, done.clone()))).into();
    let writers: Vec<_> = (0..16)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for number in 0..40 {
                    let name = stream(&format!("note-{writer}-{}", number % 4));
                    push(&*store, &name, events("a", number % 3 + 1)).await;
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    done.store(true, Ordering::SeqCst);
    let everything = check_whole(place, &*store).await;
    for reader in readers {
        let checker = timeout(PATIENCE, reader).await.unwrap().unwrap();
        assert_eq!(checker.last(), everything.last().unwrap().position.as_i64(), "the reader came to the end");
        checker.finish(everything.iter().map(Seen::from)).unwrap();
    }
    place.close().await;
}

/// Reads page after page until the writers are done and nothing is left.
async fn follow(store: Arc<dyn EventStore>, size: usize, done: Arc<AtomicBool>) -> OrderChecker {
    let mut checker = OrderChecker::default();
    loop {
        let ending = done.load(Ordering::SeqCst);
        let page = store.read_all(Position::new(checker.last()).unwrap(), size).await.unwrap();
        if page.is_empty() && ending {
            return checker;
        }
        checker.observe(page.iter().map(Seen::from)).unwrap();
        tokio::task::yield_now().await;
    }
}

pub(super) async fn dropped_appends_are_whole_or_absent(place: &dyn Place) {
    let store = place.open().await;
    for number in 0..100 {
        let name = stream(&format!("dropped-{number}"));
        let mut append = pin!(store.append(&name, ExpectedRevision::NoStream, events("a", 3)));
        // Handed in by the first poll, and then its caller is gone.
        let _ = append.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }
    for number in 0..100 {
        let name = stream(&format!("dropped-{number}"));
        // The dropped one may still be on its way, and then it comes first.
        let kept = match store.append(&name, ExpectedRevision::NoStream, events("b", 1)).await {
            Ok(appended) => appended.last_revision,
            refused => conflict_at(refused).unwrap() + 1,
        };
        assert!(kept == 0 || kept == 3, "{kept}");
    }
    check_whole(place, &*store).await;
    place.close().await;
}

pub(super) async fn a_restart_in_the_middle_loses_no_answer(place: &dyn Place) {
    let store = place.open().await;
    let mut head = store.appended();
    let writers: Vec<_> = (0..16).map(|writer| tokio::spawn(write_until_refused(store.clone(), writer))).collect();
    timeout(PATIENCE, head.wait_for(|position| position.as_i64() > 300)).await.unwrap().unwrap();
    place.close().await;
    drop(store);

    let mut answers = Vec::new();
    for writer in writers {
        answers.push(timeout(PATIENCE, writer).await.unwrap().unwrap());
    }
    let store = place.open().await;
    let everything = check_whole(place, &*store).await;
    for (name, appended) in answers {
        let kept = store.read_stream(&name, 0, usize::MAX).await.unwrap();
        let positions: Vec<Position> = kept.iter().map(|event| event.position).collect();
        let answered: Vec<Position> = appended.into_iter().flat_map(|appended| appended.positions).collect();
        assert_eq!(positions[..answered.len()], answered, "what was answered is there");
        assert!(kept.len().is_multiple_of(2), "an append is whole or absent");
        assert!(kept.len() <= answered.len() + 2, "what was refused is not there, but for the one that nobody was told of");
    }
    push(&*store, &stream("after"), events("a", 1)).await;
    assert_eq!(read_everything(&*store).await.len(), everything.len() + 1);
    place.close().await;
}

async fn write_until_refused(store: Arc<dyn EventStore>, writer: usize) -> (StreamId, Vec<Appended>) {
    let name = stream(&format!("note-{writer}"));
    let mut answers: Vec<Appended> = Vec::new();
    // Bounded, for a log in memory that cannot be closed.
    for _ in 0..1_000 {
        let last = answers.last().map(|appended| appended.last_revision);
        match store.append(&name, after(last), events("a", 2)).await {
            Ok(appended) => answers.push(appended),
            Err(AppendError::Unavailable(_) | AppendError::Unknown(_)) => break,
            Err(error) => panic!("{error:?}"),
        }
        tokio::task::yield_now().await;
    }
    (name, answers)
}
