use std::collections::BTreeMap;

use async_trait::async_trait;
use database::{Database, DatabaseError, Transaction, Value, values};
use event_store::Position;

use super::{EntitlementRow, Entitlements, EntitlementsOfOrder};
use crate::store::{Side, SqlView};
use crate::table::{TablePair, TableRow, table_pair};
use crate::{ConsumerProjector, StoreError};

pub(crate) static TABLE: TablePair = table_pair!("entitlement_view", key "entitlement_id", by "order_id", [
    "order_id", "buyer_id", "kind", "goods_id", "sku_id", "name", "quantity", "status", "granted_at", "revoked_at", "position",
]);

impl TableRow for EntitlementRow {
    fn key(&self) -> &str {
        &self.entitlement_id
    }

    fn values(&self) -> Vec<Value> {
        let row = self.clone();
        values![
            row.entitlement_id,
            row.order_id,
            row.buyer_id,
            row.kind,
            row.goods_id,
            row.sku_id,
            row.name,
            row.quantity,
            row.status,
            row.granted_at,
            row.revoked_at,
            row.position,
        ]
    }
}

#[async_trait]
impl SqlView for Entitlements {
    const REBUILD_NAME: &'static str = <Self as ConsumerProjector>::REBUILD_NAME;

    fn tables() -> &'static [&'static TablePair] {
        static TABLES: [&TablePair; 1] = [&TABLE];
        &TABLES
    }

    async fn load(database: &Database, side: Side, keys: &[String]) -> Result<Vec<(String, EntitlementsOfOrder)>, StoreError> {
        let rows: Vec<EntitlementRow> = database.fetch_by_keys(&TABLE.side(side).select, keys).await?;
        let mut loaded: BTreeMap<String, EntitlementsOfOrder> = BTreeMap::new();
        for row in rows {
            loaded.entry(row.order_id.clone()).or_insert_with(|| EntitlementsOfOrder { lines: Vec::new() }).lines.push(row);
        }
        // What lies in one chunk of keys is in the order of the ids, and an order lies in one chunk.
        Ok(loaded.into_iter().collect())
    }

    async fn write(
        transaction: &mut Transaction,
        side: Side,
        rows: &[(String, EntitlementsOfOrder)],
        after: Position,
    ) -> Result<(), DatabaseError> {
        let lines = rows.iter().flat_map(|(_, row)| &row.lines).filter(|line| line.position > after.as_i64());
        TABLE.side(side).upsert.apply(transaction, &lines.map(TableRow::values).collect::<Vec<_>>()).await
    }
}
