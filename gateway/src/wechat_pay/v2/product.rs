//! The products of API v2, by the channel that each is.

use domain::Channel;

/// A way in which a buyer comes to the wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Product {
    /// A code that the buyer scans.
    Native,
    /// A page inside WeChat, or a mini program.
    Jsapi,
    /// A phone's browser.
    H5,
    /// An app.
    App,
}

impl Product {
    /// All of them.
    pub(super) const ALL: [Self; 4] = [Self::Native, Self::Jsapi, Self::H5, Self::App];

    /// The product of a channel; `None` for a channel of another protocol.
    pub(super) fn of(channel: Channel) -> Option<Self> {
        Self::ALL.into_iter().find(|product| product.channel() == channel)
    }

    /// The product that the channel's word names.
    pub(super) fn parse(trade_type: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|product| product.trade_type() == trade_type)
    }

    pub(super) fn channel(self) -> Channel {
        match self {
            Self::Native => Channel::WechatNativeV2,
            Self::Jsapi => Channel::WechatJsapiV2,
            Self::H5 => Channel::WechatH5V2,
            Self::App => Channel::WechatAppV2,
        }
    }

    /// The channel's word.
    pub(super) fn trade_type(self) -> &'static str {
        match self {
            Self::Native => "NATIVE",
            Self::Jsapi => "JSAPI",
            Self::H5 => "MWEB",
            Self::App => "APP",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_product_is_one_channel_and_one_word() {
        for product in Product::ALL {
            assert_eq!(Product::of(product.channel()), Some(product));
            assert_eq!(Product::parse(product.trade_type()), Some(product));
        }
        assert_eq!((Product::of(Channel::WechatNative), Product::parse("native")), (None, None));
    }
}
