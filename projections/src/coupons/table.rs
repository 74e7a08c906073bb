use async_trait::async_trait;
use database::{Database, DatabaseError, Transaction, Value, values};
use event_store::Position;

use super::{CouponRow, Coupons};
use crate::StoreError;
use crate::store::{Side, SqlView};
use crate::table::{TablePair, TableRow, table_pair};

pub(crate) static TABLE: TablePair = table_pair!("coupon_view", key "coupon_id", by "coupon_id", [
    "buyer_id", "order_id", "discount_amount", "least_amount", "currency", "status", "used_by", "granted_at", "expires_at", "revision",
    "position",
]);

impl TableRow for CouponRow {
    fn key(&self) -> &str {
        &self.coupon_id
    }

    fn values(&self) -> Vec<Value> {
        let row = self.clone();
        values![
            row.coupon_id,
            row.buyer_id,
            row.order_id,
            row.discount_amount,
            row.least_amount,
            row.currency,
            row.status,
            row.used_by,
            row.granted_at,
            row.expires_at,
            row.revision,
            row.position,
        ]
    }
}

#[async_trait]
impl SqlView for Coupons {
    const REBUILD_NAME: &'static str = "coupons:rebuild";

    fn tables() -> &'static [&'static TablePair] {
        static TABLES: [&TablePair; 1] = [&TABLE];
        &TABLES
    }

    async fn load(database: &Database, side: Side, keys: &[String]) -> Result<Vec<(String, CouponRow)>, StoreError> {
        let rows: Vec<CouponRow> = database.fetch_by_keys(&TABLE.side(side).select, keys).await?;
        Ok(rows.into_iter().map(|row| (row.coupon_id.clone(), row)).collect())
    }

    async fn write(transaction: &mut Transaction, side: Side, rows: &[(String, CouponRow)], after: Position) -> Result<(), DatabaseError> {
        let changed = rows.iter().map(|(_, row)| row).filter(|row| row.position > after.as_i64());
        let rows: Vec<_> = changed.map(TableRow::values).collect();
        TABLE.side(side).upsert.apply(transaction, &rows).await
    }
}
