//! Rows of the views, as their followers would write them.

use chrono::{DateTime, TimeDelta, Utc};
use database::values;

use super::stage::{Stage, start};

#[derive(Clone)]
pub(super) struct OrderSeed {
    pub(super) order_id: &'static str,
    pub(super) buyer_id: &'static str,
    pub(super) service: Option<&'static str>,
    pub(super) order_type: &'static str,
    pub(super) status: &'static str,
    pub(super) created_at: DateTime<Utc>,
    pub(super) revision: i64,
    pub(super) position: i64,
}

pub(super) const ORDER: &str = "331284905322184704";
pub(super) const PAY_NO: &str = "33128490532218470401";
pub(super) const SELECTION: &str = "331284905317990400";
pub(super) const CODE: &str = "https://qr.alipay.example/bax03431ljhokirwl38f00a7";

impl Default for OrderSeed {
    fn default() -> Self {
        Self {
            order_id: ORDER,
            buyer_id: "alice",
            service: None,
            order_type: "course",
            status: "awaiting_payment",
            created_at: start(),
            revision: 2,
            position: 5,
        }
    }
}

pub(super) const ITEMS: &str = r#"[{"goods_id":"course-rust","name":"Rust","quantity":1,"unit_price_amount":19900,"price_version":1}]"#;

#[derive(Clone)]
pub(super) struct RefundSeed {
    pub(super) refund_no: &'static str,
    pub(super) order_id: &'static str,
    pub(super) buyer_id: &'static str,
    pub(super) service: Option<&'static str>,
    pub(super) status: &'static str,
}

pub(super) const REFUND: &str = "331284905322184704R01";

impl Default for RefundSeed {
    fn default() -> Self {
        Self { refund_no: REFUND, order_id: ORDER, buyer_id: "alice", service: None, status: "requested" }
    }
}

#[derive(Clone)]
pub(super) struct SurplusSeed {
    pub(super) surplus_id: &'static str,
    pub(super) kind: &'static str,
    pub(super) state: &'static str,
    pub(super) refund_status: Option<&'static str>,
    pub(super) received_at: DateTime<Utc>,
}

/// A coupon of Alice's.
#[derive(Clone)]
pub(super) struct CouponSeed {
    pub(super) coupon_id: &'static str,
    pub(super) status: &'static str,
    pub(super) granted_at: DateTime<Utc>,
}

pub(super) const COUPON: &str = "C331284905322184704";
pub(super) const SKU: &str = "goods-mug-white";

impl Default for CouponSeed {
    fn default() -> Self {
        Self { coupon_id: COUPON, status: "usable", granted_at: start() }
    }
}

pub(super) const SURPLUS: &str = "33128490532218470401-T1";

impl Default for SurplusSeed {
    fn default() -> Self {
        let refund_status = Some("needs_operator");
        Self { surplus_id: SURPLUS, kind: "paid_twice", state: "needs_operator", refund_status, received_at: start() }
    }
}

impl Stage {
    pub(super) async fn refund(&self, seed: RefundSeed) {
        let sql = "insert into refund_view (refund_no, order_id, buyer_id, service, pay_no, trade_no, amount, currency, status, cause, \
             reason, code, requested_at, refunded_at, updated_at, revision, position) \
             values ($1, $2, $3, $4, $5, 'T1', 9900, 'CNY', $6, 'operator', 'ill', null, $7, $8, $7, 4, 5)";
        let refunded_at = (seed.status == "succeeded").then(|| start() + TimeDelta::minutes(5));
        let service = seed.service.map(str::to_owned);
        let values = values![seed.refund_no, seed.order_id, seed.buyer_id, service, PAY_NO, seed.status, start(), refunded_at];
        self.views.execute(sql, values).await.unwrap();
        self.taken_in(seed.order_id, 4).await;
    }

    pub(super) async fn surplus(&self, seed: SurplusSeed) {
        let sql = "insert into surplus_payment_view (surplus_id, stream_id, kind, order_id, pay_no, out_trade_no, channel, trade_no, \
             amount, currency, paid_at, received_at, state, refund_no, refund_status, refunded_amount, resolved_reason, revision, \
             position) values ($1, 'order-1', $2, $3, $4, 'OLD-7', 'alipay_qr', 'T1', 9900, 'CNY', $5, $6, $7, $8, $9, 0, null, 3, 5)";
        let is_known = seed.kind != "unmatched";
        let values = values![
            seed.surplus_id,
            seed.kind,
            is_known.then(|| ORDER.to_owned()),
            is_known.then(|| PAY_NO.to_owned()),
            is_known.then(start),
            seed.received_at,
            seed.state,
            seed.refund_status.map(|_| REFUND.to_owned()),
            seed.refund_status.map(str::to_owned),
        ];
        self.views.execute(sql, values).await.unwrap();
    }

    pub(super) async fn points(&self, order_id: &str, buyer_id: &str, points: i64, entered_at: DateTime<Utc>) {
        let sql = "insert into point_entry_view (entry_id, order_id, buyer_id, cause, points, entered_at, position) \
             values ($1, $2, $3, $4, $5, $6, 5)";
        let cause = if points < 0 { "refund" } else { "payment" };
        let values = values![format!("{order_id}-{cause}"), order_id, buyer_id, cause, points, entered_at];
        self.views.execute(sql, values).await.unwrap();
    }

    /// A SKU of which so many are in the house, held and sold.
    pub(super) async fn stock(&self, on_hand: i64, reserved: i64, sold: i64, revision: i64) {
        let sql = "insert into stock_view (sku_id, on_hand, reserved, sold, revision, position) values ($1, $2, $3, $4, $5, 5) \
             on conflict (sku_id) do update set on_hand = $2, reserved = $3, sold = $4, revision = $5";
        self.views.execute(sql, values![SKU, on_hand, reserved, sold, revision]).await.unwrap();
    }

    /// It can be used for 90 days.
    pub(super) async fn coupon(&self, seed: CouponSeed) {
        let sql = "insert into coupon_view (coupon_id, buyer_id, order_id, discount_amount, least_amount, currency, status, used_by, \
             granted_at, expires_at, revision, position) values ($1, 'alice', $2, 500, 2000, 'CNY', $3, $4, $5, $6, 1, 5)";
        let used_by = matches!(seed.status, "reserved" | "used").then(|| ORDER.to_owned());
        let expires_at = seed.granted_at + TimeDelta::days(90);
        let values = values![seed.coupon_id, ORDER, seed.status, used_by, seed.granted_at, expires_at];
        self.views.execute(sql, values).await.unwrap();
    }

    pub(super) async fn order(&self, seed: OrderSeed) {
        let paid_at = (seed.status == "paid").then(|| seed.created_at + TimeDelta::minutes(1));
        let payment_status = if seed.status == "paid" { "paid" } else { "unpaid" };
        let sql = "insert into order_view (order_id, buyer_id, service, order_type, out_business_id, source, title, description, client, \
             amount, currency, status, payment_status, shipping_status, items_json, created_at, expires_at, paid_at, ended_at, \
             paid_pay_no, trade_no, end_reason, updated_at, revision, position) \
             values ($1, $2, $3, $4, $5, 'course_selection', 'Rust', null, 'web', 19900, 'CNY', $6, $7, 'none', $8, $9, $10, $11, null, \
             null, null, null, $12, $13, $14)";
        let values = values![
            seed.order_id,
            seed.buyer_id,
            seed.service.map(str::to_owned),
            seed.order_type,
            SELECTION,
            seed.status,
            payment_status,
            ITEMS,
            seed.created_at,
            seed.created_at + TimeDelta::minutes(30),
            paid_at,
            seed.created_at,
            seed.revision,
            seed.position
        ];
        self.views.execute(sql, values).await.unwrap();
    }

    /// Pays the order, as the follower `orders` would show it.
    pub(super) async fn pay(&self, order_id: &str, revision: i64, position: i64) {
        let sql = "update order_view set status = 'paid', payment_status = 'paid', paid_at = $2, revision = $3, position = $4 \
             where order_id = $1";
        self.views.execute(sql, values![order_id, start(), revision, position]).await.unwrap();
    }

    pub(super) async fn pay_record(&self, pay_no: &str, order_id: &str, service: Option<&str>, code: Option<&str>) {
        let sql = "insert into pay_record_view (pay_no, order_id, buyer_id, service, channel, amount, currency, subject, status, \
             code_url, code_expires_at, expires_at, issued_at, updated_at, revision, position) \
             values ($1, $2, 'alice', $3, 'alipay_qr', 19900, 'CNY', 'Rust', $4, $5, $6, $7, $8, $8, 2, 5)";
        let status = if code.is_some() { "pending" } else { "preparing" };
        let expires_at = start() + TimeDelta::minutes(30);
        let code_expires_at = code.map(|_| start() + TimeDelta::minutes(20));
        let values =
            values![pay_no, order_id, service.map(str::to_owned), status, code.map(str::to_owned), code_expires_at, expires_at, start()];
        self.views.execute(sql, values).await.unwrap();
        self.taken_in(order_id, 2).await;
    }

    /// The follower `pay_records` has taken in the order's stream up to `revision`.
    pub(super) async fn taken_in(&self, order_id: &str, revision: i64) {
        let sql = "insert into pay_record_order (order_id, buyer_id, title, expires_at, revision, position) \
             values ($1, 'alice', 'Rust', $2, $3, 5) on conflict (order_id) do update set revision = excluded.revision";
        self.views.execute(sql, values![order_id, start(), revision]).await.unwrap();
    }

    /// A selection of Alice's; `opened` tells when it was opened and when its time is over.
    pub(super) async fn selection(&self, selection_id: &str, opened: Option<(DateTime<Utc>, Option<DateTime<Utc>>)>) {
        let sql = "insert into course_selection_view (selection_id, buyer_id, course_id, title, charge, price_amount, currency, \
             price_version, starts_at, valid_days, status, order_id, opened_at, ends_at, selected_at, revision, position) \
             values ($1, 'alice', 'course-rust', 'Rust', 'paid', 19900, 'CNY', 1, null, null, $2, $3, $4, $5, $6, 0, 1)";
        let status = if opened.is_some() { "active" } else { "unpaid" };
        let order_id = opened.map(|_| ORDER.to_owned());
        let ends_at = opened.and_then(|(_, ends_at)| ends_at);
        let values = values![selection_id, status, order_id, opened.map(|(opened_at, _)| opened_at), ends_at, start()];
        self.views.execute(sql, values).await.unwrap();
    }

    pub(super) async fn course(&self, selection_id: &str, buyer_id: &str, opened_at: DateTime<Utc>) {
        let sql = "insert into course_table_view (selection_id, buyer_id, course_id, title, order_id, opened_at, starts_at, ends_at, \
             position) values ($1, $2, 'course-rust', 'Rust', null, $3, $3, null, 1)";
        self.views.execute(sql, values![selection_id, buyer_id, opened_at]).await.unwrap();
    }

    /// All followers have come so far.
    pub(super) async fn all_at(&self, position: i64) {
        for follower in ["orders", "pay_records", "course_selections", "surplus_payments", "points", "stock", "coupons"] {
            self.follower_at(follower, position).await;
        }
    }

    pub(super) async fn follower_at(&self, name: &str, position: i64) {
        let sql = "insert into follower_checkpoint (name, generation, position) values ($1, 1, $2) \
             on conflict (name) do update set position = excluded.position";
        self.views.execute(sql, values![name, position]).await.unwrap();
    }
}
