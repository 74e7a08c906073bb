//! The few sorts of schema that the API's bodies are made of.

use serde_json::{Value, json};

/// A reference to a schema of the document.
pub(super) fn named(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// A text, with what it means.
pub(super) fn text(about: &str, example: &str) -> Value {
    json!({ "type": "string", "description": about, "examples": [example] })
}

/// One of a few words.
pub(super) fn word(about: &str, words: &[&str]) -> Value {
    json!({ "type": "string", "description": about, "enum": words, "examples": [words.first()] })
}

/// A number as text: an order's, a selection's, a position.
pub(super) fn digits(about: &str, example: &str) -> Value {
    json!({ "type": "string", "pattern": "^[0-9]+$", "description": about, "examples": [example] })
}

/// An amount in the currency's smallest unit.
pub(super) fn amount(about: &str, example: i64) -> Value {
    let about = format!("{about}, in the currency's smallest unit (fen)");
    json!({ "type": "integer", "minimum": 0, "maximum": domain::Money::MAX_MINOR, "description": about, "examples": [example] })
}

/// An amount for people to read.
pub(super) fn amount_text(example: &str) -> Value {
    json!({ "type": "string", "pattern": r"^[0-9]+\.[0-9]{2}$", "description": "The same for people to read", "examples": [example] })
}

/// A currency's ISO 4217 code.
pub(super) fn currency() -> Value {
    word("ISO 4217 code", &[domain::Currency::Cny.code()])
}

/// A whole number within bounds.
pub(super) fn count(about: &str, least: i64, most: i64, example: i64) -> Value {
    json!({ "type": "integer", "minimum": least, "maximum": most, "description": about, "examples": [example] })
}

/// A time in UTC.
pub(super) fn time(about: &str, example: &str) -> Value {
    json!({ "type": "string", "format": "date-time", "description": about, "examples": [example] })
}

/// The same, or null; the example stays, unless it is to be null.
pub(super) fn or_null(mut schema: Value, example: Option<Value>) -> Value {
    schema["type"] = json!([schema["type"], "null"]);
    if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        words.push(Value::Null);
    }
    if let Some(example) = example {
        schema["examples"] = json!([example]);
    }
    schema
}

/// What is always null as yet.
pub(super) fn null(about: &str) -> Value {
    json!({ "type": "null", "description": about, "examples": [null] })
}

/// A list.
pub(super) fn list(about: &str, of: &Value) -> Value {
    json!({ "type": "array", "description": about, "items": of })
}

/// What a server answers: all members are always there, but for the `optional` ones.
pub(super) fn answer(about: &str, members: &[(&str, Value)], optional: &[&str]) -> Value {
    let required: Vec<&str> = members.iter().map(|(name, _)| *name).filter(|name| !optional.contains(name)).collect();
    let properties: Value = members.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    json!({ "type": "object", "description": about, "required": required, "properties": properties })
}

/// What a client sends: other members are refused.
pub(super) fn request(about: &str, members: &[(&str, Value)], optional: &[&str]) -> Value {
    let mut schema = answer(about, members, optional);
    schema["additionalProperties"] = json!(false);
    schema
}

/// A page of a list.
pub(super) fn page(about: &str, item: &str) -> Value {
    let next = or_null(text("The `cursor` of the next page; null on the last one", ""), Some(Value::Null));
    answer(about, &[("items", list("The page's items, the newest first", &named(item))), ("next_cursor", next)], &[])
}
