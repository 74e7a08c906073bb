//! The consumers that read the broker.

use std::sync::Arc;

use followers::nats::Nats;
use followers::relay::Subjects;
use followers::{JetStreamFeed, MessageFeed, Part, SqlLeases, SubjectFilter, run_worker};
use projections::BrokerParts;

use crate::app::Parts;
use crate::follow::Background;

/// Begins the workers of all consumers. Of several processes one at a time has each part of each consumer, by lease.
pub(crate) fn begin(parts: &Parts, nats: &Nats, background: &mut Background) {
    let feed = |name: &'static str, filters: Vec<SubjectFilter>, part: Part| -> Arc<dyn MessageFeed> {
        let feed: Arc<dyn MessageFeed> = Arc::new(JetStreamFeed::new(nats.clone(), name, filters, part));
        #[cfg(debug_assertions)]
        let feed = crate::stop_point::around_feed(feed, name);
        feed
    };
    let log = parts.log.reader();
    let broker = BrokerParts {
        log: Arc::clone(&log),
        clock: parts.clock(),
        leases: Arc::new(SqlLeases::new(parts.state.clone())),
        holder: parts.holder(),
        subjects: Arc::new(Subjects::new(Arc::clone(&log))),
        feed: &feed,
    };
    let consumers = projections::consumers_of_broker(&parts.views, &broker);
    for tide in consumers.tides {
        background.follow(tide, parts.clock(), &log);
    }
    for worker in consumers.workers {
        let shutdown = background.shutdown();
        background.run(async move { run_worker(worker.as_ref(), shutdown.triggered()).await });
    }
}
