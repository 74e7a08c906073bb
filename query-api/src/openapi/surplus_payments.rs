use chassis::identity::Role;
use chassis::problem::Code;
use serde_json::{Value, json};

use super::Group;
use super::operation::Operation;
use super::refunds::refund_no;
use super::schema::{self, list, or_null};

/// Money that was not owed.
pub(super) fn group() -> Group {
    Group {
        tag: "Surplus payments",
        about: "Money that a channel took and that was not owed, or came too late. It goes back by refund; what no machine ends waits for \
             an operator.",
        schemas: vec![
            ("SurplusPayment", surplus_payment()),
            ("SurplusPaymentList", schema::page("A page of surplus payments", "SurplusPayment")),
            ("SurplusResolution", resolution()),
        ],
        operations: vec![
            Operation::get("/api/v1/surplus-payments", "listSurplusPayments", "Money that was not owed, the newest first")
                .roles(&[Role::Operator, Role::Auditor])
                .of_views()
                .in_query("state", state())
                .paged()
                .json(200, "A page of surplus payments.", "SurplusPaymentList"),
            Operation::post("/api/v1/surplus-payments/{id}/resolve", "resolveSurplusPayment", "Say that it was dealt with")
                .about("For what has `resolve` among its actions, for instance money that was given back in cash.")
                .roles(&[Role::Operator])
                .in_path("id", id())
                .command()
                .body("OperatorReason")
                .done(200, "It is resolved.", "SurplusResolution")
                .problems(&[Code::NotPayable]),
        ],
    }
}

fn id() -> Value {
    schema::text("Its id, as the list has it", "33128490532218470402-2026072022001400000587654321")
}

fn state() -> Value {
    let about = "What has become of it: it is not known yet whether its order takes it; taken after all; on its way back; back; waiting for an operator; \
         dealt with";
    let mut state = schema::word(about, &["open", "revived", "refunding", "refunded", "needs_operator", "resolved"]);
    state["examples"] = json!(["needs_operator"]);
    state
}

fn surplus_payment() -> Value {
    let kinds = ["paid_twice", "after_cancel", "amount_mismatch", "late", "unmatched"];
    let null = || Some(Value::Null);
    let mut actions = list("What an operator may do now", &schema::word("One action", &["retry", "settle", "resolve"]));
    actions["examples"] = json!([["retry", "settle", "resolve"]]);
    let order_id = schema::digits("The order; null where none is known", "331284905322184704");
    let pay_no = schema::digits("The pay record; null where none is known", "33128490532218470402");
    schema::answer(
        "A payment that was not owed, or came too late",
        &[
            ("id", id()),
            ("kind", schema::word("Why it was not owed", &kinds)),
            ("order_id", or_null(order_id, None)),
            ("pay_no", or_null(pay_no, None)),
            ("out_trade_no", schema::text("The number that the channel says is ours", "33128490532218470402")),
            ("channel", schema::text("The payment channel; the wallet alone where no pay record is known", "alipay_qr")),
            ("trade_no", schema::text("The channel's number of the payment", "2026072022001400000587654321")),
            ("amount", schema::amount("What came", 19_900)),
            ("amount_text", schema::amount_text("199.00")),
            ("currency", schema::currency()),
            ("refunded_amount", schema::amount("What of it went back", 0)),
            ("paid_at", or_null(schema::time("When it was paid, as the channel says", "2026-07-20T08:02:00Z"), None)),
            ("received_at", schema::time("When we learned of it", "2026-07-20T08:02:01Z")),
            ("state", state()),
            ("refund_no", or_null(refund_no(), Some(json!("331284905322184704R01")))),
            ("resolved_reason", or_null(schema::text("What the operator said who has dealt with it", ""), null())),
            ("actions", actions),
        ],
        &[],
    )
}

fn resolution() -> Value {
    let state = schema::word("What it is now", &["resolved"]);
    schema::answer("A surplus payment that was dealt with", &[("id", id()), ("state", state)], &[])
}
