use chrono::TimeDelta;
use domain::pay_record::{ClosedProof, PayRecordStatus};
use domain::{Channel, OrderId, PayNo};
use gateway::Operation::{self, Close, Precreate, Query};
use gateway::{Closed, TradeState};

use super::*;
use crate::caller::CallerKey;
use crate::channels::ConfiguredChannel;
use crate::testing::*;

/// How long what WeChat Pay gives can be used in these tests.
const LIFE: TimeDelta = TimeDelta::minutes(5);

struct Shop {
    world: World,
    commands: Commands,
    order_id: OrderId,
}

impl Shop {
    async fn new() -> Self {
        let world = World::new().await;
        let commands = world.with_channels(|channels, one| {
            let short = ConfiguredChannel { code_life: LIFE, ..one.clone() };
            [Channel::WechatNative, Channel::WechatH5, Channel::WechatJsapi]
                .into_iter()
                .fold(channels, |channels, channel| channels.with(channel, short.clone()))
        });
        let order_id = world.order().await;
        Self { world, commands, order_id }
    }

    async fn wish(&self, channel: Channel, payer: Payer, key: Option<&CallerKey>) -> Result<Attempted, CommandFailure> {
        let wish = PayWish { channel, payer, by_scan: false };
        self.commands.begin_payment(&alice(), self.order_id, &wish, key, None, CORRELATION).await
    }

    async fn begin(&self) -> Attempted {
        self.wish(Channel::WechatNative, Payer::default(), None).await.unwrap()
    }

    fn code(&self, code_url: &str) {
        self.world.channel.precreates(Ok(Precreated::Code { code_url: code_url.to_owned() }));
    }

    async fn close(&self, pay_no: PayNo) {
        self.commands.close_at_channel(&Context::of_caller(&alice(), CORRELATION), pay_no).await.unwrap();
    }
}

fn asked(operations: &[(Operation, &str)]) -> Vec<(Operation, String)> {
    operations.iter().map(|(operation, attempt)| (*operation, (*attempt).to_owned())).collect()
}

fn from(client_ip: &str) -> Payer {
    Payer { openid: None, client_ip: Some(client_ip.parse().unwrap()) }
}

#[tokio::test]
async fn a_dead_code_is_renewed_under_the_same_number_with_the_same_members() {
    let shop = Shop::new().await;
    shop.code("weixin://1");
    let first = shop.begin().await;
    assert_eq!(first.record().unwrap().code_url(), Some("weixin://1"));
    shop.world.clock.advance(LIFE - TimeDelta::seconds(1));
    assert_eq!(shop.begin().await.record().unwrap().code_url(), Some("weixin://1"), "it is alive");
    shop.world.clock.advance(TimeDelta::seconds(1));
    shop.code("weixin://2");
    let renewed = shop.begin().await;
    assert_eq!((renewed.pay_no, renewed.is_new), (first.pay_no, false));
    assert_eq!(renewed.record().unwrap().code_url(), Some("weixin://2"));
    assert_eq!(renewed.record().unwrap().prepared_until(), Some(chassis::clock::Clock::now(shop.world.clock.as_ref()) + LIFE));
    let requests = shop.world.channel.requests();
    assert_eq!((requests.len(), &requests[0]), (2, &requests[1]));
    let types = shop.world.order_types(shop.order_id).await;
    assert_eq!(types, ["OrderCreated", "PayRecordIssued", "PayRecordPrepared", "PayRecordPrepared"]);
}

#[tokio::test]
async fn a_renewal_that_is_refused_is_asked_about_and_the_next_wish_begins_anew() {
    let shop = Shop::new().await;
    let first = shop.begin().await.pay_no;
    shop.world.clock.advance(LIFE);
    shop.world.channel.asked();
    shop.world.channel.precreates(Err(refused(Precreate)));
    shop.world.channel.queries(Ok(TradeState::ClosedUnpaid));
    let failed = shop.wish(Channel::WechatNative, Payer::default(), None).await;
    assert!(matches!(failed, Err(CommandFailure::ChannelRefused { .. })), "{failed:?}");
    assert_eq!(shop.world.channel.asked(), asked(&[(Precreate, "01"), (Query, "01")]));
    assert_eq!(shop.world.record(first).await.closed_proof, Some(ClosedProof::ChannelClosed));
    assert_eq!(shop.begin().await.pay_no.attempt(), 2);
}

#[tokio::test]
async fn silence_at_a_renewal_changes_nothing() {
    let shop = Shop::new().await;
    let first = shop.begin().await.pay_no;
    shop.world.clock.advance(LIFE);
    shop.world.channel.precreates(Err(unknown(Precreate)));
    let failed = shop.wish(Channel::WechatNative, Payer::default(), None).await;
    assert!(matches!(failed, Err(CommandFailure::ChannelUnavailable)), "{failed:?}");
    assert_eq!(shop.world.status(first).await, PayRecordStatus::Pending);
    shop.code("weixin://2");
    assert_eq!(shop.begin().await.record().unwrap().code_url(), Some("weixin://2"));
}

#[tokio::test]
async fn of_two_renewals_at_once_the_code_that_the_channel_gave_last_is_shown() {
    let shop = Shop::new().await;
    shop.code("weixin://1");
    let first = shop.begin().await.pay_no;
    shop.world.clock.advance(LIFE);
    // The other one asks, is answered and records while this one is asked about: the channel lets one of the two codes die.
    let (commands, order_id) = (shop.commands.clone(), shop.order_id);
    shop.world.channel.meanwhile(async move {
        let wish = PayWish::through(Channel::WechatNative);
        let renewed = commands.begin_payment(&alice(), order_id, &wish, None, None, CORRELATION).await.unwrap();
        assert_eq!(renewed.record().unwrap().code_url(), Some("weixin://2"));
    });
    for code in ["weixin://2", "weixin://3", "weixin://4"] {
        shop.code(code);
    }
    let shown = shop.begin().await;
    assert_eq!((shown.pay_no, shown.is_new), (first, false));
    assert_eq!(shown.record().unwrap().code_url(), Some("weixin://4"), "the one that was asked for after both");
    assert_eq!(shop.world.record(first).await.code_url(), Some("weixin://4"));
    assert_eq!(shop.world.channel.requests().len(), 4);
    assert_eq!(shop.world.order_types(shop.order_id).await.iter().filter(|name| *name == "PayRecordPrepared").count(), 3);
}

#[tokio::test]
async fn nothing_is_renewed_when_too_little_time_is_left() {
    let shop = Shop::new().await;
    shop.begin().await;
    shop.world.clock.advance(TimeDelta::minutes(29));
    shop.world.channel.asked();
    let late = shop.wish(Channel::WechatNative, Payer::default(), None).await;
    assert!(matches!(late, Err(CommandFailure::Order(OrderRejection::Expiring))), "{late:?}");
    assert!(shop.world.channel.asked().is_empty());
}

#[tokio::test]
async fn an_attempt_without_an_answer_is_sent_again_under_its_number() {
    for state in [TradeState::NotFound, TradeState::AwaitingBuyer { trade_no: None }] {
        let shop = Shop::new().await;
        shop.world.channel.precreates(Err(unknown(Precreate)));
        let attempted = shop.begin().await;
        assert_eq!(attempted.record().unwrap().status, PayRecordStatus::Preparing);
        shop.world.channel.asked();
        shop.world.channel.queries(Ok(state));
        let context = Context::of_caller(&alice(), CORRELATION);
        shop.commands.take_up_attempt(&context, attempted.pay_no).await.unwrap();
        assert_eq!(shop.world.channel.asked(), asked(&[(Query, "01"), (Precreate, "01")]));
        let requests = shop.world.channel.requests();
        assert_eq!(requests[0], requests[1]);
        assert_eq!(shop.world.status(attempted.pay_no).await, PayRecordStatus::Pending);
    }
}

#[tokio::test]
async fn an_attempt_without_an_answer_and_without_time_ends() {
    let shop = Shop::new().await;
    shop.world.channel.precreates(Err(unknown(Precreate)));
    let pay_no = shop.begin().await.pay_no;
    shop.world.clock.advance(TimeDelta::minutes(29));
    shop.world.channel.asked();
    shop.commands.take_up_attempt(&Context::of_caller(&alice(), CORRELATION), pay_no).await.unwrap();
    assert_eq!(shop.world.channel.asked(), asked(&[(Query, "01")]));
    assert_eq!(shop.world.record(pay_no).await.closed_proof, Some(ClosedProof::NeverShown));
}

#[tokio::test]
async fn wechat_pay_is_not_told_to_close_in_the_first_five_minutes() {
    let shop = Shop::new().await;
    let pay_no = shop.begin().await.pay_no;
    shop.commands.cancel_order(&alice(), shop.order_id, None, None, None, CORRELATION).await.unwrap();
    assert_eq!(shop.world.status(pay_no).await, PayRecordStatus::Closing);
    shop.world.channel.asked();
    shop.world.clock.advance(TimeDelta::minutes(5) - TimeDelta::seconds(1));
    shop.world.channel.queries(Ok(TradeState::AwaitingBuyer { trade_no: None }));
    shop.close(pay_no).await;
    assert_eq!(shop.world.channel.asked(), asked(&[(Query, "01")]), "it is asked all the same");
    shop.world.clock.advance(TimeDelta::seconds(1));
    for closed in [Closed::TooEarly, Closed::Done] {
        assert_eq!(shop.world.status(pay_no).await, PayRecordStatus::Closing);
        shop.world.channel.queries(Ok(TradeState::AwaitingBuyer { trade_no: None }));
        shop.world.channel.closes(Ok(closed));
        shop.close(pay_no).await;
        assert_eq!(shop.world.channel.asked(), asked(&[(Query, "01"), (Close, "01")]));
    }
    assert_eq!(shop.world.status(pay_no).await, PayRecordStatus::Closed);
    assert_eq!(shop.world.order_types(shop.order_id).await.last().unwrap(), "OrderCancelled");
}

#[tokio::test]
async fn a_phone_elsewhere_gets_an_attempt_of_its_own() {
    let shop = Shop::new().await;
    let link = |url: &str| shop.world.channel.precreates(Ok(Precreated::Link { url: url.to_owned() }));
    link("https://wx.example/1");
    let home = shop.wish(Channel::WechatH5, from("203.0.113.7"), None).await.unwrap();
    assert_eq!(shop.wish(Channel::WechatH5, from("203.0.113.7"), None).await.unwrap().pay_no, home.pay_no);
    link("https://wx.example/2");
    let away = shop.wish(Channel::WechatH5, from("198.51.100.9"), None).await.unwrap();
    assert_eq!((away.pay_no.attempt(), away.is_new), (2, true));
    let requests = shop.world.channel.requests();
    let addresses: Vec<String> = requests.iter().map(|request| request.payer_client_ip.unwrap().to_string()).collect();
    assert_eq!(addresses, ["203.0.113.7", "198.51.100.9"]);
    assert_eq!(shop.world.status(home.pay_no).await, PayRecordStatus::Closing);
}

#[tokio::test]
async fn who_pays_stands_on_the_log_sealed_and_is_gone_with_the_persons_key() {
    let shop = Shop::new().await;
    shop.world.channel.precreates(Err(unknown(Precreate)));
    let payer = Payer { openid: Some("oAlice".to_owned()), client_ip: None };
    let attempted = shop.wish(Channel::WechatJsapi, payer, None).await.unwrap();
    let issued = attempted.record().unwrap().issued.clone().unwrap();
    let sealed = issued.request.unwrap().payer.unwrap();
    assert!(!sealed.contains("oAlice"), "{sealed}");
    shop.world.person_keys().erase(&buyer_id_of("alice")).await.unwrap();
    let taken_up = shop.commands.take_up_attempt(&Context::of_caller(&alice(), CORRELATION), attempted.pay_no).await;
    assert!(matches!(taken_up, Err(CommandFailure::ChannelRefused { ref code }) if code == PAYER_ERASED), "{taken_up:?}");
    assert_eq!(shop.world.status(attempted.pay_no).await, PayRecordStatus::Failed);
    assert_eq!(shop.world.channel.requests().len(), 1, "nobody is asked to let somebody unknown pay");
}

#[tokio::test]
async fn what_a_page_hands_to_the_wallet_is_signed_anew_while_it_can_be_paid() {
    let shop = Shop::new().await;
    shop.world.channel.precreates(Ok(Precreated::Prepay { prepay_id: "wx1".to_owned() }));
    let payer = Payer { openid: Some("oAlice".to_owned()), client_ip: None };
    let attempted = shop.wish(Channel::WechatJsapi, payer, None).await.unwrap();
    let record = attempted.record().unwrap();
    let first = shop.commands.client_parameters(record).unwrap().unwrap();
    let second = shop.commands.client_parameters(record).unwrap().unwrap();
    assert_eq!(first.get("package"), Some("prepay_id=wx1"));
    assert_eq!(first.get("nonceStr").map(str::len), Some(32));
    assert_ne!(first.get("nonceStr"), second.get("nonceStr"));
    shop.world.clock.advance(LIFE);
    assert_eq!(shop.commands.client_parameters(record).unwrap(), None, "it has died");
    let code = shop.begin().await;
    assert_eq!(shop.commands.client_parameters(code.record().unwrap()).unwrap(), None, "a code is scanned");
}
