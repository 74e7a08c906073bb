use std::sync::Arc;

use database::Database;
use event_store::LogReader;
use followers::{FeedFollower, Follower, LogFeed};

use crate::{
    CouponRow, Coupons, CourseSelections, MemoryViewStore, OrderRow, Orders, PayRecords, PayRecordsOfOrder, Points, PointsOfOrder,
    Projection, Projector, SelectionRow, SqlViewStore, StockRow, Stocks, SurplusOfStream, SurplusPayments, ViewStore,
};

/// The followers of all views, fed from the log, with their tables in `views`, which is migrated by [`crate::MIGRATIONS`].
pub fn all(views: &Database, log: &Arc<dyn LogReader>) -> Vec<Arc<dyn Follower>> {
    vec![
        follower::<Orders, _>(SqlViewStore::<Orders>::new(views.clone()), log),
        follower::<PayRecords, _>(SqlViewStore::<PayRecords>::new(views.clone()), log),
        follower::<SurplusPayments, _>(SqlViewStore::<SurplusPayments>::new(views.clone()), log),
        follower::<CourseSelections, _>(SqlViewStore::<CourseSelections>::new(views.clone()), log),
        follower::<Points, _>(SqlViewStore::<Points>::new(views.clone()), log),
        follower::<Stocks, _>(SqlViewStore::<Stocks>::new(views.clone()), log),
        follower::<Coupons, _>(SqlViewStore::<Coupons>::new(views.clone()), log),
    ]
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
}

impl MemoryViews {
    /// The followers of all views, fed from the log. New ones go on where dropped ones were.
    pub fn followers(&self, log: &Arc<dyn LogReader>) -> Vec<Arc<dyn Follower>> {
        vec![
            follower::<Orders, _>(self.orders.clone(), log),
            follower::<PayRecords, _>(self.pay_records.clone(), log),
            follower::<SurplusPayments, _>(self.surplus_payments.clone(), log),
            follower::<CourseSelections, _>(self.course_selections.clone(), log),
            follower::<Points, _>(self.points.clone(), log),
            follower::<Stocks, _>(self.stock.clone(), log),
            follower::<Coupons, _>(self.coupons.clone(), log),
        ]
    }
}

fn follower<P: Projector, S: ViewStore<P::Row> + 'static>(store: S, log: &Arc<dyn LogReader>) -> Arc<dyn Follower> {
    let feed = LogFeed::new(Arc::clone(log), P::wanted());
    Arc::new(FeedFollower::new(Arc::new(feed), Arc::new(Projection::<P, S>::new(store))))
}

#[cfg(test)]
mod tests;
