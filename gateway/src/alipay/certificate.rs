//! Certificate mode: the certificates of the application, of Alipay and of its roots, and the serials that name them.
//!
//! Source: Alipay's open platform, pages on public-key certificates.

use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use md5::{Digest as _, Md5};
use x509_cert::Certificate as Parsed;
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::ext::pkix::BasicConstraints;
use x509_cert::name::Name;
use x509_cert::spki::ObjectIdentifier;

/// The most certificates that one file may hold. Alipay's root file has about four.
const FILE_LIMIT: usize = 32;

/// The longest way from a certificate to a root, in issuers.
const CHAIN_LIMIT: usize = 5;

/// The attribute of a name that holds an organisation.
const ORGANIZATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.10");

/// What the identifiers of all signatures with RSA begin with.
const RSA_SIGNATURES: &str = "1.2.840.113549.1.1.";

/// Why a text is not the certificate that it should be. It never holds any of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// The text is empty.
    #[error("it is missing")]
    Missing,
    /// No certificate in PEM, or too many of them.
    #[error("it is not readable as a certificate in PEM")]
    Unreadable,
    /// The key inside is none that RSA2 can use.
    #[error("it holds no RSA key of at least 2048 bits")]
    NotRsa,
    /// The application's certificate is for another key than the application's private key.
    #[error("it is for another key than the application's private key")]
    OtherKey,
    /// The application's certificate stands where Alipay's should.
    #[error("it is the application's own certificate, not Alipay's")]
    ApplicationCertificate,
    /// None of the root certificates stands behind it.
    #[error("its issuer is none of the root certificates")]
    ForeignIssuer,
    /// Its time, or that of an issuer on the way to the root, has not come.
    #[error("it is not valid yet")]
    NotYetValid,
    /// Its time, or that of an issuer on the way to the root, is over.
    #[error("it has expired")]
    Expired,
}

/// One certificate, read and not judged.
#[derive(Clone)]
pub(super) struct Certificate {
    /// Its serial as Alipay writes it: the digest of its issuer and its number.
    pub(super) serial: String,
    /// The public key inside, as SubjectPublicKeyInfo.
    pub(super) public_key: Vec<u8>,
    pub(super) validity: Validity,
    /// The organisation that it is made out to.
    organization: Option<Vec<u8>>,
    subject: Vec<u8>,
    issuer: Vec<u8>,
    is_authority: bool,
    /// What the issuer signed, and how.
    signed: Vec<u8>,
    algorithm: String,
    signature: Vec<u8>,
}

/// The time in which certificates count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) from: DateTime<Utc>,
    pub(super) until: DateTime<Utc>,
}

impl Validity {
    /// Whether it counts at `now`. Errors: too early or too late.
    pub(super) fn check(self, now: DateTime<Utc>) -> Result<(), CertificateError> {
        match now {
            now if now < self.from => Err(CertificateError::NotYetValid),
            now if now > self.until => Err(CertificateError::Expired),
            _ => Ok(()),
        }
    }

    fn narrowed(self, other: Self) -> Self {
        Self { from: self.from.max(other.from), until: self.until.min(other.until) }
    }
}

impl Certificate {
    /// The certificates of a file in PEM, in its order.
    pub(super) fn read_all(text: &str) -> Result<Vec<Self>, CertificateError> {
        if text.trim().is_empty() {
            return Err(CertificateError::Missing);
        }
        let mut certificates = Vec::new();
        for block in text.split("-----BEGIN CERTIFICATE-----").skip(1) {
            let (base64, _) = block.split_once("-----END CERTIFICATE-----").ok_or(CertificateError::Unreadable)?;
            let base64: Vec<u8> = base64.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
            let der = STANDARD.decode(base64).map_err(|_| CertificateError::Unreadable)?;
            certificates.push(Self::parse(&der).ok_or(CertificateError::Unreadable)?);
        }
        if (1..=FILE_LIMIT).contains(&certificates.len()) { Ok(certificates) } else { Err(CertificateError::Unreadable) }
    }

    fn parse(der: &[u8]) -> Option<Self> {
        let parsed = Parsed::from_der(der).ok()?;
        let body = &parsed.tbs_certificate;
        let time = |time: x509_cert::time::Time| {
            i64::try_from(time.to_unix_duration().as_secs()).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0))
        };
        let constraints = body.get::<BasicConstraints>().ok()?;
        Some(Self {
            serial: serial(&body.issuer.to_string(), body.serial_number.as_bytes()),
            public_key: body.subject_public_key_info.to_der().ok()?,
            validity: Validity { from: time(body.validity.not_before)?, until: time(body.validity.not_after)? },
            organization: organization(&body.subject),
            subject: body.subject.to_der().ok()?,
            issuer: body.issuer.to_der().ok()?,
            is_authority: constraints.is_some_and(|(_, constraints)| constraints.ca),
            signed: first_element(der)?.to_vec(),
            algorithm: parsed.signature_algorithm.oid.to_string(),
            signature: parsed.signature.as_bytes()?.to_vec(),
        })
    }

    /// Whether an RSA key signed it.
    pub(super) fn is_signed_with_rsa(&self) -> bool {
        self.algorithm.starts_with(RSA_SIGNATURES)
    }

    /// Whether it is made out to the same organisation. Those that name none are nobody's.
    pub(super) fn has_holder_of(&self, other: &Self) -> bool {
        self.organization.is_some() && self.organization == other.organization
    }

    #[cfg(test)]
    pub(super) fn make_out_to(&mut self, organization: &str) {
        self.organization = Some(organization.as_bytes().to_vec());
    }

    fn is_issued_by(&self, issuer: &Self) -> bool {
        let algorithm = match self.algorithm.strip_prefix(RSA_SIGNATURES) {
            Some("11") => &RSA_PKCS1_2048_8192_SHA256,
            Some("12") => &RSA_PKCS1_2048_8192_SHA384,
            Some("13") => &RSA_PKCS1_2048_8192_SHA512,
            _ => return false,
        };
        issuer.is_authority
            && issuer.subject == self.issuer
            && ParsedPublicKey::new(algorithm, &issuer.public_key).is_ok_and(|key| key.verify_sig(&self.signed, &self.signature).is_ok())
    }
}

/// The organisation in a name, as its bytes stand.
fn organization(name: &Name) -> Option<Vec<u8>> {
    let mut attributes = name.0.iter().flat_map(|part| part.0.iter());
    attributes.find(|attribute| attribute.oid == ORGANIZATION).map(|attribute| attribute.value.value().to_vec())
}

/// The time in which `certificate` counts, with those of its issuers up to one of `roots`. `between` are the certificates
/// that stand beside it in its file. Errors: `ForeignIssuer`.
pub(super) fn judged(certificate: &Certificate, between: &[Certificate], roots: &[Certificate]) -> Result<Validity, CertificateError> {
    let (mut last, mut validity) = (certificate, certificate.validity);
    for _ in 0..CHAIN_LIMIT {
        if let Some(root) = roots.iter().find(|root| last.is_issued_by(root)) {
            return Ok(validity.narrowed(root.validity));
        }
        let issuer = between.iter().find(|issuer| issuer.subject != last.subject && last.is_issued_by(issuer));
        last = issuer.ok_or(CertificateError::ForeignIssuer)?;
        validity = validity.narrowed(last.validity);
    }
    Err(CertificateError::ForeignIssuer)
}

/// The serials of those root certificates that RSA signed, joined in the file's order.
pub(super) fn root_serial(roots: &[Certificate]) -> String {
    roots.iter().filter(|root| root.is_signed_with_rsa()).map(|root| root.serial.as_str()).collect::<Vec<_>>().join("_")
}

/// Alipay's serial of a certificate: MD5 of the issuer's text and the number in decimal, in lower-case hexadecimal.
fn serial(issuer: &str, number: &[u8]) -> String {
    let digest = Md5::new().chain_update(issuer).chain_update(decimal(number)).finalize();
    digest.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// A number of any length, given by its bytes from the highest, in decimal.
fn decimal(bytes: &[u8]) -> String {
    let mut digits = vec![0_u8];
    for byte in bytes {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            let value = u32::from(*digit) * 256 + carry;
            *digit = u8::try_from(value % 10).unwrap_or_default();
            carry = value / 10;
        }
        while carry > 0 {
            digits.push(u8::try_from(carry % 10).unwrap_or_default());
            carry /= 10;
        }
    }
    digits.iter().rev().map(|digit| char::from(b'0' + digit)).collect()
}

/// The exact bytes of the first element inside a sequence: what a certificate's signature is over.
fn first_element(der: &[u8]) -> Option<&[u8]> {
    let (head, _) = header(der)?;
    let inside = der.get(head..)?;
    let (head, length) = header(inside)?;
    inside.get(..head.checked_add(length)?)
}

/// The length of an element's head, and that of what it holds.
fn header(der: &[u8]) -> Option<(usize, usize)> {
    let first = *der.get(1)?;
    if first < 0x80 {
        return Some((2, usize::from(first)));
    }
    let count = usize::from(first & 0x7f);
    let bytes = der.get(2..2_usize.checked_add(count)?).filter(|bytes| (1..=4).contains(&bytes.len()))?;
    Some((2 + count, bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte))))
}

#[cfg(test)]
pub(super) mod tests;
