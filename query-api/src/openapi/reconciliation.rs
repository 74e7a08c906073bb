use chassis::identity::Role;
use chassis::problem::Code;
use serde_json::{Value, json};

use super::Group;
use super::operation::Operation;
use super::schema::{self, list, named, or_null};

/// Reconciliation.
pub(super) fn group() -> Group {
    Group {
        tag: "Reconciliation",
        about: "A day of the log beside the channel's statement of it. A statement is not signed: what only it has is asked of the \
             channel, and the channel's verified answer is recorded.",
        schemas: vec![
            ("ReconciliationWish", wish()),
            ("Reconciliation", reconciliation()),
            ("Discrepancy", discrepancy()),
            ("StatementDay", day()),
            ("StatementDayList", schema::page("A page of days", "StatementDay")),
            ("DayComparison", comparison()),
        ],
        operations: vec![
            Operation::post("/api/v1/operations/reconciliations", "reconcile", "Compare a day with a channel's statement")
                .about("What `paystream reconcile` asks of a running server. Asked again, it has no effect but for what was missing still.")
                .roles(&[Role::Operator])
                .body("ReconciliationWish")
                .json(200, "What came of it.", "Reconciliation")
                .problems(&[Code::ChannelNotConfigured, Code::ChannelRefused, Code::ChannelUnavailable]),
            Operation::get("/api/v1/operations/reconciliations", "listReconciliations", "The days of all wallets, the newest first")
                .about(
                    "Each day is compared by itself once the channel has its statement: Alipay's at 9:30, WeChat Pay's at 10:30 of the \
                     next morning in Beijing, and later where nothing ran then or the channel was not ready.",
                )
                .roles(&[Role::Operator, Role::Auditor])
                .in_query("state", state_filter())
                .paged()
                .json(200, "A page of days.", "StatementDayList")
                .problems(&[Code::StoreUnavailable]),
        ],
    }
}

fn date() -> Value {
    let about = "A day as the channel counts days (in Beijing) that is over";
    json!({ "type": "string", "format": "date", "description": about, "examples": ["2026-03-05"] })
}

fn wish() -> Value {
    let channel = schema::text("A channel; all products of its wallet stand in one statement", "alipay_qr");
    schema::request("A day to compare", &[("channel", channel), ("date", date())], &[])
}

fn wallet() -> Value {
    schema::word("Whose statement it was", &["alipay", "wechat", "wechat_v2"])
}

fn reconciliation() -> Value {
    schema::answer("What came of a day's reconciliation", &[&[("wallet", wallet()), ("date", date())][..], &counts()].concat(), &[])
}

fn comparison() -> Value {
    schema::answer("What came of comparing a day", &counts(), &[])
}

fn counts() -> [(&'static str, Value); 4] {
    let count = |about: &str, example: i64| schema::count(about, 0, 1_000_000, example);
    let mut discrepancies = list("What does not match, the channel's lines first", &named("Discrepancy"));
    discrepancies["examples"] = json!([[]]);
    [
        ("lines", count("Lines of the statement", 4)),
        ("matched", count("Of these, how many the log held", 3)),
        ("recorded", count("Of these, how many it holds since the channel was asked then", 1)),
        ("discrepancies", discrepancies),
    ]
}

const STATES: [&str; 4] = ["open", "matched", "different", "missing"];

fn state_filter() -> Value {
    let mut state = schema::word("Only those in this state", &[&STATES[..], &["all"]].concat());
    state["default"] = json!("all");
    state
}

fn day() -> Value {
    let state = "`open`: there is no statement yet, or the channel did not answer about a line of it, and is asked again; `matched`; \
         `different`: see the discrepancies; `missing`: there was none for a week, and nobody knows that nothing moved";
    let word = schema::text(
        "Why there was nothing to compare with, or why lines are asked about again, in one word; null otherwise",
        "STATEMENT_CREATING",
    );
    schema::answer(
        "A day of a wallet beside the log",
        &[
            ("wallet", wallet()),
            ("date", date()),
            ("state", schema::word(state, &STATES)),
            ("tries", schema::count("How often the channel was asked in vain", 0, 1_000, 0)),
            ("word", or_null(word, Some(Value::Null))),
            (
                "next_at",
                or_null(schema::time("When the channel is asked next; null where it is not", "2026-03-06T02:30:00Z"), Some(Value::Null)),
            ),
            ("looked_at", schema::time("When this was written", "2026-03-06T02:30:04Z")),
            ("result", json!({ "oneOf": [named("DayComparison"), { "type": "null" }] })),
        ],
        &[],
    )
}

fn discrepancy() -> Value {
    let number = schema::text("The refund's number; null for payments", "7231982345678901234R01");
    schema::answer(
        "Money that stands on one side only, or differently on both",
        &[
            ("kind", schema::word("How it does not match", &["channel_only", "ours_only", "amount_differs"])),
            ("movement", schema::word("Which way it moved", &["payment", "refund"])),
            ("out_trade_no", schema::text("Our number of the payment, as the side that has it names it", "723198234567890123401")),
            ("trade_no", schema::text("The channel's number of the payment", "2026030522001477031400012345")),
            ("refund_no", or_null(number, None)),
            ("amount", schema::amount("What the side that has it says; the channel where both do", 19_900)),
            ("amount_text", schema::amount_text("199.00")),
            ("currency", schema::currency()),
        ],
        &[],
    )
}
