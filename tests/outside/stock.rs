//! Stock under pressure: many buyers for few things, who pay, cancel, or forget about it (T12).

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::iter;
use serde_json::{Value, json};

use super::harness::audit::count;
use super::harness::random::unique;
use super::harness::{Api, Config, Paystream, Reply, StoreKind, eventually, run};

/// The demo catalogue's goods, and what its stock is called.
const MUG: &str = "goods-mug";
const SKU: &str = "goods-mug-white";
/// What the demo has of it.
const DEMO_STOCK: i64 = 20;
/// How many of the buyers ask at once.
const AT_ONCE: usize = 64;

async fn order(buyer: &Api, quantity: u32) -> Reply {
    let body = json!({"source": "product", "product_id": MUG, "sku_id": SKU, "quantity": quantity});
    buyer.post("/api/v1/orders", &body).send().await
}

async fn adjust(server: &Paystream, quantity: i64) -> Reply {
    let body = json!({"quantity": quantity, "reason": "counted"});
    server.as_role("olivia", "operator").post(&format!("/api/v1/stock/{SKU}/adjustments"), &body).send().await
}

/// What the log says of the stock: in the house, held, sold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Books {
    on_hand: i64,
    reserved: i64,
    sold: i64,
}

/// Folds the log's stock events, which share no code with the product; it must never go below zero on the way.
fn books(events: &[Value]) -> Books {
    let mut books = Books::default();
    for event in events.iter().filter(|event| event["stream_id"] == format!("stock-{SKU}")) {
        let data = &event["data"];
        let quantity = data["quantity"].as_i64().unwrap_or_default();
        match event["type"].as_str().unwrap() {
            "StockReceived" => books.on_hand += quantity,
            "StockAdjusted" => books.on_hand += data["difference"].as_i64().unwrap(),
            "StockReserved" => books.reserved += quantity,
            "StockSold" => {
                books.on_hand -= quantity;
                books.reserved -= quantity;
                books.sold += quantity;
            }
            "StockReleased" if data["was_sold"] == json!(true) => {
                books.on_hand += quantity;
                books.sold -= quantity;
            }
            "StockReleased" => books.reserved -= quantity,
            other => panic!("{other}"),
        }
        assert!(books.reserved >= 0 && books.sold >= 0 && books.reserved <= books.on_hand, "{books:?} after {event}");
    }
    books
}

#[test]
fn five_hundred_buyers_get_ten_things_and_no_more_on_sqlite() {
    run(five_hundred_buyers(StoreKind::Embedded));
}

#[test]
fn five_hundred_buyers_get_ten_things_and_no_more_on_postgres() {
    run(five_hundred_buyers(StoreKind::Postgres));
}

async fn five_hundred_buyers(store: StoreKind) {
    let config = Config::on(store).with("PAYSTREAM_RATE_LIMIT_ADDRESS", "100000/100000").with("PAYSTREAM_ORDER_LIFE_S", "600");
    let server = Paystream::start("five-hundred-buyers", config).await;
    adjust(&server, 10 - DEMO_STOCK).await.expect(200);

    // Wave after wave: who gets one pays, cancels or forgets it; what comes back the next may have.
    let mut paid = 0;
    for wave in 0..5_usize {
        let asked = iter(0..100_usize).map(|number| {
            let buyer = server.buyer(&unique(&format!("wave-{wave}-{number}")));
            async move {
                let reply = order(&buyer, 1).await;
                (number, buyer, reply)
            }
        });
        let asked: Vec<(usize, Api, Reply)> = asked.buffer_unordered(AT_ONCE).collect().await;
        let mut got = 0;
        for (number, buyer, reply) in asked {
            if reply.status == 409 {
                let problem = reply.expect_problem(409, "insufficient_stock");
                assert_eq!(problem["sku_id"], SKU);
                continue;
            }
            let order_id = reply.expect(201).field("order_id");
            got += 1;
            match number % 3 {
                0 => {
                    let record = buyer.pay_by_alipay_qr(&order_id).await.expect(201);
                    buyer.sandbox_pay(&record.field("pay_no"), "once").await.expect(200);
                    buyer.until_order_is(&order_id, "paid").await;
                    paid += 1;
                }
                1 => drop(buyer.post(&format!("/api/v1/orders/{order_id}/cancel"), &json!({})).send().await.expect(200)),
                _ => {}
            }
        }
        assert!(got + paid <= 10 + paid, "{got} got one in a wave");
        // Who forgot it loses it.
        server.api().advance_clock(Duration::from_secs(601)).await;
        // A token of before the clock's move is soon too old.
        let auditor = server.as_role(&unique("audrey"), "auditor");
        eventually("what was not paid is for sale again", async || {
            let books = books(&auditor.events().await);
            if books.reserved == 0 && books.sold == paid { Ok(()) } else { Err(format!("{books:?}, {paid} were paid")) }
        })
        .await;
    }
    let books = books(&server.as_role(&unique("audrey"), "auditor").events().await);
    assert!((1..=10).contains(&paid), "{paid} paid");
    assert_eq!(books, Books { on_hand: 10 - paid, reserved: 0, sold: paid });
}

#[test]
fn what_is_received_counted_and_refused_is_answered_in_the_contracts_words() {
    run(async {
        let server = Paystream::start("stock-words", Config::on(StoreKind::Embedded)).await;
        let (operator, buyer) = (server.as_role("olivia", "operator"), server.buyer(&unique("stock")));
        let receive = async |key: &str, quantity: i64| {
            let body = json!({"quantity": quantity, "reason": "from the factory"});
            operator.post(&format!("/api/v1/stock/{SKU}/receipts"), &body).key(key).send().await
        };
        let first = receive("truck-1", 5).await.expect(200);
        assert_eq!(first.json(), json!({"sku_id": SKU, "available": DEMO_STOCK + 5}));
        let again = receive("truck-1", 5).await.expect(200);
        assert_eq!((again.json(), again.header("idempotency-replayed")), (first.json(), "true"));
        receive("truck-1", 6).await.expect_problem(422, "idempotency_key_reused");
        receive("truck-2", 0).await.expect_problem(422, "invalid");
        let unknown = operator.post("/api/v1/stock/goods-mug-red/receipts", &json!({"quantity": 1, "reason": "x"})).send().await;
        unknown.expect_problem(404, "not_found");
        buyer
            .post(&format!("/api/v1/stock/{SKU}/receipts"), &json!({"quantity": 1, "reason": "x"}))
            .send()
            .await
            .expect_problem(403, "forbidden");

        order(&buyer, 25).await.expect(201);
        let problem = order(&buyer, 1).await.expect_problem(409, "insufficient_stock");
        assert_eq!((&problem["sku_id"], &problem["available"]), (&json!(SKU), &json!(0)));
        let problem = adjust(&server, -1).await.expect_problem(409, "insufficient_stock");
        assert_eq!(problem["available"], 0);
        assert_eq!(adjust(&server, 2).await.expect(200).json(), json!({"sku_id": SKU, "available": 2}));
        assert_eq!(count(&server.auditor().events().await, "StockAdjusted"), 1);
    });
}
