//! Certificate mode: what the application, Alipay and its authority are certified with, and the serials that name it.

use md5::{Digest, Md5};
use rsa::RsaPrivateKey;
use serde::{Deserialize, Serialize};

use crate::certificate::{ALWAYS, CertificateError, Certified};

const ROOT: &str = "CN=Sandbox RSA Root R1,OU=Sandbox Authority,O=Paystream sandbox,C=CN";

/// The numbers that the authority gives: its own, Alipay's and the application's.
const ROOT_NUMBER: u64 = 0x1001;
const ALIPAY_NUMBER: u64 = 0x2088_0000_0000_2001;
const APPLICATION_NUMBER: u64 = 0x2021_0000_0000_3001;

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

/// Certifies the two keys. The authority's own key is Alipay's: both are thrown away together.
pub(super) fn issue(
    app_id: &str,
    seller_id: &str,
    app: &RsaPrivateKey,
    platform: &RsaPrivateKey,
) -> Result<AlipayCertificateFiles, CertificateError> {
    let certified = |subject: &str, key, number: u64, is_authority| {
        let number = number.to_be_bytes();
        let number = number.get(number.iter().take_while(|byte| **byte == 0).count()..).unwrap_or_default();
        Certified { subject, key, number, issuer: ROOT, issuer_key: platform, valid: ALWAYS, is_authority }.pem()
    };
    let alipay = format!("CN={seller_id}-alipay,OU=Alipay,O=Paystream sandbox,C=CN");
    let application = format!("CN={seller_id}-{app_id},OU=Alipay,O=Paystream sandbox,C=CN");
    Ok(AlipayCertificateFiles {
        app_certificate: certified(&application, app, APPLICATION_NUMBER, false)?,
        alipay_certificate: certified(&alipay, platform, ALIPAY_NUMBER, false)?,
        root_certificate: certified(ROOT, platform, ROOT_NUMBER, true)?,
        app_cert_sn: serial(APPLICATION_NUMBER),
        alipay_cert_sn: serial(ALIPAY_NUMBER),
        alipay_root_cert_sn: serial(ROOT_NUMBER),
    })
}

/// Alipay's serial of what the authority issued: MD5 of the issuer's name and the number in decimal.
fn serial(number: u64) -> String {
    Md5::digest(format!("{ROOT}{number}")).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
