//! What comes with a link: a wallet's own browser, a phone's, or a desktop's.

use axum::http::{HeaderMap, header};

/// Who opens a link, as far as it says so itself. Nothing is decided by it but which page is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Browser {
    /// Inside Alipay's app.
    Alipay,
    /// Inside WeChat's app, which opens no pages of Alipay's.
    WeChat,
    /// A browser on a phone or a tablet.
    Phone,
    /// Anything else.
    Desktop,
}

/// What browsers on phones and tablets call themselves.
const PHONES: [&str; 6] = ["Mobile", "Android", "iPhone", "iPad", "HarmonyOS", "OpenHarmony"];

impl Browser {
    /// Reads the header `User-Agent`.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        // The apps' own browsers also name the phone they are on.
        match agent {
            agent if agent.contains("AlipayClient") => Self::Alipay,
            agent if agent.contains("MicroMessenger") => Self::WeChat,
            agent if PHONES.iter().any(|phone| agent.contains(phone)) => Self::Phone,
            _ => Self::Desktop,
        }
    }

    /// Whether it runs where a wallet's app may be opened.
    pub(crate) fn is_mobile(self) -> bool {
        matches!(self, Self::Alipay | Self::Phone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_browser_is_known_by_its_own_words() {
        let of = |agent: &str| Browser::of(&HeaderMap::from_iter([(header::USER_AGENT, agent.parse().unwrap())]));
        let iphone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148";
        assert_eq!(of(&format!("{iphone} AlipayClient/10.6.0 Language/zh-Hans")), Browser::Alipay);
        assert_eq!(of(&format!("{iphone} MicroMessenger/8.0.50(0x18003237) NetType/WIFI")), Browser::WeChat);
        assert_eq!(of("Mozilla/5.0 (Windows NT 10.0) MicroMessenger/7.0.20 WindowsWechat"), Browser::WeChat);
        for phone in [iphone, "Mozilla/5.0 (Linux; Android 15; Pixel 9) Chrome/140.0 Mobile Safari", "Mozilla/5.0 (iPad; CPU OS 18_0)"] {
            assert_eq!(of(phone), Browser::Phone, "{phone}");
        }
        assert_eq!(of("Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0"), Browser::Desktop);
        assert_eq!(Browser::of(&HeaderMap::new()), Browser::Desktop);
    }
}
