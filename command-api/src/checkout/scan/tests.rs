use std::sync::Arc;

use async_trait::async_trait;
use domain::pay_record::{ClosingCause, PayRecordStatus};
use gateway::{OfficialAccount, Precreated};
use serde_json::json;

use super::*;
use crate::channels::Channels;
use crate::testing::*;

const ALIPAY: &str = "Mozilla/5.0 (iPhone) Mobile AlipayClient/10.6.0";
const WECHAT: &str = "Mozilla/5.0 (iPhone) Mobile MicroMessenger/8.0.50";
const PHONE: &str = "Mozilla/5.0 (Linux; Android 15) Chrome/140.0 Mobile Safari";
const DESKTOP: &str = "Mozilla/5.0 (X11; Linux x86_64)";

/// An account that knows everybody whose code begins with `code-of-`.
struct Account;

#[async_trait]
impl OfficialAccount for Account {
    fn authorization_url(&self, redirect_uri: &str, state: &str) -> String {
        format!("https://wechat.example/authorize?redirect_uri={redirect_uri}&state={state}")
    }

    async fn openid(&self, code: &str) -> Result<String, OpenIdError> {
        code.strip_prefix("code-of-").map(str::to_owned).ok_or_else(|| OpenIdError::Refused { code: "40029".to_owned() })
    }
}

struct Till {
    world: World,
    api: Api,
    order_id: OrderId,
}

impl Till {
    /// An order whose own code was given out, by a process with these channels beside `alipay_qr`.
    async fn with(channels: &[Channel]) -> Self {
        let world = World::new().await;
        let commands = world.with_channels(|configured: Channels, one| {
            let all = channels.iter().fold(configured, |all, channel| all.with(*channel, one.clone()));
            all.with_official_account(Arc::new(Account))
        });
        let api = Api::over(&world, commands);
        let order_id = world.order().await;
        let till = Self { world, api, order_id };
        let given = till.choose("aggregate").await;
        assert_eq!((given.status.as_u16(), &given.json()["pay_no"]), (201, &serde_json::Value::Null));
        assert_eq!(given.json()["qr_content"], till.link());
        assert_eq!(till.choose("aggregate").await.status.as_u16(), 200);
        till
    }

    async fn choose(&self, channel: &str) -> Answer {
        let path = format!("{}/pay-records", self.api.links.checkout_path(self.order_id));
        self.api.post(&path).json(&json!({ "channel": channel })).answer().await
    }

    fn link(&self) -> String {
        self.api.links.pay_order_url(self.order_id)
    }

    fn checkout(&self) -> String {
        self.api.links.checkout_path(self.order_id)
    }

    async fn scan(&self, agent: &str) -> Answer {
        let link = self.link();
        self.api.get(link.strip_prefix("https://pay.example").unwrap()).with("user-agent", agent).answer().await
    }

    async fn back_from_wechat(&self, query: &str) -> Answer {
        let url = self.api.links.oauth_url(self.order_id);
        let path = format!("{}?{query}", url.strip_prefix("https://pay.example").unwrap());
        self.api.get(&path).with("user-agent", WECHAT).answer().await
    }

    async fn channels(&self) -> Vec<(Channel, PayRecordStatus)> {
        let order = self.world.load(self.order_id).await;
        order.pay_records.iter().map(|record| (record.issued.as_ref().unwrap().channel, record.status)).collect()
    }
}

fn location(answer: &Answer) -> &str {
    answer.header("location").unwrap_or_else(|| panic!("{answer:?}"))
}

#[tokio::test]
async fn alipay_is_given_the_form_of_a_phone_and_scanning_again_begins_nothing_more() {
    let till = Till::with(&[Channel::AlipayWap]).await;
    for _ in 0..3 {
        let shown = till.scan(ALIPAY).await;
        assert_eq!(shown.status.as_u16(), 200);
        assert!(shown.text.contains("<form method=\"post\""), "{}", shown.text);
    }
    assert_eq!(till.channels().await, [(Channel::AlipayWap, PayRecordStatus::Pending)]);
    assert!(till.world.load(till.order_id).await.pay_records[0].issued.as_ref().unwrap().by_scan);
}

#[tokio::test]
async fn without_the_product_of_phones_alipay_is_led_to_its_code() {
    let till = Till::with(&[]).await;
    let led = till.scan(ALIPAY).await;
    assert!(location(&led).starts_with("https://qr.alipay.example/"), "{led:?}");
    assert_eq!(till.channels().await, [(Channel::AlipayQr, PayRecordStatus::Pending)]);
}

#[tokio::test]
async fn wechat_is_asked_who_scans_and_pays_on_a_page_of_ours() {
    let till = Till::with(&[Channel::WechatJsapi]).await;
    let led = till.scan(WECHAT).await;
    assert!(location(&led).starts_with("https://wechat.example/authorize?redirect_uri=https://pay.example/wechat/oauth/"));
    assert!(till.channels().await.is_empty(), "nobody is known yet");
    till.world.channel.precreates(Ok(Precreated::Prepay { prepay_id: "wx2026".to_owned() }));
    let page = till.back_from_wechat("code=code-of-oAlice&state=pay").await;
    assert_eq!(page.status.as_u16(), 200);
    assert!(page.text.contains("prepay_id=wx2026") && page.text.contains("getBrandWCPayRequest"), "{}", page.text);
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert!(page.header("content-security-policy").unwrap().contains("script-src 'sha256-"));
    let requests = till.world.channel.requests();
    assert_eq!(requests[0].payer_openid.as_deref(), Some("oAlice"));
    let log = format!("{:?}", till.world.events(&streams::order(till.order_id)).await);
    assert!(!log.contains("oAlice"), "the wallet's name for a person stands on the log only sealed");
}

#[tokio::test]
async fn another_person_in_wechat_gets_an_attempt_of_their_own() {
    let till = Till::with(&[Channel::WechatJsapi]).await;
    for (code, prepay_id) in [("oAlice", "wx1"), ("oBob", "wx2")] {
        till.world.channel.precreates(Ok(Precreated::Prepay { prepay_id: prepay_id.to_owned() }));
        let page = till.back_from_wechat(&format!("code=code-of-{code}&state=pay")).await;
        assert!(page.text.contains(prepay_id), "{}", page.text);
    }
    let again = till.back_from_wechat("code=code-of-oBob&state=pay").await;
    assert!(again.text.contains("wx2"), "the same person finds the same attempt");
    let expected = [(Channel::WechatJsapi, PayRecordStatus::Closing), (Channel::WechatJsapi, PayRecordStatus::Pending)];
    assert_eq!(till.channels().await, expected);
    let order = till.world.load(till.order_id).await;
    assert_eq!(order.pay_records[0].closing_cause, Some(ClosingCause::ChannelSwitched));
}

#[tokio::test]
async fn who_does_not_let_wechat_tell_is_shown_the_checkout() {
    let till = Till::with(&[Channel::WechatJsapi]).await;
    for query in ["state=pay", "code=&state=pay", "code=used&state=pay"] {
        assert_eq!(location(&till.back_from_wechat(query).await), till.checkout(), "{query}");
    }
    assert!(till.channels().await.is_empty());
    let without = Till::with(&[Channel::WechatNative]).await;
    assert_eq!(location(&without.scan(WECHAT).await), without.checkout());
}

#[tokio::test]
async fn a_phones_browser_goes_to_wechats_page_with_a_way_back() {
    let till = Till::with(&[Channel::WechatH5]).await;
    till.world.channel.precreates(Ok(Precreated::Link { url: "https://wx.tenpay.example/h5?prepay_id=wx1".to_owned() }));
    let led = till.scan(PHONE).await;
    let (page, back) = location(&led).split_once("&redirect_url=").unwrap();
    assert_eq!(page, "https://wx.tenpay.example/h5?prepay_id=wx1");
    assert!(back.starts_with("https%3A%2F%2Fpay.example%2Freturn%2F"), "{back}");
    assert_eq!(till.world.channel.requests()[0].payer_client_ip, Some("192.0.2.1".parse().unwrap()));
    assert_eq!(till.channels().await, [(Channel::WechatH5, PayRecordStatus::Pending)]);
}

#[tokio::test]
async fn whoever_is_no_wallet_gets_the_checkout_and_begins_nothing() {
    let till = Till::with(&[Channel::AlipayWap, Channel::WechatJsapi]).await;
    for agent in [DESKTOP, PHONE, "UnionPay/9.0"] {
        assert_eq!(location(&till.scan(agent).await), till.checkout(), "{agent}");
    }
    assert!(till.channels().await.is_empty());
}

#[tokio::test]
async fn two_wallets_at_once_are_two_attempts_and_the_first_is_closing() {
    let till = Till::with(&[Channel::AlipayWap, Channel::WechatJsapi]).await;
    till.scan(ALIPAY).await;
    till.world.channel.precreates(Ok(Precreated::Prepay { prepay_id: "wx1".to_owned() }));
    till.back_from_wechat("code=code-of-oAlice&state=pay").await;
    let expected = [(Channel::AlipayWap, PayRecordStatus::Closing), (Channel::WechatJsapi, PayRecordStatus::Pending)];
    assert_eq!(till.channels().await, expected);
}

#[tokio::test]
async fn scans_begin_ten_attempts_and_no_more() {
    let till = Till::with(&[Channel::AlipayWap, Channel::WechatJsapi]).await;
    for number in 0..6 {
        till.scan(ALIPAY).await;
        till.world.channel.precreates(Ok(Precreated::Prepay { prepay_id: format!("wx{number}") }));
        till.back_from_wechat("code=code-of-oAlice&state=pay").await;
    }
    assert_eq!(till.channels().await.len(), 10);
    let refused = till.scan(ALIPAY).await;
    assert_eq!(location(&refused), till.checkout());
    assert_eq!(till.choose("alipay_qr").await.status.as_u16(), 201, "what the buyer chooses is not counted");
}

#[tokio::test]
async fn an_order_that_has_ended_says_so_to_whoever_scans() {
    let till = Till::with(&[Channel::AlipayWap]).await;
    till.world.commands.cancel_order(&alice(), till.order_id, None, None, None, CORRELATION).await.unwrap();
    assert_eq!(location(&till.scan(ALIPAY).await), till.checkout());
    let late = Till::with(&[Channel::AlipayWap]).await;
    late.world.clock.advance(chrono::TimeDelta::minutes(29));
    assert_eq!(late.scan(ALIPAY).await.status.as_u16(), 410, "there is no time left to pay");
}
