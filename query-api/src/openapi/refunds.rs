use chassis::identity::Role;
use chassis::problem::Code;
use serde_json::{Value, json};

use super::Group;
use super::operation::Operation;
use super::orders::order_id;
use super::pay_records::pay_no;
use super::schema::{self, or_null};

/// Refunds.
pub(super) fn group() -> Group {
    Group {
        tag: "Refunds",
        about: "Money that goes back. It keeps its number and its sum until the channel's last word on it.",
        schemas: vec![
            ("RefundRequest", request()),
            ("RefundAnswer", schema::answer("A refund as commands answer it", &[("refund_no", refund_no()), ("status", status())], &[])),
            ("OperatorReason", schema::request("Why an operator does it", &[("reason", reason("The balance is there"))], &[])),
            ("Refund", refund()),
        ],
        operations: vec![
            Operation::post("/api/v1/orders/{order_id}/refunds", "requestRefund", "Give back what an order was paid with")
                .about("A part or all of what is not on its way back yet. The channel is asked after the answer; ask the refund's view.")
                .roles(&[Role::Operator])
                .in_path("order_id", order_id())
                .command()
                .if_match()
                .body("RefundRequest")
                .done(202, "It is `requested`.", "RefundAnswer")
                .problems(&[Code::RefundExceedsPaid, Code::RefundsExhausted]),
            chosen("retry", "retryRefund", "Have a refund asked for once more")
                .about("For one that `needs_operator`: the channel is asked again, with the same number and sum."),
            chosen("settle", "settleRefund", "Say that a refund was made another way")
                .about("For one that `needs_operator`: the money went back otherwise, for instance by bank transfer."),
            Operation::get("/api/v1/refunds/{refund_no}", "showRefund", "One refund")
                .roles(&Role::ALL)
                .in_path("refund_no", refund_no())
                .of_views()
                .view("The refund.", "Refund"),
        ],
    }
}

fn chosen(word: &str, id: &str, summary: &str) -> Operation {
    Operation::post(&format!("/api/v1/refunds/{{refund_no}}/{word}"), id, summary)
        .roles(&[Role::Operator])
        .in_path("refund_no", refund_no())
        .command()
        .body("OperatorReason")
        .done(202, "It is under way.", "RefundAnswer")
        .done(200, "It is `succeeded`.", "RefundAnswer")
        .problems(&[Code::NotPayable])
}

pub(super) fn refund_no() -> Value {
    schema::text("Its number: the order's, `R` and two digits. The channel knows it by this one.", "331284905322184704R01")
}

pub(super) fn reason(example: &str) -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": 500, "description": "Kept on the log", "examples": [example] })
}

fn status() -> Value {
    schema::word("How far it has come", &["requested", "processing", "succeeded", "failed", "needs_operator"])
}

fn request() -> Value {
    let mut amount = schema::amount("How much", 19_900);
    amount["minimum"] = json!(1);
    schema::request("What is to go back, and why", &[("amount", amount), ("reason", reason("The course was called off"))], &[])
}

fn refund() -> Value {
    let causes = ["operator", "paid_twice", "after_cancel", "amount_mismatch", "late", "channel_side"];
    let null = || Some(Value::Null);
    schema::answer(
        "A refund",
        &[
            ("refund_no", refund_no()),
            ("order_id", order_id()),
            ("pay_no", pay_no()),
            ("trade_no", schema::text("The channel's number of the payment that goes back", "2026072022001400000512345678")),
            ("amount", schema::amount("How much", 19_900)),
            ("amount_text", schema::amount_text("199.00")),
            ("currency", schema::currency()),
            ("status", status()),
            ("cause", schema::word("Why: by an operator's wish, or because it was not owed", &causes)),
            ("reason", or_null(schema::text("What the operator who wished it said", "The course was called off"), None)),
            ("code", or_null(schema::text("The channel's word for why it failed or needs an operator", ""), null())),
            ("requested_at", schema::time("When it was requested, or seen at the channel", "2026-07-21T09:00:00Z")),
            ("refunded_at", or_null(schema::time("When the money went back, as the channel says", ""), null())),
            ("updated_at", schema::time("When it last changed", "2026-07-21T09:00:00Z")),
        ],
        &[],
    )
}
