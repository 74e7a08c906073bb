use std::fmt::Write as _;

use aws_lc_rs::rsa::PublicKey;
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use chrono::{DateTime, Utc};
use x509_cert::der::{Decode, Encode};
use x509_cert::time::Time;

use super::{KeyError, MerchantKey};
use crate::rsa::der;

/// The algorithm that certificates are signed with: sha256WithRSAEncryption.
const SHA256_WITH_RSA: &str = "1.2.840.113549.1.1.11";

/// A certificate, of which nothing is believed yet but its form.
pub(in super::super) struct Certificate {
    parsed: x509_cert::Certificate,
    public_key: Vec<u8>,
    /// The serial number as it stands in headers.
    pub(in super::super) serial: String,
    /// When its time begins.
    pub(in super::super) not_before: DateTime<Utc>,
    /// When its time ends.
    pub(in super::super) not_after: DateTime<Utc>,
}

impl Certificate {
    /// Reads PEM or base64. Errors: `Missing`, `Unreadable`.
    pub(in super::super) fn read(text: &str) -> Result<Self, KeyError> {
        let parsed = x509_cert::Certificate::from_der(&der(text)?).map_err(|_| KeyError::Unreadable)?;
        let body = &parsed.tbs_certificate;
        let public_key = body.subject_public_key_info.to_der().map_err(|_| KeyError::Unreadable)?;
        let serial = serial(body.serial_number.as_bytes()).ok_or(KeyError::Unreadable)?;
        let not_before = time(body.validity.not_before)?;
        let not_after = time(body.validity.not_after)?;
        Ok(Self { parsed, public_key, serial, not_before, not_after })
    }

    /// Whether it counts at `now`. Errors: `NotYetValid`, `Expired`.
    pub(in super::super) fn check_time(&self, now: DateTime<Utc>) -> Result<(), KeyError> {
        if now < self.not_before {
            Err(KeyError::NotYetValid)
        } else if now > self.not_after {
            Err(KeyError::Expired)
        } else {
            Ok(())
        }
    }

    /// Whether `authority` issued it. Errors: `OtherIssuer`, also for every algorithm but SHA-256 with RSA.
    pub(in super::super) fn check_issuer(&self, authority: &Self) -> Result<(), KeyError> {
        let issued = || {
            let is_rsa = self.parsed.signature_algorithm.oid.to_string() == SHA256_WITH_RSA;
            let is_named = self.parsed.tbs_certificate.issuer == authority.parsed.tbs_certificate.subject;
            let signature = self.parsed.signature.as_bytes().filter(|_| is_rsa && is_named)?;
            let message = self.parsed.tbs_certificate.to_der().ok()?;
            ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &authority.public_key).ok()?.verify_sig(&message, signature).ok()
        };
        issued().ok_or(KeyError::OtherIssuer)
    }

    /// Whether it is of the merchant's key. Errors: `NotThePair`.
    pub(in super::super) fn check_pair(&self, merchant: &MerchantKey) -> Result<(), KeyError> {
        let numbers = PublicKey::from_der(&self.public_key).map_err(|_| KeyError::Unreadable)?;
        if numbers.as_ref() == merchant.public_key() { Ok(()) } else { Err(KeyError::NotThePair) }
    }

    /// Its key, as a SubjectPublicKeyInfo.
    pub(super) fn public_key(&self) -> &[u8] {
        &self.public_key
    }
}

/// The number as openssl prints it: upper-case hexadecimal, two digits a byte, without the byte that only keeps the sign.
fn serial(bytes: &[u8]) -> Option<String> {
    let bytes = match bytes {
        [0, rest @ ..] if !rest.is_empty() => rest,
        bytes => bytes,
    };
    bytes.iter().try_fold(String::with_capacity(bytes.len() * 2), |mut text, byte| write!(text, "{byte:02X}").ok().map(|()| text))
}

fn time(time: Time) -> Result<DateTime<Utc>, KeyError> {
    let seconds = i64::try_from(time.to_unix_duration().as_secs()).map_err(|_| KeyError::Unreadable)?;
    DateTime::from_timestamp(seconds, 0).ok_or(KeyError::Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_is_written_as_openssl_prints_it() {
        assert_eq!(serial(&[0x0a, 0xff]).as_deref(), Some("0AFF"));
        assert_eq!(serial(&[0x00, 0x8a, 0xff]).as_deref(), Some("8AFF"));
        assert_eq!(serial(&[0x00]).as_deref(), Some("00"));
    }
}
