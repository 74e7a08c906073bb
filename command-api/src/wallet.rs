//! The wallets that send notifications.

use domain::Channel;
use gateway::Gateway;

use crate::failure::CommandFailure;
use crate::service::Commands;

/// A wallet, by the protocol in which it speaks to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wallet {
    /// Alipay.
    Alipay,
    /// WeChat Pay, API v3.
    Wechat,
    /// WeChat Pay, API v2.
    WechatV2,
}

impl Wallet {
    pub(crate) const ALL: [Self; 3] = [Self::Alipay, Self::Wechat, Self::WechatV2];

    /// The word in the inbox, in streams of unknown captures, in logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alipay => "alipay",
            Self::Wechat => "wechat",
            Self::WechatV2 => "wechat_v2",
        }
    }

    /// Reads the word; `None` for any other.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|wallet| wallet.as_str() == word)
    }

    /// The wallet of a channel; `None` for one that asks none.
    pub(crate) fn of(channel: Channel) -> Option<Self> {
        Self::ALL.into_iter().find(|wallet| wallet.channels().contains(&channel))
    }

    /// Its products.
    fn channels(self) -> &'static [Channel] {
        match self {
            Self::Alipay => &[Channel::AlipayQr, Channel::AlipayWap, Channel::AlipayPage],
            Self::Wechat => {
                &[Channel::WechatNative, Channel::WechatH5, Channel::WechatJsapi, Channel::WechatApp, Channel::WechatMiniProgram]
            }
            Self::WechatV2 => &[Channel::WechatNativeV2, Channel::WechatH5V2, Channel::WechatJsapiV2, Channel::WechatAppV2],
        }
    }

    /// Whether what the wallet tells may be about an attempt through `channel`. One merchant number of WeChat Pay speaks both
    /// protocols.
    pub(crate) fn may_tell_of(self, channel: Channel) -> bool {
        match self {
            Self::Alipay => self.channels().contains(&channel),
            Self::Wechat | Self::WechatV2 => channel.is_wechat(),
        }
    }
}

impl Commands {
    /// Any channel of a wallet reads its notifications, and answers questions about its payments: they share keys and merchant.
    pub(crate) fn gateway_of(&self, wallet: Wallet) -> Result<&dyn Gateway, CommandFailure> {
        let configured = wallet.channels().iter().find_map(|channel| self.ports.channels.get(*channel));
        configured.map(|configured| configured.gateway.as_ref()).ok_or(CommandFailure::ChannelNotConfigured)
    }

    /// Whether any product of the wallet is configured.
    pub(crate) fn has_wallet(&self, wallet: Wallet) -> bool {
        self.gateway_of(wallet).is_ok()
    }

    /// Whether new attempts may be made through any product of the wallet.
    pub(crate) fn offers_wallet(&self, wallet: Wallet) -> bool {
        wallet.channels().iter().any(|channel| self.ports.channels.offers(*channel))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_channel_that_asks_somebody_belongs_to_one_wallet() {
        for channel in Channel::ALL {
            let wallets: Vec<Wallet> = Wallet::ALL.into_iter().filter(|wallet| wallet.channels().contains(&channel)).collect();
            let asks_nobody = matches!(channel, Channel::Aggregate | Channel::CashOnDelivery | Channel::None);
            assert_eq!(wallets.len(), usize::from(!asks_nobody), "{channel}");
            assert_eq!(Wallet::of(channel), wallets.first().copied());
        }
    }

    #[test]
    fn a_wallets_word_is_read_back_and_no_other() {
        for wallet in Wallet::ALL {
            assert_eq!(Wallet::parse(wallet.as_str()), Some(wallet));
        }
        assert_eq!(Wallet::parse("wechat_pay"), None);
    }

    #[test]
    fn a_merchant_of_wechat_pay_is_told_of_in_both_protocols_and_never_by_alipay() {
        for channel in Channel::ALL.into_iter().filter(|channel| channel.is_wechat()) {
            assert!(Wallet::Wechat.may_tell_of(channel) && Wallet::WechatV2.may_tell_of(channel), "{channel}");
            assert!(!Wallet::Alipay.may_tell_of(channel), "{channel}");
        }
        assert!(Wallet::Alipay.may_tell_of(Channel::AlipayWap) && !Wallet::Wechat.may_tell_of(Channel::AlipayWap));
        assert!(!Wallet::Alipay.may_tell_of(Channel::None));
    }
}
