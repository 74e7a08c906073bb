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
        schemas: vec![("ReconciliationWish", wish()), ("Reconciliation", reconciliation()), ("Discrepancy", discrepancy())],
        operations: vec![
            Operation::post("/api/v1/operations/reconciliations", "reconcile", "Compare a day with a channel's statement")
                .about("What `paystream reconcile` asks of a running server. Asked again, it has no effect but for what was missing still.")
                .roles(&[Role::Operator])
                .body("ReconciliationWish")
                .json(200, "What came of it.", "Reconciliation")
                .problems(&[Code::ChannelNotConfigured, Code::ChannelRefused, Code::ChannelUnavailable]),
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

fn reconciliation() -> Value {
    let count = |about: &str, example: i64| schema::count(about, 0, 1_000_000, example);
    let mut discrepancies = list("What does not match, the channel's lines first", &named("Discrepancy"));
    discrepancies["examples"] = json!([[]]);
    schema::answer(
        "What came of a day's reconciliation",
        &[
            ("wallet", schema::word("Whose statement it was", &["alipay", "wechat", "wechat_v2"])),
            ("date", date()),
            ("lines", count("Lines of the statement", 4)),
            ("matched", count("Of these, how many the log held", 3)),
            ("recorded", count("Of these, how many it holds since the channel was asked now", 1)),
            ("discrepancies", discrepancies),
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
