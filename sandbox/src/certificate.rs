//! Certificates of the throwaway keys, as a channel's authority would issue them.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rsa::RsaPrivateKey;
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::EncodePublicKey;
use rsa::pkcs8::der::asn1::{BitString, GeneralizedTime, OctetString, UtcTime};
use rsa::pkcs8::der::{Decode, Encode, EncodePem};
use rsa::pkcs8::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use rsa::sha2::Sha256;
use rsa::signature::{SignatureEncoding, Signer};
use x509_cert::certificate::{Certificate, TbsCertificate, Version};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::BasicConstraints;
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::ObjectIdentifier;
use x509_cert::time::{Time, Validity};

/// SHA-256 with RSA, PKCS#1 v1.5.
const SHA256_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");

/// From 2020 to 2049, in seconds since 1970: every clock that a test sets lies in between.
pub(crate) const ALWAYS: (u64, u64) = (1_577_836_800, 2_493_072_000);

/// From a minute before `now`, so that a merchant whose clock is a little slow takes it at once, for so many days;
/// [`ALWAYS`] without them.
pub(crate) fn valid_for(now: DateTime<Utc>, days: Option<u16>) -> (u64, u64) {
    let Some(days) = days else { return ALWAYS };
    let from = u64::try_from(now.timestamp() - 60).unwrap_or_default();
    (from, from + 60 + u64::from(days) * 24 * 3600)
}

/// Who is certified by whom.
pub(crate) struct Certified<'a> {
    /// Whose key it is, for instance `CN=…,OU=…,O=…,C=CN`.
    pub(crate) subject: &'a str,
    pub(crate) key: &'a RsaPrivateKey,
    /// The number that the issuer gives, big-endian.
    pub(crate) number: &'a [u8],
    pub(crate) issuer: &'a str,
    pub(crate) issuer_key: &'a RsaPrivateKey,
    /// When it begins and ceases to hold, in seconds since 1970.
    pub(crate) valid: (u64, u64),
    /// Whether the holder may issue certificates.
    pub(crate) is_authority: bool,
}

/// A text or a number has no place in a certificate.
#[derive(Debug, thiserror::Error)]
#[error("a certificate cannot be written")]
pub struct CertificateError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl CertificateError {
    fn of(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

impl Certified<'_> {
    /// Writes the certificate in PEM. The same values give the same certificate.
    pub(crate) fn pem(&self) -> Result<String, CertificateError> {
        let algorithm = AlgorithmIdentifierOwned { oid: SHA256_WITH_RSA, parameters: Some(rsa::pkcs8::der::asn1::Null.into()) };
        let public_key = self.key.to_public_key().to_public_key_der().map_err(CertificateError::of)?;
        let body = TbsCertificate {
            version: Version::V3,
            serial_number: SerialNumber::new(self.number).map_err(CertificateError::of)?,
            signature: algorithm.clone(),
            issuer: name(self.issuer)?,
            validity: Validity { not_before: time(self.valid.0)?, not_after: time(self.valid.1)? },
            subject: name(self.subject)?,
            subject_public_key_info: SubjectPublicKeyInfoOwned::from_der(public_key.as_bytes()).map_err(CertificateError::of)?,
            issuer_unique_id: None,
            subject_unique_id: None,
            extensions: Some(vec![self.constraints()?]),
        };
        let signer: SigningKey<Sha256> = SigningKey::new(self.issuer_key.clone());
        let made = signer.try_sign(&body.to_der().map_err(CertificateError::of)?).map_err(CertificateError::of)?;
        let signature = BitString::from_bytes(&made.to_vec()).map_err(CertificateError::of)?;
        let certificate = Certificate { tbs_certificate: body, signature_algorithm: algorithm, signature };
        certificate.to_pem(rsa::pkcs8::LineEnding::LF).map_err(CertificateError::of)
    }

    fn constraints(&self) -> Result<Extension, CertificateError> {
        let constraints = BasicConstraints { ca: self.is_authority, path_len_constraint: None };
        let value = constraints.to_der().and_then(OctetString::new).map_err(CertificateError::of)?;
        Ok(Extension { extn_id: BASIC_CONSTRAINTS, critical: true, extn_value: value })
    }
}

fn name(text: &str) -> Result<Name, CertificateError> {
    text.parse().map_err(CertificateError::of)
}

fn time(seconds: u64) -> Result<Time, CertificateError> {
    let since_1970 = Duration::from_secs(seconds);
    // Years with two digits end in 2049.
    match UtcTime::from_unix_duration(since_1970) {
        Ok(time) => Ok(time.into()),
        Err(_) => GeneralizedTime::from_unix_duration(since_1970).map(Time::from).map_err(CertificateError::of),
    }
}
