use chassis::identity::Role;
use chassis::problem::Code;
use domain::Channel;
use serde_json::{Value, json};

use super::Group;
use super::operation::Operation;
use super::schema::{self, or_null};

/// Pay records.
pub(super) fn group() -> Group {
    Group {
        tag: "Pay records",
        about: "One attempt to pay an order through one channel, with the code that the buyer scans.",
        schemas: schemas(),
        operations: vec![
            Operation::post("/api/v1/orders/{order_id}/pay-records", "createPayRecord", "Ask for a code to pay with")
                .about(
                    "The live record of the same channel is answered again. `aggregate` is one code of our own for both wallets: no \
                     attempt begins before one of them scans it. A key answers again as it left the record; what the channel \
                     refused is tried anew.",
                )
                .roles(&[Role::Buyer, Role::Service])
                .in_path("order_id", super::orders::order_id())
                .command()
                .if_match()
                .body("PayRecordRequest")
                .done(201, "The new pay record.", "PayRecordAnswer")
                .done(200, "The live record of the same channel.", "PayRecordAnswer")
                .done(202, "It is `preparing`: the channel has not answered yet. Ask again.", "PayRecordAnswer")
                .problems(&CANNOT_PAY),
            Operation::post("/api/v1/pay-records/{pay_no}/sync", "syncPayRecord", "\"I have paid\"")
                .about("Asks the channel now, and answers the pay record as the log then has it.")
                .roles(&[Role::Buyer, Role::Operator])
                .in_path("pay_no", pay_no())
                .command()
                .if_match()
                .optional_body("Nothing")
                .done(200, "The pay record.", "PayRecordAnswer")
                .problems(&[Code::ChannelNotConfigured, Code::ChannelRefused, Code::ChannelUnavailable]),
            Operation::get("/api/v1/pay-records/{pay_no}", "showPayRecord", "One pay record")
                .roles(&Role::ALL)
                .in_path("pay_no", pay_no())
                .of_views()
                .view("The pay record.", "PayRecord"),
            image(),
        ],
    }
}

/// Why an attempt to pay may be refused.
pub(super) const CANNOT_PAY: [Code; 8] = [
    Code::OrderAlreadyPaid,
    Code::OrderClosed,
    Code::OrderExpiring,
    Code::AttemptsExhausted,
    Code::NotPayable,
    Code::ChannelNotConfigured,
    Code::ChannelRefused,
    Code::ChannelUnavailable,
];

fn image() -> Operation {
    let mut size = schema::count("Pixels on each side", i64::from(qr::MIN_SIZE), i64::from(qr::MAX_SIZE), 320);
    size["default"] = json!(qr::DEFAULT_SIZE);
    let defaulted = |mut schema: Value, default: &str| {
        schema["default"] = json!(default);
        schema
    };
    let colour = |about: &str, example: &str, default: &str| {
        let colour = json!({ "type": "string", "pattern": "^#?[0-9A-Fa-f]{6}$", "description": about, "examples": [example] });
        defaulted(colour, default)
    };
    let images = json!({
        "image/png": { "schema": { "type": "string", "contentMediaType": "image/png" }, "example": "(the bytes of a PNG)" },
        "image/svg+xml": { "schema": { "type": "string" }, "example": "<svg xmlns=\"http://www.w3.org/2000/svg\"></svg>" },
    });
    Operation::get("/api/v1/pay-records/{pay_no}/qr", "showPayRecordCode", "A pay record's code as an image")
        .about("It always holds the record's own `qr_content`; 404 where the record has none.")
        .roles(&Role::ALL)
        .in_path("pay_no", pay_no())
        .of_views()
        .in_query("format", defaulted(schema::word("What is drawn", &["png", "svg"]), "png"))
        .in_query("size", size)
        .in_query("level", defaulted(schema::word("How much of it may be hidden: about 7, 15, 25 or 30 %", &["L", "M", "Q", "H"]), "L"))
        .in_query("foreground", colour("The code's colour, much darker than the background", "1677ff", "000000"))
        .in_query("background", colour("The colour around it", "fff5e6", "ffffff"))
        .answers(200, "The image.", images)
        .with_header(200, "ETag", schema::text("Changes with the code and the options", "\"1-Png-200-L-000000-ffffff\""))
        .with_header(200, "Cache-Control", schema::text("The client alone may keep it for a while", "private, max-age=60"))
        .tagged()
        .problems(&[Code::RateLimited])
}

fn schemas() -> Vec<(&'static str, Value)> {
    let mut answered = seen_by_both();
    let parameters = json!({
        "type": ["object", "null"],
        "description": "What a page inside WeChat, a mini program or an app hands to the wallet, by WeChat Pay's own names",
        "additionalProperties": { "type": "string" },
        "examples": [null],
    });
    answered.push(("client_parameters", parameters));
    if let Some((_, number)) = answered.iter_mut().find(|(name, _)| *name == "pay_no") {
        *number = or_null(pay_no(), None);
        number["description"] = json!("Its number; null of an `aggregate` code until a wallet scans it");
    }
    let mut alone = in_order();
    alone.extend(page_members());
    vec![
        ("Nothing", schema::request("An empty object", &[], &[])),
        ("PayRecordRequest", request()),
        ("PayRecordAnswer", schema::answer("A pay record as commands answer it", &answered, &[])),
        ("PayRecordInOrder", schema::answer("A pay record beside others of its order", &in_order(), &[])),
        ("PayRecord", schema::answer("A pay record", &alone, &[])),
    ]
}

fn request() -> Value {
    schema::request(
        "Which channel is to be paid through",
        &[
            ("channel", channel()),
            ("openid", or_null(schema::text("The payer in WeChat, for channels inside it", ""), Some(Value::Null))),
            ("payer_client_ip", or_null(schema::text("The payer's address, for channels that want it", "203.0.113.7"), None)),
        ],
        &["openid", "payer_client_ip"],
    )
}

pub(super) fn pay_no() -> Value {
    schema::digits("Its number: the order's and two digits. The channel knows it by this one.", "33128490532218470401")
}

pub(super) fn channel() -> Value {
    schema::word("The payment channel. The checkout names those that are configured.", &Channel::ALL.map(Channel::as_str))
}

fn status() -> Value {
    let mut status = schema::word("How far it has come", &["preparing", "pending", "closing", "confirmed", "closed", "failed", "surplus"]);
    status["examples"] = json!(["pending"]);
    status
}

fn qr_content() -> Value {
    or_null(schema::text("What the QR holds; null until there is a code", "https://qr.alipay.example/bax03431ljhokirwl38f00a7"), None)
}

/// The image and the page, which a list does not hold.
fn page_members() -> Vec<(&'static str, Value)> {
    vec![
        (
            "qr_code",
            or_null(
                schema::text("The QR as a `data:` URL of a PNG; null until there is a code", "data:image/png;base64,iVBORw0KGgo="),
                None,
            ),
        ),
        (
            "pay_url",
            or_null(
                schema::text("The pay record's own page; null where nothing is paid online", "http://127.0.0.1:8080/pay/c2VhbGVk"),
                None,
            ),
        ),
    ]
}

/// What commands and queries show alike.
fn seen_by_both() -> Vec<(&'static str, Value)> {
    let null = || Some(Value::Null);
    let mut members = vec![
        ("pay_no", pay_no()),
        ("order_id", super::orders::order_id()),
        ("channel", channel()),
        ("amount", schema::amount("What is asked for", 19_900)),
        ("amount_text", schema::amount_text("199.00")),
        ("currency", schema::currency()),
        ("status", status()),
        ("qr_content", qr_content()),
        ("trade_no", or_null(schema::text("The channel's own number; null until money came", ""), null())),
        ("failure_code", or_null(schema::text("The channel's word for why it refused", ""), null())),
        ("issued_at", schema::time("When it was issued", "2026-07-20T08:00:06Z")),
        ("expires_at", schema::time("Until when it can be paid", "2026-07-20T08:30:05Z")),
        ("paid_at", or_null(schema::time("When it was paid, as the channel says", ""), null())),
    ];
    members.extend(page_members());
    members
}

fn in_order() -> Vec<(&'static str, Value)> {
    let null = || Some(Value::Null);
    let mut members: Vec<_> = seen_by_both().into_iter().filter(|(name, _)| !matches!(*name, "qr_code" | "pay_url")).collect();
    let causes = ["order_cancelled", "order_expired", "channel_switched", "code_expired", "order_paid"];
    let proofs = ["channel_closed", "never_shown", "absent_after_grace", "unproven"];
    members.extend([
        ("subject", schema::text("What the buyer reads in the wallet", "Rust from the start")),
        ("closing_cause", or_null(schema::word("Why it is to end", &causes), null())),
        ("closed_proof", or_null(schema::word("How it is known that it ended unpaid", &proofs), null())),
        ("received_at", or_null(schema::time("When we learned of its payment", ""), null())),
        ("updated_at", schema::time("When it last changed", "2026-07-20T08:00:07Z")),
    ]);
    members
}
