use chassis::identity::Role;
use chassis::problem::Code;
use serde_json::{Value, json};

use super::Group;
use super::operation::Operation;
use super::orders::order_id;
use super::pay_records::pay_no;
use super::refunds::reason;
use super::schema::{self, or_null};

/// Kept notifications.
pub(super) fn group() -> Group {
    Group {
        tag: "Notices",
        about: "What channels sent is kept. What is genuine and not done with is `open`: money that matches no pay record, and what could \
             not be judged or was refused. Their texts are never shown.",
        schemas: vec![
            ("Notice", notice()),
            ("NoticeList", schema::page("A page of kept notifications", "Notice")),
            ("NoticeAssignment", assignment()),
            ("NoticeAnswer", done()),
        ],
        operations: vec![
            Operation::get("/api/v1/notices", "listNotices", "Kept notifications, the newest first")
                .roles(&[Role::Operator, Role::Auditor])
                .in_query("state", state_filter())
                .in_query("verdict", schema::text("Only those of which this was made", "unknown_order"))
                .paged()
                .json(200, "A page of kept notifications.", "NoticeList")
                .problems(&[Code::StoreUnavailable]),
            act("rejudge", "rejudgeNotice", "Have a notification judged once more", "OperatorReason")
                .about("Its signature is checked again, and its channel asked where it would be. 409 where an operator has ended it.")
                .problems(&[Code::ChannelNotConfigured, Code::ChannelUnavailable]),
            act("assign", "assignNotice", "Say which pay record unmatched money was paid for", "NoticeAssignment")
                .about(
                    "The channel is asked first and must say that it holds the money. Then the order decides as for any money: it is \
                     paid by it, or the money was not owed and goes back. 409 where the notification tells of no unmatched money, the pay \
                     record is another wallet's, the channel does not confirm it, or an operator has decided otherwise.",
                )
                .problems(&[Code::ChannelNotConfigured, Code::ChannelUnavailable]),
            act("dismiss", "dismissNotice", "Say that nothing is to be done about a notification", "OperatorReason").about(
                "Its money went back another way or belongs elsewhere, or it is rightly refused. 409 where an operator has decided \
                 otherwise.",
            ),
        ],
    }
}

fn act(word: &str, id: &str, summary: &str, body: &str) -> Operation {
    Operation::post(&format!("/api/v1/notices/{{id}}/{word}"), id, summary)
        .roles(&[Role::Operator])
        .in_path("id", notice_id())
        .command()
        .body(body)
        .done(200, "It is done.", "NoticeAnswer")
        .problems(&[Code::NotPayable])
}

fn notice_id() -> Value {
    schema::digits("The notification's number", "17")
}

fn state() -> Value {
    schema::word("Whether an operator is to look at it", &["open", "settled"])
}

fn state_filter() -> Value {
    let mut state = schema::word("Only those in this state", &["open", "settled", "all"]);
    state["default"] = json!("all");
    state
}

fn action() -> Value {
    schema::word("What an operator did with it last", &["assigned", "dismissed", "rejudged"])
}

fn verdict() -> Value {
    schema::text("What was made of it, in one word; `unknown_order` is money that matches no pay record", "unknown_order")
}

fn assigned_to() -> Value {
    or_null(pay_no(), Some(Value::Null))
}

fn notice() -> Value {
    let null = || Some(Value::Null);
    let tells = ["paid", "finished", "awaiting_buyer", "closed", "refunded", "unclear"];
    let genuine = json!({ "type": "boolean", "description": "Whether its signature held when it was judged last", "examples": [true] });
    let out_trade_no = schema::text("Our number in it; null where it is not genuine or cannot be read, like the next five", "OLD-7");
    let trade_no = schema::text("The channel's number in it", "2026072022001400000587654321");
    schema::answer(
        "A kept notification",
        &[
            ("id", notice_id()),
            ("channel", schema::text("The wallet that it came from", "alipay")),
            ("genuine", genuine),
            ("out_trade_no", or_null(out_trade_no, None)),
            ("trade_no", or_null(trade_no, None)),
            ("amount", or_null(schema::amount("The payment's amount in it", 19_900), None)),
            ("amount_text", or_null(schema::amount_text("199.00"), None)),
            ("currency", or_null(schema::currency(), None)),
            ("tells", or_null(schema::word("What it tells", &tells), None)),
            ("verdict", verdict()),
            ("state", state()),
            ("times_received", schema::count("How often it came", 1, 1_000_000_000_000, 1)),
            ("received_at", schema::time("When it came first", "2026-07-20T08:02:01Z")),
            ("last_received_at", schema::time("When it came last", "2026-07-20T08:02:01Z")),
            ("action", or_null(action(), null())),
            ("pay_no", assigned_to()),
            ("acted_by", or_null(schema::text("Who did it", ""), null())),
            ("acted_at", or_null(schema::time("When it was done", ""), null())),
            ("reason", or_null(schema::text("Why, in the operator's words", ""), null())),
        ],
        &[],
    )
}

fn assignment() -> Value {
    schema::request(
        "The pay record that unmatched money was paid for",
        &[("pay_no", pay_no()), ("reason", reason("The buyer paid an old code"))],
        &[],
    )
}

fn done() -> Value {
    schema::answer(
        "What an operator's act on a notification led to",
        &[
            ("id", notice_id()),
            ("action", action()),
            ("verdict", verdict()),
            ("state", state()),
            ("pay_no", or_null(pay_no(), None)),
            ("order_id", or_null(order_id(), None)),
        ],
        &[],
    )
}
