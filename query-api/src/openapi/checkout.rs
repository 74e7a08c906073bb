use chassis::problem::Code;
use serde_json::{Value, json};

use super::Group;
use super::operation::Operation;
use super::schema::{self, list, named, or_null};

/// What scanners, browsers and channels reach.
pub(super) fn group() -> Group {
    Group {
        tag: "Checkout and notifications",
        about: "What a scanner, a browser and a channel reach. No bearer token: a link holds a sealed number that nobody can guess, \
             a notification its channel's signature.",
        schemas: vec![
            ("CheckoutState", state()),
            ("CheckoutOffer", schema::answer("What can be paid with", &[("wallets", wallets())], &[])),
            ("WalletLinks", wallet_links()),
            ("CheckoutPayRecordRequest", schema::request("Which channel", &[("channel", super::pay_records::channel())], &[])),
            ("CheckoutRenewed", schema::answer("Where to go on", &[("checkout_url", checkout_url())], &[])),
            ("AlipayNotification", notification()),
        ],
        operations: [pages(), commands()].into_iter().flatten().collect(),
    }
}

fn pages() -> Vec<Operation> {
    vec![
        Operation::get("/pay/{token}", "openPayLink", "What our own QR holds")
            .about(
                "Who opens it decides: Alipay's browser gets a form that posts itself, or the channel's code; WeChat's is asked who the \
                 payer is; a phone's browser is sent to WeChat's page; any other to the checkout page.",
            )
            .in_path("token", token("pay"))
            .answers(200, "A page: the order is paid already.", page("<!doctype html><title>Already paid</title>"))
            .empty(303, "To the channel, or to the checkout page.")
            .with_header(303, "Location", schema::text("Where to", "/checkout/c2VhbGVk"))
            .answers(
                410,
                "A page: the code or its order is over. A code that is over can be renewed from there.",
                page("<!doctype html><title>Over</title>"),
            )
            .answers(404, "A page: the link opens nothing.", page("<!doctype html><title>No such link</title>"))
            .problems(&[Code::StoreUnavailable]),
        Operation::get("/wechat/oauth/{token}", "returnFromWechat", "Where WeChat says who the payer is")
            .about("WeChat's browser comes here with a `code`, and pays on this page.")
            .in_path("token", token("pay"))
            .in_query("code", or_null(schema::text("WeChat's word for the payer, good for one question", ""), Some(Value::Null)))
            .in_query("state", or_null(schema::text("As it was sent; it says nothing", "pay"), None))
            .answers(200, "A page that hands the payment to WeChat.", page("<!doctype html><title>WeChat Pay</title>"))
            .empty(303, "To the checkout page, where it cannot be paid inside WeChat.")
            .with_header(303, "Location", schema::text("Where to", "/checkout/c2VhbGVk"))
            .answers(404, "A page: the link opens nothing.", page("<!doctype html><title>No such link</title>"))
            .answers(410, "A page: the order is over.", page("<!doctype html><title>Over</title>"))
            .problems(&[Code::StoreUnavailable]),
        Operation::get("/return/{token}", "returnFromChannel", "Where the channel sends the browser back")
            .about("Shows how the order stands and changes nothing, whatever the channel put into the query string.")
            .in_path("token", token("return"))
            .answers(200, "A page.", page("<!doctype html><title>Payment</title>"))
            .answers(404, "A page: the link opens nothing.", page("<!doctype html><title>No such link</title>")),
        Operation::get("/checkout/offer", "showOffer", "The wallets with which a new order can be paid")
            .about("For pages that let a buyer choose before there is an order.")
            .json(200, "The wallets.", "CheckoutOffer"),
        Operation::get("/checkout/{token}", "openCheckout", "The checkout page")
            .in_path("token", token("checkout"))
            .answers(200, "The page.", page("<!doctype html><title>Checkout</title>"))
            .answers(404, "A page: the link opens nothing.", page("<!doctype html><title>No such link</title>")),
        Operation::get("/checkout/{token}/watch", "watchCheckout", "A checkout live")
            .about("Events `state`, whose data is a `CheckoutState`: the present one, then one at each change.")
            .in_path("token", token("checkout"))
            .answers(
                200,
                "The stream of events.",
                json!({ "text/event-stream": {
                    "schema": { "type": "string", "description": "Server-sent events `state`" },
                    "example": "event: state\ndata: {\"order_id\":\"331284905322184704\",\"status\":\"paid\"}\n\n",
                }}),
            )
            .problems(&[Code::StoreUnavailable]),
    ]
}

fn commands() -> Vec<Operation> {
    let position = || schema::digits("The log position of the command's last event", "4711");
    vec![
        Operation::post("/checkout/{token}/pay-records", "createCheckoutPayRecord", "Ask for a code to pay with")
            .about("The live record of the same channel is answered again. It takes no `Idempotency-Key`: asking again is harmless.")
            .in_path("token", token("checkout"))
            .body("CheckoutPayRecordRequest")
            .json(201, "The new pay record.", "PayRecordAnswer")
            .with_header(201, "Paystream-Position", position())
            .json(200, "The live record of the same channel.", "PayRecordAnswer")
            .with_header(200, "Paystream-Position", position())
            .json(202, "It is `preparing`: the channel has not answered yet. Ask again.", "PayRecordAnswer")
            .with_header(202, "Paystream-Position", position())
            .problems(&super::pay_records::CANNOT_PAY)
            .problems(&[Code::RateLimited, Code::Busy, Code::StoreUnavailable]),
        Operation::post("/checkout/{token}/sync", "syncCheckout", "\"I have paid\"")
            .about("Asks the channel of every attempt that may still be paid.")
            .in_path("token", token("checkout"))
            .optional_body("Nothing")
            .json(200, "How the checkout stands then.", "CheckoutState")
            .problems(&[
                Code::ChannelNotConfigured,
                Code::ChannelRefused,
                Code::ChannelUnavailable,
                Code::RateLimited,
                Code::Busy,
                Code::StoreUnavailable,
            ]),
        Operation::post("/checkout/{token}/renew", "renewCheckout", "A fresh code for one that is over")
            .about(
                "Through the channel of the newest attempt. A code that can still be scanned stays; one that the channel has not given \
                 yet is shown by `watch` once it is there.",
            )
            .in_path("token", token("checkout"))
            .optional_body("Nothing")
            .json(201, "The checkout with the fresh code.", "CheckoutRenewed")
            .problems(&super::pay_records::CANNOT_PAY)
            .problems(&[Code::RateLimited, Code::Busy, Code::StoreUnavailable]),
        Operation::post("/notify/alipay", "notifyAlipay", "Alipay's notification of a payment")
            .about(
                "Answered in the channel's own words, and `success` only when what it tells is durable or changes nothing. Where \
                 the answer is a problem nothing was acknowledged, and the channel sends it again; only notifications that prove \
                 false count towards `rate_limited`.",
            )
            .content(true, json!({ "application/x-www-form-urlencoded": { "schema": named("AlipayNotification") } }))
            .answers(
                200,
                "`success`, or `fail`, upon which the channel sends it again.",
                json!({ "text/plain": {
                    "schema": schema::word("The channel's own words", &["success", "fail"]),
                }}),
            )
            .problems(&[
                Code::BadRequest,
                Code::RequestTimeout,
                Code::PayloadTooLarge,
                Code::ChannelNotConfigured,
                Code::RateLimited,
                Code::Busy,
                Code::StoreUnavailable,
            ]),
        wechat("/notify/wechat/v3", "notifyWechat", "WeChat Pay's notification of a payment", "application/json"),
        wechat("/notify/wechat/v3/refund", "notifyWechatRefund", "WeChat Pay's notification of a refund", "application/json"),
        wechat("/notify/wechat/v2", "notifyWechatV2", "A payment's notification by WeChat Pay's API v2", "text/xml"),
        scan_callback(),
        wechat("/notify/wechat/v2/refund", "notifyWechatV2Refund", "A refund's notification by WeChat Pay's API v2", "text/xml"),
    ]
}

/// What WeChat Pay asks when a product's code was scanned.
fn scan_callback() -> Operation {
    let words = |about: &str| json!({ "text/xml": { "schema": schema::text(about, "") } });
    Operation::post("/wechat/native-callback", "answerProductScan", "A product's code was scanned (WeChat Pay v2, Native mode 1)")
        .about(
            "The order is made on the spot at the catalogue's price, or the buyer's open one of that product is found again. The answer \
             is signed: `prepay_id`, or `result_code=FAIL` with a few words that the buyer reads. 404 where API v2 is not configured.",
        )
        .content(true, words("Signed by WeChat Pay"))
        .answers(200, "The signed answer, or `return_code=FAIL` to what is not believed.", words("The channel's own words"))
        .problems(&[
            Code::BadRequest,
            Code::RequestTimeout,
            Code::PayloadTooLarge,
            Code::NotFound,
            Code::RateLimited,
            Code::StoreUnavailable,
        ])
}

/// A notification of WeChat Pay's.
fn wechat(path: &str, id: &str, summary: &str, media_type: &str) -> Operation {
    let own_words = |example: &str| json!({ media_type: { "schema": schema::text("The channel's own words", example) } });
    Operation::post(path, id, summary)
        .about("As Alipay's: acknowledged only when what it tells is durable or changes nothing; else WeChat Pay sends it again.")
        .content(true, json!({ media_type: { "schema": schema::text("Signed or encrypted by WeChat Pay", "") } }))
        .answers(200, "Acknowledged.", own_words(""))
        .empty(204, "Acknowledged.")
        .problems(&[
            Code::BadRequest,
            Code::RequestTimeout,
            Code::PayloadTooLarge,
            Code::ChannelNotConfigured,
            Code::RateLimited,
            Code::Busy,
            Code::StoreUnavailable,
        ])
}

fn token(of: &str) -> Value {
    schema::text(&format!("The token of a {of} link: a sealed number"), "c2VhbGVk")
}

fn page(example: &str) -> Value {
    json!({ "text/html": { "schema": { "type": "string" }, "example": example } })
}

fn checkout_url() -> Value {
    schema::text("The checkout page", "http://127.0.0.1:8080/checkout/c2VhbGVk")
}

fn state() -> Value {
    let pay_record = json!({ "oneOf": [named("PayRecordAnswer"), { "type": "null" }] });
    let paid_at = or_null(schema::time("When it was paid, as the channel says", ""), Some(Value::Null));
    schema::answer(
        "What the checkout page shows",
        &[
            ("order_id", super::orders::order_id()),
            ("title", schema::text("What is paid for", "Rust from the start")),
            ("amount", schema::amount("What is owed", 19_900)),
            ("amount_text", schema::amount_text("199.00")),
            ("currency", schema::currency()),
            ("status", super::orders::status()),
            ("payment_status", super::orders::payment_status()),
            ("expires_at", schema::time("Until when it can be paid", "2026-07-20T08:30:05Z")),
            ("server_at", schema::time("The server's time, for counting down", "2026-07-20T08:00:07Z")),
            ("closing", json!({ "type": "boolean", "description": "Whether the order is about to end", "examples": [false] })),
            ("channels", list("The channels that can be chosen", &super::pay_records::channel())),
            ("wallet_links", named("WalletLinks")),
            ("pay_record", pay_record),
            ("paid_at", paid_at),
            ("result_url", schema::text("Where to go after the payment", "/courses")),
        ],
        &[],
    )
}

fn wallets() -> Value {
    let wallet = schema::word("A wallet", &["alipay", "wechat"]);
    let mut wallets = list("The wallets of which a product is offered", &wallet);
    wallets["examples"] = json!([["alipay", "wechat"]]);
    wallets
}

fn wallet_links() -> Value {
    let link = || or_null(schema::text("Our link; null where it cannot be paid there", "http://127.0.0.1:8080/pay/c2VhbGVk"), None);
    schema::answer(
        "Where a page that is open inside a wallet's own app leads to the payment in that wallet",
        &[("alipay", link()), ("wechat", link())],
        &[],
    )
}

/// What is looked at of it; the channel sends more, and all of it is signed.
fn notification() -> Value {
    schema::answer(
        "Alipay's signed notification. All members are covered by its signature, also those that are not named here.",
        &[
            ("notify_id", schema::text("The notification's own number", "2026072000222150601004380501234567")),
            ("app_id", schema::text("Whose app it is; another one's changes nothing", "2021000000000001")),
            ("out_trade_no", super::pay_records::pay_no()),
            ("trade_no", schema::text("The channel's own number", "2026072022001400380501234567")),
            ("trade_status", schema::text("Only `TRADE_SUCCESS` and `TRADE_FINISHED` tell of money", "TRADE_SUCCESS")),
            ("total_amount", schema::text("In yuan; must be exactly what was asked for", "199.00")),
            ("seller_id", schema::text("Whose money it is", "2088000000000001")),
            ("gmt_payment", schema::text("When it was paid, in Beijing's time", "2026-07-20 16:01:30")),
            ("charset", schema::text("How its text is written", "utf-8")),
            ("sign_type", schema::text("How it is signed", "RSA2")),
            ("sign", schema::text("The signature", "c2lnbmF0dXJl")),
        ],
        &["notify_id", "trade_no", "trade_status", "total_amount", "seller_id", "gmt_payment", "charset", "sign_type"],
    )
}
