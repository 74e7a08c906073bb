//! What is published is described: a JSON Schema for each event in `docs/events/`, made from the code.

use std::collections::BTreeSet;

use super::structure::members;
use super::world::{each, files, published_schemas, text};
use serde_json::Value;

const BLESS: &str = "PAYSTREAM_TEST_BLESS=1 cargo test -p domain --test forms";

fn schema_text(schema: &schemars::Schema) -> String {
    format!("{}\n", serde_json::to_string_pretty(schema).unwrap())
}

#[test]
fn the_schemas_in_the_documents_are_the_codes() {
    let bless = std::env::var_os("PAYSTREAM_TEST_BLESS").is_some_and(|value| value == "1");
    let mut stale = Vec::new();
    for event in domain::published::events() {
        let path = published_schemas().join(format!("{}.schema.json", event.event_type));
        let today = schema_text(&(event.schema)());
        if bless {
            std::fs::write(&path, today).unwrap();
        } else if std::fs::read_to_string(&path).ok().as_deref() != Some(&today) {
            stale.push(event.event_type);
        }
    }
    assert!(stale.is_empty(), "docs/events is not what the code says of {}; write it again with\n    {BLESS}\n", stale.join(", "));
}

#[test]
fn every_schema_in_the_documents_is_of_a_published_event() {
    let published: BTreeSet<String> = domain::published::events().iter().map(|event| format!("{}.schema.json", event.event_type)).collect();
    for file in files(&published_schemas(), ".schema.json") {
        assert!(published.contains(&file), "docs/events/{file} describes no published event: remove it");
    }
}

#[test]
fn every_event_is_published_or_known_to_stay_inside() {
    const INSIDE: [&str; 7] = [
        "IdempotencyKeyRecorded",
        "IdempotencyKeyClaimed",
        "IdempotencyKeyRedirected",
        "IdempotencyKeyFreed",
        "IdempotencyKeyHeld",
        "NoticeRejudged",
        "NoticeDismissed",
    ];
    let published = domain::published::events();
    let published: Vec<&str> = published.iter().map(|event| event.event_type).collect();
    let stored: Vec<&str> = each().map(|(event_type, _, _)| event_type).collect();
    for event_type in &stored {
        assert!(published.contains(event_type) != INSIDE.contains(event_type), "{event_type}");
    }
    assert!(published.iter().all(|event_type| stored.contains(event_type)));
    assert_eq!(published.iter().collect::<BTreeSet<_>>().len(), published.len());
}

#[test]
fn every_member_is_described_and_money_says_its_unit() {
    for event in domain::published::events() {
        let schema = (event.schema)().to_value();
        assert!(description(&schema).is_some(), "{}", event.event_type);
        for (name, member) in members(&schema) {
            let description = description(&member).unwrap_or_else(|| panic!("{}.{name} is not described", event.event_type));
            if name == "amount" || name.ends_with("_amount") {
                assert!(description.contains("smallest units"), "{}.{name}: {description}", event.event_type);
                assert_eq!(member["type"], "integer", "{}.{name}", event.event_type);
            }
        }
    }
}

fn description(schema: &Value) -> Option<&str> {
    schema.get("description").and_then(Value::as_str).filter(|text| !text.is_empty())
}

#[test]
fn no_number_is_a_float() {
    for event in domain::published::events() {
        assert!(!(event.schema)().to_value().to_string().contains("\"number\""), "{}", event.event_type);
    }
}

#[test]
fn the_guide_has_a_line_for_every_published_event() {
    let guide = text(&published_schemas().join("README.md"));
    for event in domain::published::events() {
        let line = format!("| [`{0}`]({0}.schema.json) | `{1}`, ", event.event_type, event.aggregate);
        assert!(guide.contains(&line), "docs/events/README.md has no line that begins with\n{line}");
    }
}
