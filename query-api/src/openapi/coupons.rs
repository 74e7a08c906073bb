use chassis::identity::Role;
use serde_json::Value;

use super::Group;
use super::operation::Operation;
use super::orders::order_id;
use super::schema;

/// Coupons.
pub(super) fn group() -> Group {
    Group {
        tag: "Coupons",
        about: "A payment may grant its buyer a coupon, which takes something off one later order. It is held while that order may \
             be paid, and comes back when the order ends unpaid; unused, it goes back with the money that it was granted for.",
        schemas: vec![("Coupon", coupon()), ("CouponList", schema::page("A page of coupons", "Coupon"))],
        operations: vec![
            Operation::get("/api/v1/coupons", "listCoupons", "The caller's coupons, the newest first")
                .roles(&[Role::Buyer])
                .of_views()
                .paged()
                .json(200, "A page of coupons.", "CouponList"),
        ],
    }
}

pub(super) fn coupon_id(about: &str) -> Value {
    schema::text(about, "C331284905322184704")
}

fn coupon() -> Value {
    let status = schema::word("How it stands", &["usable", "reserved", "used", "withdrawn", "expired"]);
    schema::answer(
        "A coupon",
        &[
            ("coupon_id", coupon_id("Its number")),
            ("order_id", order_id()),
            ("discount_amount", schema::amount("What it takes off one order, at most the order's sum", 500)),
            ("least_amount", schema::amount("The least sum of an order that it can be set against", 2_000)),
            ("currency", schema::currency()),
            ("status", status),
            ("granted_at", schema::time("When it was granted", "2026-07-20T08:01:31Z")),
            ("expires_at", schema::time("Until when it can be set against an order", "2026-10-18T08:01:31Z")),
        ],
        &[],
    )
}
