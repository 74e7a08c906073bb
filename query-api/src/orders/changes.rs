//! Hearing of changes of orders: one task looks for all who follow one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chassis::problem::Chain;
use database::{Database, DatabaseError, KeyedSelect};
use domain::OrderId;
use event_store::Position;
use tokio::sync::watch;

use crate::pace::Pace;

/// The shortest and the longest pause between two looks at the orders that are followed.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// What an order's revision is before it was looked for.
const UNKNOWN: i64 = -1;

static REVISIONS: KeyedSelect = KeyedSelect::new("select order_id, revision from order_view where order_id", "");

/// The revisions of orders that somebody follows. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct OrderChanges {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    views: Database,
    appended: watch::Receiver<Position>,
    followed: Mutex<Followed>,
}

#[derive(Debug, Default)]
struct Followed {
    /// Each order's revision as the view had it last.
    revisions: HashMap<String, watch::Sender<i64>>,
    /// Whether a task looks for them.
    is_looking: bool,
}

impl OrderChanges {
    /// Changes of the orders in `views`; `appended` tells when to look.
    pub(crate) fn new(views: Database, appended: watch::Receiver<Position>) -> Self {
        Self { shared: Arc::new(Shared { views, appended, followed: Mutex::default() }) }
    }

    /// The revision of an order's view as it rises, for as long as the receiver is kept; -1 until it was looked for.
    pub(crate) fn of(&self, order_id: OrderId) -> watch::Receiver<i64> {
        let mut followed = self.shared.followed();
        let receiver = followed.revisions.entry(order_id.to_string()).or_insert_with(|| watch::Sender::new(UNKNOWN)).subscribe();
        if !followed.is_looking {
            followed.is_looking = true;
            tokio::spawn(Arc::clone(&self.shared).look());
        }
        receiver
    }
}

impl Shared {
    /// Looks until nobody follows an order any more.
    async fn look(self: Arc<Self>) {
        let mut pace = Pace::new(self.appended.clone(), PAUSES.0, PAUSES.1);
        let mut is_failing = false;
        while let Some(order_ids) = self.order_ids() {
            match self.read(&order_ids).await {
                Ok(()) => is_failing = false,
                Err(error) => {
                    if !is_failing {
                        tracing::warn!(error = %Chain(&error), "orders that are followed cannot be looked for");
                    }
                    is_failing = true;
                }
            }
            pace.pause().await;
        }
    }

    /// The orders that somebody follows; `None` if there are none, and then this task is to end.
    fn order_ids(&self) -> Option<Vec<String>> {
        let mut followed = self.followed();
        followed.revisions.retain(|_, revision| revision.receiver_count() > 0);
        followed.is_looking = !followed.revisions.is_empty();
        followed.is_looking.then(|| followed.revisions.keys().cloned().collect())
    }

    async fn read(&self, order_ids: &[String]) -> Result<(), DatabaseError> {
        let rows: Vec<(String, i64)> = self.views.fetch_by_keys(&REVISIONS, order_ids).await?;
        let followed = self.followed();
        for (order_id, revision) in rows {
            if let Some(known) = followed.revisions.get(&order_id) {
                known.send_if_modified(|known| std::mem::replace(known, revision) != revision);
            }
        }
        Ok(())
    }

    fn followed(&self) -> MutexGuard<'_, Followed> {
        // A panic elsewhere cannot leave the map in a state that matters.
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
