//! Whether a value is what the description says: enough of JSON Schema for the schemas that we write.

use std::sync::LazyLock;

use chrono::DateTime;
use serde_json::{Map, Value};

pub(super) static DOCUMENT: LazyLock<Value> = LazyLock::new(crate::openapi);

/// Fails unless `body` is what the description's `GET` of `path` answers with 200, without a member that it does not name.
#[track_caller]
pub(super) fn assert_described(path: &str, body: &Value) {
    let path = path.split('?').next().unwrap();
    let template = DOCUMENT["paths"].as_object().unwrap().keys().find(|template| fits(template, path)).unwrap_or_else(|| panic!("{path}"));
    let schema = &DOCUMENT["paths"][template]["get"]["responses"]["200"]["content"]["application/json"]["schema"];
    assert!(schema.is_object(), "{template}");
    assert_eq!(violations(schema, body, true), Vec::<String>::new(), "{path}: {body}");
}

fn fits(template: &str, path: &str) -> bool {
    let (own, other): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    own.len() == other.len() && own.iter().zip(&other).all(|(own, other)| own == other || own.starts_with('{'))
}

/// Where and why a value is not what its schema says. `is_strict`: members that are not named are violations.
pub(super) fn violations(schema: &Value, value: &Value, is_strict: bool) -> Vec<String> {
    let mut found = Vec::new();
    check("", schema, value, is_strict, &mut found);
    found
}

fn check(place: &str, schema: &Value, value: &Value, is_strict: bool, found: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = DOCUMENT.pointer(reference.strip_prefix('#').unwrap()).unwrap_or_else(|| panic!("{reference}"));
        return check(place, target, value, is_strict, found);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let fitting = choices.iter().filter(|choice| violations(choice, value, is_strict).is_empty()).count();
        if fitting != 1 {
            found.push(format!("{place} fits {fitting} choices"));
        }
        return;
    }
    if !has_type(&schema["type"], value) {
        found.push(format!("{place} is no {}", schema["type"]));
        return;
    }
    if schema.get("const").is_some_and(|only| only != value) || schema["enum"].as_array().is_some_and(|words| !words.contains(value)) {
        found.push(format!("{place} is another word: {value}"));
    }
    match value {
        Value::String(text) => check_text(place, schema, text, found),
        Value::Number(number) => {
            let bounds = (schema["minimum"].as_i64().unwrap_or(i64::MIN), schema["maximum"].as_i64().unwrap_or(i64::MAX));
            if !number.as_i64().is_some_and(|number| (bounds.0..=bounds.1).contains(&number)) {
                found.push(format!("{place} is out of bounds: {number}"));
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                check(&format!("{place}/{index}"), &schema["items"], item, is_strict, found);
            }
        }
        Value::Object(members) => check_members(place, schema, members, is_strict, found),
        Value::Null | Value::Bool(_) => {}
    }
}

fn check_members(place: &str, schema: &Value, members: &Map<String, Value>, is_strict: bool, found: &mut Vec<String>) {
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !members.contains_key(name) {
            found.push(format!("{place}/{name} is missing"));
        }
    }
    let Some(properties) = schema["properties"].as_object() else { return };
    for (name, member) in members {
        match properties.get(name) {
            Some(schema) => check(&format!("{place}/{name}"), schema, member, is_strict, found),
            None if is_strict || schema["additionalProperties"] == false => found.push(format!("{place}/{name} is not described")),
            None => {}
        }
    }
}

fn check_text(place: &str, schema: &Value, text: &str, found: &mut Vec<String>) {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_right = match (schema["format"].as_str(), schema["pattern"].as_str()) {
        (Some("date-time"), _) => text.ends_with('Z') && DateTime::parse_from_rfc3339(text).is_ok(),
        (Some("uuid"), _) => uuid::Uuid::try_parse(text).is_ok(),
        (_, Some("^[0-9]+$")) => digits(text),
        (_, Some(r"^[0-9]+\.[0-9]{2}$")) => {
            text.split_once('.').is_some_and(|(whole, part)| digits(whole) && digits(part) && part.len() == 2)
        }
        (_, Some("^[a-z][a-z0-9_]{0,31}$")) => domain::order::OrderType::parse(text).is_ok(),
        (_, Some("^#?[0-9A-Fa-f]{6}$")) => text.parse::<qr::Rgb>().is_ok(),
        (_, Some(other)) => panic!("a pattern that this test does not know: {other}"),
        (_, None) => true,
    };
    let length = u64::try_from(text.chars().count()).unwrap();
    let bounds = schema["minLength"].as_u64().unwrap_or(0)..=schema["maxLength"].as_u64().unwrap_or(u64::MAX);
    if !is_right || !bounds.contains(&length) {
        found.push(format!("{place} is malformed: {text}"));
    }
}

fn has_type(wanted: &Value, value: &Value) -> bool {
    let own = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    match wanted {
        Value::String(name) => name == own,
        Value::Array(names) => names.iter().any(|name| name == own),
        _ => true,
    }
}
