//! The page that a buyer's phone opens.

use serde_json::json;

use crate::world::World;

const PAGE: &str = "/sandbox/cashier/1001";

async fn page(world: &World) -> String {
    let response = world.get(PAGE).await;
    assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
    assert!(response.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    response.text().await.unwrap()
}

#[tokio::test]
async fn opening_the_page_is_the_scan_and_its_button_pays() {
    let world = World::start().await;
    world.precreate("1001", None).await.done();
    let html = page(&world).await;
    for text in ["¥ 199.00", "编程课程", "确认付款", "Pay", "1001"] {
        assert!(html.contains(text), "{text}: {html}");
    }
    assert_eq!(world.trade("1001").await["status"], "awaiting_buyer");
    let pressed = world.client.post(format!("{}{PAGE}", world.base)).send().await.unwrap();
    assert_eq!((pressed.status().as_u16(), &pressed.headers()["location"]), (303, &PAGE.parse().unwrap()));
    let html = page(&world).await;
    assert!(html.contains("支付成功") && html.contains("Paid") && !html.contains("<form"), "{html}");
    assert_eq!(world.query("1001").await.done()["trade_status"], "TRADE_SUCCESS");
}

#[tokio::test]
async fn a_second_press_of_the_button_changes_nothing() {
    let world = World::start().await;
    world.precreate("1001", None).await.done();
    for _ in 0..2 {
        let pressed = world.client.post(format!("{}{PAGE}", world.base)).send().await.unwrap();
        assert_eq!(pressed.status(), 303);
    }
    assert_eq!(world.trade("1001").await["deliveries"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_second_look_is_no_second_trade() {
    let world = World::start().await;
    world.precreate("1001", None).await.done();
    page(&world).await;
    let first = world.trade("1001").await;
    page(&world).await;
    assert_eq!(world.trade("1001").await, first);
}

#[tokio::test]
async fn an_ended_trade_shows_why_it_cannot_be_paid() {
    let world = World::start().await;
    world.precreate("1001", None).await.done();
    world.advance(2 * 3_600_000).await;
    let html = page(&world).await;
    assert!(html.contains("二维码已过期") && !html.contains("<form"), "{html}");
    assert_eq!(world.trade("1001").await["trade_no"], json!(null));
    let pressed = world.client.post(format!("{}{PAGE}", world.base)).send().await.unwrap();
    assert_eq!(pressed.status(), 303);
    assert_eq!(world.trade("1001").await["status"], "code_expired");
}

#[tokio::test]
async fn an_unknown_number_shows_a_page_that_says_so() {
    let world = World::start().await;
    for response in [
        world.get("/sandbox/cashier/9999").await,
        world.client.post(format!("{}/sandbox/cashier/%0a%2f", world.base)).send().await.unwrap(),
    ] {
        assert_eq!(response.status(), 404);
        assert!(response.text().await.unwrap().contains("There is no such payment"));
    }
}

#[tokio::test]
async fn the_page_brings_its_own_style() {
    let world = World::start().await;
    let style = world.get("/sandbox/assets/cashier.css").await;
    assert_eq!((style.status().as_u16(), &style.headers()["content-type"]), (200, &"text/css; charset=utf-8".parse().unwrap()));
}
