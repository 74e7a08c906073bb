//! The merchant's API certificate, which refunds show at the door.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use reqwest::{Client, Identity};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

const CERTIFICATE: &str = "CERTIFICATE";

/// The labels of private keys: PKCS#8 and PKCS#1.
const KEYS: [&str; 2] = ["PRIVATE KEY", "RSA PRIVATE KEY"];

/// Why a certificate and its key cannot be used. It never holds any of their texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Not one certificate in PEM.
    #[error("it is not readable as a certificate in PEM")]
    Unreadable,
    /// Not one private key in PEM.
    #[error("the key is not readable as a private key in PEM")]
    KeyUnreadable,
    /// The key belongs to another certificate, or is of a kind that TLS cannot use.
    #[error("the key is not the certificate's")]
    OtherKey,
}

/// A certificate with its key.
pub(super) struct ClientCertificate {
    pub(super) identity: Identity,
    /// Its number as WeChat Pay writes it: upper-case hexadecimal.
    pub(super) serial: String,
    pub(super) expires_at: DateTime<Utc>,
}

impl ClientCertificate {
    /// Reads the certificate and its key, each alone in PEM, and sees that they belong together.
    pub(super) fn read(certificate: &str, key: &str) -> Result<Self, CertificateError> {
        let der = pem_block(certificate, &[CERTIFICATE]).ok_or(CertificateError::Unreadable)?;
        let parsed = Certificate::from_der(&der).map_err(|_| CertificateError::Unreadable)?;
        let expires_in = parsed.tbs_certificate.validity.not_after.to_unix_duration();
        let expires_at = i64::try_from(expires_in.as_secs()).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        pem_block(key, &KEYS).ok_or(CertificateError::KeyUnreadable)?;
        let both = format!("{}\n{}\n", key.trim(), certificate.trim());
        let identity = Identity::from_pem(both.as_bytes()).map_err(|_| CertificateError::KeyUnreadable)?;
        // Whether the two belong together is first looked at when a client is made of them.
        let client = Client::builder().tls_certs_only([]).no_proxy().identity(identity.clone()).build();
        client.map_err(|_| CertificateError::OtherKey)?;
        let serial = match parsed.tbs_certificate.serial_number.as_bytes() {
            // The byte that only keeps the sign is not written.
            [0, rest @ ..] if !rest.is_empty() => rest,
            bytes => bytes,
        };
        let serial = serial.iter().fold(String::new(), |text, byte| text + &format!("{byte:02X}"));
        Ok(Self { identity, serial, expires_at: expires_at.ok_or(CertificateError::Unreadable)? })
    }
}

/// The bytes of the one block of a PEM text, if it has one of these labels. Tools write what they know above it.
fn pem_block(text: &str, labels: &[&str]) -> Option<Vec<u8>> {
    let (_, block) = text.trim().split_once("-----BEGIN ")?;
    let (label, rest) = block.split_once("-----")?;
    let (base64, end) = rest.split_once("-----END ")?;
    let is_one = labels.contains(&label) && end.strip_suffix("-----")? == label;
    let base64: Vec<u8> = base64.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    STANDARD.decode(base64).ok().filter(|_| is_one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wechat_pay::v2::tests::key_text;

    fn read(certificate: &str, key: &str) -> Result<DateTime<Utc>, CertificateError> {
        ClientCertificate::read(certificate, key).map(|read| read.expires_at)
    }

    #[test]
    fn a_serial_is_written_as_openssl_prints_it() {
        let read = ClientCertificate::read(&key_text("wechat_mch_cert.pem"), &key_text("wechat_mch_private_pkcs8.pem")).unwrap();
        assert_eq!(read.serial, "408B07E79B8269FEC3D5D3E6AB8ED163A6A380DB");
    }

    #[test]
    fn a_certificate_and_its_key_are_read() {
        let expires_at = Ok("2046-11-16T02:17:34Z".parse().unwrap());
        let certificate = key_text("wechat_mch_cert.pem");
        assert_eq!(read(&certificate, &key_text("wechat_mch_private_pkcs8.pem")), expires_at);
        assert_eq!(
            read(&format!("Bag Attributes\n    friendlyName: x\n{certificate}\n"), &key_text("wechat_mch_private_pkcs1.pem")),
            expires_at
        );
    }

    #[test]
    fn another_key_and_other_texts_are_refused() {
        let certificate = key_text("wechat_mch_cert.pem");
        let key = key_text("wechat_mch_private_pkcs8.pem");
        assert_eq!(read(&certificate, &key_text("wechat_other_private_pkcs8.pem")), Err(CertificateError::OtherKey));
        for text in ["", "x", &key, &certificate[..200], &format!("{certificate}{certificate}"), &certificate.replace("CERTIFICATE", "X")] {
            assert_eq!(read(text, &key), Err(CertificateError::Unreadable), "{text}");
        }
        for text in ["", "x", &certificate, &key[..200], &format!("{key}{key}"), &key_text("wechat_mch_public.pem")] {
            assert_eq!(read(&certificate, text), Err(CertificateError::KeyUnreadable), "{text}");
        }
    }
}
