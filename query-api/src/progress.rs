//! How far the views have come, and waiting for them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use database::{Database, DatabaseError};
use event_store::Position;
use tokio::sync::{Mutex, watch};

use crate::pace::Pace;

/// The longest that a query waits for its views.
pub const WAIT_LIMIT: Duration = Duration::from_secs(5);

/// The shortest and the longest pause between two looks at the checkpoints.
const PAUSES: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(50));

/// A follower that fills views.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follower {
    /// Fills `order_view`.
    Orders,
    /// Fills `pay_record_view` and `refund_view`.
    PayRecords,
    /// Fills `course_selection_view` and `course_table_view`.
    CourseSelections,
    /// Fills `surplus_payment_view`.
    SurplusPayments,
    /// Fills `point_entry_view`.
    Points,
    /// Fills `stock_view`.
    Stock,
    /// Fills `coupon_view`.
    Coupons,
    /// Fills `entitlement_view`.
    Entitlements,
}

impl Follower {
    /// Its name in `follower_checkpoint`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::PayRecords => "pay_records",
            Self::CourseSelections => "course_selections",
            Self::SurplusPayments => "surplus_payments",
            Self::Points => "points",
            Self::Stock => "stock",
            Self::Coupons => "coupons",
            Self::Entitlements => "entitlements",
        }
    }
}

/// Why a view was not awaited to the end.
#[derive(Debug, thiserror::Error)]
pub enum Behind {
    /// It has not come so far in time.
    #[error("the view is behind")]
    Late,
    /// Nobody can tell how far it has come.
    #[error("the checkpoints cannot be read")]
    Unreadable(#[source] DatabaseError),
}

/// How far the followers that fill the views have come.
///
/// A follower's checkpoint passes every event of the log, also those that its view does not show: a view that sees few
/// events reaches a position as soon as others do. Clones share what they know; however many wait, one of them looks.
#[derive(Clone, Debug)]
pub struct ViewProgress {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    views: Database,
    appended: watch::Receiver<Position>,
    seen: watch::Sender<Checkpoints>,
    /// Held by the one waiter that looks for all.
    looking: Mutex<()>,
}

type Checkpoints = BTreeMap<String, i64>;

impl ViewProgress {
    /// The progress of the followers whose checkpoints lie in `views`; `appended` wakes those who wait, see
    /// [`event_store::LogReader::appended`].
    pub fn new(views: Database, appended: watch::Receiver<Position>) -> Self {
        let shared = Shared { views, appended, seen: watch::Sender::default(), looking: Mutex::new(()) };
        Self { shared: Arc::new(shared) }
    }

    /// Ends when all of `followers` have reached `position`, at once if they have. Errors: [`Behind::Late`] after
    /// [`WAIT_LIMIT`].
    pub async fn reach(&self, followers: &[Follower], position: Position) -> Result<(), Behind> {
        self.reach_within(WAIT_LIMIT, followers, position).await
    }

    /// Like [`Self::reach`] with another limit.
    pub async fn reach_within(&self, limit: Duration, followers: &[Follower], position: Position) -> Result<(), Behind> {
        let waiting = self.shared.reached(followers, position);
        tokio::time::timeout(limit, waiting).await.unwrap_or(Err(Behind::Late))
    }
}

impl Shared {
    async fn reached(&self, followers: &[Follower], position: Position) -> Result<(), Behind> {
        let mut seen = self.seen.subscribe();
        let wanted = |checkpoints: &Checkpoints| have_reached(checkpoints, followers, position);
        tokio::select! {
            biased;
            // The sender is ours, so this ends only when the checkpoints are there.
            Ok(_) = seen.wait_for(wanted) => Ok(()),
            found = self.look_until(&wanted) => found,
        }
    }

    /// Looks for all who wait, once it is this one's turn. Whoever stops waiting leaves the turn to the next.
    async fn look_until(&self, wanted: &(impl Fn(&Checkpoints) -> bool + Sync)) -> Result<(), Behind> {
        let _turn = self.looking.lock().await;
        let mut pace = Pace::new(self.appended.clone(), PAUSES.0, PAUSES.1);
        loop {
            let checkpoints = self.read().await.map_err(Behind::Unreadable)?;
            let is_reached = wanted(&checkpoints);
            self.seen.send_if_modified(|seen| {
                let has_moved = *seen != checkpoints;
                *seen = checkpoints;
                has_moved
            });
            if is_reached {
                return Ok(());
            }
            pace.pause().await;
        }
    }

    async fn read(&self) -> Result<Checkpoints, DatabaseError> {
        let rows: Vec<(String, i64)> = self.views.fetch_all("select name, position from follower_checkpoint", Vec::new()).await?;
        Ok(rows.into_iter().collect())
    }
}

fn have_reached(checkpoints: &Checkpoints, followers: &[Follower], position: Position) -> bool {
    followers.iter().all(|follower| checkpoints.get(follower.name()).copied().unwrap_or_default() >= position.as_i64())
}
