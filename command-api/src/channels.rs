use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use domain::Channel;
use domain::order::Attempt;
use gateway::{Gateway, OfficialAccount, ProductCodes};

/// A channel that the configuration names.
#[derive(Clone)]
pub struct ConfiguredChannel {
    /// Its adapter.
    pub gateway: Arc<dyn Gateway>,
    /// The channel's product code, sent with every attempt.
    pub product_code: String,
    /// Where the channel sends its notifications.
    pub notify_url: String,
    /// Where the channel sends notifications of refunds; `None` where they come with the payment's.
    pub refund_notify_url: Option<String>,
    /// How long what the channel gives can be used, at the most.
    pub code_life: TimeDelta,
}

impl ConfiguredChannel {
    /// A wish to pay through it.
    pub(crate) fn wish(&self, channel: Channel, now: DateTime<Utc>) -> Attempt {
        Attempt {
            channel,
            product_code: self.product_code.clone(),
            notify_url: self.notify_url.clone(),
            payer: None,
            replaces: None,
            by_scan: false,
            now,
        }
    }
}

/// The channels that are asked, and which of them new attempts may be made through.
///
/// A product that is offered no more is still asked about what was begun through it: its attempts are polled, closed and
/// refunded, and its notifications read.
#[derive(Clone, Default)]
pub struct Channels {
    configured: BTreeMap<Channel, ConfiguredChannel>,
    offered: BTreeSet<Channel>,
    official_account: Option<Arc<dyn OfficialAccount>>,
    product_codes: Option<Arc<dyn ProductCodes>>,
}

impl Channels {
    /// With `channel` beside those that are there, for new attempts too.
    #[must_use]
    pub fn with(mut self, channel: Channel, configured: ConfiguredChannel) -> Self {
        self.offered.insert(channel);
        self.configured.insert(channel, configured);
        self
    }

    /// With `channel` for what was begun through it before, and for nothing new.
    #[must_use]
    pub fn with_earlier(mut self, channel: Channel, configured: ConfiguredChannel) -> Self {
        self.offered.remove(&channel);
        self.configured.insert(channel, configured);
        self
    }

    /// With the application that tells who looks at a page inside WeChat.
    #[must_use]
    pub fn with_official_account(mut self, account: Arc<dyn OfficialAccount>) -> Self {
        self.official_account = Some(account);
        self
    }

    /// The application that tells who looks at a page inside WeChat; `None` where it is not configured.
    pub fn official_account(&self) -> Option<&dyn OfficialAccount> {
        self.official_account.as_deref()
    }

    /// With codes that name products; what a scan of one leads to is paid through `wechat_native_v2`.
    #[must_use]
    pub fn with_product_codes(mut self, codes: Arc<dyn ProductCodes>) -> Self {
        self.product_codes = Some(codes);
        self
    }

    /// The codes that name products; `None` where they are not configured.
    pub fn product_codes(&self) -> Option<&dyn ProductCodes> {
        self.product_codes.as_deref().filter(|_| self.offers(Channel::WechatNativeV2))
    }

    /// The configured channel, offered or not; `None` where it is not configured.
    pub fn get(&self, channel: Channel) -> Option<&ConfiguredChannel> {
        self.configured.get(&channel)
    }

    /// Whether new attempts may be made through `channel`.
    pub fn offers(&self, channel: Channel) -> bool {
        self.offered.contains(&channel)
    }

    /// Every channel that new attempts may be made through.
    pub fn offered(&self) -> impl Iterator<Item = Channel> + '_ {
        self.offered.iter().copied()
    }
}

#[cfg(test)]
mod tests;
