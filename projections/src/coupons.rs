//! Buyers' coupons, as their streams say.

use database::Time;
use domain::coupon::{CouponEvent, CouponGranted};
use domain::stored::StoredFormError;
use event_store::RecordedEvent;

use crate::projector::{revision, stream_key};
use crate::{Projector, Unready};

mod table;
#[cfg(test)]
mod tests;

pub(crate) use table::TABLE;

/// A row of `coupon_view`; its columns are described in `migrations/views`.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "each column is described where the table is made")]
pub struct CouponRow {
    pub coupon_id: String,
    pub buyer_id: String,
    pub order_id: String,
    pub discount_amount: i64,
    pub least_amount: i64,
    pub currency: String,
    pub status: String,
    pub used_by: Option<String>,
    pub granted_at: Time,
    pub expires_at: Time,
    pub revision: i64,
    pub position: i64,
}

/// The view of coupons.
#[derive(Debug)]
pub enum Coupons {}

const USABLE: &str = "usable";
const RESERVED: &str = "reserved";
const USED: &str = "used";
const WITHDRAWN: &str = "withdrawn";

impl Projector for Coupons {
    type Row = CouponRow;
    type Event = CouponEvent;

    const NAME: &'static str = "coupons";

    fn wanted() -> Vec<&'static str> {
        CouponEvent::STORED.iter().map(|(name, _)| *name).collect()
    }

    fn read(recorded: &RecordedEvent) -> Result<CouponEvent, StoredFormError> {
        CouponEvent::from_stored(&recorded.event_type, recorded.schema_version, &recorded.data)
    }

    fn key(_: &CouponEvent, recorded: &RecordedEvent) -> Option<String> {
        stream_key(recorded, "coupon-")
    }

    fn ready(row: Option<&CouponRow>, event: &CouponEvent) -> Result<(), Unready> {
        let coupon_id = match event {
            _ if row.is_some() => return Ok(()),
            CouponEvent::CouponGranted(_) => return Ok(()),
            CouponEvent::CouponReserved(event) => &event.coupon_id,
            CouponEvent::CouponReleased(event) => &event.coupon_id,
            CouponEvent::CouponUsed(event) => &event.coupon_id,
            CouponEvent::CouponWithdrawn(event) => &event.coupon_id,
        };
        Err(Unready { what: "coupon", key: coupon_id.to_string() })
    }

    fn evolve(row: Option<CouponRow>, event: &CouponEvent, recorded: &RecordedEvent) -> Option<CouponRow> {
        let mut row = match (row, event) {
            (Some(row), _) if row.revision >= revision(recorded) => return Some(row),
            (Some(row), _) => row,
            (None, CouponEvent::CouponGranted(event)) => CouponRow::granted(event),
            (None, _) => return None,
        };
        row.evolved(event);
        row.revision = revision(recorded);
        row.position = recorded.position.as_i64();
        Some(row)
    }
}

impl CouponRow {
    fn granted(event: &CouponGranted) -> Self {
        Self {
            coupon_id: event.coupon_id.to_string(),
            buyer_id: event.buyer_id.to_string(),
            order_id: event.order_id.to_string(),
            discount_amount: event.discount_amount.as_i64(),
            least_amount: event.least_amount.as_i64(),
            currency: event.currency.code().to_owned(),
            status: USABLE.to_owned(),
            used_by: None,
            granted_at: event.granted_at.into(),
            expires_at: event.expires_at.into(),
            revision: 0,
            position: 0,
        }
    }

    fn evolved(&mut self, event: &CouponEvent) {
        match event {
            CouponEvent::CouponGranted(_) => {}
            CouponEvent::CouponReserved(event) => self.stand(RESERVED, Some(event.order_id.to_string())),
            CouponEvent::CouponReleased(_) => self.stand(USABLE, None),
            CouponEvent::CouponUsed(event) => self.stand(USED, Some(event.order_id.to_string())),
            // Who has it in an order keeps it there; it is withdrawn once more when that lets it go.
            CouponEvent::CouponWithdrawn(_) if self.status == RESERVED => {}
            CouponEvent::CouponWithdrawn(_) => self.stand(WITHDRAWN, None),
        }
    }

    fn stand(&mut self, status: &str, used_by: Option<String>) {
        status.clone_into(&mut self.status);
        self.used_by = used_by;
    }
}
