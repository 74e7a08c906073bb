//! Answers: signed where something was done, and WeChat Pay's error words, unsigned, where nothing was.

use std::sync::Arc;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use chassis::problem::Chain;
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::super::account::{Account, ChannelKey};
use super::super::{numbers, signature};
use crate::store::StoreError;
use crate::{Sandbox, SandboxError};

/// What a signature begins with that is wrong on purpose.
const PROBE: &str = "WECHATPAY/SIGNTEST/";

/// What is answered where something was done.
#[derive(Debug)]
pub(super) enum Answer {
    /// Status 200 with JSON.
    Json(String),
    /// Status 204.
    Nothing,
    /// A file, which is not signed.
    File(Vec<u8>),
}

impl Answer {
    pub(super) fn of(members: &impl Serialize) -> Result<Self, Unsuccessful> {
        let text = serde_json::to_string(members).map_err(|error| Unsuccessful::Failed(StoreError::from(error).into()))?;
        Ok(Self::Json(text))
    }
}

/// A call that was not done, with the reason in WeChat Pay's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
    /// The member that is wrong, and why.
    field: Option<(String, &'static str)>,
}

#[derive(Serialize)]
struct Body<'a> {
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<Detail<'a>>,
    message: &'a str,
}

#[derive(Serialize)]
struct Detail<'a> {
    location: &'static str,
    field: &'a str,
    issue: &'static str,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), field: None }
    }

    /// A member of the content that is missing or not allowed; `why` is read by the merchant's developer.
    pub(super) fn invalid(member: &str, why: &'static str) -> Self {
        let message = format!("参数错误：{member} {why}");
        Self { field: Some((format!("/{member}"), why)), ..Self::new(StatusCode::BAD_REQUEST, "PARAM_ERROR", message) }
    }

    pub(super) fn system_error() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "SYSTEM_ERROR", "系统异常，请稍后重试")
    }

    pub(super) fn too_often() -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "FREQUENCY_LIMITED", "频率超限")
    }

    pub(super) fn order_not_exist() -> Self {
        Self::new(StatusCode::NOT_FOUND, "ORDER_NOT_EXIST", "订单不存在")
    }

    pub(super) fn response(&self) -> Response {
        let detail = self.field.as_ref().map(|(field, issue)| Detail { location: "body", field, issue });
        let body = serde_json::to_string(&Body { code: self.code, detail, message: &self.message }).unwrap_or_default();
        (self.status, [(CONTENT_TYPE, "application/json; charset=utf-8"), (CACHE_CONTROL, "no-cache, must-revalidate")], body)
            .into_response()
    }
}

/// Why a call has no successful answer.
#[derive(Debug)]
pub(super) enum Unsuccessful {
    Refused(Refusal),
    /// Ours: the merchant is told of a system error, which says nothing about what was done.
    Failed(SandboxError),
}

impl From<Refusal> for Unsuccessful {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<SandboxError> for Unsuccessful {
    fn from(error: SandboxError) -> Self {
        Self::Failed(error)
    }
}

impl From<StoreError> for Unsuccessful {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// The headers of a signature over a body. Takes milliseconds of the processor.
pub(super) fn signed_headers(
    key: &ChannelKey,
    body: &[u8],
    now: DateTime<Utc>,
    is_probe: bool,
) -> Result<Vec<(&'static str, String)>, rsa::signature::Error> {
    let (timestamp, nonce) = (now.timestamp().to_string(), numbers::nonce(32));
    let sign = signature::sign(&key.key, &signature::lines(&[timestamp.as_bytes(), nonce.as_bytes(), body]))?;
    Ok(vec![
        ("Wechatpay-Nonce", nonce),
        ("Wechatpay-Serial", key.serial.clone()),
        ("Wechatpay-Signature", if is_probe { probe(&sign) } else { sign }),
        ("Wechatpay-Signature-Type", "WECHATPAY2-SHA256-RSA2048".to_owned()),
        ("Wechatpay-Timestamp", timestamp),
    ])
}

/// A signature of the same length that holds for nothing.
fn probe(sign: &str) -> String {
    format!("{PROBE}{}", sign.get(PROBE.len()..).unwrap_or_default())
}

/// The answer of a call that was done, signed with the key that `serial` names.
pub(super) async fn response(sandbox: &Sandbox, account: Arc<Account>, answer: Answer, serial: Option<String>, is_probe: bool) -> Response {
    let (status, body) = match answer {
        Answer::File(bytes) => return ([(CONTENT_TYPE, "application/octet-stream")], bytes).into_response(),
        Answer::Json(text) => (StatusCode::OK, text),
        Answer::Nothing => (StatusCode::NO_CONTENT, String::new()),
    };
    let now = sandbox.now();
    let signing = tokio::task::spawn_blocking(move || {
        let key = account.answering_key(serial.as_deref())?;
        Some(signed_headers(key, body.as_bytes(), now, is_probe).map(|headers| (headers, body)))
    });
    match signing.await {
        Ok(Some(Ok((headers, body)))) => with_headers(status, headers, body),
        Ok(Some(Err(error))) => {
            tracing::error!(error = %Chain(&error), "the sandbox's WeChat Pay could not sign an answer");
            Refusal::system_error().response()
        }
        Ok(None) | Err(_) => Refusal::system_error().response(),
    }
}

fn with_headers(status: StatusCode, headers: Vec<(&'static str, String)>, body: String) -> Response {
    let content_type = [(CONTENT_TYPE, "application/json; charset=utf-8")];
    let mut response = if body.is_empty() { status.into_response() } else { (status, content_type, body).into_response() };
    let request_id = ("Request-ID", numbers::nonce(32));
    for (name, value) in headers.into_iter().chain([request_id]) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(axum::http::HeaderName::from_bytes(name.as_bytes()).unwrap_or(CACHE_CONTROL), value);
        }
    }
    response
}
