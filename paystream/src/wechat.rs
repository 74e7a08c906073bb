//! WeChat Pay's channels, from a live configuration or from a sandbox.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chassis::clock::Clock;
use chrono::TimeDelta;
use command_api::{Channels, ConfiguredChannel};
use domain::Channel;
use gateway::wechat_pay::official_account::{OfficialAccountSettings, WechatOfficialAccount};
use gateway::wechat_pay::{v2, v3};
use gateway::{BreakerConfig, CircuitBreaker, Gateway};
use sandbox::WechatCredentials;

use crate::chosen::Trouble;

/// A merchant of WeChat Pay.
#[derive(Clone, Debug, Default)]
pub(crate) struct WechatMerchant {
    /// API v3.
    pub(crate) v3: Option<v3::WechatPaySettings>,
    /// API v2, of merchants who have it still.
    pub(crate) v2: Option<v2::WechatPayV2Settings>,
    /// The official account that tells who looks at a page inside WeChat.
    pub(crate) account: Option<OfficialAccountSettings>,
    /// The products that can be paid through.
    pub(crate) products: Vec<Channel>,
}

/// What the rest of the process is given of a merchant.
pub(crate) struct WechatParts {
    /// The channels that were there, and WeChat Pay's.
    pub(crate) channels: Channels,
    /// The client of API v3, for its clock and its certificates.
    pub(crate) client: Option<Arc<v3::WechatPayClient>>,
    /// The client of API v2, for its clock.
    pub(crate) old: Option<Arc<v2::WechatPayV2>>,
}

/// The sandbox's merchant, with every product of both protocols.
pub(crate) fn sandbox_merchant(credentials: WechatCredentials) -> WechatMerchant {
    let account = OfficialAccountSettings {
        authorize_url: credentials.oauth_authorize_url,
        access_token_url: credentials.oauth_access_token_url,
        appid: credentials.appid.clone(),
        app_secret: credentials.app_secret.into(),
    };
    let v2 = v2::WechatPayV2Settings {
        base_url: credentials.base_url.clone(),
        app_id: credentials.appid.clone(),
        mobile_app_id: None,
        mch_id: credentials.mchid.clone(),
        api_keys: vec![credentials.api_v2_key.into()],
        sign_type: "HMAC-SHA256".to_owned(),
        client_certificate: None,
        client_key: None,
        server_ip: "127.0.0.1".to_owned(),
        wap_url: Some(credentials.base_url.clone()),
        wap_name: Some("Paystream".to_owned()),
        timeout_ms: None,
    };
    let v3 = v3::WechatPaySettings {
        base_url: credentials.base_url,
        mchid: credentials.mchid,
        appid: credentials.appid,
        app_appid: None,
        mini_program_appid: None,
        api_v3_key: credentials.api_v3_key.into(),
        other_api_v3_keys: Vec::new(),
        merchant_serial: credentials.merchant_serial,
        merchant_private_key: credentials.merchant_private_key.into(),
        merchant_certificate: Some(credentials.merchant_certificate),
        public_keys: BTreeMap::from([(credentials.public_key_id, credentials.public_key)]),
        platform_certificates: Vec::new(),
        platform_authority: None,
        fetch_platform_certificates: true,
        timeout_ms: None,
    };
    WechatMerchant { v3: Some(v3), v2: Some(v2), account: Some(account), products: [&V3_PRODUCTS[..], &V2_PRODUCTS].concat() }
}

/// The products of API v3.
pub(crate) const V3_PRODUCTS: [Channel; 5] =
    [Channel::WechatNative, Channel::WechatH5, Channel::WechatJsapi, Channel::WechatApp, Channel::WechatMiniProgram];

/// The products of API v2.
pub(crate) const V2_PRODUCTS: [Channel; 4] = [Channel::WechatNativeV2, Channel::WechatH5V2, Channel::WechatJsapiV2, Channel::WechatAppV2];

impl WechatMerchant {
    /// `channels` with the merchant's, each behind a circuit breaker of its own. Notifications come to `public_url`.
    pub(crate) fn join(
        mut self,
        channels: Channels,
        public_url: &str,
        timeout: Duration,
        clock: &Arc<dyn Clock>,
    ) -> Result<WechatParts, Trouble> {
        let timeout_ms = Some(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
        let mut parts = WechatParts { channels, client: None, old: None };
        if let Some(settings) = self.v3.take() {
            let config = v3::WechatPayConfig::new(&v3::WechatPaySettings { timeout_ms, ..settings }, clock.now())?;
            let client = Arc::new(v3::WechatPayClient::new(config, Arc::clone(clock))?);
            for channel in V3_PRODUCTS {
                let gateway = v3_gateway(channel, Arc::clone(&client));
                let life = if channel.needs_client_ip() { v3::LINK_LIFE } else { v3::CODE_LIFE };
                let notify_url = format!("{public_url}/notify/wechat/v3");
                parts.add(channel, &self.products, behind_breaker(gateway, channel, notify_url, life, clock));
            }
            parts.client = Some(client);
        }
        if let Some(settings) = self.v2.take() {
            let config = v2::WechatPayV2Config::new(&v2::WechatPayV2Settings { timeout_ms, ..settings })?;
            let merchant = Arc::new(v2::WechatPayV2::new(config, Arc::clone(clock))?);
            for channel in V2_PRODUCTS {
                let Some(gateway) = merchant.gateway(channel) else { continue };
                if channel == Channel::WechatNativeV2 {
                    parts.channels = parts.channels.with_product_codes(Arc::new(gateway.clone()));
                }
                let life = if channel.needs_client_ip() { v2::LINK_LIFE } else { v2::CODE_LIFE };
                let notify_url = format!("{public_url}/notify/wechat/v2");
                parts.add(channel, &self.products, behind_breaker(gateway, channel, notify_url, life, clock));
            }
            parts.old = Some(merchant);
        }
        if let Some(settings) = self.account {
            parts.channels = parts.channels.with_official_account(Arc::new(WechatOfficialAccount::new(&settings)?));
        }
        Ok(parts)
    }
}

impl WechatParts {
    /// What was begun through a product that is offered no more goes on.
    fn add(&mut self, channel: Channel, offered: &[Channel], configured: ConfiguredChannel) {
        let channels = std::mem::take(&mut self.channels);
        let is_offered = offered.contains(&channel);
        self.channels = if is_offered { channels.with(channel, configured) } else { channels.with_earlier(channel, configured) };
    }
}

fn v3_gateway(channel: Channel, client: Arc<v3::WechatPayClient>) -> v3::WechatPayGateway {
    match channel {
        Channel::WechatH5 => v3::WechatPayGateway::h5(client),
        Channel::WechatJsapi => v3::WechatPayGateway::jsapi(client),
        Channel::WechatApp => v3::WechatPayGateway::app(client),
        Channel::WechatMiniProgram => v3::WechatPayGateway::mini_program(client),
        _ => v3::WechatPayGateway::native(client),
    }
}

fn behind_breaker(
    gateway: impl Gateway + 'static,
    channel: Channel,
    notify_url: String,
    code_life: TimeDelta,
    clock: &Arc<dyn Clock>,
) -> ConfiguredChannel {
    ConfiguredChannel {
        gateway: Arc::new(CircuitBreaker::new(gateway, channel, BreakerConfig::default(), Arc::clone(clock))),
        // WeChat Pay has no product codes: the channel says which product it is.
        product_code: channel.as_str().to_owned(),
        refund_notify_url: Some(format!("{notify_url}/refund")),
        notify_url,
        code_life,
    }
}
