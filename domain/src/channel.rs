//! The ways to pay.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

/// A channel: a wallet and the product of it that is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Alipay, a code that the buyer scans (precreate).
    AlipayQr,
    /// Alipay on a phone's browser (wap.pay).
    AlipayWap,
    /// Alipay on a desktop's browser (page.pay).
    AlipayPage,
    /// WeChat Pay v3, a code that the buyer scans.
    WechatNative,
    /// WeChat Pay v3 on a phone's browser.
    WechatH5,
    /// WeChat Pay v3 inside WeChat.
    WechatJsapi,
    /// WeChat Pay v3 from an app.
    WechatApp,
    /// WeChat Pay v3 from a mini program.
    WechatMiniProgram,
    /// WeChat Pay v2, a code that the buyer scans.
    WechatNativeV2,
    /// WeChat Pay v2 on a phone's browser.
    WechatH5V2,
    /// WeChat Pay v2 inside WeChat.
    WechatJsapiV2,
    /// WeChat Pay v2 from an app.
    WechatAppV2,
    /// Our own code, for whichever wallet scans it.
    Aggregate,
    /// Paid to the carrier and booked by an operator.
    CashOnDelivery,
    /// There is nothing to pay.
    None,
}

impl Channel {
    /// Every channel, in the contract's order.
    pub const ALL: [Self; 15] = [
        Self::AlipayQr,
        Self::AlipayWap,
        Self::AlipayPage,
        Self::WechatNative,
        Self::WechatH5,
        Self::WechatJsapi,
        Self::WechatApp,
        Self::WechatMiniProgram,
        Self::WechatNativeV2,
        Self::WechatH5V2,
        Self::WechatJsapiV2,
        Self::WechatAppV2,
        Self::Aggregate,
        Self::CashOnDelivery,
        Self::None,
    ];

    /// The contract's word for the channel, for instance `alipay_qr`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AlipayQr => "alipay_qr",
            Self::AlipayWap => "alipay_wap",
            Self::AlipayPage => "alipay_page",
            Self::WechatNative => "wechat_native",
            Self::WechatH5 => "wechat_h5",
            Self::WechatJsapi => "wechat_jsapi",
            Self::WechatApp => "wechat_app",
            Self::WechatMiniProgram => "wechat_mini_program",
            Self::WechatNativeV2 => "wechat_native_v2",
            Self::WechatH5V2 => "wechat_h5_v2",
            Self::WechatJsapiV2 => "wechat_jsapi_v2",
            Self::WechatAppV2 => "wechat_app_v2",
            Self::Aggregate => "aggregate",
            Self::CashOnDelivery => "cash_on_delivery",
            Self::None => "none",
        }
    }

    /// Whether a browser brings a signed form to the channel's own page. Nothing is asked of such a channel when an attempt
    /// begins, and it knows nothing of the attempt before the browser has come.
    pub fn takes_form(self) -> bool {
        matches!(self, Self::AlipayPage | Self::AlipayWap)
    }

    /// Whether it is WeChat Pay's, by either of its protocols.
    pub fn is_wechat(self) -> bool {
        matches!(
            self,
            Self::WechatNative
                | Self::WechatH5
                | Self::WechatJsapi
                | Self::WechatApp
                | Self::WechatMiniProgram
                | Self::WechatNativeV2
                | Self::WechatH5V2
                | Self::WechatJsapiV2
                | Self::WechatAppV2
        )
    }

    /// Whether the number of an unpaid attempt may be sent to the channel again, with the same members: it then prepares
    /// the same payment anew. Elsewhere one number is sent once.
    pub fn prepares_again(self) -> bool {
        self.is_wechat()
    }

    /// Whether the channel must be told who pays, as the wallet names them to the application.
    pub fn needs_openid(self) -> bool {
        matches!(self, Self::WechatJsapi | Self::WechatMiniProgram | Self::WechatJsapiV2)
    }

    /// Whether the channel must be told the address of the payer's device.
    pub fn needs_client_ip(self) -> bool {
        matches!(self, Self::WechatH5 | Self::WechatH5V2)
    }

    /// For how long after an attempt was issued the channel refuses to close it.
    pub fn closes_after(self) -> TimeDelta {
        if self.is_wechat() { TimeDelta::minutes(5) } else { TimeDelta::zero() }
    }

    /// Reads the contract's word; `None` for any other.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.as_str() == word)
    }
}

impl std::fmt::Display for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channels_word_is_the_same_in_json_and_in_text() {
        for channel in Channel::ALL {
            assert_eq!(serde_json::to_value(channel).unwrap(), serde_json::json!(channel.as_str()));
            assert_eq!(Channel::parse(channel.as_str()), Some(channel));
        }
    }
}
