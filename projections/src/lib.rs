//! Followers that keep tables and never issue commands: the views that queries read, and the consumer that keeps course
//! selections and the course table.
//!
//! Each view is a row, a pure `evolve` of it by one event, and a narrow store of rows with an adapter for SQL and one in
//! memory. A page of events is folded per key and written with the checkpoint in one transaction.

mod checksum;
mod course_selections;
mod orders;
mod pay_records;
mod projector;
mod rebuild;
mod set;
mod store;
mod table;
#[cfg(test)]
mod testing;
mod view;

use database::Migration;

pub use checksum::{Checksum, ChecksumError, checksum};
pub use course_selections::{CourseSelections, CourseTableRow, Opened, SelectionFact, SelectionRow};
pub use orders::{OrderRow, Orders};
pub use pay_records::{OrderFacts, PayRecordRow, PayRecords, PayRecordsOfOrder};
pub use projector::{Projection, Projector, Unready};
pub use rebuild::{REBUILD_PAGE_EVENTS, RebuildError, Rebuilt, SWAP_TRIES, rebuild};
pub use set::{MemoryViews, all};
pub use store::{MemoryViewStore, SqlViewStore, StoreError, ViewStore};
pub use view::{UnknownView, View};

/// The steps of the tables of the area `Views`.
pub const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    name: "views",
    sqlite: include_str!("../../migrations/views/sqlite/0001_views.sql"),
    postgres: include_str!("../../migrations/views/postgres/0001_views.sql"),
}];
