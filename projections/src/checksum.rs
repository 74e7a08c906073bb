use std::fmt::Write as _;

use database::{Database, DatabaseError, Value, values};
use event_store::Position;
use followers::Checkpoint;
use sha2::{Digest, Sha256};

use crate::coupons::TABLE as COUPONS;
use crate::course_selections::{SelectionColumns, TABLE as SELECTIONS, TABLE_OF_COURSES};
use crate::entitlements::TABLE as ENTITLEMENTS;
use crate::orders::TABLE as ORDERS;
use crate::pay_records::{REFUNDS, TABLE as PAY_RECORDS};
use crate::points::TABLE as POINTS;
use crate::stock::TABLE as STOCK;
use crate::surplus_payments::TABLE as SURPLUS_PAYMENTS;
use crate::table::{Table, TableRow};
use crate::{CouponRow, CourseTableRow, EntitlementRow, OrderRow, PayRecordRow, PointEntryRow, RefundRow, StockRow, SurplusRow, View};

/// How many rows are read at a time.
const SCAN_ROWS: i64 = 1000;

/// How often a view that moves while it is read is read again.
const TRIES: usize = 10;

/// What a view holds, in a form that two views can be compared by, whatever database they lie in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checksum {
    /// The position up to which the view is made.
    pub position: Position,
    /// How many rows it has.
    pub rows: u64,
    /// SHA-256 of all columns of all rows in the order of their keys, in hexadecimal digits.
    pub sha256: String,
}

/// Why a view has no checksum.
#[derive(Debug, thiserror::Error)]
pub enum ChecksumError {
    /// The view was changed each time that it was read.
    #[error("the view changes faster than it is read")]
    Moving,
    /// It could not be read.
    #[error("the view cannot be read")]
    Database(#[from] DatabaseError),
}

/// The checksum of a view as it is now. It is read while the view may change, and again where it did. Errors:
/// [`ChecksumError::Moving`] after some such tries.
pub async fn checksum(view: View, views: &Database) -> Result<Checksum, ChecksumError> {
    for _ in 0..TRIES {
        let before = Checkpoint::load(views, view.follower()).await?;
        let (rows, sha256) = match view {
            View::Orders => scan::<OrderRow>(&ORDERS.live, views).await?,
            View::PayRecords => scan::<PayRecordRow>(&PAY_RECORDS.live, views).await?,
            View::Refunds => scan::<RefundRow>(&REFUNDS.live, views).await?,
            View::SurplusPayments => scan::<SurplusRow>(&SURPLUS_PAYMENTS.live, views).await?,
            View::CourseSelections => scan::<SelectionColumns>(&SELECTIONS.live, views).await?,
            View::CourseTable => scan::<CourseTableRow>(&TABLE_OF_COURSES.live, views).await?,
            View::Points => scan::<PointEntryRow>(&POINTS.live, views).await?,
            View::Stock => scan::<StockRow>(&STOCK.live, views).await?,
            View::Coupons => scan::<CouponRow>(&COUPONS.live, views).await?,
            View::Entitlements => scan::<EntitlementRow>(&ENTITLEMENTS.live, views).await?,
        };
        if Checkpoint::load(views, view.follower()).await? == before {
            return Ok(Checksum { position: before.position, rows, sha256 });
        }
    }
    Err(ChecksumError::Moving)
}

async fn scan<R: TableRow>(table: &Table, views: &Database) -> Result<(u64, String), DatabaseError> {
    let mut hash = Sha256::new();
    let mut rows = 0;
    let mut after = String::new();
    loop {
        let page: Vec<R> = views.fetch_all(table.scan, values![&after, SCAN_ROWS]).await?;
        let Some(last) = page.last() else {
            break;
        };
        last.key().clone_into(&mut after);
        rows += u64::try_from(page.len()).unwrap_or(u64::MAX);
        for value in page.iter().flat_map(TableRow::values) {
            add(&mut hash, &value);
        }
    }
    let mut digits = String::with_capacity(64);
    for byte in hash.finalize() {
        // Writing to a String cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    Ok((rows, digits))
}

/// Adds a value with its kind and length, so that no two lists of values look alike.
fn add(hash: &mut Sha256, value: &Value) {
    let (kind, bytes) = match value {
        Value::Int(Some(number)) => (b'i', number.to_be_bytes().to_vec()),
        Value::Text(Some(text)) => (b't', text.as_bytes().to_vec()),
        Value::Time(Some(time)) => (b'm', time.as_micros().to_be_bytes().to_vec()),
        Value::Bytes(Some(bytes)) => (b'b', bytes.clone()),
        Value::Int(None) | Value::Text(None) | Value::Time(None) | Value::Bytes(None) => (b'n', Vec::new()),
    };
    hash.update([kind]);
    hash.update(bytes.len().to_be_bytes());
    hash.update(&bytes);
}
