//! Payments on the channel's own page, as a browser and a merchant see them.

use reqwest::Response;
use serde_json::{Value, json};

use crate::world::{FORM, World, form, json_of, problem_of};

const METHOD: &str = "alipay.trade.page.pay";
const RETURN_URL: &str = "http://127.0.0.1:9/return/alipay?order=7&x=a%20b";

fn content(number: &str) -> Value {
    json!({"out_trade_no": number, "total_amount": "199.00", "subject": "编程课程", "product_code": "FAST_INSTANT_TRADE_PAY"})
}

fn with(member: &str, value: Value) -> Value {
    let mut content = content("1001");
    content[member] = value;
    content
}

/// A browser posts the form: common members in the address, the content in the body.
async fn post(world: &World, members: &[(String, String)]) -> Response {
    let (content, common): (Vec<_>, Vec<_>) = members.iter().cloned().partition(|(name, _)| name == "biz_content");
    let url = format!("{}?{}", world.credentials.gateway_url, form(&common));
    world.client.post(url).header("content-type", FORM).body(form(&content)).send().await.unwrap()
}

async fn open(world: &World, content: &Value) -> Response {
    post(world, &world.members_with(METHOD, content, None, Some(RETURN_URL))).await
}

fn location(response: &Response) -> String {
    assert_eq!(response.status(), 303);
    response.headers()["location"].to_str().unwrap().to_owned()
}

async fn press(world: &World, number: &str) -> Response {
    world.client.post(format!("{}/sandbox/cashier/{number}", world.base)).send().await.unwrap()
}

/// Asserts a page that tells the buyer why there is no cashier.
async fn assert_refused(response: Response, sub_code: &str) {
    assert_eq!((response.status().as_u16(), &response.headers()["content-type"]), (200, &"text/html; charset=utf-8".parse().unwrap()));
    let html = response.text().await.unwrap();
    assert!(html.contains(sub_code) && !html.contains("<form"), "{html}");
}

#[tokio::test]
async fn the_form_leads_to_the_cashier_and_the_trade_exists_from_there_on() {
    let world = World::start().await;
    world.query("1001").await.assert_refused("ACQ.TRADE_NOT_EXIST");
    problem_of(world.get("/sandbox/trades/1001").await, 404, "not_found").await;
    let response = open(&world, &content("1001")).await;
    assert_eq!(location(&response), "/sandbox/cashier/1001");
    assert_eq!(world.query("1001").await.done()["trade_status"], "WAIT_BUYER_PAY");
    let html = world.get("/sandbox/cashier/1001").await.text().await.unwrap();
    assert!(html.contains("¥ 199.00") && html.contains("编程课程") && html.contains("<form"), "{html}");
    let trade = world.trade("1001").await;
    assert_eq!((&trade["product_code"], &trade["return_url"]), (&json!("FAST_INSTANT_TRADE_PAY"), &json!(RETURN_URL)));
}

#[tokio::test]
async fn a_browser_may_bring_everything_in_the_address() {
    let world = World::start().await;
    let members = world.members_with(METHOD, &content("1001"), None, None);
    let response = world.get(&format!("/sandbox/alipay/gateway.do?{}", form(&members))).await;
    assert_eq!(location(&response), "/sandbox/cashier/1001");
}

#[tokio::test]
async fn paying_leads_back_with_a_signed_return() {
    let world = World::start().await;
    open(&world, &content("1001")).await;
    let back = location(&press(&world, "1001").await);
    let (place, query) = back.split_once("x=a%20b&").unwrap();
    assert_eq!(place, "http://127.0.0.1:9/return/alipay?order=7&");
    let (members, is_signed) = world.read_notification(query);
    assert!(is_signed, "{back}");
    let trade = world.trade("1001").await;
    for (name, value) in [
        ("method", json!("alipay.trade.page.pay.return")),
        ("charset", json!("utf-8")),
        ("version", json!("1.0")),
        ("sign_type", json!("RSA2")),
        ("out_trade_no", json!("1001")),
        ("total_amount", json!("199.00")),
        ("trade_no", trade["trade_no"].clone()),
        ("app_id", json!(world.credentials.app_id)),
        ("auth_app_id", json!(world.credentials.app_id)),
        ("seller_id", json!(world.credentials.seller_id)),
    ] {
        assert_eq!(members[name], value, "{name}");
    }
    assert_eq!(members["timestamp"].as_str().unwrap().len(), 19);
    assert!(members.get("trade_status").is_none());
    assert_eq!((&trade["status"], trade["deliveries"].as_array().unwrap().len()), (&json!("paid"), 1));
    let policy = world.get("/sandbox/cashier/1001").await;
    let policy = policy.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("form-action 'self' http://127.0.0.1:9;"), "{policy}");
}

#[tokio::test]
async fn a_paid_page_shows_the_way_back_and_a_second_press_pays_nothing() {
    let world = World::start().await;
    open(&world, &content("1001")).await;
    press(&world, "1001").await;
    assert_eq!(location(&press(&world, "1001").await), "/sandbox/cashier/1001");
    let html = world.get("/sandbox/cashier/1001").await.text().await.unwrap();
    assert!(html.contains("Paid") && html.contains("href=\"http://127.0.0.1:9/return/alipay?order=7&amp;x=a%20b&amp;"), "{html}");
    assert_eq!(world.trade("1001").await["deliveries"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn without_a_place_to_return_to_the_page_says_paid() {
    let world = World::start().await;
    post(&world, &world.members_with(METHOD, &content("1001"), None, None)).await;
    assert_eq!(location(&press(&world, "1001").await), "/sandbox/cashier/1001");
    let html = world.get("/sandbox/cashier/1001").await.text().await.unwrap();
    assert!(html.contains("Paid") && !html.contains("<a "), "{html}");
}

#[tokio::test]
async fn the_same_content_leads_to_the_same_trade_whatever_became_of_it() {
    let world = World::start().await;
    let soon = with("time_expire", json!(beijing(&world, 5)));
    location(&open(&world, &soon).await);
    let first = world.trade("1001").await;
    assert_eq!(location(&open(&world, &soon).await), "/sandbox/cashier/1001");
    assert_eq!(world.trade("1001").await, first);
    world.advance(5 * 60_000).await;
    assert_eq!(location(&open(&world, &soon).await), "/sandbox/cashier/1001");
    assert_eq!(world.trade("1001").await["status"], "closed");
}

/// A time so many minutes ahead, as the channel writes it.
fn beijing(world: &World, minutes: i64) -> String {
    (world.now() + chrono::TimeDelta::minutes(minutes) + chrono::TimeDelta::hours(8)).format("%Y-%m-%d %H:%M:%S").to_string()
}

#[tokio::test]
async fn other_content_under_a_known_number_is_refused() {
    let world = World::start().await;
    open(&world, &content("1001")).await;
    let first = world.trade("1001").await;
    for (member, value) in [("total_amount", json!("198.00")), ("subject", json!("other"))] {
        assert_refused(open(&world, &with(member, value)).await, "ACQ.CONTEXT_INCONSISTENT").await;
    }
    assert_eq!(world.trade("1001").await, first);
    let coded = json!({"out_trade_no": "1001", "total_amount": "199.00", "subject": "编程课程", "product_code": "QR_CODE_OFFLINE"});
    world.call("alipay.trade.precreate", &coded, None).await.assert_refused("ACQ.CONTEXT_INCONSISTENT");
    world.precreate("1002", None).await.done();
    assert_refused(open(&world, &content("1002")).await, "ACQ.CONTEXT_INCONSISTENT").await;
    assert_eq!(world.trade("1002").await["status"], "coded");
}

#[tokio::test]
async fn bad_content_shows_the_buyer_why_and_makes_no_trade() {
    let world = World::start().await;
    for (member, value) in [
        ("product_code", json!("QR_CODE_OFFLINE")),
        ("product_code", Value::Null),
        ("total_amount", json!("0")),
        ("subject", json!("a&b=c")),
        ("time_expire", json!("soon")),
        ("time_expire", json!(beijing(&world, 16 * 24 * 60))),
    ] {
        assert_refused(open(&world, &with(member, value)).await, "ACQ.INVALID_PARAMETER").await;
    }
    let over = with("time_expire", json!(beijing(&world, -1)));
    assert_refused(open(&world, &over).await, "ACQ.NOW_TIME_AFTER_EXPIRE_TIME_ERROR").await;
    for return_url in ["javascript:alert(1)", "/return", "ftp://127.0.0.1/"] {
        let members = world.members_with(METHOD, &content("1001"), None, Some(return_url));
        assert_refused(post(&world, &members).await, "ACQ.INVALID_PARAMETER").await;
    }
    let members = world.members_with(METHOD, &content("1001"), Some("http://10.0.0.1/notify"), None);
    assert_refused(post(&world, &members).await, "ACQ.INVALID_PARAMETER").await;
    problem_of(world.get("/sandbox/trades/1001").await, 404, "not_found").await;
}

#[tokio::test]
async fn a_form_that_the_merchant_did_not_sign_shows_why_and_makes_no_trade() {
    let world = World::start().await;
    for member in ["return_url", "biz_content", "sign"] {
        let mut members = world.members_with(METHOD, &content("1001"), None, Some(RETURN_URL));
        let (_, value) = members.iter_mut().find(|(name, _)| name == member).unwrap();
        *value = value.replacen(['a', 'A', 'b', 'B', '1'], "2", 1);
        assert_refused(post(&world, &members).await, "isv.invalid-signature").await;
    }
    let unsigned: Vec<_> =
        world.members_with(METHOD, &content("1001"), None, None).into_iter().filter(|(name, _)| name != "sign").collect();
    assert_refused(post(&world, &unsigned).await, "isv.missing-signature").await;
    assert_refused(open(&world, &json!([])).await, "isv.illegal-json").await;
    problem_of(world.get("/sandbox/trades/1001").await, 404, "not_found").await;
}

#[tokio::test]
async fn a_trade_of_a_page_can_be_paid_and_closed_as_any_other_once_the_buyer_has_come() {
    let world = World::start().await;
    problem_of(world.post("/sandbox/trades/1001/pay", json!({})).await, 404, "not_found").await;
    world.close("1001").await.assert_refused("ACQ.TRADE_NOT_EXIST");
    open(&world, &content("1001")).await;
    assert_eq!(json_of(world.post("/sandbox/trades/1001/pay", json!({})).await, 200).await["status"], "paid");
    world.refund("1001", "R-1", "199.00").await.done();
    open(&world, &content("1002")).await;
    world.close("1002").await.done();
    assert_eq!(location(&press(&world, "1002").await), "/sandbox/cashier/1002");
    assert_eq!(world.trade("1002").await["status"], "closed");
}

#[tokio::test]
async fn of_two_tabs_at_once_one_makes_the_trade() {
    let world = World::start().await;
    let content = content("1001");
    let (one, other) = tokio::join!(open(&world, &content), open(&world, &content));
    assert_eq!((location(&one), location(&other)), ("/sandbox/cashier/1001".to_owned(), "/sandbox/cashier/1001".to_owned()));
    let (one, other) = tokio::join!(press(&world, "1001"), press(&world, "1001"));
    assert_eq!((one.status().as_u16(), other.status().as_u16()), (303, 303));
    assert_eq!(world.trade("1001").await["deliveries"].as_array().unwrap().len(), 1);
}

fn phone_content(number: &str) -> Value {
    json!({
        "out_trade_no": number, "total_amount": "199.00", "subject": "编程课程", "product_code": "QUICK_WAP_WAY",
        "quit_url": "http://127.0.0.1:9/return/quit",
    })
}

async fn open_on_a_phone(world: &World, content: &Value) -> Response {
    post(world, &world.members_with("alipay.trade.wap.pay", content, None, Some(RETURN_URL))).await
}

#[tokio::test]
async fn a_phone_s_form_leads_to_the_cashier_and_back() {
    let world = World::start().await;
    assert_eq!(location(&open_on_a_phone(&world, &phone_content("1001")).await), "/sandbox/cashier/1001");
    assert_eq!(world.trade("1001").await["product_code"], "QUICK_WAP_WAY");
    let back = location(&press(&world, "1001").await);
    assert!(back.starts_with(RETURN_URL) && back.contains("method=alipay.trade.wap.pay.return"), "{back}");
}

#[tokio::test]
async fn each_page_takes_its_own_product_only() {
    let world = World::start().await;
    assert_refused(open_on_a_phone(&world, &content("1001")).await, "ACQ.INVALID_PARAMETER").await;
    assert_refused(open(&world, &phone_content("1001")).await, "ACQ.INVALID_PARAMETER").await;
    let mut nowhere = phone_content("1001");
    nowhere["quit_url"] = json!("javascript:alert(1)");
    assert_refused(open_on_a_phone(&world, &nowhere).await, "ACQ.INVALID_PARAMETER").await;
    problem_of(world.get("/sandbox/trades/1001").await, 404, "not_found").await;
}
