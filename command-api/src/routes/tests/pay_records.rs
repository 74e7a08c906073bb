use gateway::Operation::{Precreate, Query};

use super::*;

fn alipay() -> serde_json::Value {
    json!({ "channel": "alipay_qr" })
}

#[tokio::test]
async fn a_pay_record_is_answered_as_the_contract_says_then_found_and_replayed() {
    let world = World::new().await;
    let api = Api::new(&world);
    let order_id = world.order().await;
    let path = format!("/api/v1/orders/{order_id}/pay-records");
    let create = || api.post(&path).by_alice().json(&alipay());
    let first = create().with("idempotency-key", "k").answer().await;
    assert_eq!((first.status.as_u16(), first.header("idempotency-replayed")), (201, None));
    assert_eq!(first.header("paystream-position"), Some(world.head().await.to_string().as_str()));
    let body = first.json();
    assert_eq!((&body["pay_no"], &body["order_id"]), (&json!(format!("{order_id}01")), &json!(order_id.to_string())));
    assert_eq!((&body["status"], &body["channel"], &body["amount"]), (&json!("pending"), &json!("alipay_qr"), &json!(COURSE_PRICE)));
    assert_eq!((&body["qr_content"], &body["currency"]), (&json!(format!("https://qr.alipay.example/{order_id}01")), &json!("CNY")));
    assert!(body["qr_code"].as_str().unwrap().starts_with("data:image/png;base64,"));
    assert_eq!(body["pay_url"].as_str(), Some(api.links.pay_url(body["pay_no"].as_str().unwrap().parse().unwrap()).as_str()));
    assert_eq!((&body["client_parameters"], &body["trade_no"], &body["paid_at"]), (&json!(null), &json!(null), &json!(null)));
    assert_eq!(body["expires_at"], "2026-07-20T08:10:00.250Z", "the code's own end");

    let found = create().answer().await;
    assert_eq!((found.status.as_u16(), found.json()), (200, body.clone()));
    world.pay(body["pay_no"].as_str().unwrap().parse().unwrap()).await;
    let replayed = create().with("idempotency-key", "k").answer().await;
    assert_eq!((replayed.status.as_u16(), replayed.header("idempotency-replayed")), (201, Some("true")));
    assert_eq!((replayed.json(), &replayed.headers["paystream-position"]), (body, &first.headers["paystream-position"]));
    assert_eq!(create().answer().await.problem(), (409, "order_already_paid".to_owned()));
}

#[tokio::test]
async fn a_payment_on_the_channels_page_is_answered_with_a_link_and_no_code() {
    let world = World::new().await;
    let api = Api::over(&world, world.with_channel(domain::Channel::AlipayPage));
    let order_id = world.order().await;
    let path = format!("/api/v1/orders/{order_id}/pay-records");
    let create = || api.post(&path).by_alice().json(&json!({ "channel": "alipay_page" }));
    let first = create().with("idempotency-key", "k").answer().await;
    let body = first.json();
    assert_eq!((first.status.as_u16(), &body["status"], &body["channel"]), (201, &json!("pending"), &json!("alipay_page")));
    assert_eq!((&body["qr_content"], &body["qr_code"], &body["client_parameters"]), (&json!(null), &json!(null), &json!(null)));
    let pay_url = api.links.pay_url(body["pay_no"].as_str().unwrap().parse().unwrap());
    assert_eq!((body["pay_url"].as_str(), &body["expires_at"]), (Some(pay_url.as_str()), &json!("2026-07-20T08:30:00Z")));
    assert_eq!(api.get(pay_url.strip_prefix("https://pay.example").unwrap()).answer().await.status, 200);
    let found = create().answer().await;
    assert_eq!((found.status.as_u16(), found.json()), (200, body.clone()));
    let replayed = create().with("idempotency-key", "k").answer().await;
    assert_eq!((replayed.status.as_u16(), replayed.header("idempotency-replayed")), (201, Some("true")));
    assert_eq!((replayed.json(), &replayed.headers["paystream-position"]), (body, &first.headers["paystream-position"]));
    let openid = api.post(&path).by_alice().json(&json!({ "channel": "alipay_page", "openid": "o" })).answer().await;
    assert_eq!(openid.json()["errors"][0]["field"], "openid");
}

#[tokio::test]
async fn a_key_that_found_a_record_is_replayed_as_having_found_it() {
    let world = World::new().await;
    let api = Api::new(&world);
    let path = format!("/api/v1/orders/{}/pay-records", world.pending().await.order_id());
    for replayed in [None, Some("true")] {
        let answer = api.post(&path).by_alice().with("idempotency-key", "k").json(&alipay()).answer().await;
        assert_eq!((answer.status.as_u16(), answer.header("idempotency-replayed")), (200, replayed));
    }
}

#[tokio::test]
async fn a_channel_that_does_not_answer_is_202_and_so_is_every_wish_until_it_does() {
    let world = World::new().await;
    let api = Api::new(&world);
    let path = format!("/api/v1/orders/{}/pay-records", world.preparing().await.order_id());
    let answer = api.post(&path).by_alice().json(&alipay()).answer().await;
    let body = answer.json();
    assert_eq!((answer.status.as_u16(), &body["status"]), (202, &json!("preparing")));
    assert_eq!((&body["qr_content"], &body["qr_code"], &body["expires_at"]), (&json!(null), &json!(null), &json!("2026-07-20T08:30:00Z")));
}

#[tokio::test]
async fn each_refusal_has_its_code() {
    let world = World::new().await;
    let api = Api::new(&world);
    let order_id = world.order().await;
    let path = format!("/api/v1/orders/{order_id}/pay-records");
    let create = |body: serde_json::Value| api.post(&path).by_alice().json(&body).answer();
    assert_eq!(create(json!({ "channel": "wechat_native" })).await.problem(), (422, "channel_not_configured".to_owned()));
    assert_eq!(create(json!({ "channel": "cash" })).await.json()["errors"][0]["field"], "channel");
    assert_eq!(create(json!({ "channel": "alipay_qr", "openid": "o" })).await.json()["errors"][0]["field"], "openid");
    assert_eq!(create(json!({ "channel": "alipay_qr", "payer_client_ip": "here" })).await.problem().0, 422);
    assert_eq!(api.post(&path).by("bob", Role::Buyer).json(&alipay()).answer().await.problem().0, 404);
    let stale = api.post(&path).by_alice().with("if-match", "\"7\"").json(&alipay()).answer().await;
    assert_eq!(stale.problem(), (412, "precondition_failed".to_owned()));
    world.channel.set_available(false);
    assert_eq!(create(alipay()).await.problem(), (503, "channel_unavailable".to_owned()));
    world.channel.set_available(true);
    world.channel.precreates(Err(refused(Precreate)));
    let answer = create(alipay()).await;
    assert_eq!((answer.problem(), &answer.json()["channel_code"]), ((502, "channel_refused".to_owned()), &json!("ACQ.NO_LUCK")));
    world.clock.advance(ORDER_LIFE);
    assert_eq!(create(alipay()).await.problem(), (409, "order_expiring".to_owned()));
}

#[tokio::test]
async fn a_sync_answers_the_record_as_the_log_then_has_it() {
    let world = World::new().await;
    let api = Api::new(&world);
    let pay_no = world.pending().await;
    let path = format!("/api/v1/pay-records/{pay_no}/sync");
    world.channel.queries(Err(unknown(Query)));
    let silent = api.post(&path).by_alice().answer().await;
    let body = silent.json();
    assert_eq!((silent.status.as_u16(), &body["status"], &body["channel_answered"]), (200, &json!("pending"), &json!(false)));
    world.channel.queries(Ok(paid("trade-1", COURSE_PRICE)));
    let synced = api.post(&path).by_alice().with("idempotency-key", "k").answer().await;
    let body = synced.json();
    assert_eq!((synced.status.as_u16(), &body["status"], &body["trade_no"]), (200, &json!("confirmed"), &json!("trade-1")));
    assert_eq!(body["paid_at"], "2026-07-20T08:01:30Z");
    assert_eq!(synced.header("paystream-position"), Some(world.head().await.to_string().as_str()));
    let replayed = api.post(&path).by_alice().with("idempotency-key", "k").json(&json!({})).answer().await;
    assert_eq!((replayed.json(), replayed.header("idempotency-replayed")), (body, Some("true")));
    assert_eq!(api.post(&path).by("bob", Role::Buyer).answer().await.problem().0, 404);
    assert_eq!(api.post(&path).by("oscar", Role::Operator).answer().await.status, 200);
    assert_eq!(api.post("/api/v1/pay-records/x/sync").by_alice().answer().await.problem().0, 404);
}
