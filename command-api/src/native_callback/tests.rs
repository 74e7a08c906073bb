use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use domain::order::OrderStatus;
use gateway::{Operation, Precreated};

use super::*;
use crate::testing::{Api, CORRELATION, Fault, ORDER_LIFE, World, paid, refused, unknown};

/// Codes as texts that a test can read; a scan's body is `openid product nonce`.
struct PlainCodes;

impl ProductCodes for PlainCodes {
    fn product_link(&self, product_id: &str, at: DateTime<Utc>, nonce: &str) -> Result<String, GatewayError> {
        if product_id.len() > 32 {
            return Err(refused(Operation::Precreate));
        }
        Ok(format!("weixin://wxpay/bizpayurl?product_id={product_id}&time_stamp={}&nonce_str={nonce}", at.timestamp()))
    }

    fn read_scan(&self, body: &[u8]) -> Result<ProductScan, NotificationRefusal> {
        let text = String::from_utf8_lossy(body).into_owned();
        let mut parts = text.split(' ').map(str::to_owned);
        match (parts.next(), parts.next(), parts.next()) {
            (Some(openid), Some(product_id), Some(nonce)) => Ok(ProductScan { openid, product_id, nonce }),
            _ => Err(NotificationRefusal::BadSignature),
        }
    }

    fn scan_reply(&self, answer: &ScanAnswer, nonce: &str) -> String {
        assert_eq!(nonce.len(), 32);
        match answer {
            ScanAnswer::Prepared { prepay_id } => format!("<prepay_id>{prepay_id}"),
            ScanAnswer::Declined { shown } => format!("<FAIL>{shown}"),
        }
    }

    fn scan_refusal(&self) -> &'static str {
        "<refused>"
    }
}

struct Shop {
    world: World,
    commands: Commands,
}

impl Shop {
    async fn new() -> Self {
        let world = World::new().await;
        let commands = world.with_channels(|channels, configured| {
            channels.with(Channel::WechatNativeV2, configured.clone()).with_product_codes(Arc::new(PlainCodes))
        });
        Self { world, commands }
    }

    /// What a scan is answered.
    async fn scan(&self, openid: &str, product_id: &str, nonce: &str) -> ScanAnswer {
        let scan = ProductScan { openid: openid.to_owned(), product_id: product_id.to_owned(), nonce: nonce.to_owned() };
        self.commands.answer_scan(&scan, CORRELATION).await
    }

    /// The next payment that the channel is asked for has this number.
    fn prepares(&self, prepay_id: &str) {
        let code_url = format!("weixin://wxpay/bizpayurl?pr={prepay_id}");
        self.world.channel.precreates(Ok(Precreated::CodeAndPrepay { code_url, prepay_id: prepay_id.to_owned() }));
    }

    /// The orders that were made, in their order.
    async fn orders(&self) -> Vec<OrderId> {
        let created = self.world.all("OrderCreated").await;
        created.iter().map(|event| event["order_id"].as_str().unwrap().parse().unwrap()).collect()
    }
}

fn led_to(prepay_id: &str) -> ScanAnswer {
    ScanAnswer::Prepared { prepay_id: prepay_id.to_owned() }
}

#[track_caller]
fn declined(answer: &ScanAnswer) -> &str {
    let ScanAnswer::Declined { shown } = answer else { panic!("{answer:?}") };
    assert!(shown.len() <= 128, "WeChat Pay has no room for more: {shown}");
    shown
}

#[tokio::test]
async fn a_scan_makes_the_order_and_leads_to_its_payment() {
    let shop = Shop::new().await;
    shop.prepares("wx-1");
    assert_eq!(shop.scan("oUpF8uMuAJO", "notes", "n1").await, led_to("wx-1"));
    let orders = shop.orders().await;
    assert_eq!(orders.len(), 1);
    assert_eq!(shop.world.order_types(orders[0]).await, ["OrderCreated", "PayRecordIssued", "PayRecordPrepared"]);
    let order = shop.world.load(orders[0]).await;
    let (draft, issued) = (&order.created.as_ref().unwrap().draft, order.pay_records[0].issued.as_ref().unwrap());
    assert_eq!((draft.amount.as_i64(), draft.client, draft.items[0].goods_id.as_str()), (599, Client::OfficialAccount, "notes"));
    assert_eq!((issued.channel, issued.by_scan), (Channel::WechatNativeV2, true));
    assert_eq!(order.pay_records[0].code_url(), Some("weixin://wxpay/bizpayurl?pr=wx-1"));
}

#[tokio::test]
async fn the_buyer_is_known_again_and_their_openid_stands_nowhere() {
    let shop = Shop::new().await;
    shop.prepares("wx-1");
    shop.scan("oUpF8uMuAJO", "notes", "n1").await;
    let order = shop.world.load(shop.orders().await[0]).await;
    let buyer_id = order.created.unwrap().draft.buyer_id;
    assert_eq!(buyer_id, buyer_of("oUpF8uMuAJO").unwrap());
    assert_ne!(buyer_id, buyer_of("oUpF8uMuAJP").unwrap());
    assert_eq!(shop.world.channel.requests()[0].payer_openid, None);
    let log = format!("{:?}", event_store::LogReader::read_all(&*shop.world.memory, event_store::Position::START, 100).await.unwrap());
    assert!(log.contains(buyer_id.as_str()) && !log.contains("oUpF8"), "{log}");
}

#[tokio::test]
async fn the_same_scan_and_the_next_one_of_an_open_order_lead_to_the_same_payment() {
    let shop = Shop::new().await;
    shop.prepares("wx-1");
    shop.prepares("wx-2");
    for nonce in ["n1", "n1", "n2", "n1"] {
        assert_eq!(shop.scan("o1", "notes", nonce).await, led_to("wx-1"), "{nonce}");
    }
    assert_eq!(shop.world.channel.requests().len(), 1);
    assert_eq!(shop.scan("o2", "notes", "n1").await, led_to("wx-2"), "somebody else buys for themselves");
    assert_eq!(shop.orders().await.len(), 2);
}

#[tokio::test]
async fn two_scans_at_once_make_one_order() {
    let shop = Shop::new().await;
    shop.prepares("wx-1");
    let (first, second) = futures_util::future::join(shop.scan("o1", "notes", "n1"), shop.scan("o1", "notes", "n2")).await;
    assert!(first == led_to("wx-1") || second == led_to("wx-1"), "{first:?} {second:?}");
    assert_eq!(shop.world.channel.requests().len(), 1);
    assert_eq!(shop.scan("o1", "notes", "n3").await, led_to("wx-1"));
    assert_eq!(shop.orders().await.len(), 1);
}

#[tokio::test]
async fn who_has_paid_may_buy_again_and_an_old_scan_buys_nothing() {
    let shop = Shop::new().await;
    shop.prepares("wx-1");
    shop.scan("o1", "notes", "n1").await;
    let order_id = shop.orders().await[0];
    let record = shop.world.load(order_id).await.pay_records[0].issued.clone().unwrap();
    shop.world.channel.queries(Ok(paid("trade-1", 599)));
    let operator = Caller::Operator("olivia".to_owned());
    shop.commands.sync_pay_record(&operator, record.pay_no, None, None, CORRELATION).await.unwrap();
    assert_eq!(shop.world.load(order_id).await.status, OrderStatus::Paid);
    assert!(declined(&shop.scan("o1", "notes", "n1").await).contains("Already paid"));

    shop.world.change("notes", |notes| notes.price = domain::Money::new(700, domain::Currency::Cny).unwrap()).await;
    shop.prepares("wx-2");
    assert_eq!(shop.scan("o1", "notes", "n2").await, led_to("wx-2"));
    let orders = shop.orders().await;
    assert_eq!(orders.len(), 2);
    let second = shop.world.load(orders[1]).await;
    assert_eq!(second.created.unwrap().draft.amount.as_i64(), 700, "the price is that of the scan");
    assert!(declined(&shop.scan("o1", "notes", "n1").await).contains("Already paid"));
}

#[tokio::test]
async fn an_order_that_is_about_to_expire_takes_no_scan() {
    let shop = Shop::new().await;
    shop.prepares("wx-1");
    shop.scan("o1", "notes", "n1").await;
    shop.world.clock.advance(ORDER_LIFE - TimeDelta::minutes(1));
    assert!(declined(&shop.scan("o1", "notes", "n2").await).contains("few minutes"));
}

#[tokio::test]
async fn what_one_scan_cannot_order_is_declined_and_nothing_is_made() {
    let shop = Shop::new().await;
    for (product_id, words) in [
        ("course-rust", "Choose this course"),
        ("mug", "Choose a variant"),
        ("withdrawn", "Not sold now"),
        ("gift", "nothing to pay"),
        ("nothing", "Unknown product"),
        ("", "Unknown product"),
    ] {
        assert!(declined(&shop.scan("o1", product_id, "n1").await).contains(words), "{product_id}");
    }
    assert_eq!((shop.world.head().await, shop.world.channel.requests().len()), (0, 0));
}

#[tokio::test]
async fn goods_are_held_and_those_that_are_sold_out_are_declined() {
    let shop = Shop::new().await;
    shop.world.change("mug", |mug| mug.skus.truncate(1)).await;
    assert!(declined(&shop.scan("o1", "mug", "n1").await).contains("Sold out"));
    shop.world.receive("mug-black", 1).await;
    shop.prepares("wx-1");
    assert_eq!(shop.scan("o1", "mug", "n1").await, led_to("wx-1"), "the same scan, once there is one");
    assert!(declined(&shop.scan("o2", "mug", "n1").await).contains("Sold out"));
    assert_eq!(shop.orders().await.len(), 1);
}

#[tokio::test]
async fn a_channel_that_gives_nothing_is_said_to_be_busy() {
    let shop = Shop::new().await;
    shop.world.channel.precreates(Err(unknown(Operation::Precreate)));
    assert!(declined(&shop.scan("o1", "notes", "n1").await).contains("Busy"));
    let order_id = shop.orders().await[0];
    assert_eq!(shop.world.load(order_id).await.pay_records[0].status, PayRecordStatus::Preparing, "the intent stands, and is asked about");
    shop.world.channel.precreates(Err(refused(Operation::Precreate)));
    assert!(declined(&shop.scan("o2", "notes", "n1").await).contains("Busy"));
    shop.prepares("wx-1");
    assert_eq!(shop.scan("o2", "notes", "n1").await, led_to("wx-1"), "a refused attempt makes place for the next");
    assert_eq!(shop.orders().await.len(), 2);
}

#[tokio::test]
async fn a_scan_that_a_failing_log_cut_off_is_finished_by_the_next() {
    let shop = Shop::new().await;
    shop.world.log.next("order-", Fault::Unavailable);
    assert!(declined(&shop.scan("o1", "notes", "n1").await).contains("Busy"));
    shop.prepares("wx-1");
    assert_eq!(shop.scan("o1", "notes", "n1").await, led_to("wx-1"));
    assert_eq!(shop.orders().await.len(), 1);
}

#[tokio::test]
async fn without_the_old_protocol_there_is_neither_callback_nor_code() {
    let world = World::new().await;
    let api = Api::new(&world);
    let callback = api.post("/wechat/native-callback").body("text/xml", "o1 notes n1").answer().await;
    assert_eq!(callback.problem(), (404, "not_found".to_owned()));
    assert_eq!(api.get("/api/v1/products/notes/wechat-qr").answer().await.problem(), (404, "not_found".to_owned()));
    assert_eq!((world.head().await, world.inbox.kept().len()), (0, 0));
}

#[tokio::test]
async fn the_callback_is_answered_in_the_channels_words_and_a_forged_one_only_kept() {
    let shop = Shop::new().await;
    let api = Api::over(&shop.world, shop.commands.clone());
    let post = |body: &str| api.post("/wechat/native-callback").body("text/xml", body.to_owned());
    let forged = post("forged").answer().await;
    assert_eq!((forged.status.as_u16(), forged.text.as_str(), shop.world.head().await), (200, "<refused>", 0));
    assert_eq!(shop.world.inbox.verdicts(), ["bad_signature"]);
    let too_large = post(&"x".repeat(16 * 1024 + 1)).answer().await;
    assert_eq!(too_large.problem(), (413, "payload_too_large".to_owned()));
    shop.prepares("wx-1");
    let led = post("o1 notes n1").answer().await;
    assert_eq!((led.status.as_u16(), led.text.as_str()), (200, "<prepay_id>wx-1"));
    assert_eq!(led.header("content-type"), Some("text/xml; charset=utf-8"));
    assert!(post("o1 course-rust n2").answer().await.text.starts_with("<FAIL>"));
    assert_eq!(shop.world.inbox.kept().len(), 1, "a genuine one leads to an order, which is on the log");
}

#[tokio::test]
async fn a_product_has_one_code_in_every_form() {
    let shop = Shop::new().await;
    let api = Api::over(&shop.world, shop.commands.clone());
    let get = |id: &str, query: &str| api.get(&format!("/api/v1/products/{id}/wechat-qr{query}"));
    let text = get("notes", "?format=text").answer().await;
    assert!(text.text.starts_with("weixin://wxpay/bizpayurl?product_id=notes&"), "{}", text.text);
    shop.world.clock.advance(TimeDelta::days(1));
    assert_eq!(get("notes", "?format=text").answer().await.text, text.text);
    let drawing = get("notes", "?format=svg&size=300&level=H").answer().await;
    assert_eq!((drawing.status.as_u16(), drawing.header("content-type")), (200, Some("image/svg+xml")));
    assert_eq!(drawing.text, qr::svg(&text.text, &qr::QrOptions::parse(Some("300"), Some("H"), None, None).unwrap()).unwrap());
    let long = "n".repeat(33);
    shop.world.change("notes", |notes| notes.product_id = long.parse().unwrap()).await;
    for (id, query, problem) in [
        ("nothing", "", (404, "not_found")),
        ("course-rust", "", (422, "selection_required")),
        ("mug", "", (422, "invalid")),
        ("gift", "", (422, "invalid")),
        ("withdrawn", "", (422, "invalid")),
        (long.as_str(), "", (422, "invalid")),
        ("notes", "?size=1", (422, "invalid")),
        ("notes", "?level=X", (422, "invalid")),
    ] {
        let refused = get(id, query).answer().await.problem();
        assert_eq!((refused.0, refused.1.as_str()), problem, "{id}{query}");
    }
}
