//! Whether WeChat Pay signed what came: four headers and the raw bytes of the body.

use chrono::{DateTime, TimeDelta, Utc};

use super::keys::PlatformKeys;
use super::signing::SCHEME;

/// How far the time of a signature may lie from ours, in either direction.
pub(super) const FRESHNESS: TimeDelta = TimeDelta::seconds(300);

/// The largest header that is read, in bytes. Real ones have at most 344.
const HEADER_LIMIT: usize = 2048;

/// The longest nonce that is read, in bytes. Real ones have 32.
const NONCE_LIMIT: usize = 128;

/// How the signatures begin with which WeChat Pay tests whether anybody looks at them.
const PROBE: &[u8] = b"WECHATPAY/SIGNTEST/";

/// Why what came is not believed, in the order of the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unverified {
    /// One of the four headers is not there.
    #[error("a header of the signature is missing")]
    MissingHeader,
    /// A header stands twice, is too long, or holds what no such header holds.
    #[error("a header of the signature is not readable")]
    BadHeader,
    /// It names another algorithm.
    #[error("another algorithm than SHA-256 with RSA")]
    OtherAlgorithm,
    /// Signed too long ago, or in the future.
    #[error("the time of the signature is too far from ours")]
    ClockSkew,
    /// Signed by a key that is not known.
    #[error("the key of the signature is not known")]
    UnknownSerial,
    /// Signed by a certificate whose time is over.
    #[error("the certificate of the signature has expired")]
    ExpiredKey,
    /// The signature is one of WeChat Pay's own tests. It must fail, and is no attack.
    #[error("the signature is a test of WeChat Pay's")]
    Probe,
    /// The signature is not of that key over these bytes.
    #[error("the signature does not fit")]
    BadSignature,
}

/// What the headers say of a signature.
#[derive(Clone, Copy)]
pub(super) struct SignedHeaders<'a> {
    timestamp: &'a str,
    nonce: &'a str,
    signature: &'a [u8],
    /// Which key signed.
    pub(super) serial: &'a str,
}

impl<'a> SignedHeaders<'a> {
    /// Reads the headers; their names are compared without regard to case. Errors: `MissingHeader`, `BadHeader`,
    /// `OtherAlgorithm`.
    pub(super) fn read(headers: &'a [(String, Vec<u8>)]) -> Result<Self, Unverified> {
        let text = |name| str::from_utf8(only(headers, name)?).map_err(|_| Unverified::BadHeader);
        let (serial, timestamp, nonce) = (text("wechatpay-serial"), text("wechatpay-timestamp"), text("wechatpay-nonce"));
        let signature = only(headers, "wechatpay-signature");
        // A header that is not there is said first, whatever stands in the others.
        let found = [serial.err(), timestamp.err(), nonce.err(), signature.err()];
        if found.contains(&Some(Unverified::MissingHeader)) {
            return Err(Unverified::MissingHeader);
        }
        let (serial, timestamp, nonce, signature) = (serial?, timestamp?, nonce?, signature?);
        let is_nonce = nonce.len() <= NONCE_LIMIT && nonce.bytes().all(|byte| byte.is_ascii_graphic());
        let is_time = (1..=16).contains(&timestamp.len()) && timestamp.bytes().all(|byte| byte.is_ascii_digit());
        let is_serial = serial.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_nonce || !is_time || !is_serial {
            return Err(Unverified::BadHeader);
        }
        match only(headers, "wechatpay-signature-type") {
            Ok(algorithm) if algorithm != SCHEME.as_bytes() => Err(Unverified::OtherAlgorithm),
            Ok(_) | Err(Unverified::MissingHeader) => Ok(Self { timestamp, nonce, signature, serial }),
            Err(error) => Err(error),
        }
    }

    /// Whether the key that the headers name signed `body`, and lately. Errors: `ClockSkew`, `UnknownSerial`, `ExpiredKey`,
    /// `Probe`, `BadSignature`.
    pub(super) fn verify(&self, body: &[u8], keys: &PlatformKeys, received_at: DateTime<Utc>) -> Result<(), Unverified> {
        let signed_at = self.timestamp.parse().ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        let is_fresh = signed_at.is_some_and(|signed_at| (received_at - signed_at).abs() <= FRESHNESS);
        if !is_fresh {
            return Err(Unverified::ClockSkew);
        }
        let key = keys.get(self.serial).ok_or(Unverified::UnknownSerial)?;
        if key.has_expired(received_at) {
            return Err(Unverified::ExpiredKey);
        }
        let message = [self.timestamp.as_bytes(), b"\n", self.nonce.as_bytes(), b"\n", body, b"\n"].concat();
        if key.verify(&message, self.signature) {
            Ok(())
        } else if self.signature.starts_with(PROBE) {
            Err(Unverified::Probe)
        } else {
            Err(Unverified::BadSignature)
        }
    }
}

/// The value of a header that stands there once; an empty one counts as missing.
fn only<'a>(headers: &'a [(String, Vec<u8>)], name: &str) -> Result<&'a [u8], Unverified> {
    let mut values = headers.iter().filter(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice());
    let value = values.next().filter(|value| !value.is_empty()).ok_or(Unverified::MissingHeader)?;
    if values.next().is_some() || value.len() > HEADER_LIMIT { Err(Unverified::BadHeader) } else { Ok(value) }
}

/// Whether a key of this serial may come with the list of certificates.
pub(super) fn is_certificate_serial(serial: &str) -> bool {
    (1..=64).contains(&serial.len()) && serial.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests;
