use chassis::identity::Role;
use serde_json::{Value, json};

use super::Group;
use super::operation::Operation;
use super::schema::{self, or_null};

/// Parked messages.
pub(super) fn group() -> Group {
    Group {
        tag: "Parked messages",
        about: "What a consumer could not take waits with all later messages of its stream, while others go on: it is tried again after \
             growing waits and then parked, until an operator has it tried again or skips it with `paystream parked`.",
        schemas: vec![("ParkedMessage", parked()), ("ParkedMessageList", schema::page("A page of parked messages", "ParkedMessage"))],
        operations: vec![
            Operation::get("/api/v1/parked", "listParkedMessages", "Messages that a consumer could not take, the newest first")
                .about("Skipped ones are listed only where `state` asks for them.")
                .roles(&[Role::Operator, Role::Auditor])
                .in_query("state", state())
                .paged()
                .json(200, "A page of parked messages.", "ParkedMessageList"),
        ],
    }
}

fn state() -> Value {
    let about = "How it stands: tried again by itself; given up until an operator acts; waiting for an earlier one of its stream; \
         passed over for good";
    let mut state = schema::word(about, &["waiting", "parked", "behind", "skipped"]);
    state["examples"] = json!(["parked"]);
    state
}

fn parked() -> Value {
    let order_id = schema::digits("The order; null where the stream is no order's", "331284905322184704");
    let retry_at = schema::time("When it is tried again; null unless it is waiting", "2026-07-20T08:01:31Z");
    let null = || Some(json!(null));
    schema::answer(
        "A message that a consumer could not take",
        &[
            ("id", schema::text("The consumer and the event's position", "points-1234")),
            ("consumer", schema::text("The consumer", "points")),
            ("state", state()),
            ("tries", schema::count("How often it was tried", 0, i64::from(u32::MAX), 5)),
            ("reason", schema::text("Why it was not taken, or what it waits for", "PaymentConfirmed cannot be read")),
            ("skip_reason", or_null(schema::text("What the operator said who skipped it", ""), null())),
            ("retry_at", or_null(retry_at, null())),
            ("parked_at", schema::time("When it first could not be taken", "2026-07-20T08:01:30Z")),
            ("order_id", or_null(order_id, None)),
            ("stream_id", schema::text("The event's stream", "order-331284905322184704")),
            ("revision", schema::count("Its number within the stream", 0, i64::from(u32::MAX), 3)),
            ("position", schema::digits("Its place in the log", "1234")),
            ("event_id", schema::text("The event's id", "0197f0a2-0000-7000-8000-000000000001")),
            ("event_type", schema::text("The event's name", "PaymentConfirmed")),
        ],
        &[],
    )
}
