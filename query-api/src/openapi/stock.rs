use chassis::identity::Role;
use serde_json::{Value, json};

use super::Group;
use super::operation::Operation;
use super::refunds::reason;
use super::schema;

/// Stock.
pub(super) fn group() -> Group {
    Group {
        tag: "Stock",
        about: "What may be sold of an article.",
        schemas: vec![
            ("StockReceipt", request(receipt(), "A delivery")),
            ("StockAdjustment", request(adjustment(), "Found broken")),
            (
                "StockAnswer",
                schema::answer(
                    "What is left of an article",
                    &[("sku_id", sku_id()), ("available", schema::count("How many may still be sold", 0, 1_000_000_000_000, 120))],
                    &[],
                ),
            ),
        ],
        operations: vec![
            change("receipts", "receiveStock", "Book what came in", "StockReceipt"),
            change("adjustments", "adjustStock", "Correct the books after a count", "StockAdjustment"),
        ],
    }
}

fn change(word: &str, id: &str, summary: &str, schema: &str) -> Operation {
    Operation::post(&format!("/api/v1/stock/{{sku_id}}/{word}"), id, summary)
        .roles(&[Role::Operator])
        .in_path("sku_id", sku_id())
        .command()
        .body(schema)
        .done(200, "It is booked.", "StockAnswer")
}

fn sku_id() -> Value {
    schema::text("The article", "sku-1")
}

fn receipt() -> Value {
    schema::count("How many came in", 1, 1_000_000, 20)
}

fn adjustment() -> Value {
    json!({
        "type": "integer", "minimum": -1_000_000, "maximum": 1_000_000, "not": { "const": 0 },
        "description": "How many more there are than the books say; below zero for fewer", "examples": [-2],
    })
}

fn request(quantity: Value, why: &str) -> Value {
    schema::request("What changes, and why", &[("quantity", quantity), ("reason", reason(why))], &[])
}
