//! Problem documents.

use std::collections::BTreeMap;

use chassis::language::Language;
use chassis::problem::{Code, MEDIA_TYPE, Problem, field};
use serde_json::{Map, Value, json};

use super::schema::{self, named};

/// The schemas of problems.
pub(super) fn schemas() -> Map<String, Value> {
    let words: Vec<&str> = Code::ALL.iter().map(|code| code.word()).collect();
    let field_error = schema::answer(
        "What is wrong with one field",
        &[
            ("field", schema::text("The field's path; empty for the body as a whole", "items[0].quantity")),
            ("code", schema::text("A stable word for programs", field::OUT_OF_RANGE)),
            ("message", schema::text("What people read", "must be 1 to 200")),
        ],
        &[],
    );
    let problem = schema::answer(
        "What is wrong, as RFC 9457 has it. Some codes bring members of their own.",
        &[
            ("type", schema::text("Names the kind of problem", &Code::Invalid.type_uri())),
            ("title", schema::text("The kind of problem for people", Code::Invalid.title(Language::En))),
            ("status", schema::count("The HTTP status", 400, 599, 422)),
            ("detail", schema::text("This occurrence for people", Code::Invalid.detail(Language::En))),
            (
                "code",
                json!({ "type": "string", "enum": words, "description": "A stable word for programs", "examples": [Code::Invalid.word()] }),
            ),
            ("errors", schema::list("The fields that are wrong, for bad input", &named("FieldError"))),
        ],
        &["errors"],
    );
    [("FieldError".to_owned(), field_error), ("Problem".to_owned(), problem)].into_iter().collect()
}

/// The responses of an operation that may answer these problems, one a status.
pub(super) fn responses(codes: &[Code]) -> BTreeMap<String, Value> {
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in codes {
        let of_status = by_status.entry(code.status().as_u16()).or_default();
        if !of_status.contains(code) {
            of_status.push(*code);
        }
    }
    by_status.into_iter().map(|(status, codes)| (status.to_string(), response(&codes))).collect()
}

fn response(codes: &[Code]) -> Value {
    let said: Vec<String> = codes.iter().map(|code| format!("`{}`: {}", code.word(), code.detail(Language::En))).collect();
    let examples: Map<String, Value> = codes.iter().map(|code| (code.word().to_owned(), json!({ "value": example(*code) }))).collect();
    json!({
        "description": said.join("\n\n"),
        "content": { MEDIA_TYPE: { "schema": named("Problem"), "examples": examples } },
    })
}

/// The document that the server itself writes.
fn example(code: Code) -> Value {
    let problem = match code {
        Code::Invalid => Problem::invalid("limit", field::OUT_OF_RANGE, "must be 1 to 200"),
        Code::InsufficientStock => Problem::new(code).with("sku_id", "book-rust-paper").with("available", 2),
        Code::BuyerLimitExceeded => Problem::new(code).with("sku_id", "book-rust-paper").with("limit", 2),
        code => Problem::new(code),
    };
    serde_json::from_str(&problem.to_json(Language::En)).unwrap_or_default()
}
