use chassis::identity::Role;
use serde_json::{Value, json};

use super::Group;
use super::operation::Operation;
use super::orders::order_id;
use super::schema::{self, or_null};

/// Entitlements.
pub(super) fn group() -> Group {
    Group {
        tag: "Entitlements",
        about: "Each line of a paid order of study material or tutoring entitles its buyer to what was bought. All of an order's are \
             revoked when all that was paid for it has gone back.",
        schemas: vec![("Entitlement", entitlement()), ("EntitlementList", schema::page("A page of entitlements", "Entitlement"))],
        operations: vec![
            Operation::get("/api/v1/entitlements", "listEntitlements", "What the caller's orders entitle to, the newest first")
                .roles(&[Role::Buyer])
                .of_views()
                .paged()
                .json(200, "A page of entitlements.", "EntitlementList"),
        ],
    }
}

fn entitlement() -> Value {
    let revoked_at = schema::time("When all that was paid had gone back; null unless it did", "2026-07-21T08:00:00Z");
    schema::answer(
        "An entitlement",
        &[
            ("entitlement_id", schema::text("The order's number and the line's", "331284905322184704-001")),
            ("order_id", order_id()),
            ("kind", schema::word("What kind of business it is", &["material", "tutoring"])),
            ("goods_id", schema::text("What was bought", "notes-rust")),
            ("sku_id", or_null(schema::text("Which variant; null where there is none", "notes-rust-pdf"), Some(json!(null)))),
            ("name", schema::text("Its name when it was ordered", "Rust from zero: notes")),
            ("quantity", schema::count("How many", 1, i64::from(u32::MAX), 1)),
            ("status", schema::word("How it stands", &["active", "revoked"])),
            ("granted_at", schema::time("When it was paid", "2026-07-20T08:01:30Z")),
            ("revoked_at", or_null(revoked_at, Some(json!(null)))),
        ],
        &[],
    )
}
