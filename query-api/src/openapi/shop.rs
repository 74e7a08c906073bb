use chassis::identity::Role;
use chassis::problem::Code;
use serde_json::{Value, json};

use super::Group;
use super::operation::Operation;
use super::schema::{self, list, named, or_null};

/// The shop: products, sessions, who one is.
pub(super) fn group() -> Group {
    Group {
        tag: "Shop",
        about: "What is sold, and signing in.",
        schemas: vec![
            ("Product", product()),
            ("Sku", sku()),
            ("ProductList", products()),
            ("SignIn", sign_in()),
            ("Refresh", schema::request("A refresh token, good for one use", &[("refresh_token", refresh_token())], &[])),
            ("Tokens", tokens()),
            ("Me", me()),
        ],
        operations: vec![
            Operation::get("/api/v1/products", "listProducts", "What may be bought now")
                .in_query("category", schema::text("Only products of this category", "programming"))
                .in_query("kind", kind())
                .in_query("q", json!({ "type": "string", "maxLength": 100, "description": "Only products whose text holds this", "examples": ["rust"] }))
                .paged()
                .json(200, "A page of products.", "ProductList")
                .problems(&[Code::StoreUnavailable]),
            Operation::get("/api/v1/products/{id}", "showProduct", "One product")
                .about("Also one that may no longer be bought.")
                .in_path("id", schema::text("The product", "course-rust"))
                .json(200, "The product.", "Product")
                .problems(&[Code::StoreUnavailable]),
            product_code(),
            Operation::post("/api/v1/sessions", "signIn", "Sign in")
                .body("SignIn")
                .json(201, "An access token and a refresh token.", "Tokens")
                .problems(&[Code::Unauthenticated, Code::RateLimited, Code::Busy, Code::StoreUnavailable]),
            Operation::post("/api/v1/sessions/refresh", "refreshSession", "Go on with a refresh token")
                .about("Each refresh token is good once; the answer holds the next one.")
                .body("Refresh")
                .json(200, "An access token and the next refresh token.", "Tokens")
                .problems(&[Code::Unauthenticated, Code::RateLimited, Code::Busy, Code::StoreUnavailable]),
            Operation::delete("/api/v1/sessions", "signOut", "Sign out")
                .about("Takes back the access token that is shown and the refresh tokens of its session.")
                .signed_in()
                .empty(204, "Signed out.")
                .problems(&[Code::StoreUnavailable]),
            Operation::get("/api/v1/me", "showMe", "Who the caller is")
                .signed_in()
                .json(200, "The caller.", "Me")
                .problems(&[Code::StoreUnavailable]),
        ],
    }
}

fn product_code() -> Operation {
    let images = json!({
        "image/png": { "schema": { "type": "string", "contentMediaType": "image/png" }, "example": "(the bytes of a PNG)" },
        "image/svg+xml": { "schema": { "type": "string" }, "example": "<svg xmlns=\"http://www.w3.org/2000/svg\"></svg>" },
        "text/plain": { "schema": schema::text("What the code holds", "weixin://wxpay/bizpayurl?appid=wx0123456789abcdef&product_id=material-rust-notes") },
    });
    let option = |about: &str, example: &str| schema::text(about, example);
    Operation::get("/api/v1/products/{id}/wechat-qr", "showProductCode", "A product's code for WeChat, to be printed")
        .about(
            "It never expires; whoever scans it pays the price of that moment. 404 where WeChat Pay's API v2 is not configured. Courses \
             and products with several variants have none: there is something to choose first.",
        )
        .in_path("id", schema::text("The product", "material-rust-notes"))
        .in_query("format", schema::word("What is answered", &["png", "svg", "text"]))
        .in_query("size", schema::count("Pixels on each side", i64::from(qr::MIN_SIZE), i64::from(qr::MAX_SIZE), 320))
        .in_query("level", schema::word("How much of it may be hidden: about 7, 15, 25 or 30 %", &["L", "M", "Q", "H"]))
        .in_query("foreground", option("The code's colour, six hexadecimal digits", "1677ff"))
        .in_query("background", option("The colour around it, six hexadecimal digits", "fff5e6"))
        .answers(200, "The code.", images)
        .problems(&[Code::NotFound, Code::SelectionRequired, Code::RateLimited, Code::StoreUnavailable])
}

fn kind() -> Value {
    schema::word("What is sold", &["course", "goods", "material", "tutoring"])
}

fn product() -> Value {
    let null = || Some(Value::Null);
    let mut skus = list("Its variants", &named("Sku"));
    skus["examples"] = json!([[]]);
    let limit = "How many of each variant one buyer may hold and have bought; null without a limit";
    let hold = "For how many seconds an order of it can be paid, and so its stock is held; null for as long as any order";
    schema::answer(
        "A product",
        &[
            ("product_id", schema::text("The product's id", "course-rust")),
            ("kind", kind()),
            ("category_id", or_null(schema::text("Its category", "programming"), None)),
            ("title", schema::text("What buyers read first", "Rust from the start")),
            ("description", schema::text("What buyers read next", "Twelve lessons with exercises.")),
            ("price_amount", schema::amount("Its price", 19_900)),
            ("price_text", schema::amount_text("199.00")),
            ("currency", schema::currency()),
            ("price_version", schema::count("Counts the product's prices", 1, i64::from(u32::MAX), 1)),
            ("valid_days", or_null(schema::count("For how many days a course may be used; null without an end", 1, 36_500, 365), None)),
            ("starts_at", or_null(schema::time("When a course begins; null where it may be used at once", ""), null())),
            ("on_sale", json!({ "type": "boolean", "description": "Whether it may be bought now", "examples": [true] })),
            ("buyer_limit", or_null(schema::count(limit, 1, i64::from(u32::MAX), 2), null())),
            ("hold_s", or_null(schema::count(hold, 180, 86_400, 600), null())),
            ("skus", skus),
        ],
        &[],
    )
}

fn sku() -> Value {
    schema::answer(
        "A variant of a product, in its product's currency",
        &[
            ("sku_id", schema::text("The variant's id", "book-rust-paper")),
            ("name", schema::text("What tells it from the others", "Paperback")),
            ("price_amount", schema::amount("Its price", 5_900)),
            ("price_text", schema::amount_text("59.00")),
        ],
        &[],
    )
}

fn products() -> Value {
    let mut page = schema::page("A page of products", "Product");
    page["properties"]["items"]["description"] = json!("The page's products, by their ids");
    page
}

fn sign_in() -> Value {
    let password = json!({ "type": "string", "minLength": 1, "maxLength": 1024, "format": "password", "description": "The password", "examples": ["demo-password"] });
    let username =
        json!({ "type": "string", "minLength": 1, "maxLength": 1024, "description": "The name to sign in with", "examples": ["alice"] });
    schema::request("Who wants to sign in", &[("username", username), ("password", password)], &[])
}

fn refresh_token() -> Value {
    schema::text("Answered by the sign-in or the last refresh", "cmVmcmVzaA")
}

fn tokens() -> Value {
    schema::answer(
        "Tokens of a session",
        &[
            ("access_token", schema::text("The bearer token", "eyJhbGciOiJFZERTQSJ9.e30.c2ln")),
            ("refresh_token", refresh_token()),
            ("token_type", schema::word("How it is shown", &["Bearer"])),
            ("expires_in", schema::count("For how many seconds the access token is good", 1, 86_400, 900)),
        ],
        &[],
    )
}

fn me() -> Value {
    let role = schema::word("A role", &Role::ALL.map(Role::word));
    schema::answer(
        "Who the caller is. A token may be good without an account here; it then has no names.",
        &[
            ("account_id", schema::text("The token's subject", "alice")),
            ("username", or_null(schema::text("The name to sign in with", "alice"), None)),
            ("display_name", or_null(schema::text("The name that people read", "Alice"), None)),
            ("roles", list("What the caller may do", &role)),
        ],
        &[],
    )
}
