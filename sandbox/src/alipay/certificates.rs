//! Certificate mode: what the application, Alipay and its authority are certified with, and the serials that name it.

use md5::{Digest, Md5};
use rsa::RsaPrivateKey;
use serde::{Deserialize, Serialize};

use super::account::KeyText;
use crate::certificate::{ALWAYS, CertificateError, Certified};

const ROOT: &str = "CN=Sandbox RSA Root R1,OU=Sandbox Authority,O=Paystream sandbox,C=CN";

/// The numbers that the authority gives: its own, and the first of Alipay's and of the application's.
pub(super) const ROOT_NUMBER: u64 = 0x1001;
pub(super) const ALIPAY_NUMBER: u64 = 0x2088_0000_0000_2001;
pub(super) const APPLICATION_NUMBER: u64 = 0x2021_0000_0000_3001;

/// The files of certificate mode that a merchant of this sandbox holds, in PEM, and their serials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlipayCertificateFiles {
    /// `appCertPublicKey_<app_id>.crt`
    pub app_certificate: String,
    /// `alipayCertPublicKey_RSA2.crt`
    pub alipay_certificate: String,
    /// `alipayRootCert.crt`
    pub root_certificate: String,
    /// What every request carries as `app_cert_sn`.
    pub app_cert_sn: String,
    /// What every answer carries as `alipay_cert_sn`.
    pub alipay_cert_sn: String,
    /// What every request carries as `alipay_root_cert_sn`.
    pub alipay_root_cert_sn: String,
}

/// Who certifies the keys.
pub(super) struct Authority(RsaPrivateKey);

impl Authority {
    pub(super) fn new(key: RsaPrivateKey) -> Self {
        Self(key)
    }

    /// The authority's own certificate, in PEM.
    pub(super) fn certificate(&self) -> Result<String, CertificateError> {
        self.certify(ROOT, &self.0, ROOT_NUMBER, ALWAYS, true)
    }

    /// The certificate of a key that Alipay signs with, in PEM.
    pub(super) fn certify_alipay(&self, seller_id: &str, key: &RsaPrivateKey, text: &KeyText) -> Result<String, CertificateError> {
        let subject = format!("CN={seller_id}-alipay,OU=Alipay,O=Paystream sandbox,C=CN");
        self.certify(&subject, key, text.number, text.valid, false)
    }

    /// The certificate of a key that the application signs with, in PEM.
    pub(super) fn certify_application(
        &self,
        app_id: &str,
        seller_id: &str,
        key: &RsaPrivateKey,
        text: &KeyText,
    ) -> Result<String, CertificateError> {
        let subject = format!("CN={seller_id}-{app_id},OU=Alipay,O=Sandbox merchant,C=CN");
        self.certify(&subject, key, text.number, text.valid, false)
    }

    fn certify(
        &self,
        subject: &str,
        key: &RsaPrivateKey,
        number: u64,
        valid: (u64, u64),
        is_authority: bool,
    ) -> Result<String, CertificateError> {
        let number = number.to_be_bytes();
        let number = number.get(number.iter().take_while(|byte| **byte == 0).count()..).unwrap_or_default();
        Certified { subject, key, number, issuer: ROOT, issuer_key: &self.0, valid, is_authority }.pem()
    }
}

/// Alipay's serial of what the authority issued: MD5 of the issuer's name and the number in decimal.
pub(super) fn serial(number: u64) -> String {
    Md5::digest(format!("{ROOT}{number}")).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
