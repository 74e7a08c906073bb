//! Followers that keep tables and never issue commands: the views that queries read, and the consumers that keep course
//! selections with the course table, points and entitlements.
//!
//! Each view is a row, a pure `evolve` of it by one event, and a narrow store of rows with an adapter for SQL and one in
//! memory. A page of events is folded per key and written with the checkpoint in one transaction.

mod checksum;
mod consumption;
mod coupons;
mod course_selections;
mod entitlements;
mod migrations;
mod orders;
mod pay_records;
mod points;
mod projector;
mod rebuild;
mod set;
mod stock;
mod store;
mod surplus_payments;
mod table;
#[cfg(test)]
mod testing;
mod view;

pub use checksum::{Checksum, ChecksumError, checksum};
pub use consumption::{ConsumerProjector, Consumption, Rows};
pub use coupons::{CouponRow, Coupons};
pub use course_selections::{CourseSelections, CourseTableRow, Opened, SelectionFact, SelectionRow};
pub use entitlements::{EntitlementFact, EntitlementRow, Entitlements, EntitlementsOfOrder};
pub use migrations::MIGRATIONS;
pub use orders::{OrderRow, Orders};
pub use pay_records::{OrderFacts, PayRecordRow, PayRecords, PayRecordsOfOrder, RefundRow};
pub use points::{POINTS_OF_AN_ORDER, PointEntryRow, PointFact, Points, PointsOfOrder};
pub use projector::{Projection, Projector, Unready};
pub use rebuild::{REBUILD_PAGE_EVENTS, RebuildError, Rebuilt, SWAP_TRIES, rebuild};
pub use set::{BrokerConsumers, BrokerFeed, BrokerParts, MemoryViews, all, consumers_of_broker, without_consumers};
pub use stock::{StockRow, Stocks};
pub use store::{ConsumerStore, MemoryViewStore, SqlViewStore, StoreError, ViewStore};
pub use surplus_payments::{SurplusFact, SurplusOfStream, SurplusPayments, SurplusRow};
pub use view::{UnknownView, View};
