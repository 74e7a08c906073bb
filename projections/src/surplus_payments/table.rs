use std::collections::BTreeMap;

use async_trait::async_trait;
use database::{Database, DatabaseError, Transaction, Value, values};
use event_store::Position;

use super::{SurplusOfStream, SurplusPayments, SurplusRow};
use crate::StoreError;
use crate::store::{Side, SqlView};
use crate::table::{TablePair, TableRow, table_pair};

// Loaded by the stream: an order has few of them, if any.
pub(crate) static TABLE: TablePair = table_pair!("surplus_payment_view", key "surplus_id", by "stream_id", [
    "stream_id", "kind", "order_id", "pay_no", "out_trade_no", "channel", "trade_no", "amount", "currency", "paid_at", "received_at",
    "state", "refund_no", "refund_status", "refunded_amount", "resolved_reason", "revision", "position",
]);

impl TableRow for SurplusRow {
    fn key(&self) -> &str {
        &self.surplus_id
    }

    fn values(&self) -> Vec<Value> {
        let row = self.clone();
        values![
            row.surplus_id,
            row.stream_id,
            row.kind,
            row.order_id,
            row.pay_no,
            row.out_trade_no,
            row.channel,
            row.trade_no,
            row.amount,
            row.currency,
            row.paid_at,
            row.received_at,
            row.state,
            row.refund_no,
            row.refund_status,
            row.refunded_amount,
            row.resolved_reason,
            row.revision,
            row.position,
        ]
    }
}

#[async_trait]
impl SqlView for SurplusPayments {
    const REBUILD_NAME: &'static str = "surplus_payments:rebuild";

    fn tables() -> &'static [&'static TablePair] {
        static TABLES: [&TablePair; 1] = [&TABLE];
        &TABLES
    }

    async fn load(database: &Database, side: Side, keys: &[String]) -> Result<Vec<(String, SurplusOfStream)>, StoreError> {
        let rows: Vec<SurplusRow> = database.fetch_by_keys(&TABLE.side(side).select, keys).await?;
        let mut loaded: BTreeMap<String, SurplusOfStream> = BTreeMap::new();
        for row in rows {
            loaded.entry(row.stream_id.clone()).or_default().insert(row.surplus_id.clone(), row);
        }
        Ok(loaded.into_iter().collect())
    }

    async fn write(
        transaction: &mut Transaction,
        side: Side,
        rows: &[(String, SurplusOfStream)],
        after: Position,
    ) -> Result<(), DatabaseError> {
        let changed = rows.iter().flat_map(|(_, of_stream)| of_stream.values()).filter(|row| row.position > after.as_i64());
        let rows: Vec<_> = changed.map(TableRow::values).collect();
        TABLE.side(side).upsert.apply(transaction, &rows).await
    }
}
