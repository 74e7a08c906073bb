//! What was stored stays readable. Each shape of each event has a file `<Event>.v<n>.json` with every member, and
//! `<Event>.v<n>.least.json` without those that may be absent.

use std::collections::BTreeSet;

use super::structure::{Extent, problems};
use super::world::{Events, each, files, schema, stored_forms, text};
use serde_json::Value;

/// The content of a stored form, and what its reader makes of it.
fn read(event_type: &str, version: u16, extent: &str, events: &Events) -> (Value, super::world::Written) {
    let name = format!("{event_type}.v{version}{extent}.json");
    let content = text(&stored_forms().join(&name));
    let written = (events.read)(event_type, version, &content).unwrap_or_else(|error| panic!("{name}: {error:?}"));
    (serde_json::from_str(&content).unwrap(), written)
}

/// Whether today's shape may lack a member.
fn has_optional_members(event_type: &str, whole: &Value) -> bool {
    !problems(&schema(event_type), whole, Extent::Least).is_empty()
}

#[test]
fn every_shape_of_every_event_reads_and_todays_is_written_back_unchanged() {
    for (event_type, current, events) in each() {
        for version in 1..=current {
            let (content, written) = read(event_type, version, "", events);
            assert_eq!((written.event_type, written.schema_version), (event_type, current));
            if version == current {
                assert_eq!(written.content, content, "{event_type}");
            }
        }
    }
}

#[test]
fn what_may_be_absent_may_be_absent() {
    for (event_type, current, events) in each() {
        let (whole, _) = read(event_type, current, "", events);
        if has_optional_members(event_type, &whole) {
            for version in 1..=current {
                let (content, written) = read(event_type, version, ".least", events);
                if version == current {
                    assert_eq!(written.content, content, "{event_type}");
                }
            }
        }
    }
}

#[test]
fn every_stored_form_is_as_its_schema_says() {
    for (event_type, current, events) in each() {
        let schema = schema(event_type);
        let (whole, _) = read(event_type, current, "", events);
        assert_eq!(problems(&schema, &whole, Extent::Whole), Vec::<String>::new(), "{event_type}");
        if has_optional_members(event_type, &whole) {
            let (least, _) = read(event_type, current, ".least", events);
            assert_eq!(problems(&schema, &least, Extent::Least), Vec::<String>::new(), "{event_type}, the least form");
        }
    }
}

#[test]
fn a_member_that_is_required_is_missed() {
    for (event_type, current, events) in each() {
        let (whole, _) = read(event_type, current, "", events);
        let required = schema(event_type)["required"].clone();
        for member in required.as_array().unwrap() {
            let mut content = whole.clone();
            content.as_object_mut().unwrap().remove(member.as_str().unwrap());
            assert!((events.read)(event_type, current, &content.to_string()).is_err(), "{event_type} without {member}");
        }
    }
}

#[test]
fn every_file_is_a_shape_of_an_event() {
    let shapes: BTreeSet<String> = each()
        .flat_map(|(event_type, current, _)| (1..=current).map(move |version| format!("{event_type}.v{version}")))
        .flat_map(|shape| [format!("{shape}.json"), format!("{shape}.least.json")])
        .collect();
    for file in files(&stored_forms(), "") {
        assert!(shapes.contains(&file), "{file} is no shape of an event");
    }
}

#[test]
fn a_stored_name_means_one_event() {
    let names: Vec<&str> = each().map(|(event_type, _, _)| event_type).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
}

#[test]
fn every_enum_of_events_is_looked_at() {
    let sources = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let enums = count(&sources, "\nstored_events! {");
    assert_eq!(enums, super::world::ALL.len(), "an enum of events is missing in world.rs");
}

fn count(folder: &std::path::Path, needle: &str) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { count(&path, needle) } else { text(&path).matches(needle).count() }).sum()
}

#[test]
fn a_name_or_shape_that_is_not_known_is_refused() {
    for (event_type, current, events) in each() {
        let content = text(&stored_forms().join(format!("{event_type}.v{current}.json")));
        assert!((events.read)(event_type, current + 1, &content).is_err(), "{event_type}");
        assert!((events.read)("NeverHappened", 1, &content).is_err(), "{event_type}");
        assert!((events.read)(event_type, current, "[]").is_err(), "{event_type}");
    }
}

#[test]
fn what_channels_gave_before_they_gave_anything_but_codes_reads_as_a_code() {
    let (_, _, events) = each().find(|(name, _, _)| *name == "PayRecordPrepared").unwrap();
    let (old, written) = read("PayRecordPrepared", 1, "", events);
    assert_eq!(written.content["prepared"], serde_json::json!({ "code_url": old["code_url"] }));
    assert_eq!(written.content["expires_at"], old["code_expires_at"]);
    for prepared in [
        serde_json::json!({ "link_url": "https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=wx20" }),
        serde_json::json!({ "prepay_id": "wx201410272009395522657a690389285100" }),
        serde_json::json!({ "code_url": "weixin://wxpay/bizpayurl?pr=NwY5Mz9", "prepay_id": "wx20" }),
    ] {
        let mut content = written.content.clone();
        content["prepared"] = prepared;
        assert_eq!((events.read)("PayRecordPrepared", 2, &content.to_string()).unwrap().content, content);
    }
    let mut nothing = written.content;
    nothing["prepared"] = serde_json::json!({});
    assert!((events.read)("PayRecordPrepared", 2, &nothing.to_string()).is_err());
}

#[test]
fn lines_stored_before_they_said_what_they_are_read_as_what_their_order_is() {
    let of = |name: &str| each().find(|(event_type, _, _)| *event_type == name).map(|(_, _, events)| events).unwrap();
    for (event_type, items) in [
        ("OrderCreated", "/items"),
        ("PaymentConfirmed", "/items"),
        ("RefundSucceeded", "/items"),
        ("IdempotencyKeyClaimed", "/intent/order/items"),
    ] {
        let mut content: Value = serde_json::from_str(&text(&stored_forms().join(format!("{event_type}.v1.json")))).unwrap();
        let order = items.trim_end_matches("/items");
        for (order_type, kind) in [("material", Some("material")), ("course", Some("course")), ("mixed", None), ("workshop", None)] {
            content.pointer_mut(order).unwrap()["order_type"] = order_type.into();
            let written = (of(event_type).read)(event_type, 1, &content.to_string()).unwrap();
            for item in written.content.pointer(items).unwrap().as_array().unwrap() {
                assert_eq!(item.get("kind").and_then(Value::as_str), kind, "{event_type} of {order_type}");
            }
        }
    }
}
