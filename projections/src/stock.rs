//! The stock of each SKU, as its stream says.

use domain::stock::StockEvent;
use domain::stored::StoredFormError;
use event_store::RecordedEvent;

use crate::projector::{revision, stream_key};
use crate::{Projector, Unready};

mod table;
#[cfg(test)]
mod tests;

pub(crate) use table::TABLE;

/// A row of `stock_view`; its columns are described in `migrations/views`.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "each column is described where the table is made")]
pub struct StockRow {
    pub sku_id: String,
    pub on_hand: i64,
    pub reserved: i64,
    pub sold: i64,
    pub revision: i64,
    pub position: i64,
}

/// The view of stock.
#[derive(Debug)]
pub enum Stocks {}

impl Projector for Stocks {
    type Row = StockRow;
    type Event = StockEvent;

    const NAME: &'static str = "stock";

    fn wanted() -> Vec<&'static str> {
        StockEvent::STORED.iter().map(|(name, _)| *name).collect()
    }

    fn read(recorded: &RecordedEvent) -> Result<StockEvent, StoredFormError> {
        StockEvent::from_stored(&recorded.event_type, recorded.schema_version, &recorded.data)
    }

    fn key(_: &StockEvent, recorded: &RecordedEvent) -> Option<String> {
        stream_key(recorded, "stock-")
    }

    // Whatever comes first, an empty stock is what it happens to.
    fn ready(_: Option<&StockRow>, _: &StockEvent) -> Result<(), Unready> {
        Ok(())
    }

    fn evolve(row: Option<StockRow>, event: &StockEvent, recorded: &RecordedEvent) -> Option<StockRow> {
        let mut row = match row {
            Some(row) if row.revision >= revision(recorded) => return Some(row),
            Some(row) => row,
            None => StockRow::empty(stream_key(recorded, "stock-")?),
        };
        row.evolved(event);
        row.revision = revision(recorded);
        row.position = recorded.position.as_i64();
        Some(row)
    }
}

impl StockRow {
    fn empty(sku_id: String) -> Self {
        Self { sku_id, on_hand: 0, reserved: 0, sold: 0, revision: 0, position: 0 }
    }

    fn evolved(&mut self, event: &StockEvent) {
        let (on_hand, reserved, sold) = match event {
            StockEvent::StockReceived(event) => (i64::from(event.quantity), 0, 0),
            StockEvent::StockAdjusted(event) => (event.difference, 0, 0),
            StockEvent::StockReserved(event) => (0, i64::from(event.quantity), 0),
            StockEvent::StockSold(event) => {
                let quantity = i64::from(event.quantity);
                (-quantity, -quantity, quantity)
            }
            StockEvent::StockReleased(event) => {
                let quantity = i64::from(event.quantity);
                if event.was_sold { (quantity, 0, -quantity) } else { (0, -quantity, 0) }
            }
        };
        // The stream never takes what is not there; the domain reads it as nothing less than none all the same.
        self.on_hand = self.on_hand.saturating_add(on_hand).max(0);
        self.reserved = self.reserved.saturating_add(reserved).max(0);
        self.sold = self.sold.saturating_add(sold).max(0);
    }
}
