use std::sync::Arc;

use chassis::clock::Clock;
use chassis::ids::IdSource;
use chassis::rate_limit::RateLimiter;
use chrono::{DateTime, TimeDelta, Utc};
use domain::coupon::Coupon;
use domain::course_selection::CourseSelection;
use domain::idempotency::IdempotencyKey;
use domain::operations::Operations;
use domain::order::{Order, OrderDraft};
use domain::stock::Stock;
use domain::unknown_capture::UnknownCapture;
use event_store::EventStore;
use storefront::catalogue::Catalogue;
use storefront::order_ids::OrderIdSource;
use storefront::person_keys::PersonKeys;

use crate::channels::Channels;
use crate::coupons::CouponRule;
use crate::handler::Handler;
use crate::inbox::NoticeInbox;
use crate::reconcile::StatementBook;

/// What the commands are given of the outside.
#[derive(Clone)]
pub struct Ports {
    /// The log.
    pub log: Arc<dyn EventStore>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Ids of events.
    pub ids: Arc<dyn IdSource>,
    /// Numbers of orders and selections.
    pub order_ids: Arc<dyn OrderIdSource>,
    /// What is sold.
    pub catalogue: Arc<dyn Catalogue>,
    /// The keys under which events hold what is known of persons.
    pub person_keys: Arc<dyn PersonKeys>,
    /// Where notifications are kept as they came.
    pub inbox: Arc<dyn NoticeInbox>,
    /// Where it is kept what came of each day's statement.
    pub statements: Arc<dyn StatementBook>,
    /// The channels.
    pub channels: Channels,
}

/// What the commands are configured with.
#[derive(Clone, Copy, Debug)]
pub struct CommandConfig {
    /// How long an order can be paid.
    pub order_life: TimeDelta,
    /// What coupon is granted for a payment, if any.
    pub coupon: Option<CouponRule>,
}

/// How often a channel is asked about one attempt at once; then each second.
const MOST_QUESTIONS: u32 = 20;

/// The commands of the system. Clones share everything.
#[derive(Clone)]
pub struct Commands {
    pub(crate) ports: Ports,
    pub(crate) config: CommandConfig,
    /// How often a channel is asked about one attempt because somebody wishes so.
    pub(crate) questions: Arc<RateLimiter>,
    pub(crate) orders: Arc<Handler<Order>>,
    pub(crate) selections: Arc<Handler<CourseSelection>>,
    pub(crate) keys: Arc<Handler<IdempotencyKey>>,
    pub(crate) coupons: Arc<Handler<Coupon>>,
    pub(crate) stocks: Arc<Handler<Stock>>,
    pub(crate) unknown_captures: Arc<Handler<UnknownCapture>>,
    pub(crate) operations: Arc<Handler<Operations>>,
}

impl Commands {
    /// The commands over these ports.
    pub fn new(ports: Ports, config: CommandConfig) -> Self {
        let (log, ids) = (&ports.log, &ports.ids);
        Self {
            orders: Arc::new(Handler::new(Arc::clone(log), Arc::clone(ids))),
            selections: Arc::new(Handler::new(Arc::clone(log), Arc::clone(ids))),
            keys: Arc::new(Handler::new(Arc::clone(log), Arc::clone(ids))),
            coupons: Arc::new(Handler::new(Arc::clone(log), Arc::clone(ids))),
            stocks: Arc::new(Handler::new(Arc::clone(log), Arc::clone(ids))),
            unknown_captures: Arc::new(Handler::new(Arc::clone(log), Arc::clone(ids))),
            operations: Arc::new(Handler::new(Arc::clone(log), Arc::clone(ids))),
            questions: Arc::new(RateLimiter::per_second(MOST_QUESTIONS, 1)),
            ports,
            config,
        }
    }

    /// The time.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.ports.clock.now()
    }

    /// Until when an order can be paid, cut to whole seconds, which is all that a channel's expiry can say.
    pub(crate) fn order_expiry(&self, draft: &OrderDraft, now: DateTime<Utc>) -> DateTime<Utc> {
        let hold = draft.hold_s.map(|seconds| TimeDelta::seconds(i64::from(seconds)));
        let expires_at = now + hold.map_or(self.config.order_life, |hold| hold.min(self.config.order_life));
        DateTime::from_timestamp(expires_at.timestamp(), 0).unwrap_or(expires_at)
    }
}
