//! `alipay.open.app.alipaycert.download`: the certificate that an answer or a notification has named.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::account::Account;
use super::answer::{self, Refusal, Unsuccessful};
use super::content::{self, Scalar};

/// The length of a serial, in characters.
const SERIAL_LENGTH: usize = 32;

#[derive(Debug, Deserialize)]
pub(super) struct Content {
    alipay_cert_sn: Option<Scalar>,
}

#[derive(Serialize)]
struct Downloaded {
    alipay_cert_content: String,
}

/// Answers one of Alipay's certificates, its text once more in base64. A retired one is not known any more.
pub(super) fn certificate(account: &Account, content: Content) -> Result<String, Unsuccessful> {
    let serial = content::required("alipay_cert_sn", content.alipay_cert_sn, SERIAL_LENGTH)?;
    let published = account.published(&serial).ok_or_else(|| Refusal::invalid("alipay_cert_sn", "没有该序列号的支付宝公钥证书"))?;
    Ok(answer::success(&Downloaded { alipay_cert_content: STANDARD.encode(&published.certificate) }))
}
