use chassis::identity::Role;
use chassis::problem::Code;
use serde_json::{Value, json};

use super::Group;
use super::operation::Operation;
use super::refunds::reason;
use super::schema;

/// Stock.
pub(super) fn group() -> Group {
    Group {
        tag: "Stock",
        about: "What there is of an article. It is held for an order before that is made, sold when the order is paid, and for sale \
             again when it ends unpaid or its money went back.",
        schemas: vec![
            ("Stock", stock()),
            ("StockReceipt", request(receipt(), "A delivery")),
            ("StockAdjustment", request(adjustment(), "Found broken")),
            ("StockAnswer", schema::answer("What is left of an article", &[("sku_id", sku_id()), ("available", available())], &[])),
        ],
        operations: vec![
            Operation::get("/api/v1/stock/{sku_id}", "showStock", "What there is of an article")
                .about("404 where nothing was ever received or counted of it.")
                .roles(&Role::ALL)
                .in_path("sku_id", sku_id())
                .of_views()
                .view("The stock.", "Stock"),
            change("receipts", "receiveStock", "Book what came in", "StockReceipt"),
            change("adjustments", "adjustStock", "Correct the books after a count", "StockAdjustment")
                .about("409 where fewer are available than are to be taken away: what is held for orders stays.")
                .problems(&[Code::InsufficientStock]),
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
    schema::text("The article", "book-rust-paper")
}

fn available() -> Value {
    number("How many may still be sold", 118)
}

fn number(about: &str, example: i64) -> Value {
    schema::count(about, 0, 1_000_000_000_000, example)
}

fn stock() -> Value {
    schema::answer(
        "What there is of an article",
        &[
            ("sku_id", sku_id()),
            ("on_hand", number("How many are in the house and not sold", 120)),
            ("reserved", number("Of these, how many are held for orders", 2)),
            ("available", available()),
            ("sold", number("How many were sold and did not come back", 30)),
        ],
        &[],
    )
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
