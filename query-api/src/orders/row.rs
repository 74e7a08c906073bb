use database::Time;

/// The columns that [`OrderRow`] reads.
macro_rules! order_columns {
    () => {
        "order_id, buyer_id, service, order_type, out_business_id, source, title, description, client, amount, currency, \
         discount_amount, coupon_id, status, payment_status, shipping_status, items_json, created_at, expires_at, paid_at, ended_at, paid_pay_no, trade_no, \
         refunded_amount, end_reason, updated_at, revision, position"
    };
}
pub(super) use order_columns;

/// A row of `order_view`.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct OrderRow {
    pub(super) order_id: String,
    pub(super) buyer_id: String,
    pub(super) service: Option<String>,
    pub(super) order_type: String,
    pub(super) out_business_id: String,
    pub(super) source: String,
    pub(super) title: String,
    pub(super) description: Option<String>,
    pub(super) client: String,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) discount_amount: i64,
    pub(super) coupon_id: Option<String>,
    pub(super) status: String,
    pub(super) payment_status: String,
    pub(super) shipping_status: String,
    pub(super) items_json: String,
    pub(super) created_at: Time,
    pub(super) expires_at: Time,
    pub(super) paid_at: Option<Time>,
    pub(super) ended_at: Option<Time>,
    pub(super) paid_pay_no: Option<String>,
    pub(super) trade_no: Option<String>,
    pub(super) refunded_amount: i64,
    pub(super) end_reason: Option<String>,
    pub(super) updated_at: Time,
    pub(super) revision: i64,
    pub(super) position: i64,
}
