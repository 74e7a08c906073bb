use std::collections::VecDeque;
use std::sync::Mutex;

use async_trait::async_trait;
use chassis::clock::ManualClock;
use chassis::shutdown::Shutdown;
use chrono::DateTime;

use super::*;
use crate::Progress;

/// A follower whose runs end as they are told; without orders it is caught up.
#[derive(Default)]
struct Scripted {
    ends: Mutex<VecDeque<Result<Progress, FollowerError>>>,
    runs: watch::Sender<usize>,
    lag: Lag,
    releases: Mutex<u32>,
    release: Release,
}

/// What becomes of a lease that is to be given back.
#[derive(Clone, Copy, Debug, Default)]
enum Release {
    #[default]
    Done,
    Failing,
    Hanging,
}

const CAUGHT_UP: Progress = Progress { applied: 0, position: Position::START, caught_up: true };

#[async_trait]
impl Follower for Scripted {
    fn name(&self) -> &'static str {
        "scripted"
    }

    async fn run_once(&self) -> Result<Progress, FollowerError> {
        self.runs.send_modify(|runs| *runs += 1);
        self.ends.lock().unwrap().pop_front().unwrap_or(Ok(CAUGHT_UP))
    }

    async fn lag(&self) -> Result<Lag, FollowerError> {
        Ok(self.lag)
    }

    async fn release(&self) -> Result<(), FollowerError> {
        *self.releases.lock().unwrap() += 1;
        match self.release {
            Release::Done => Ok(()),
            Release::Failing => Err(FollowerError::Work("broken".into())),
            Release::Hanging => std::future::pending().await,
        }
    }
}

impl Scripted {
    fn ending(ends: impl IntoIterator<Item = Result<Progress, FollowerError>>) -> Self {
        Self { ends: Mutex::new(ends.into_iter().collect()), ..Self::default() }
    }
}

fn failure() -> Result<Progress, FollowerError> {
    Err(FollowerError::Work("broken".into()))
}

/// Runs the follower until it ran `runs` times; answers how long that took in virtual time.
async fn time_of(follower: &Scripted, appended: watch::Receiver<Position>, runs: usize) -> Duration {
    let clock = ManualClock::new(DateTime::UNIX_EPOCH);
    let mut seen = follower.runs.subscribe();
    let begun = tokio::time::Instant::now();
    let enough = async move {
        seen.wait_for(|seen| *seen >= runs).await.unwrap();
    };
    run_forever(follower, &clock, appended, enough).await;
    begun.elapsed()
}

#[tokio::test(start_paused = true)]
async fn while_it_is_behind_it_runs_without_a_pause() {
    let behind = Progress { caught_up: false, ..CAUGHT_UP };
    let follower = Scripted::ending([Ok(behind), Ok(behind)]);
    let hint = watch::Sender::new(Position::START);
    assert_eq!(time_of(&follower, hint.subscribe(), 3).await, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn without_a_wake_up_it_looks_by_itself() {
    let hint = watch::Sender::new(Position::START);
    assert_eq!(time_of(&Scripted::default(), hint.subscribe(), 3).await, POLL_INTERVAL * 2);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_gives_no_more_hints_leaves_the_poll() {
    let hint = watch::Sender::new(Position::START);
    let appended = hint.subscribe();
    drop(hint);
    assert_eq!(time_of(&Scripted::default(), appended, 3).await, POLL_INTERVAL * 2);
}

#[tokio::test(start_paused = true)]
async fn a_wake_up_ends_the_wait() {
    let hint = watch::Sender::new(Position::START);
    let appended = hint.subscribe();
    let follower = Scripted::default();
    let mut seen = follower.runs.subscribe();
    let append = async {
        seen.wait_for(|runs| *runs == 1).await.unwrap();
        hint.send_replace(Position::new(1).unwrap());
    };
    let (took, ()) = tokio::join!(time_of(&follower, appended, 2), append);
    assert!(took < POLL_INTERVAL, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn failures_wait_longer_and_longer_and_never_end_the_loop() {
    let follower = Scripted::ending((0..4).map(|_| failure()));
    let hint = watch::Sender::new(Position::START);
    let waited = FIRST_BACK_OFF + FIRST_BACK_OFF * 2 + FIRST_BACK_OFF * 4 + FIRST_BACK_OFF * 8;
    assert_eq!(time_of(&follower, hint.subscribe(), 5).await, waited);
}

#[tokio::test(start_paused = true)]
async fn the_wait_after_a_failure_is_bounded() {
    let many = 40;
    let follower = Scripted::ending((0..many).map(|_| failure()));
    let hint = watch::Sender::new(Position::START);
    let count = u32::try_from(many).unwrap();
    assert!(time_of(&follower, hint.subscribe(), many + 1).await <= LONGEST_BACK_OFF * count);
}

#[tokio::test(start_paused = true)]
async fn being_overtaken_is_no_failure_and_is_tried_again_soon() {
    let follower = Scripted::ending([Err(FollowerError::Overtaken)]);
    let hint = watch::Sender::new(Position::START);
    let waited = time_of(&follower, hint.subscribe(), 2).await;
    assert!((FIRST_BACK_OFF / 2..=FIRST_BACK_OFF).contains(&waited), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn one_that_stands_still_is_seen_in_the_metrics() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let shown = recorder.handle();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let lag = Lag { events: 3, since: Some(DateTime::UNIX_EPOCH - chrono::TimeDelta::milliseconds(2500)) };
    let follower = Scripted { lag, ..Scripted::ending([failure(), failure(), failure()]) };
    let hint = watch::Sender::new(Position::START);

    time_of(&follower, hint.subscribe(), 3).await;
    let text = shown.render();
    for line in [
        "paystream_follower_lag_events{follower=\"scripted\"} 3",
        "paystream_follower_lag_seconds{follower=\"scripted\"} 2.5",
        "paystream_follower_errors_total{follower=\"scripted\"} 3",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line} is not in {text}");
    }

    time_of(&follower, hint.subscribe(), 5).await;
    let text = shown.render();
    for line in ["paystream_follower_lag_events{follower=\"scripted\"} 0", "paystream_follower_lag_seconds{follower=\"scripted\"} 0"] {
        assert!(text.lines().any(|shown| shown == line), "{line} is not in {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn it_ends_with_the_process() {
    let (shutdown, hint) = (Shutdown::new(), watch::Sender::new(Position::START));
    shutdown.trigger();
    let clock = ManualClock::new(DateTime::UNIX_EPOCH);
    run_forever(&Scripted::default(), &clock, hint.subscribe(), shutdown.triggered()).await;
}

#[tokio::test(start_paused = true)]
async fn at_its_end_it_gives_its_lease_back_once_and_no_trouble_with_that_holds_it_up() {
    for (release, took) in [(Release::Done, Duration::ZERO), (Release::Failing, Duration::ZERO), (Release::Hanging, RELEASE_LIMIT)] {
        let hint = watch::Sender::new(Position::START);
        let follower = Scripted { release, ..Scripted::default() };
        assert_eq!(time_of(&follower, hint.subscribe(), 1).await, took, "{release:?}");
        assert_eq!(*follower.releases.lock().unwrap(), 1, "{release:?}");

        let worker = Scripted { release, ..Scripted::ending([Err(FollowerError::Waiting)]) };
        let begun = tokio::time::Instant::now();
        let mut seen = worker.runs.subscribe();
        crate::run_worker(&worker, async move {
            seen.wait_for(|runs| *runs == 1).await.unwrap();
        })
        .await;
        assert_eq!((begun.elapsed(), *worker.releases.lock().unwrap()), (took, 1), "{release:?}");
    }
}

#[test]
fn a_failure_is_logged_when_it_is_another_one() {
    let mut troubles = Troubles { follower: "scripted", failures: 0, last: None };
    let broken = FollowerError::Work("broken".into());
    troubles.report(&broken);
    assert_eq!(troubles.last.as_deref(), Some("the follower's work failed: broken"));
    troubles.over();
    assert_eq!((troubles.failures, troubles.last), (0, None));
}
