use async_trait::async_trait;
use database::{Database, DatabaseError, Transaction, Value, values};
use event_store::Position;

use super::{OrderRow, Orders};
use crate::StoreError;
use crate::store::{Side, SqlView};
use crate::table::{TablePair, TableRow, table_pair};

pub(crate) static TABLE: TablePair = table_pair!("order_view", key "order_id", by "order_id", [
    "buyer_id", "service", "order_type", "out_business_id", "source", "title", "description", "client", "amount", "currency",
    "discount_amount", "coupon_id", "status", "payment_status", "shipping_status", "items_json", "created_at", "expires_at", "paid_at", "ended_at", "paid_pay_no", "trade_no",
    "refunded_amount", "end_reason", "updated_at", "revision", "position",
]);

impl TableRow for OrderRow {
    fn key(&self) -> &str {
        &self.order_id
    }

    fn values(&self) -> Vec<Value> {
        let row = self.clone();
        values![
            row.order_id,
            row.buyer_id,
            row.service,
            row.order_type,
            row.out_business_id,
            row.source,
            row.title,
            row.description,
            row.client,
            row.amount,
            row.currency,
            row.discount_amount,
            row.coupon_id,
            row.status,
            row.payment_status,
            row.shipping_status,
            row.items_json,
            row.created_at,
            row.expires_at,
            row.paid_at,
            row.ended_at,
            row.paid_pay_no,
            row.trade_no,
            row.refunded_amount,
            row.end_reason,
            row.updated_at,
            row.revision,
            row.position,
        ]
    }
}

#[async_trait]
impl SqlView for Orders {
    const REBUILD_NAME: &'static str = "orders:rebuild";

    fn tables() -> &'static [&'static TablePair] {
        static TABLES: [&TablePair; 1] = [&TABLE];
        &TABLES
    }

    async fn load(database: &Database, side: Side, keys: &[String]) -> Result<Vec<(String, OrderRow)>, StoreError> {
        let rows: Vec<OrderRow> = database.fetch_by_keys(&TABLE.side(side).select, keys).await?;
        Ok(rows.into_iter().map(|row| (row.order_id.clone(), row)).collect())
    }

    async fn write(transaction: &mut Transaction, side: Side, rows: &[(String, OrderRow)], after: Position) -> Result<(), DatabaseError> {
        let changed = rows.iter().map(|(_, row)| row).filter(|row| row.position > after.as_i64());
        let rows: Vec<_> = changed.map(TableRow::values).collect();
        TABLE.side(side).upsert.apply(transaction, &rows).await
    }
}
