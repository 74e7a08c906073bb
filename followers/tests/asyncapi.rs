//! `docs/asyncapi.json` is what the code publishes.

use std::path::Path;

use domain::published;
use followers::PARTS;
use followers::nats::STREAM;
use followers::relay::{CE_SOURCE, header};
use serde_json::{Map, Value, json};

const BLESS: &str = "PAYSTREAM_TEST_BLESS=1 cargo test -p followers --test asyncapi";

/// The headers, what each says, and whether each message has it.
const HEADERS: [(&str, &str, bool); 11] = [
    (header::CE_ID, "The event's id (UUID). A message that comes again has the same one.", true),
    (header::CE_TYPE, "The event's name.", true),
    (header::CE_SOURCE, "Where it comes from.", true),
    (header::CE_SUBJECT, "The event's stream in the log.", true),
    (header::CE_TIME, "When the log took the event: RFC 3339, UTC, microseconds.", true),
    (header::CE_SPECVERSION, "The version of CloudEvents.", true),
    (header::POSITION, "The event's position in the log, a whole number. It rises from message to message.", true),
    (
        header::PREVIOUS,
        "The position of the message before it on the same subject; absent on the first. If it is not the one that was read last, something is missing between.",
        false,
    ),
    (header::STREAM, "The event's stream in the log.", true),
    (header::REVISION, "The event's number in its stream, from 0.", true),
    (header::LINEAGE, "The log's lineage (UUID). It changes only when the log was restored from a copy: begin anew then.", true),
];

fn header_schema() -> Value {
    let properties: Map<_, _> = HEADERS
        .iter()
        .map(|(name, description, _)| {
            let mut schema = json!({ "type": "string", "description": description });
            if *name == header::CE_SPECVERSION {
                schema["const"] = json!("1.0");
            }
            if *name == header::CE_SOURCE {
                schema["const"] = json!(CE_SOURCE);
            }
            ((*name).to_owned(), schema)
        })
        .collect();
    let required: Vec<_> = HEADERS.iter().filter(|(_, _, always)| *always).map(|(name, _, _)| name).collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

fn document() -> Value {
    let parts: Vec<_> = (0..PARTS).map(|part| format!("p{part:02}")).collect();
    let (mut channels, mut operations, mut messages) = (Map::new(), Map::new(), Map::new());
    for event in published::events() {
        let (event_type, aggregate) = (event.event_type, event.aggregate);
        messages.insert(
            event_type.to_owned(),
            json!({
                "name": event_type,
                "contentType": "application/json",
                "headers": { "$ref": "#/components/schemas/Headers" },
                "payload": {
                    "schemaFormat": "application/schema+json;version=draft-2020-12",
                    "schema": { "$ref": format!("./events/{event_type}.schema.json") }
                }
            }),
        );
        channels.insert(
            event_type.to_owned(),
            json!({
                "address": format!("paystream.v1.{aggregate}.{event_type}.{{order_type}}.{{part}}"),
                "parameters": {
                    "order_type": { "$ref": "#/components/parameters/order_type" },
                    "part": { "$ref": "#/components/parameters/part" }
                },
                "messages": { event_type: { "$ref": format!("#/components/messages/{event_type}") } }
            }),
        );
        operations
            .insert(format!("publish{event_type}"), json!({ "action": "send", "channel": { "$ref": format!("#/channels/{event_type}") } }));
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Paystream",
            "version": "1",
            "description": format!("The events that Paystream publishes to the JetStream stream {STREAM}, each once and in the order of its log; after the loss of a broker they are published again. The headers are CloudEvents 1.0 in binary mode, and some of our own. See consumers.md.")
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {
            "parameters": {
                "order_type": { "description": "The kind of business that the order belongs to, for instance course or goods; none where the event belongs to no order." },
                "part": {
                    "enum": parts,
                    "description": "All events of one order, or else of one stream, have the same part: the first byte of SHA-256 of the order's number, or else of the stream's name, modulo 16."
                }
            },
            "messages": messages,
            "schemas": { "Headers": header_schema() }
        }
    })
}

#[test]
fn the_document_is_the_codes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/asyncapi.json");
    let today = format!("{}\n", serde_json::to_string_pretty(&document()).unwrap());
    if std::env::var_os("PAYSTREAM_TEST_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(path, today).unwrap();
        return;
    }
    assert!(
        std::fs::read_to_string(path).ok() == Some(today),
        "docs/asyncapi.json is not what the code says; write it again with\n    {BLESS}\n"
    );
}

#[test]
fn every_schema_that_it_names_is_there() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let document = document();
    for (event_type, message) in document["components"]["messages"].as_object().unwrap() {
        let schema = message["payload"]["schema"]["$ref"].as_str().unwrap();
        assert!(folder.join(schema).is_file(), "{event_type}: {schema}");
    }
}
