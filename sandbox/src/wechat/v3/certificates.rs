//! The list of platform certificates, each encrypted under the APIv3 key.

use axum::http::StatusCode;
use serde::Serialize;

use super::super::account::Account;
use super::super::beijing;
use super::super::resource::{Sealed, seal};
use super::answer::{Answer, Refusal, Unsuccessful};
use crate::SandboxError;

#[derive(Debug, Serialize)]
struct Listed<'a> {
    effective_time: String,
    encrypt_certificate: Sealed,
    expire_time: String,
    serial_no: &'a str,
}

#[derive(Debug, Serialize)]
struct List<'a> {
    data: Vec<Listed<'a>>,
}

/// Lists the certificates. A merchant that has only the public key is told that there are none.
pub(super) fn list(account: &Account) -> Result<Answer, Unsuccessful> {
    let texts = account.texts();
    let mut data = Vec::new();
    for key in &texts.platform {
        let Some(certificate) = &key.certificate else { continue };
        let sealed = seal(&texts.api_v3_key, "certificate", &certificate.pem).map_err(SandboxError::Sealing)?;
        data.push(Listed {
            effective_time: beijing::rfc3339(certificate.not_before),
            encrypt_certificate: sealed,
            expire_time: beijing::rfc3339(certificate.not_after),
            serial_no: &key.serial,
        });
    }
    if data.is_empty() {
        let words = "无可用的平台证书，请在商户平台-API安全申请使用微信支付公钥";
        return Err(Refusal::new(StatusCode::NOT_FOUND, "RESOURCE_NOT_EXISTS", words).into());
    }
    Answer::of(&List { data })
}
