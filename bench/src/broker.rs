//! What benchmarks of consumers share: the stream filled by the relay, the program's own consumers, and counting to an end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chassis::clock::SystemClock;
use database::Database;
use followers::nats::STREAM;
use followers::relay::{JetStreamBroker, Relay, StreamDeclaration, Subjects};
use followers::{Follower, FollowerError, JetStreamFeed, MessageFeed, Part, SqlLeases, SubjectFilter};
use projections::{BrokerConsumers, BrokerParts};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::nats::NatsServer;
use crate::place::Log;
use crate::trouble::{Doing, Trouble};

/// After so long without a single message nothing more is waited for.
const SILENCE_LIMIT: Duration = Duration::from_mins(1);

/// The wait after a run that others were in the way of.
const PAUSE: Duration = Duration::from_millis(20);

/// The relay from `log` to the server's stream.
pub(crate) fn relay(server: &NatsServer, log: &Log) -> Relay {
    let broker = Arc::new(JetStreamBroker::new(server.nats.clone(), StreamDeclaration { replicas: 1 }));
    Relay::new(log.reader(), broker, Arc::new(SystemClock::default()))
}

/// Publishes what the log holds.
pub(crate) async fn publish(relay: &Relay) -> Result<(), Trouble> {
    while !relay.run_once().await.doing("publish the log")?.caught_up {}
    Ok(())
}

/// The program's own consumers as a process of it has them, with their tables in `views` and their leases in `state`.
pub(crate) fn consumers(server: &NatsServer, log: &Log, views: &Database, state: &Database) -> BrokerConsumers {
    let feed = |name: &'static str, filters: Vec<SubjectFilter>, part: Part| -> Arc<dyn MessageFeed> {
        Arc::new(JetStreamFeed::new(server.nats.clone(), name, filters, part))
    };
    let parts = BrokerParts {
        log: log.reader(),
        clock: Arc::new(SystemClock::default()),
        leases: Arc::new(SqlLeases::new(state.clone())),
        holder: "bench".to_owned(),
        subjects: Arc::new(Subjects::new(log.reader())),
        feed: &feed,
    };
    projections::consumers_of_broker(views, &parts)
}

/// Those of the followers that have this name.
pub(crate) fn of_name(followers: Vec<Arc<dyn Follower>>, name: &str) -> Vec<Arc<dyn Follower>> {
    followers.into_iter().filter(|follower| follower.name() == name).collect()
}

/// Forgets the durable consumers of this name, so that the next ones begin at the stream's first message.
pub(crate) async fn forget(server: &NatsServer, name: &str) -> Result<(), Trouble> {
    let stream = server.nats.jetstream().get_stream(STREAM).await.doing("find the stream")?;
    for part in Part::all() {
        stream.delete_consumer(&format!("{name}-{part}")).await.doing("forget a consumer")?;
    }
    Ok(())
}

/// How many messages were dealt with, by all who work at once.
#[derive(Default)]
pub(crate) struct Tally {
    count: AtomicU64,
    changed: Notify,
}

impl Tally {
    /// So many more.
    pub(crate) fn add(&self, count: usize) {
        self.count.fetch_add(count as u64, Ordering::Relaxed);
        self.changed.notify_one();
    }

    fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

/// Works that are done at once and counted together.
pub(crate) struct Works {
    tasks: JoinSet<Result<(), Trouble>>,
    tally: Arc<Tally>,
    started: Instant,
}

impl Works {
    /// None as yet; the time runs from here.
    pub(crate) fn begin() -> Self {
        Self { tasks: JoinSet::new(), tally: Arc::default(), started: Instant::now() }
    }

    /// These workers run again and again.
    pub(crate) fn of(workers: impl IntoIterator<Item = Arc<dyn Follower>>) -> Self {
        let mut works = Self::begin();
        for worker in workers {
            works.other(|tally| work(worker, tally));
        }
        works
    }

    /// Does any other work, which counts by what it is given.
    pub(crate) fn other<F>(&mut self, work: impl FnOnce(Arc<Tally>) -> F)
    where
        F: Future<Output = Result<(), Trouble>> + Send + 'static,
    {
        self.tasks.spawn(work(Arc::clone(&self.tally)));
    }

    /// Waits until so many messages in all have been dealt with; the time since the beginning.
    pub(crate) async fn until(&mut self, wanted: u64) -> Result<Duration, Trouble> {
        while self.tally.count() < wanted {
            tokio::select! {
                changed = tokio::time::timeout(SILENCE_LIMIT, self.tally.changed.notified()) => {
                    changed.doing(format!("wait for {wanted} messages, of which {} came", self.tally.count()))?;
                }
                Some(ended) = self.tasks.join_next() => ended.doing("wait for a worker")??,
            }
        }
        Ok(self.started.elapsed())
    }

    /// Ends all.
    pub(crate) async fn end(mut self) {
        self.tasks.shutdown().await;
    }
}

async fn work(worker: Arc<dyn Follower>, tally: Arc<Tally>) -> Result<(), Trouble> {
    loop {
        match worker.run_once().await {
            Ok(progress) if progress.applied == 0 => {}
            Ok(progress) => tally.add(progress.applied),
            Err(FollowerError::Waiting | FollowerError::Overtaken) => tokio::time::sleep(PAUSE).await,
            Err(error) => return Err(error).doing(format!("work for {}", worker.name())),
        }
    }
}
