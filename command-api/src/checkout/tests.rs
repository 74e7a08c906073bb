mod pages;

use gateway::Operation::{self, Precreate, Query};
use gateway::TradeState;

use super::*;
use crate::testing::*;

fn token(link: &str) -> &str {
    link.rsplit('/').next().unwrap()
}

async fn opened(world: &World, api: &Api, pay_no: domain::PayNo, agent: &str) -> (u16, String, Option<String>) {
    let path = format!("/pay/{}", token(&api.links.pay_url(pay_no)));
    let answer = api.get(&path).with("user-agent", agent).answer().await;
    assert!(world.log.is_done());
    let location = answer.header("location").map(str::to_owned);
    (answer.status.as_u16(), answer.text, location)
}

#[tokio::test]
async fn a_scanned_link_leads_alipay_to_the_code_and_any_other_to_the_checkout() {
    let world = World::new().await;
    let api = Api::new(&world);
    let pay_no = world.pending().await;
    let checkout = api.links.checkout_path(pay_no.order_id());
    let (status, _, location) = opened(&world, &api, pay_no, "Mozilla/5.0 AlipayClient/10.5").await;
    assert_eq!((status, location), (303, Some(format!("https://qr.alipay.example/{pay_no}"))));
    let (status, _, location) = opened(&world, &api, pay_no, "Mozilla/5.0").await;
    assert_eq!((status, location), (303, Some(checkout.clone())));
    world.clock.advance(CODE_LIFE);
    for agent in ["Mozilla/5.0", "AlipayClient"] {
        assert_eq!(opened(&world, &api, pay_no, agent).await, (410, format!("over {checkout}"), None), "its code is over");
    }
}

#[tokio::test]
async fn a_link_of_what_is_preparing_paid_ended_or_nothing_says_so() {
    let world = World::new().await;
    let api = Api::new(&world);
    let preparing = world.preparing().await;
    assert_eq!(opened(&world, &api, preparing, "AlipayClient").await.2, Some(api.links.checkout_path(preparing.order_id())));
    world.pay(preparing).await;
    assert_eq!(opened(&world, &api, preparing, "AlipayClient").await, (200, "already paid".to_owned(), None));

    let world = World::new().await;
    let pay_no = world.pending().await;
    let api = Api::new(&world);
    world.channel.queries(Err(unknown(Query)));
    world.commands.cancel_order(&alice(), pay_no.order_id(), None, None, None, CORRELATION).await.unwrap();
    let closing = opened(&world, &api, pay_no, "AlipayClient").await;
    assert_eq!((closing.0, closing.2), (303, Some(api.links.checkout_path(pay_no.order_id()))), "its page says how it ends");
    let never_issued = domain::PayNo::new(pay_no.order_id(), 9).unwrap();
    assert_eq!(opened(&world, &api, never_issued, "AlipayClient").await, (404, "unknown link".to_owned(), None));
    let plain = api.get(&format!("/pay/{pay_no}")).answer().await;
    assert_eq!((plain.status.as_u16(), plain.text.as_str()), (404, "unknown link"), "a number alone opens nothing");
    world.log.fail_reads(1);
    let failed = api.get(&format!("/pay/{}", token(&api.links.pay_url(pay_no)))).answer().await;
    assert_eq!(failed.problem(), (503, "store_unavailable".to_owned()));
}

#[tokio::test]
async fn a_token_opens_only_what_it_was_made_for() {
    let world = World::new().await;
    let api = Api::new(&world);
    let pay_no = world.pending().await;
    let head = world.head().await;
    let (checkout, pay, back) =
        (api.links.checkout_url(pay_no.order_id()), api.links.pay_url(pay_no), api.links.return_url(pay_no.order_id()));
    let foreign = [token(&pay), token(&back), &pay_no.order_id().to_string(), "x"].map(str::to_owned);
    for token in &foreign {
        let page = api.get(&format!("/checkout/{token}")).answer().await;
        assert_eq!((page.status.as_u16(), page.text.as_str()), (404, "unknown link"));
        assert_eq!(api.get(&format!("/checkout/{token}/watch")).answer().await.problem().0, 404);
        for command in ["sync", "renew"] {
            assert_eq!(api.post(&format!("/checkout/{token}/{command}")).answer().await.problem(), (404, "not_found".to_owned()));
        }
        let channel = json!({ "channel": "alipay_qr" });
        assert_eq!(api.post(&format!("/checkout/{token}/pay-records")).json(&channel).answer().await.problem().0, 404);
    }
    assert_eq!(api.get(&format!("/pay/{}", token(&checkout))).answer().await.status, 404);
    assert_eq!(api.get(&format!("/return/{}", token(&checkout))).answer().await.status, 404);
    assert_eq!(world.head().await, head);
    assert_eq!(api.get(&api.links.checkout_path(pay_no.order_id())).answer().await.text, "checkout");
    let returned = api.get(&format!("/return/{}?trade_status=TRADE_SUCCESS", token(&back))).answer().await;
    assert_eq!(returned.text, format!("returned {}", api.links.checkout_path(pay_no.order_id())));
    assert_eq!(world.head().await, head, "coming back proves nothing and changes nothing");
}

#[tokio::test]
async fn the_checkout_asks_for_a_code_without_any_token_but_its_own() {
    let world = World::new().await;
    let api = Api::new(&world);
    let order_id = world.order().await;
    let path = format!("{}/pay-records", api.links.checkout_path(order_id));
    let ask = |channel: &str| api.post(&path).json(&json!({ "channel": channel })).answer();
    let first = ask("alipay_qr").await;
    assert_eq!((first.status.as_u16(), &first.json()["status"]), (201, &json!("pending")));
    assert_eq!(first.header("paystream-position"), Some(world.head().await.to_string().as_str()));
    assert_eq!(ask("alipay_qr").await.status, 200);
    assert_eq!(ask("wechat_native").await.problem(), (422, "channel_not_configured".to_owned()));
    assert_eq!(ask("fax").await.problem(), (422, "invalid".to_owned()));
    let surprise = api.post(&path).json(&json!({ "channel": "alipay_qr", "amount": 1 })).answer().await;
    assert_eq!(surprise.json()["errors"][0]["field"], "amount");
    let events = world.events(&streams::order(order_id)).await;
    assert_eq!(events[1].metadata.actor, "checkout-link");
    world.pay(domain::PayNo::new(order_id, 1).unwrap()).await;
    assert_eq!(ask("alipay_qr").await.problem(), (409, "order_already_paid".to_owned()));
}

#[tokio::test]
async fn i_have_paid_asks_about_every_attempt_that_can_still_be_paid() {
    let world = World::new().await;
    let api = Api::new(&world);
    let first = world.pending().await;
    world.clock.advance(CODE_LIFE);
    world.attempt(first.order_id()).await;
    world.channel.asked();
    world.channel.queries(Ok(TradeState::NotFound));
    world.channel.queries(Ok(paid("trade-1", COURSE_PRICE)));
    let path = format!("{}/sync", api.links.checkout_path(first.order_id()));
    let state = api.post(&path).answer().await;
    let asked: Vec<(Operation, String)> = world.channel.asked();
    assert_eq!(asked, [(Query, "01".to_owned()), (Query, "02".to_owned())]);
    let body = state.json();
    assert_eq!((state.status.as_u16(), &body["status"], &body["payment_status"]), (200, &json!("paid"), &json!("paid")));
    assert_eq!((&body["paid_at"], &body["pay_record"]["status"]), (&json!("2026-07-20T08:01:30Z"), &json!("confirmed")));
    assert_eq!(api.post(&path).json(&json!({ "a": 1 })).answer().await.problem().0, 422);
}

#[tokio::test]
async fn a_channel_that_does_not_answer_i_have_paid_is_told() {
    let world = World::new().await;
    let api = Api::new(&world);
    let pay_no = world.pending().await;
    world.channel.queries(Err(unknown(Query)));
    let answer = api.post(&format!("{}/sync", api.links.checkout_path(pay_no.order_id()))).answer().await;
    assert_eq!(answer.problem(), (503, "channel_unavailable".to_owned()));
}

#[tokio::test]
async fn a_checkout_is_renewed_with_a_fresh_code() {
    let world = World::new().await;
    let api = Api::new(&world);
    let pay_no = world.pending().await;
    let path = format!("{}/renew", api.links.checkout_path(pay_no.order_id()));
    let renew = || api.post(&path).answer();
    let live = renew().await;
    let expected = json!({ "checkout_url": api.links.checkout_url(pay_no.order_id()) });
    assert_eq!((live.status.as_u16(), live.json()), (201, expected.clone()));
    assert_eq!(world.load(pay_no.order_id()).await.pay_records.len(), 1, "a code that can be scanned is fresh enough");
    world.clock.advance(CODE_LIFE);
    let renewed = renew().await;
    assert_eq!((renewed.status.as_u16(), renewed.json()), (201, expected));
    assert_eq!(world.load(pay_no.order_id()).await.pay_records.len(), 2);
    world.clock.advance(ORDER_LIFE);
    assert_eq!(renew().await.problem(), (409, "order_expiring".to_owned()));
}

#[tokio::test]
async fn a_renewal_that_the_channel_refuses_or_nobody_can_make_is_told() {
    let world = World::new().await;
    let api = Api::new(&world);
    let order_id = world.order().await;
    let path = |api: &Api| format!("{}/renew", api.links.checkout_path(order_id));
    world.channel.precreates(Err(refused(Precreate)));
    assert_eq!(api.post(&path(&api)).answer().await.problem(), (502, "channel_refused".to_owned()));
    let bare = Api::over(&world, world.without_channels());
    assert_eq!(bare.post(&path(&bare)).answer().await.problem(), (422, "channel_not_configured".to_owned()));
}

#[tokio::test]
async fn a_watch_begins_with_the_state_and_says_when_there_is_none() {
    let world = World::new().await;
    let api = Api::new(&world);
    let pay_no = world.pending().await;
    let path = format!("{}/watch", api.links.checkout_path(pay_no.order_id()));
    let first = api.get(&path).first_piece().await;
    assert_eq!((first.status.as_u16(), first.header("content-type")), (200, Some("text/event-stream")));
    let data = first.text.strip_prefix("event: state\ndata: ").unwrap();
    let body: Value = serde_json::from_str(data.trim_end()).unwrap();
    assert_eq!((&body["order_id"], &body["status"]), (&json!(pay_no.order_id()), &json!("awaiting_payment")));
    assert_eq!((&body["amount"], &body["amount_text"], &body["closing"]), (&json!(COURSE_PRICE), &json!("199.00"), &json!(false)));
    assert_eq!((&body["channels"], &body["result_url"]), (&json!(["alipay_qr"]), &json!("/courses")));
    assert_eq!((&body["pay_record"]["pay_no"], &body["paid_at"]), (&json!(pay_no), &json!(null)));
    assert_eq!(body["server_at"], "2026-07-20T08:00:00.250Z");
    world.log.fail_reads(1);
    assert_eq!(api.get(&path).answer().await.problem(), (503, "store_unavailable".to_owned()), "and not an empty stream");
    let never_made = format!("{}/watch", api.links.checkout_path("12345".parse().unwrap()));
    assert_eq!(api.get(&never_made).answer().await.problem(), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn the_checkout_shows_the_live_attempt_and_else_the_newest() {
    let world = World::new().await;
    let api = Api::new(&world);
    let first = world.pending().await;
    let shown = async || {
        let (_, state) = load_state(&api.state, first.order_id()).await.unwrap();
        (state["pay_record"]["pay_no"].clone(), state["pay_record"]["status"].clone())
    };
    assert_eq!(shown().await, (json!(first), json!("pending")));
    world.clock.advance(CODE_LIFE);
    world.channel.precreates(Err(refused(Precreate)));
    world.try_attempt(first.order_id(), None).await.unwrap_err();
    let second = domain::PayNo::new(first.order_id(), 2).unwrap();
    assert_eq!(shown().await, (json!(second), json!("failed")));
    let third = world.attempt(first.order_id()).await;
    assert_eq!(shown().await, (json!(third), json!("pending")));
    world.pay(first).await;
    assert_eq!(shown().await, (json!(first), json!("confirmed")), "the one that paid, whichever is newest");
}

mod expired_orders {
    use super::*;
    use domain::order::{Order, OrderCommand, OrderStatus};
    use domain::{Decider, OrderId};

    async fn expire(world: &World, order_id: OrderId) {
        world.clock.advance(ORDER_LIFE);
        let (now, context) = (world.commands.now(), crate::handler::Context::of_caller(&alice(), CORRELATION));
        let decide = |order: &Order| Order::decide(order, OrderCommand::Expire { now });
        world.commands.orders.execute(&streams::order(order_id), &context, decide).await.unwrap();
        assert_eq!(world.load(order_id).await.status, OrderStatus::Expired);
    }

    async fn renewed(world: &World, order_id: OrderId) -> OrderId {
        let api = Api::new(world);
        let path = format!("{}/renew", api.links.checkout_path(order_id));
        let answer = api.post(&path).answer().await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert!(answer.header("paystream-position").is_some());
        let url = answer.json()["checkout_url"].as_str().unwrap().to_owned();
        api.links.open_checkout(token(&url)).unwrap()
    }

    #[tokio::test]
    async fn an_expired_order_is_renewed_by_one_new_order_of_the_same_thing() {
        let world = World::new().await;
        let order_id = world.order().await;
        expire(&world, order_id).await;
        let new = renewed(&world, order_id).await;
        assert_ne!(new, order_id);
        assert_eq!(renewed(&world, order_id).await, new, "once, however often it is wished");
        let (old, new) = (world.load(order_id).await.created.unwrap().draft, world.load(new).await.created.unwrap().draft);
        assert_eq!((&new.buyer_id, &new.out_business_id, new.items.len()), (&old.buyer_id, &old.out_business_id, 1));
    }

    #[tokio::test]
    async fn a_product_is_ordered_again_at_todays_price() {
        let world = World::new().await;
        world.receive("mug-black", 4).await;
        let created = world.create(&alice(), of_product("mug", Some("mug-black"), 2), None).await.unwrap().0;
        let order_id: OrderId = created.resource_id.parse().unwrap();
        expire(&world, order_id).await;
        world.change("mug", |draft| draft.skus[0].price = domain::Money::new(3_000, domain::Currency::Cny).unwrap()).await;
        let new = renewed(&world, order_id).await;
        let draft = world.load(new).await.created.unwrap().draft;
        assert_eq!((draft.items[0].quantity, draft.amount.as_i64()), (2, 6_000));
        assert_eq!(draft.items[0].sku_id.as_ref().map(domain::SkuId::as_str), Some("mug-black"));
    }

    #[tokio::test]
    async fn another_business_systems_order_is_made_anew_under_its_own_number_there() {
        let world = World::new().await;
        let request = crate::OrderRequest::Business(business("W-1"));
        let order_id: OrderId = world.create(&service(), request, None).await.unwrap().0.resource_id.parse().unwrap();
        expire(&world, order_id).await;
        let new = renewed(&world, order_id).await;
        let draft = world.load(new).await.created.unwrap().draft;
        assert_eq!((draft.out_business_id.as_str(), draft.service.as_deref()), ("W-1", Some("school")));
    }
}
