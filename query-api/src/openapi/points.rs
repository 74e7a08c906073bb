use chassis::identity::Role;
use serde_json::{Value, json};

use super::Group;
use super::operation::Operation;
use super::orders::order_id;
use super::schema::{self, list, named, or_null};

/// Points.
pub(super) fn group() -> Group {
    Group {
        tag: "Points",
        about: "Each order that is paid gives ten points; they are taken back when all that was paid goes back.",
        schemas: vec![("Points", points()), ("PointEntry", entry())],
        operations: vec![
            Operation::get("/api/v1/points", "listPoints", "The caller's points")
                .about("The balance, the level (one for every hundred points), and a page of the entries, the newest first.")
                .roles(&[Role::Buyer])
                .of_views()
                .paged()
                .json(200, "The balance and a page of entries.", "Points"),
        ],
    }
}

fn number(about: &str, least: i64, example: i64) -> Value {
    json!({ "type": "integer", "minimum": least, "description": about, "examples": [example] })
}

fn points() -> Value {
    let next = or_null(schema::text("The `cursor` of the next page; null on the last one", ""), Some(Value::Null));
    schema::answer(
        "A buyer's points",
        &[
            ("balance", number("The sum of all entries", 0, 10)),
            ("experience", number("All that was earned and not taken back", 0, 10)),
            ("level", number("One for every hundred points of experience, from 1", 1, 1)),
            ("entries", list("A page of what the balance is made of, the newest first", &named("PointEntry"))),
            ("next_cursor", next),
        ],
        &[],
    )
}

fn entry() -> Value {
    let points = json!({ "type": "integer", "description": "How many; below zero where they are taken back", "examples": [10] });
    schema::answer(
        "Points that an order gave, or that were taken back",
        &[
            ("order_id", order_id()),
            ("points", points),
            ("cause", schema::word("What gave or took them", &["payment", "refund"])),
            ("at", schema::time("When the order was paid, or its money went back, as the channel says", "2026-07-20T08:01:30Z")),
        ],
        &[],
    )
}
