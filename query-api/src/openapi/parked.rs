use chassis::identity::Role;
use chassis::problem::Code;
use serde_json::{Value, json};

use super::Group;
use super::operation::Operation;
use super::schema::{self, list, named, or_null};

/// Parked messages.
pub(super) fn group() -> Group {
    Group {
        tag: "Parked messages",
        about: "What a consumer could not take waits with all later messages of its stream, while others go on: it is tried again after \
             growing waits and then parked, until an operator has it tried again or skips it with `paystream parked`.",
        schemas: schemas(),
        operations: vec![
            Operation::get("/api/v1/parked", "listParkedMessages", "Messages that a consumer could not take, the newest first")
                .about("Skipped ones are listed only where `state` asks for them.")
                .roles(&[Role::Operator, Role::Auditor])
                .in_query("state", state())
                .paged()
                .json(200, "A page of parked messages.", "ParkedMessageList"),
            act(),
        ],
    }
}

fn act() -> Operation {
    Operation::post("/api/v1/operations/parked", "actOnParkedMessages", "Have a parked message tried again, or skip it")
        .about(
            "What `paystream parked` asks of a running server. An act is recorded before it is done, with who wished it and why \
             (ParkedActRequested), and then what came of it (ParkedActDone or ParkedActLapsed), on the stream `operations-{date}`. \
             `list` and `show` change nothing and answer no position.",
        )
        .roles(&[Role::Operator])
        .command()
        .body("ParkedCommand")
        .done(200, "What came of it.", "ParkedReply")
        .problems(&[Code::NotFound])
}

fn schemas() -> Vec<(&'static str, Value)> {
    let commands = ["ParkedRedriveCommand", "ParkedSkipCommand", "ParkedListCommand", "ParkedShowCommand"];
    vec![
        ("ParkedMessage", parked()),
        ("ParkedMessageList", schema::page("A page of parked messages", "ParkedMessage")),
        ("ParkedCommand", json!({ "oneOf": commands.map(named) })),
        (
            "ParkedRedriveCommand",
            schema::request(
                "Try its stream's messages again, from the first",
                &[("act", act_word("redrive")), ("id", id()), reason()],
                &[],
            ),
        ),
        ("ParkedSkipCommand", schema::request("Pass it over for good", &[("act", act_word("skip")), ("id", id()), reason()], &[])),
        (
            "ParkedListCommand",
            schema::request("The 200 oldest, in lines for people", &[("act", act_word("list")), ("state", state())], &["state"]),
        ),
        ("ParkedShowCommand", schema::request("One, with its event's content", &[("act", act_word("show")), ("id", id())], &[])),
        ("ParkedReply", reply()),
    ]
}

fn act_word(word: &str) -> Value {
    json!({ "type": "string", "const": word, "description": "What is asked", "examples": [word] })
}

fn id() -> Value {
    schema::text("The message's number: the consumer and the event's position", "points-1234")
}

fn reason() -> (&'static str, Value) {
    let about = "Why; it is kept with who wished it";
    (
        "reason",
        json!({ "type": "string", "minLength": 1, "maxLength": 500, "description": about, "examples": ["The points were entered by hand"] }),
    )
}

fn reply() -> Value {
    let mut lines = list("For people", &json!({ "type": "string" }));
    lines["examples"] = json!([["points-1234: its stream is tried again from the first message"]]);
    let act_id = schema::text("The number of the act in the log's events; null where nothing was to be changed", "");
    let about = "`lapsed` where the message had been taken or skipped meanwhile; null where nothing was to be changed";
    schema::answer(
        "What came of it",
        &[
            ("lines", lines),
            ("act_id", or_null(act_id, Some(json!("0197f0a2-7c31-7b06-9d2a-5e8f1f6b2c44")))),
            ("outcome", or_null(schema::word(about, &["done", "lapsed"]), None)),
        ],
        &[],
    )
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
            ("id", id()),
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
