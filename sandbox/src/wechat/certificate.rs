//! Certificates: the merchant's, and those that WeChat Pay signs with.

use chrono::{DateTime, TimeDelta, Utc};
use rand::Rng;
use rsa::RsaPrivateKey;

use super::numbers;
use crate::certificate::{CertificateError, Certified};

/// How long certificates hold: five years, as WeChat Pay's.
pub(super) const LIFE: TimeDelta = TimeDelta::days(5 * 365);

const ISSUER: &str = "CN=Sandbox WeChat Pay Root CA,OU=Sandbox Authority,O=Paystream sandbox,C=CN";

/// A certificate with its serial number as WeChat Pay writes it: 40 upper-case hexadecimal digits.
pub(super) struct Made {
    pub(super) serial: String,
    pub(super) pem: String,
    pub(super) not_before: DateTime<Utc>,
    pub(super) not_after: DateTime<Utc>,
}

/// Makes a certificate of `key` for `holder`, good from `now` on for `life` and signed with `issuer`'s key.
pub(super) fn make(
    holder: &str,
    key: &RsaPrivateKey,
    issuer: &RsaPrivateKey,
    now: DateTime<Utc>,
    life: TimeDelta,
) -> Result<Made, CertificateError> {
    let mut number: [u8; 20] = rand::rng().random();
    // A serial number is positive, and all of its twenty bytes are written.
    number[0] = number[0] & 0x3f | 0x40;
    // Whole seconds, a minute back, so that a merchant whose clock is a little slow takes it at once.
    let not_before = DateTime::from_timestamp(now.timestamp() - 60, 0).unwrap_or(now);
    let not_after = not_before + life;
    let seconds = |at: DateTime<Utc>| u64::try_from(at.timestamp()).unwrap_or_default();
    let subject = format!("CN={holder},OU=Sandbox Merchants,O=Paystream sandbox,C=CN");
    let valid = (seconds(not_before), seconds(not_after));
    let certified = Certified { subject: &subject, key, number: &number, issuer: ISSUER, issuer_key: issuer, valid, is_authority: false };
    Ok(Made { serial: numbers::hex(&number).to_uppercase(), pem: certified.pem()?, not_before, not_after })
}

#[cfg(test)]
mod tests {
    use rsa::pkcs8::DecodePrivateKey;
    use x509_cert::Certificate;
    use x509_cert::der::DecodePem;
    use x509_cert::time::Time;

    use super::super::account::tests::texts;
    use super::*;

    #[test]
    fn a_certificate_says_whose_it_is_and_how_long() {
        let key = RsaPrivateKey::from_pkcs8_pem(&texts().merchant[0].private_key).unwrap();
        for now in ["2026-03-05T18:08:09.5Z", "2076-03-05T18:08:09Z"] {
            let now: DateTime<Utc> = now.parse().unwrap();
            let made = make("1900000001", &key, &key, now, LIFE).unwrap();
            let read = Certificate::from_pem(&made.pem).unwrap().tbs_certificate;
            assert_eq!((made.serial.len(), read.serial_number.as_bytes().len()), (40, 20));
            assert_eq!(numbers::hex(read.serial_number.as_bytes()).to_uppercase(), made.serial);
            assert!(read.subject.to_string().contains("CN=1900000001"));
            let seconds = |time: Time| i64::try_from(time.to_unix_duration().as_secs()).unwrap();
            assert_eq!(seconds(read.validity.not_before), now.timestamp() - 60);
            assert_eq!(seconds(read.validity.not_after), made.not_after.timestamp());
        }
    }
}
