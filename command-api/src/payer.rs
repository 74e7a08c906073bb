//! Who pays, as far as a channel must be told: known to the channel and to whoever has the person's key, and to nobody else.

use std::fmt;
use std::net::IpAddr;

use chassis::problem::field;
use domain::{BuyerId, Channel};
use serde::{Deserialize, Serialize};

use crate::failure::CommandFailure;
use crate::service::Commands;

/// The most characters of a wallet's name for a payer.
const MAX_OPENID_CHARS: usize = 128;

/// Who pays.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payer {
    /// The wallet's name for the payer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub openid: Option<String>,
    /// The address of the payer's device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_ip: Option<IpAddr>,
}

/// Shows only what is there: it is about a person.
impl fmt::Debug for Payer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payer")
            .field("openid", &self.openid.as_ref().map(|_| "***"))
            .field("client_ip", &self.client_ip.map(|_| "***"))
            .finish()
    }
}

impl Payer {
    /// What of it `channel` must be told; `None` where that is nothing.
    ///
    /// Errors: `Invalid` where something is missing, or an `openid` is not one or not needed.
    pub(crate) fn told_to(&self, channel: Channel) -> Result<Option<Self>, CommandFailure> {
        let invalid = |field, code, message: &str| CommandFailure::Invalid { field, code, message: message.to_owned() };
        let is_openid = |openid: &String| {
            (1..=MAX_OPENID_CHARS).contains(&openid.len())
                && openid.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        match &self.openid {
            None if channel.needs_openid() => return Err(invalid("openid", field::REQUIRED, "This channel needs the payer's openid.")),
            Some(_) if !channel.needs_openid() => return Err(invalid("openid", field::INVALID, "This channel takes no openid.")),
            Some(openid) if !is_openid(openid) => {
                return Err(invalid("openid", field::MALFORMED, "1 to 128 letters, digits, - and _"));
            }
            _ => {}
        }
        if channel.needs_client_ip() && self.client_ip.is_none() {
            return Err(invalid("payer_client_ip", field::REQUIRED, "This channel needs the address of the payer's device."));
        }
        let client_ip = self.client_ip.filter(|_| channel.needs_client_ip());
        let told = Self { openid: self.openid.clone(), client_ip };
        Ok((told != Self::default()).then_some(told))
    }
}

impl Commands {
    /// The payer as an event may hold it.
    pub(crate) async fn sealed_payer(&self, buyer_id: &BuyerId, payer: &Payer) -> Result<String, CommandFailure> {
        let text = serde_json::to_vec(payer).map_err(|_| CommandFailure::Broken("a payer cannot be written"))?;
        Ok(self.ports.person_keys.seal(buyer_id, &text).await?)
    }

    /// The payer that an event holds; `None` once the person was erased.
    pub(crate) async fn opened_payer(&self, buyer_id: &BuyerId, sealed: &str) -> Result<Option<Payer>, CommandFailure> {
        let Some(text) = self.ports.person_keys.open(buyer_id, sealed).await?.into_text()? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|_| CommandFailure::Broken("a payer cannot be read"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payer(openid: Option<&str>, client_ip: Option<&str>) -> Payer {
        Payer { openid: openid.map(str::to_owned), client_ip: client_ip.map(|ip| ip.parse().unwrap()) }
    }

    fn refused(told: Result<Option<Payer>, CommandFailure>) -> (&'static str, &'static str) {
        match told.unwrap_err() {
            CommandFailure::Invalid { field, code, .. } => (field, code),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_channel_is_told_what_it_needs_and_no_more() {
        let whole = || payer(Some("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"), Some("203.0.113.7"));
        assert_eq!(whole().told_to(Channel::WechatJsapi).unwrap(), Some(Payer { client_ip: None, ..whole() }));
        let device = || payer(None, Some("2001:db8::7"));
        assert_eq!(device().told_to(Channel::WechatH5).unwrap(), Some(device()));
        for channel in [Channel::AlipayQr, Channel::WechatNative, Channel::WechatApp] {
            assert_eq!(device().told_to(channel).unwrap(), None);
            assert_eq!(Payer::default().told_to(channel).unwrap(), None);
        }
    }

    #[test]
    fn what_is_missing_or_no_openid_is_refused() {
        for channel in [Channel::WechatJsapi, Channel::WechatMiniProgram, Channel::WechatJsapiV2] {
            assert_eq!(refused(payer(None, Some("203.0.113.7")).told_to(channel)), ("openid", field::REQUIRED));
        }
        for channel in [Channel::WechatH5, Channel::WechatH5V2] {
            assert_eq!(refused(Payer::default().told_to(channel)), ("payer_client_ip", field::REQUIRED));
        }
        assert_eq!(refused(payer(Some("o1"), None).told_to(Channel::AlipayQr)), ("openid", field::INVALID));
        for odd in ["", "a b", "a&b", "é", &"o".repeat(129)] {
            assert_eq!(refused(payer(Some(odd), None).told_to(Channel::WechatJsapi)), ("openid", field::MALFORMED), "{odd:?}");
        }
    }

    #[test]
    fn nothing_of_a_payer_is_printed() {
        let printed = format!("{:?}", payer(Some("oUpF8uMuAJO"), Some("203.0.113.7")));
        assert!(!printed.contains("oUpF8") && !printed.contains("203"), "{printed}");
    }
}
