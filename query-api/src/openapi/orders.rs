use chassis::identity::Role;
use chassis::problem::Code;
use serde_json::{Value, json};

use super::Group;
use super::coupons::coupon_id;
use super::operation::Operation;
use super::schema::{self, list, named, or_null};

const EVERYBODY: [Role; 4] = Role::ALL;

/// Orders.
pub(super) fn group() -> Group {
    Group {
        tag: "Orders",
        about: "What is owed, and its life. Buyers see their own orders, business systems those that they made, operators and \
             auditors all.",
        schemas: schemas(),
        operations: vec![
            create(),
            Operation::get("/api/v1/orders", "listOrders", "Orders, the newest first")
                .roles(&EVERYBODY)
                .of_views()
                .in_query("status", status())
                .in_query("order_type", order_type())
                .paged()
                .json(200, "A page of orders.", "OrderList"),
            Operation::get("/api/v1/orders/{order_id}", "showOrder", "One order")
                .roles(&EVERYBODY)
                .in_path("order_id", order_id())
                .of_views()
                .view("The order with its items, pay records, refunds and times.", "Order"),
            watch(),
            Operation::post("/api/v1/orders/{order_id}/cancel", "cancelOrder", "Cancel an order")
                .about(
                    "Its pay records are closed at their channels first; where a channel gives no proof yet, the order is `closing`, \
                     and a repeat asks again.",
                )
                .roles(&[Role::Buyer, Role::Operator])
                .in_path("order_id", order_id())
                .command()
                .if_match()
                .optional_body("CancelRequest")
                .done(200, "It is cancelled.", "CancelAnswer")
                .done(202, "It is `closing`: the channel's proof is awaited.", "CancelAnswer")
                .problems(&[Code::OrderAlreadyPaid, Code::OrderClosed]),
        ],
    }
}

fn create() -> Operation {
    Operation::post("/api/v1/orders", "createOrder", "Make an order")
        .about(
            "Buyers order a course selection or a product, at the catalogue's prices; other business systems name buyer, lines and \
             prices. The same business again answers its order, unless that ended unpaid: then there is a new one. What a product \
             has in stock is held while its order can be paid; `insufficient_stock` and `buyer_limit_exceeded` name the `sku_id` with \
             what is `available` or the `limit`, and nothing is held then. A coupon that cannot be set against the order is 422 with \
             `not_usable` at `coupon_id`.",
        )
        .roles(&[Role::Buyer, Role::Service])
        .command()
        .body("OrderRequest")
        .done(201, "The new order.", "OrderCreated")
        .done(200, "The order that the same business has already.", "OrderCreated")
        .problems(&[Code::NotFound, Code::BusinessIdConflict, Code::SelectionRequired, Code::InsufficientStock, Code::BuyerLimitExceeded])
}

fn watch() -> Operation {
    let stream = json!({ "text/event-stream": {
        "schema": { "type": "string", "description": "Events `order`, whose data is an `Order`, and whose id is its revision" },
        "example": "event: order\nid: 4\ndata: {\"order_id\":\"331284905322184704\",\"status\":\"paid\"}\n\n",
    }});
    Operation::get("/api/v1/orders/{order_id}/watch", "watchOrder", "An order live")
        .about("The order as it is, then again at each change, as server-sent events. A stream ends after 15 minutes at the latest.")
        .roles(&EVERYBODY)
        .in_path("order_id", order_id())
        .of_views()
        .answers(200, "The stream of events.", stream)
}

fn schemas() -> Vec<(&'static str, Value)> {
    vec![
        ("OrderRequest", json!({ "oneOf": [named("OrderFromSelection"), named("OrderFromProduct"), named("OrderFromBusiness")] })),
        ("OrderFromSelection", from_selection()),
        ("OrderFromProduct", from_product()),
        ("OrderFromBusiness", from_business()),
        ("BusinessItem", business_item()),
        ("OrderCreated", created()),
        ("OrderItem", item()),
        ("OrderInList", schema::answer("An order in a list", &members(), &[])),
        ("OrderList", schema::page("A page of orders", "OrderInList")),
        ("Order", order()),
        ("CancelRequest", schema::request("Why, if one wants to say so", &[("reason", reason())], &["reason"])),
        ("CancelAnswer", cancelled()),
    ]
}

pub(super) fn order_id() -> Value {
    schema::digits("The order's number", "331284905322184704")
}

fn order_type() -> Value {
    json!({
        "type": "string",
        "pattern": "^[a-z][a-z0-9_]{0,31}$",
        "description": "What kind of business it is: `course`, `goods`, … or a business system's own word",
        "examples": ["course"],
    })
}

pub(super) fn status() -> Value {
    schema::word("How far it has come", &["awaiting_payment", "closing", "paid", "completed", "cancelled", "expired"])
}

pub(super) fn payment_status() -> Value {
    schema::word("What of its money has come", &["unpaid", "paid", "partially_refunded", "refunded"])
}

fn client() -> Value {
    let mut client = schema::word("Where the buyer sits", &["web", "app", "h5", "mini_program", "official_account"]);
    client["default"] = json!("web");
    client
}

fn reason() -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": 500, "description": "Kept with the order", "examples": ["Chose another course"] })
}

fn title(about: &str, example: &str) -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": 256, "description": about, "examples": [example] })
}

fn source(word: &str) -> Value {
    json!({ "type": "string", "const": word, "description": "What the order is made from", "examples": [word] })
}

fn from_selection() -> Value {
    let selection_id = schema::digits("A course selection of the caller", "331284905317990400");
    schema::request(
        "An order of a buyer for a selected course",
        &[("source", source("course_selection")), ("selection_id", selection_id), ("client", client())],
        &["client"],
    )
}

fn from_product() -> Value {
    schema::request(
        "An order of a buyer for one product that is no course",
        &[
            ("source", source("product")),
            ("product_id", schema::text("The product", "book-rust")),
            ("sku_id", or_null(schema::text("Which variant, where it has any", "book-rust-paper"), None)),
            ("quantity", schema::count("How many", 1, 9_999, 1)),
            ("coupon_id", or_null(coupon_id("A usable coupon of the caller that is to be set against it"), None)),
            ("client", client()),
        ],
        &["sku_id", "coupon_id", "client"],
    )
}

fn from_business() -> Value {
    let mut items = list("Its lines", &named("BusinessItem"));
    (items["minItems"], items["maxItems"]) = (json!(1), json!(100));
    let mut order_type = order_type();
    order_type["description"] = json!("The system's own word for the kind of business; none of Paystream's own");
    order_type["examples"] = json!(["workshop"]);
    let description =
        json!({ "type": ["string", "null"], "maxLength": 2_000, "description": "More of it", "examples": ["Thursdays at seven"] });
    schema::request(
        "An order of another business system",
        &[
            ("source", source("business")),
            ("buyer_id", schema::text("Who is to pay", "member-1")),
            ("order_type", order_type),
            (
                "out_business_id",
                json!({ "type": "string", "minLength": 1, "maxLength": 128, "description": "Its number in that system", "examples": ["seat-12"] }),
            ),
            ("title", title("What the buyer reads", "Evening workshop")),
            ("description", description),
            ("items", items),
            ("currency", schema::currency()),
        ],
        &["description"],
    )
}

fn business_item() -> Value {
    schema::request(
        "A line of another business system's order",
        &[
            ("goods_id", schema::text("What is sold", "workshop-1")),
            ("name", title("Its name", "Evening workshop")),
            ("unit_price_amount", schema::amount("The price of one", 4_200)),
            ("quantity", schema::count("How many", 1, 9_999, 1)),
        ],
        &[],
    )
}

fn created() -> Value {
    schema::answer(
        "An order as its command answers it",
        &[
            ("order_id", order_id()),
            ("status", status()),
            ("order_type", order_type()),
            ("out_business_id", schema::text("Its number in its business", "331284905317990400")),
            ("amount", schema::amount("What is owed", 19_900)),
            ("amount_text", schema::amount_text("199.00")),
            ("currency", schema::currency()),
            ("expires_at", schema::time("Until when it can be paid", "2026-07-20T08:30:05Z")),
            (
                "checkout_url",
                schema::text("The page where it is paid; whoever has the link can pay", "http://127.0.0.1:8080/checkout/c2VhbGVk"),
            ),
        ],
        &[],
    )
}

fn item() -> Value {
    schema::answer(
        "A line of an order",
        &[
            ("goods_id", schema::text("What is sold", "course-rust")),
            ("sku_id", schema::text("Which variant, where it has any", "book-rust-paper")),
            ("name", schema::text("Its name when it was ordered", "Rust from the start")),
            ("quantity", schema::count("How many", 1, 9_999, 1)),
            ("unit_price_amount", schema::amount("The price of one", 19_900)),
            ("unit_price_text", schema::amount_text("199.00")),
            ("amount", schema::amount("The price of all", 19_900)),
            ("amount_text", schema::amount_text("199.00")),
        ],
        &["sku_id"],
    )
}

/// What an order shows alone and in a list.
fn members() -> Vec<(&'static str, Value)> {
    let null = || Some(Value::Null);
    vec![
        ("order_id", order_id()),
        ("status", status()),
        ("payment_status", payment_status()),
        ("shipping_status", schema::word("How far it is shipped; none where nothing is", &["none", "unshipped", "shipped", "received"])),
        ("order_type", order_type()),
        ("out_business_id", schema::text("Its number in its business, for instance a course selection's", "331284905317990400")),
        ("source", schema::word("What it was made from", &["course_selection", "product", "business"])),
        ("client", client()),
        ("buyer_id", schema::text("Who buys", "alice")),
        ("service", or_null(schema::text("The business system that made it; null where Paystream itself did", ""), null())),
        ("title", schema::text("What the buyer reads", "Rust from the start")),
        ("description", or_null(schema::text("More of it", ""), null())),
        ("amount", schema::amount("What is owed", 19_900)),
        ("amount_text", schema::amount_text("199.00")),
        ("currency", schema::currency()),
        ("discount_amount", schema::amount("What a coupon took off the sum of its lines; 0 where there is none", 0)),
        ("discount_text", schema::amount_text("0.00")),
        ("coupon_id", or_null(coupon_id("The coupon that is set against it"), null())),
        ("items", list("Its lines; their sum is `amount` and `discount_amount`", &named("OrderItem"))),
        ("paid_pay_no", or_null(schema::digits("The pay record that paid it", ""), null())),
        ("trade_no", or_null(schema::text("The channel's number of that payment", ""), null())),
        ("refunded_amount", schema::amount("What of that payment went back", 0)),
        ("refunded_text", schema::amount_text("0.00")),
        ("end_reason", or_null(schema::text("Why it was cancelled, as it was said", ""), null())),
        ("created_at", schema::time("When it was made", "2026-07-20T08:00:05Z")),
        ("expires_at", schema::time("Until when it can be paid", "2026-07-20T08:30:05Z")),
        ("paid_at", or_null(schema::time("When it was paid, as the channel says", ""), null())),
        ("ended_at", or_null(schema::time("When it ended unpaid", ""), null())),
        ("updated_at", schema::time("When it last changed", "2026-07-20T08:00:07Z")),
    ]
}

fn order() -> Value {
    let mut members = members();
    let mut refunds = list("The refunds of its money, the oldest first; also of money that it did not owe", &named("Refund"));
    refunds["examples"] = json!([[]]);
    members.extend([
        ("pay_records", list("The attempts to pay it, the oldest first", &named("PayRecordInOrder"))),
        ("refunds", refunds),
        ("shipment", schema::null("What is shipped; nothing as yet")),
    ]);
    schema::answer("An order", &members, &[])
}

fn cancelled() -> Value {
    let status = schema::word("What it is now", &["cancelled", "closing"]);
    schema::answer("What a cancel answers", &[("order_id", order_id()), ("status", status)], &[])
}
