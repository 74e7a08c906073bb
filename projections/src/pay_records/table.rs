use std::collections::BTreeMap;

use async_trait::async_trait;
use database::{Database, DatabaseError, Transaction, Value, values};
use event_store::Position;

use super::{OrderFacts, PayRecordRow, PayRecords, PayRecordsOfOrder, RefundRow};
use crate::StoreError;
use crate::store::{Side, SqlView};
use crate::table::{TablePair, TableRow, table_pair};

// Loaded by the order, with all its attempts: there are at most 99.
pub(crate) static TABLE: TablePair = table_pair!("pay_record_view", key "pay_no", by "order_id", [
    "order_id", "buyer_id", "service", "channel", "amount", "currency", "subject", "status", "code_url", "code_expires_at", "expires_at",
    "issued_at", "trade_no", "paid_at", "paid_at_offset", "received_at", "failure_code", "closing_cause", "closed_proof", "updated_at",
    "revision", "position",
]);

// An order has at most 99 of them.
pub(crate) static REFUNDS: TablePair = table_pair!("refund_view", key "refund_no", by "order_id", [
    "order_id", "buyer_id", "service", "pay_no", "trade_no", "amount", "currency", "status", "cause", "reason", "code", "requested_at",
    "refunded_at", "updated_at", "revision", "position",
]);

static ORDER_TABLE: TablePair =
    table_pair!("pay_record_order", key "order_id", by "order_id", ["buyer_id", "service", "title", "expires_at", "revision", "position"]);

impl TableRow for PayRecordRow {
    fn key(&self) -> &str {
        &self.pay_no
    }

    fn values(&self) -> Vec<Value> {
        let row = self.clone();
        values![
            row.pay_no,
            row.order_id,
            row.buyer_id,
            row.service,
            row.channel,
            row.amount,
            row.currency,
            row.subject,
            row.status,
            row.code_url,
            row.code_expires_at,
            row.expires_at,
            row.issued_at,
            row.trade_no,
            row.paid_at,
            row.paid_at_offset,
            row.received_at,
            row.failure_code,
            row.closing_cause,
            row.closed_proof,
            row.updated_at,
            row.revision,
            row.position,
        ]
    }
}

impl TableRow for RefundRow {
    fn key(&self) -> &str {
        &self.refund_no
    }

    fn values(&self) -> Vec<Value> {
        let row = self.clone();
        values![
            row.refund_no,
            row.order_id,
            row.buyer_id,
            row.service,
            row.pay_no,
            row.trade_no,
            row.amount,
            row.currency,
            row.status,
            row.cause,
            row.reason,
            row.code,
            row.requested_at,
            row.refunded_at,
            row.updated_at,
            row.revision,
            row.position,
        ]
    }
}

impl TableRow for OrderFacts {
    fn key(&self) -> &str {
        &self.order_id
    }

    fn values(&self) -> Vec<Value> {
        let row = self.clone();
        values![row.order_id, row.buyer_id, row.service, row.title, row.expires_at, row.revision, row.position]
    }
}

#[async_trait]
impl SqlView for PayRecords {
    const REBUILD_NAME: &'static str = "pay_records:rebuild";

    fn tables() -> &'static [&'static TablePair] {
        static TABLES: [&TablePair; 3] = [&ORDER_TABLE, &TABLE, &REFUNDS];
        &TABLES
    }

    async fn load(database: &Database, side: Side, keys: &[String]) -> Result<Vec<(String, PayRecordsOfOrder)>, StoreError> {
        // Refunds and records first: another worker may commit between the reads, and neither is committed before its order.
        let refunds: Vec<RefundRow> = database.fetch_by_keys(&REFUNDS.side(side).select, keys).await?;
        let records: Vec<PayRecordRow> = database.fetch_by_keys(&TABLE.side(side).select, keys).await?;
        let orders: Vec<OrderFacts> = database.fetch_by_keys(&ORDER_TABLE.side(side).select, keys).await?;
        let of_order =
            |order: OrderFacts| (order.order_id.clone(), PayRecordsOfOrder { order, records: BTreeMap::new(), refunds: BTreeMap::new() });
        let mut loaded: BTreeMap<String, PayRecordsOfOrder> = orders.into_iter().map(of_order).collect();
        let without_order = |key: String| StoreError::Damaged { table: "pay_record_order", key, column: "order_id" };
        for record in records {
            let Some(of_order) = loaded.get_mut(&record.order_id) else { return Err(without_order(record.order_id)) };
            of_order.records.insert(record.pay_no.clone(), record);
        }
        for refund in refunds {
            let Some(of_order) = loaded.get_mut(&refund.order_id) else { return Err(without_order(refund.order_id)) };
            of_order.refunds.insert(refund.refund_no.clone(), refund);
        }
        Ok(loaded.into_iter().collect())
    }

    async fn write(
        transaction: &mut Transaction,
        side: Side,
        rows: &[(String, PayRecordsOfOrder)],
        after: Position,
    ) -> Result<(), DatabaseError> {
        let after = after.as_i64();
        let orders = rows.iter().map(|(_, row)| &row.order).filter(|order| order.position > after);
        let orders: Vec<_> = orders.map(TableRow::values).collect();
        let records = rows.iter().flat_map(|(_, row)| row.records.values()).filter(|record| record.position > after);
        let records: Vec<_> = records.map(TableRow::values).collect();
        ORDER_TABLE.side(side).upsert.apply(transaction, &orders).await?;
        TABLE.side(side).upsert.apply(transaction, &records).await?;
        let refunds = rows.iter().flat_map(|(_, row)| row.refunds.values()).filter(|refund| refund.position > after);
        let refunds: Vec<_> = refunds.map(TableRow::values).collect();
        REFUNDS.side(side).upsert.apply(transaction, &refunds).await
    }
}
