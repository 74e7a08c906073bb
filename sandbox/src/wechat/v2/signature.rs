//! Signatures of the old protocol: a digest over the sorted members and the key.

use hmac::{Hmac, Mac};
use md5::{Digest, Md5};
use rsa::sha2::Sha256;

use super::super::numbers::hex;
use super::super::order::Api;
use super::xml::Members;

/// A digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum SignType {
    Md5,
    HmacSha256,
}

impl SignType {
    /// By the member `sign_type`.
    pub(in super::super) fn parse(word: Option<&str>) -> Option<Self> {
        match word {
            None | Some("" | "MD5") => Some(Self::Md5),
            Some("HMAC-SHA256") => Some(Self::HmacSha256),
            Some(_) => None,
        }
    }

    /// By the length of a signature, where nothing else tells.
    pub(in super::super) fn of_length(length: usize) -> Option<Self> {
        match length {
            32 => Some(Self::Md5),
            64 => Some(Self::HmacSha256),
            _ => None,
        }
    }

    /// What an order was made with; none for those of APIv3.
    pub(in super::super) fn of_api(api: Api) -> Option<Self> {
        match api {
            Api::V3 => None,
            Api::V2Md5 => Some(Self::Md5),
            Api::V2HmacSha256 => Some(Self::HmacSha256),
        }
    }

    pub(super) fn api(self) -> Api {
        match self {
            Self::Md5 => Api::V2Md5,
            Self::HmacSha256 => Api::V2HmacSha256,
        }
    }
}

/// The signature of members: all but `sign` that are not empty, sorted, with the key at the end.
pub(in super::super) fn sign(members: &Members, key: &str, sign_type: SignType) -> String {
    let signed = members.iter().filter(|(name, value)| *name != "sign" && !value.is_empty());
    let mut text: String = signed.flat_map(|(name, value)| [name, "=", value, "&"]).collect();
    text.push_str("key=");
    text.push_str(key);
    match sign_type {
        SignType::Md5 => hex(&Md5::digest(text.as_bytes())).to_uppercase(),
        SignType::HmacSha256 => hmac(key, &text).to_uppercase(),
    }
}

fn hmac(key: &str, text: &str) -> String {
    // Any length of key will do for this digest.
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else { return String::new() };
    hex(&mac.chain_update(text.as_bytes()).finalize().into_bytes())
}

/// Whether members carry their own signature.
pub(in super::super) fn verify(members: &Members, key: &str, sign_type: SignType) -> bool {
    members.get("sign").is_some_and(|given| *given == sign(members, key, sign_type))
}

/// Lower-case hex of the MD5 of a text.
pub(super) fn md5_hex(text: &str) -> String {
    hex(&Md5::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_example_is_signed_as_published() {
        let members: Members = [
            ("appid", "wxd930ea5d5a258f4f"),
            ("mch_id", "10000100"),
            ("device_info", "1000"),
            ("body", "test"),
            ("nonce_str", "ibuaiVcKdpRxkhJA"),
            ("empty", ""),
            ("sign", "ignored"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let key = "192006250b4c09247ec02edce69f6a2d";
        assert_eq!(sign(&members, key, SignType::Md5), "9A0A8659F005D6984697E2CA0A9CF3B7");
        let expected = "6A9AE1657590FD6257D693A078E1C3E4BB6BA4DC30B23E0EE2496E54170DACD6";
        assert_eq!(sign(&members, key, SignType::HmacSha256), expected);
        assert!(!verify(&members, key, SignType::Md5));
    }
}
