//! Requests, signed over the exact bytes that go out.

use aws_lc_rs::rand;
use chrono::{DateTime, Utc};

use super::keys::MerchantKey;
use crate::rsa::SigningFailed;

/// The one algorithm, and the word before the members of an `Authorization`.
pub(super) const SCHEME: &str = "WECHATPAY2-SHA256-RSA2048";

/// What of a request is signed.
#[derive(Clone, Copy)]
pub(super) struct Signable<'a> {
    /// In capitals.
    pub(super) method: &'a str,
    /// Path and query exactly as they go out, without the host.
    pub(super) path_and_query: &'a str,
    pub(super) at: DateTime<Utc>,
    pub(super) nonce: &'a str,
    /// The exact text that goes out; empty where there is none.
    pub(super) body: &'a str,
}

impl Signable<'_> {
    /// The text that is signed.
    pub(super) fn message(&self) -> String {
        lines(&[self.method, self.path_and_query, &self.at.timestamp().to_string(), self.nonce, self.body])
    }

    /// The value of the header `Authorization`. Errors: the library failed.
    pub(super) fn authorization(&self, mchid: &str, serial: &str, key: &MerchantKey) -> Result<String, SigningFailed> {
        let signature = key.sign(self.message().as_bytes())?;
        let (nonce, timestamp) = (self.nonce, self.at.timestamp());
        Ok(format!(r#"{SCHEME} mchid="{mchid}",nonce_str="{nonce}",signature="{signature}",timestamp="{timestamp}",serial_no="{serial}""#))
    }
}

/// Lines, each ended, also the last.
pub(super) fn lines(lines: &[&str]) -> String {
    lines.iter().flat_map(|line| [*line, "\n"]).collect()
}

/// 32 characters that nobody guesses. Errors: the system has no randomness.
pub(super) fn nonce() -> Result<String, SigningFailed> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).map_err(|_| SigningFailed)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_ended_also_an_empty_last_one() {
        let at = "2026-03-05T06:08:32.9Z".parse().unwrap();
        let signable = Signable { method: "GET", path_and_query: "/v3/certificates?a=b%7C", at, nonce: "n", body: "" };
        assert_eq!(signable.message(), "GET\n/v3/certificates?a=b%7C\n1772690912\nn\n\n");
    }

    #[test]
    fn nonces_are_of_one_length_and_differ() {
        let (one, other) = (nonce().unwrap(), nonce().unwrap());
        assert_eq!((one.len(), other.len()), (32, 32));
        assert_ne!(one, other);
        assert!(one.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
