//! A coupon's way: granted for a payment, set against a later order, back when that ends unpaid, used when it is paid.

use serde_json::{Value, json};

use super::harness::journey::paid_order;
use super::harness::random::unique;
use super::harness::{Api, Config, Paystream, Reply, StoreKind, eventually, run};

/// The demo catalogue's goods, and what its stock is called.
const MUG: &str = "goods-mug";
const SKU: &str = "goods-mug-white";
/// Its price without and with the demo's coupon, in fen.
const MUG_FEN: i64 = 3_900;
const MUG_WITH_COUPON_FEN: i64 = 3_400;

async fn order(buyer: &Api, coupon_id: &str) -> Reply {
    let body = json!({"source": "product", "product_id": MUG, "sku_id": SKU, "quantity": 1, "coupon_id": coupon_id});
    buyer.post("/api/v1/orders", &body).send().await
}

fn assert_not_usable(reply: &Reply) {
    let problem = reply.expect_problem(422, "invalid");
    let error = &problem["errors"][0];
    assert_eq!((&error["field"], &error["code"]), (&json!("coupon_id"), &json!("not_usable")), "{reply}");
}

async fn coupons(buyer: &Api) -> Vec<Value> {
    buyer.get("/api/v1/coupons").send().await.expect(200).json()["items"].as_array().unwrap().clone()
}

/// Waits until the buyer's coupon of this number stands so.
async fn until_coupon_is(buyer: &Api, coupon_id: &str, status: &str) {
    eventually(&format!("{coupon_id} is {status}"), async || {
        let coupons = coupons(buyer).await;
        let is_so = coupons.iter().any(|coupon| coupon["coupon_id"] == coupon_id && coupon["status"] == status);
        if is_so { Ok(()) } else { Err(format!("{coupons:?}")) }
    })
    .await;
}

/// The SKU's stock: available and sold.
async fn stock(caller: &Api) -> (i64, i64) {
    let stock = caller.get(&format!("/api/v1/stock/{SKU}")).send().await.expect(200).json();
    let number = |member: &str| stock[member].as_i64().unwrap();
    assert_eq!(number("available"), number("on_hand") - number("reserved"), "{stock}");
    (number("available"), number("sold"))
}

#[test]
fn a_coupon_is_held_let_go_and_used_with_the_orders_that_it_is_set_against_on_sqlite() {
    run(coupon_and_stock(StoreKind::Embedded));
}

#[test]
fn a_coupon_is_held_let_go_and_used_with_the_orders_that_it_is_set_against_on_postgres() {
    run(coupon_and_stock(StoreKind::Postgres));
}

async fn coupon_and_stock(store: StoreKind) {
    let server = Paystream::start("coupons", Config::on(store)).await;
    let alice = server.buyer(&unique("alice"));
    assert_eq!(coupons(&alice).await, Vec::<Value>::new());
    let course = paid_order(&alice).await;
    let granted = async || coupons(&alice).await.pop().ok_or_else(|| "none".to_owned());
    let coupon = eventually("a coupon is granted for the course", granted).await;
    assert_eq!((&coupon["order_id"], &coupon["status"]), (&json!(course.order_id), &json!("usable")));
    assert_eq!((&coupon["discount_amount"], &coupon["least_amount"]), (&json!(MUG_FEN - MUG_WITH_COUPON_FEN), &json!(2_000)));
    let coupon_id = coupon["coupon_id"].as_str().unwrap();

    // It is nobody else's.
    let bob = server.buyer(&unique("bob"));
    assert_not_usable(&order(&bob, coupon_id).await);
    assert_eq!(coupons(&bob).await, Vec::<Value>::new());

    // An order holds it, and the article.
    let (available, sold) = stock(&alice).await;
    let first = order(&alice, coupon_id).await.expect(201);
    assert_eq!(first.json()["amount"], MUG_WITH_COUPON_FEN);
    let held = alice.get("/api/v1/coupons").after(&first.position()).send().await.expect(200).json();
    assert_eq!(held["items"][0]["status"], "reserved", "{held}");
    let path = format!("/api/v1/stock/{SKU}");
    let reserved = alice.get(&path).after(&first.position()).send().await.expect(200);
    assert_eq!((&reserved.json()["reserved"], &reserved.json()["available"]), (&json!(1), &json!(available - 1)));
    let unchanged = alice.get(&path).header("if-none-match", reserved.header("etag")).send().await;
    assert_eq!(unchanged.status, 304, "{unchanged}");
    assert_not_usable(&order(&alice, coupon_id).await);

    // It comes back when the order ends unpaid.
    alice.post(&format!("/api/v1/orders/{}/cancel", first.field("order_id")), &json!({})).send().await.expect(200);
    until_coupon_is(&alice, coupon_id, "usable").await;
    eventually("the article is for sale again", async || {
        let now = stock(&alice).await;
        if now == (available, sold) { Ok(()) } else { Err(format!("{now:?}")) }
    })
    .await;

    // An order that is paid uses it up.
    let second = order(&alice, coupon_id).await.expect(201);
    let record = alice.pay_by_alipay_qr(&second.field("order_id")).await.expect(201);
    alice.sandbox_pay(&record.field("pay_no"), "once").await.expect(200);
    let paid = alice.until_order_is(&second.field("order_id"), "paid").await;
    assert_eq!(paid["amount"], MUG_WITH_COUPON_FEN);
    until_coupon_is(&alice, coupon_id, "used").await;
    eventually("the article is sold", async || {
        let now = stock(&alice).await;
        if now == (available - 1, sold + 1) { Ok(()) } else { Err(format!("{now:?}")) }
    })
    .await;
    assert_not_usable(&order(&alice, coupon_id).await);
}
