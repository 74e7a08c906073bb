//! A product that is offered no more: nothing new begins through it, and what was begun goes on.

use std::sync::Arc;

use chrono::TimeDelta;
use domain::pay_record::{ClosedProof, PayRecordStatus};
use domain::{Channel, PayNo};
use followers::{Follower, LogFeed, MemoryLeases};
use gateway::{GatewayError, Operation, TradeState};
use http::StatusCode;
use serde_json::{Value, json};

use crate::handler::Context;
use crate::notices::{NoticeVerdict, Unverified};
use crate::process_managers::{AttemptPatience, MemoryOrderTodo, OrderUpkeep};
use crate::refunds::RefundWish;
use crate::testing::*;
use crate::wallet::Wallet;
use crate::{Caller, CommandFailure, Commands};

/// The process after `alipay_qr` was taken from the offer and `wechat_native` is there instead.
fn without_code(world: &World) -> Commands {
    world.with_channels(|channels, one| channels.with(Channel::WechatNative, one.clone()).with_earlier(Channel::AlipayQr, one.clone()))
}

async fn wish(commands: &Commands, order_id: domain::OrderId, channel: Channel) -> Result<PayNo, CommandFailure> {
    commands.create_pay_record(&alice(), order_id, channel, None, None, CORRELATION).await.map(|attempted| attempted.pay_no)
}

#[tokio::test]
async fn nothing_new_begins_and_the_live_code_is_shown_still() {
    let world = World::new().await;
    let commands = without_code(&world);
    let order_id = world.order().await;
    assert!(matches!(wish(&commands, order_id, Channel::AlipayQr).await, Err(CommandFailure::ChannelNotConfigured)));
    assert_eq!(world.order_types(order_id).await, ["OrderCreated"]);

    let pay_no = world.attempt(order_id).await;
    world.channel.asked();
    let again = key("again", "alipay_qr");
    let shown = commands.create_pay_record(&alice(), order_id, Channel::AlipayQr, Some(&again), None, CORRELATION).await.unwrap();
    assert_eq!((shown.pay_no, shown.is_new, shown.replayed), (pay_no, false, false));
    let replayed = commands.create_pay_record(&alice(), order_id, Channel::AlipayQr, Some(&again), None, CORRELATION).await.unwrap();
    assert!(replayed.replayed);
    assert!(world.channel.asked().is_empty());

    world.clock.advance(CODE_LIFE);
    assert!(matches!(wish(&commands, order_id, Channel::AlipayQr).await, Err(CommandFailure::ChannelNotConfigured)), "it has died");
    assert_eq!(wish(&commands, order_id, Channel::WechatNative).await.unwrap().attempt(), 2);
}

#[tokio::test]
async fn notifications_polls_and_refunds_of_what_was_begun_go_on() {
    let world = World::new().await;
    let (by_notice, by_poll) = (world.pending().await, world.pending_of("bob").await);
    let commands = without_code(&world);
    let raw = world.channel.notifies(Ok(notification(by_notice, "trade-1", COURSE_PRICE)));
    let (verdict, _) = commands.take_notice(Wallet::Alipay, raw, Unverified::Keep, CORRELATION).await.unwrap();
    assert_eq!((verdict, world.status(by_notice).await), (NoticeVerdict::Recorded, PayRecordStatus::Confirmed));

    let context = Context::of_caller(&alice(), CORRELATION);
    world.channel.queries(Ok(paid("trade-2", COURSE_PRICE)));
    commands.settle_by_query(&context, by_poll).await.unwrap();
    assert_eq!(world.status(by_poll).await, PayRecordStatus::Confirmed);

    let operator = Caller::Operator("olivia".to_owned());
    let wish = RefundWish { amount: domain::Money::new(300, domain::Currency::Cny).unwrap(), reason: "ill".to_owned() };
    let refund = commands.request_refund(&operator, by_poll.order_id(), wish, None, None, CORRELATION).await.unwrap();
    commands.drive_refund(&context, refund.refund_no).await.unwrap();
    assert_eq!(world.all("RefundSucceeded").await.len(), 1);
}

#[tokio::test]
async fn what_was_begun_is_closed_at_its_channel_when_the_order_ends() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    let commands = without_code(&world);
    world.channel.queries(Ok(TradeState::AwaitingBuyer { trade_no: None }));
    commands.cancel_order(&alice(), pay_no.order_id(), None, None, None, CORRELATION).await.unwrap();
    assert_eq!(world.record(pay_no).await.closed_proof, Some(ClosedProof::ChannelClosed));
    assert_eq!(world.order_types(pay_no.order_id()).await.last().unwrap(), "OrderCancelled");
}

#[tokio::test]
async fn an_attempt_without_an_answer_ends_and_no_other_takes_its_place() {
    let world = World::new().await;
    for state in [TradeState::NotFound, TradeState::AwaitingBuyer { trade_no: None }] {
        let order_id = world.order_of(if state == TradeState::NotFound { "alice" } else { "bob" }).await;
        world.channel.precreates(Err(GatewayError::Unknown {
            channel: Channel::AlipayQr,
            operation: Operation::Precreate,
            source: "timed out".into(),
        }));
        let pay_no = world.attempt_of(order_id).await;
        let commands = without_code(&world);
        let feed = Arc::new(LogFeed::new(world.log.clone(), OrderUpkeep::events()));
        let (todo, leases) = (Arc::new(MemoryOrderTodo::default()), Arc::new(MemoryLeases::default()));
        let patience = AttemptPatience(TimeDelta::seconds(30));
        let manager = OrderUpkeep::new(commands, feed, todo, leases, "one".to_owned(), patience);
        world.clock.advance(TimeDelta::seconds(31));
        world.channel.queries(Ok(state));
        for _ in 0..4 {
            manager.run_once().await.unwrap();
        }
        assert_eq!(world.record(pay_no).await.closed_proof, Some(ClosedProof::NeverShown));
        assert_eq!(world.load(order_id).await.pay_records.len(), 1, "nothing new is begun");
    }
}

#[tokio::test]
async fn a_page_offers_what_can_be_begun_and_shows_what_was() {
    let world = World::new().await;
    let pay_no = world.pending().await;
    let api = Api::over(&world, without_code(&world));
    let watch = api.get(&format!("{}/watch", api.links.checkout_path(pay_no.order_id()))).first_piece().await;
    let data = watch.text.strip_prefix("event: state\ndata: ").unwrap();
    let state: Value = serde_json::from_str(data.trim_end()).unwrap();
    assert_eq!((&state["channels"], &state["pay_record"]["pay_no"]), (&json!(["wechat_native"]), &json!(pay_no)));
    assert_eq!(state["wallet_links"], json!({"alipay": null, "wechat": null}));
    let offer = api.get("/checkout/offer").answer().await;
    assert_eq!((offer.status, offer.json()), (StatusCode::OK, json!({"wallets": ["wechat"]})));

    world.clock.advance(CODE_LIFE);
    let renewed = api.post(&format!("{}/renew", api.links.checkout_path(pay_no.order_id()))).answer().await;
    assert_eq!(renewed.status, StatusCode::CREATED, "by what is offered");
    let newest = world.load(pay_no.order_id()).await.newest_pay_record().unwrap().issued.clone().unwrap();
    assert_eq!(newest.channel, Channel::WechatNative);
}

#[tokio::test]
async fn a_wallets_own_app_is_led_to_where_it_can_pay_and_to_nothing_else() {
    let world = World::new().await;
    let order_id = world.order().await;
    let links_of = async |commands| {
        let api = Api::over(&world, commands);
        let watch = api.get(&format!("{}/watch", api.links.checkout_path(order_id))).first_piece().await;
        let data = watch.text.strip_prefix("event: state\ndata: ").unwrap().to_owned();
        let state: Value = serde_json::from_str(data.trim_end()).unwrap();
        ["alipay", "wechat"].map(|wallet| state["wallet_links"][wallet].as_str().map(|link| link.starts_with("https://pay.example/pay/")))
    };
    assert_eq!(links_of(world.commands.clone()).await, [Some(true), None]);
    // Without the application that tells who pays, nobody pays inside WeChat.
    assert_eq!(links_of(world.with_channel(Channel::WechatJsapi)).await, [Some(true), None]);
    assert_eq!(links_of(world.without_channels()).await, [None, None]);
    let offer = Api::over(&world, world.without_channels());
    assert_eq!(offer.get("/checkout/offer").answer().await.json(), json!({"wallets": []}));
}
