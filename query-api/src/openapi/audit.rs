use chassis::identity::Role;
use chassis::problem::Code;
use serde_json::{Value, json};

use super::Group;
use super::operation::Operation;
use super::schema::{self, list, named, or_null};

/// The log for auditors.
pub(super) fn group() -> Group {
    Group {
        tag: "Audit",
        about: "The log as it is stored, for auditors: nothing is left out and `data` is the stored text itself.",
        schemas: vec![
            ("Event", event()),
            ("EventMetadata", metadata()),
            ("EventPage", page()),
            ("EventList", schema::answer("Events", &[("items", list("The events, in order", &named("Event")))], &[])),
        ],
        operations: vec![
            events(),
            Operation::get("/api/v1/audit/streams/{stream_id}", "listStreamEvents", "All events of one stream")
                .about("A stream that nobody has written to has none.")
                .roles(&[Role::Auditor])
                .in_path("stream_id", stream_id())
                .json(200, "The stream's events.", "EventList")
                .problems(&[Code::StoreUnavailable]),
            Operation::get("/api/v1/audit/orders/{order_id}/trail", "showOrderTrail", "Everything that happened to an order")
                .about("The events of the order, its pay records and the course selection that it was made from, in their order.")
                .roles(&[Role::Auditor])
                .in_path("order_id", super::orders::order_id())
                .json(200, "The events.", "EventList")
                .problems(&[Code::StoreUnavailable]),
        ],
    }
}

fn events() -> Operation {
    let mut limit = schema::count("How many events a page has; with lines, how many are wanted at all", 1, 200, 100);
    limit["default"] = json!(20);
    let content = json!({
        "application/json": { "schema": named("EventPage") },
        "application/x-ndjson": {
            "schema": { "type": "string", "description": "One `Event` a line, to the end of the log; a connection that breaks off is gone on with by `after`" },
            "example": "{\"position\":\"17\",\"stream_id\":\"order-331284905322184704\",\"revision\":0}\n",
        },
    });
    Operation::get("/api/v1/audit/events", "listEvents", "The whole log")
        .about(
            "A page of events, or with `Accept: application/x-ndjson` all of them as lines, up to where the log ends at that time. \
             Both are gone on with by `after`.",
        )
        .roles(&[Role::Auditor])
        .in_header("Accept", schema::text("What is wanted", "application/x-ndjson"))
        .in_query("after", schema::digits("Only events behind this position", "16"))
        .in_query("limit", limit)
        .in_query("stream", stream_id())
        .in_query("type", schema::text("Only events of this name", "PaymentConfirmed"))
        .in_query("from", schema::time("Only events that the log took then or later", "2026-07-20T00:00:00Z"))
        .in_query("until", schema::time("Only events that the log took before then", "2026-07-21T00:00:00Z"))
        .answers(200, "Events.", content)
        .problems(&[Code::StoreUnavailable])
}

fn stream_id() -> Value {
    schema::text("The stream's name", "order-331284905322184704")
}

fn event() -> Value {
    let data = json!({
        "type": "object",
        "description": "The event's content, as its published schema has it",
        "examples": [{ "order_id": "331284905322184704" }],
    });
    schema::answer(
        "An event",
        &[
            ("position", schema::digits("Its place in the whole log", "17")),
            ("stream_id", stream_id()),
            ("revision", schema::count("Its number within the stream, from 0", 0, i64::from(u32::MAX), 0)),
            ("event_id", json!({ "type": "string", "format": "uuid", "description": "Names it for ever", "examples": [UUID] })),
            ("type", schema::text("Its name", "OrderPaid")),
            ("schema_version", schema::count("The number of its shape", 1, 65_535, 1)),
            ("recorded_at", schema::time("When the log took it", "2026-07-20T08:01:31.204518Z")),
            ("data", data),
            ("metadata", named("EventMetadata")),
        ],
        &[],
    )
}

const UUID: &str = "019f7e2c-5a70-7d21-9c44-1f0c2f0e2f4b";

fn metadata() -> Value {
    let uuid = |about: &str| json!({ "type": "string", "format": "uuid", "description": about, "examples": [UUID] });
    schema::answer(
        "What is known of an event beside its content",
        &[
            ("correlation_id", uuid("The same for everything that one request led to")),
            ("causation_id", or_null(uuid("The event that caused it"), Some(Value::Null))),
            ("actor", schema::text("Who did it", "channel:alipay")),
            ("source", schema::text("Which part of the system wrote it", "command-api")),
        ],
        &[],
    )
}

fn page() -> Value {
    let next = or_null(
        schema::digits(
            "The `after` with which to go on, now or when the log has grown: the last item's position; null where there is no item",
            "17",
        ),
        None,
    );
    schema::answer("A page of events", &[("items", list("The events, in order", &named("Event"))), ("next_after", next)], &[])
}
