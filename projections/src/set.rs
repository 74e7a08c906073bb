use std::sync::Arc;

use chassis::clock::Clock;
use database::Database;
use event_store::LogReader;
use followers::relay::Subjects;
use followers::{Consumer, FeedFollower, Follower, LeasedWork, Leases, LogFeed, LogMessageFeed, MessageFeed, Part, SubjectFilter, Tide};

use crate::{
    ConsumerProjector, ConsumerStore, Consumption, CouponRow, Coupons, CourseSelections, Entitlements, EntitlementsOfOrder,
    MemoryViewStore, OrderRow, Orders, PayRecords, PayRecordsOfOrder, Points, PointsOfOrder, Projection, Projector, SelectionRow,
    SqlViewStore, StockRow, Stocks, SurplusOfStream, SurplusPayments, ViewStore,
};

/// The followers of all views, the consumers among them, fed from the log, with their tables in `views`, which is migrated by
/// [`crate::MIGRATIONS`].
pub fn all(views: &Database, log: &Arc<dyn LogReader>, clock: &Arc<dyn Clock>) -> Vec<Arc<dyn Follower>> {
    let mut followers = without_consumers(views, log);
    followers.extend([
        consumer_of_log::<CourseSelections, _>(SqlViewStore::<CourseSelections>::new(views.clone()), log, clock),
        consumer_of_log::<Points, _>(SqlViewStore::<Points>::new(views.clone()), log, clock),
        consumer_of_log::<Entitlements, _>(SqlViewStore::<Entitlements>::new(views.clone()), log, clock),
    ]);
    followers
}

/// The followers of the views that are not consumers, fed from the log.
pub fn without_consumers(views: &Database, log: &Arc<dyn LogReader>) -> Vec<Arc<dyn Follower>> {
    vec![
        follower::<Orders, _>(SqlViewStore::<Orders>::new(views.clone()), log),
        follower::<PayRecords, _>(SqlViewStore::<PayRecords>::new(views.clone()), log),
        follower::<SurplusPayments, _>(SqlViewStore::<SurplusPayments>::new(views.clone()), log),
        follower::<Stocks, _>(SqlViewStore::<Stocks>::new(views.clone()), log),
        follower::<Coupons, _>(SqlViewStore::<Coupons>::new(views.clone()), log),
    ]
}

/// Makes the feed of a durable consumer of a broker: the consumer's name, what it wants, and the part.
pub type BrokerFeed<'b> = &'b dyn Fn(&'static str, Vec<SubjectFilter>, Part) -> Arc<dyn MessageFeed>;

/// What consumers of a broker work with.
pub struct BrokerParts<'b> {
    /// The log, which tells how far they have come.
    pub log: Arc<dyn LogReader>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// By which one worker at a time has each part of each consumer.
    pub leases: Arc<dyn Leases>,
    /// Who this process is, the same after a restart.
    pub holder: String,
    /// On which subject each event is published.
    pub subjects: Arc<Subjects>,
    /// Where the messages come from.
    pub feed: BrokerFeed<'b>,
}

/// The workers of consumers of a broker.
#[derive(Default)]
pub struct BrokerConsumers {
    /// One worker a consumer and part.
    pub workers: Vec<Arc<dyn Follower>>,
    /// One for each consumer that tells how far its parts have come in the log.
    pub tides: Vec<Arc<dyn Follower>>,
}

/// The consumers, fed from a broker, with their tables in `views`.
pub fn consumers_of_broker(views: &Database, parts: &BrokerParts<'_>) -> BrokerConsumers {
    let mut consumers = BrokerConsumers::default();
    consumers.add::<CourseSelections, _>(|| SqlViewStore::<CourseSelections>::new(views.clone()), parts);
    consumers.add::<Points, _>(|| SqlViewStore::<Points>::new(views.clone()), parts);
    consumers.add::<Entitlements, _>(|| SqlViewStore::<Entitlements>::new(views.clone()), parts);
    consumers
}

impl BrokerConsumers {
    fn add<P: ConsumerProjector, S: ConsumerStore<P::Row> + 'static>(&mut self, store: impl Fn() -> S, parts: &BrokerParts<'_>) {
        let effect = Arc::new(Consumption::<P, S>::new(store()));
        for part in Part::all() {
            let feed = (parts.feed)(P::NAME, P::subjects(), part);
            let lease = LeasedWork::new(Arc::clone(&parts.leases), format!("consumer {} {part}", P::NAME), parts.holder.clone());
            self.workers.push(Arc::new(Consumer::new(feed, Arc::clone(&effect), Arc::clone(&parts.clock)).with_lease(lease)));
        }
        let feed = Arc::new(LogFeed::new(Arc::clone(&parts.log), P::wanted()));
        self.tides.push(Arc::new(Tide::new(feed, effect, Arc::clone(&parts.subjects), P::subjects(), Arc::clone(&parts.clock))));
    }
}

/// All views in memory, for the simulation. Clones share the rows.
#[derive(Clone, Debug, Default)]
pub struct MemoryViews {
    /// Orders, by order id.
    pub orders: MemoryViewStore<OrderRow>,
    /// Pay records and refunds, by order id.
    pub pay_records: MemoryViewStore<PayRecordsOfOrder>,
    /// Course selections, and in them the course table, by selection id.
    pub course_selections: MemoryViewStore<SelectionRow>,
    /// Money that was not owed, by the stream that tells of it.
    pub surplus_payments: MemoryViewStore<SurplusOfStream>,
    /// Points, by order id.
    pub points: MemoryViewStore<PointsOfOrder>,
    /// Stock, by SKU.
    pub stock: MemoryViewStore<StockRow>,
    /// Coupons, by their numbers.
    pub coupons: MemoryViewStore<CouponRow>,
    /// Entitlements, by order id.
    pub entitlements: MemoryViewStore<EntitlementsOfOrder>,
}

impl MemoryViews {
    /// The followers of all views, fed from the log. New ones go on where dropped ones were.
    pub fn followers(&self, log: &Arc<dyn LogReader>, clock: &Arc<dyn Clock>) -> Vec<Arc<dyn Follower>> {
        vec![
            follower::<Orders, _>(self.orders.clone(), log),
            follower::<PayRecords, _>(self.pay_records.clone(), log),
            follower::<SurplusPayments, _>(self.surplus_payments.clone(), log),
            follower::<Stocks, _>(self.stock.clone(), log),
            follower::<Coupons, _>(self.coupons.clone(), log),
            consumer_of_log::<CourseSelections, _>(self.course_selections.clone(), log, clock),
            consumer_of_log::<Points, _>(self.points.clone(), log, clock),
            consumer_of_log::<Entitlements, _>(self.entitlements.clone(), log, clock),
        ]
    }
}

fn follower<P: Projector, S: ViewStore<P::Row> + 'static>(store: S, log: &Arc<dyn LogReader>) -> Arc<dyn Follower> {
    let feed = LogFeed::new(Arc::clone(log), P::wanted());
    Arc::new(FeedFollower::new(Arc::new(feed), Arc::new(Projection::<P, S>::new(store))))
}

fn consumer_of_log<P, S>(store: S, log: &Arc<dyn LogReader>, clock: &Arc<dyn Clock>) -> Arc<dyn Follower>
where
    P: ConsumerProjector,
    S: ConsumerStore<P::Row> + 'static,
{
    let feed = LogMessageFeed::new(Arc::new(LogFeed::new(Arc::clone(log), P::wanted())));
    Arc::new(Consumer::new(Arc::new(feed), Arc::new(Consumption::<P, S>::new(store)), Arc::clone(clock)))
}

#[cfg(test)]
mod tests;
