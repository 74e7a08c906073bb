//! One merchant at WeChat Pay: signs calls, verifies answers, keeps the keys. All channels share it.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use chassis::clock::Clock;
use chassis::secret::Secret;
use chrono::TimeDelta;
use reqwest::{Method, Url};
use serde::Deserialize;

use super::certificates::Refreshing;
use super::config::WechatPayConfig;
use super::json::{self, JsonError};
use super::keys::{KeyExpiry, PlatformKeys};
use super::signing::{self, Signable};
use super::transport::{ANSWER_LIMIT, HttpAnswer, HttpTransport, Request, Transport};
use super::verification::{SignedHeaders, Unverified};
use crate::clock_skew::ClockSkew;
use crate::fetch_turn::NamedBy;
use crate::http::TransportError;
use crate::rsa::SigningFailed;

/// How often a call is made whose answers were tests of our looking at signatures. A repeat is never tested again.
const TRIES: usize = 2;

/// The longest code that is passed on, in characters.
const CODE_LIMIT: usize = 64;

/// WeChat Pay v3, as one merchant calls it.
pub struct WechatPayClient {
    pub(super) config: WechatPayConfig,
    transport: Box<dyn Transport>,
    pub(super) clock: Arc<dyn Clock>,
    keys: RwLock<Arc<PlatformKeys>>,
    pub(super) refreshing: Refreshing,
    skew: ClockSkew,
}

/// The HTTP client could not be made, for instance because the machine has no certificates.
#[derive(Debug, thiserror::Error)]
#[error("the way to WeChat Pay cannot be prepared")]
pub struct WechatPayStartError(#[source] pub(super) reqwest::Error);

/// What is asked, before it is signed.
pub(super) struct Call {
    pub(super) method: Method,
    /// Path and query, behind the configured address; or a whole address, which whoever makes the call has checked.
    pub(super) path: String,
    /// Empty where there is none.
    pub(super) body: String,
}

impl Call {
    pub(super) fn get(path: String) -> Self {
        Self { method: Method::GET, path, body: String::new() }
    }

    pub(super) fn post(path: String, body: String) -> Self {
        Self { method: Method::POST, path, body }
    }
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// A success, and WeChat Pay signed these bytes.
    Verified {
        /// The HTTP status, 200 to 299.
        status: u16,
        /// The body as it came.
        body: Vec<u8>,
    },
    /// An error. Those are not signed; only their code counts.
    Error {
        /// The HTTP status.
        status: u16,
        /// WeChat Pay's own word, if the answer is WeChat Pay's.
        code: Option<String>,
    },
}

/// Why nobody knows what became of a call.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    #[error("the call could not be made")]
    Signing(#[source] SigningFailed),
    #[error("the call has no address")]
    Address,
    #[error("the call failed on its way")]
    Transport(#[source] TransportError),
    /// The request was executed all the same.
    #[error("the answer is not proven to be WeChat Pay's")]
    Unverified(#[source] Unverified),
    #[error("the answer cannot be read")]
    Unreadable(#[source] JsonError),
    #[error("WeChat Pay could not do its work: {0}")]
    Unavailable(String),
    #[error("the answer is about another payment")]
    OtherPayment,
    #[error("the answer is for another merchant")]
    OtherMerchant,
}

impl WechatPayClient {
    /// WeChat Pay as configured, at the times of `clock`. Makes no connection yet. Errors: the HTTP client cannot be made.
    pub fn new(config: WechatPayConfig, clock: Arc<dyn Clock>) -> Result<Self, WechatPayStartError> {
        let transport = Box::new(HttpTransport::new(&config)?);
        Ok(Self::over(transport, config, clock))
    }

    pub(super) fn over(transport: Box<dyn Transport>, config: WechatPayConfig, clock: Arc<dyn Clock>) -> Self {
        let keys = RwLock::new(Arc::new(config.platform_keys.clone()));
        Self { config, transport, clock, keys, refreshing: Refreshing::default(), skew: ClockSkew::new() }
    }

    /// How far WeChat Pay's clock was ahead of ours when it last answered, to about a second; `None` before that.
    pub fn clock_skew(&self) -> Option<TimeDelta> {
        self.skew.get()
    }

    /// The certificates in use, WeChat Pay's and the merchant's own, and the end of their time.
    pub fn key_expiries(&self) -> Vec<KeyExpiry> {
        self.config.merchant_expiry().cloned().into_iter().chain(self.keys().expiries()).collect()
    }

    /// Whether a serial number is that of the merchant's own certificate.
    pub fn is_merchants(&self, serial: &str) -> bool {
        self.config.merchant_serial == serial
    }

    /// Reads a member that WeChat Pay encrypted for the merchant's certificate; `None` if it is nothing of the kind.
    pub fn decrypt_sensitive(&self, ciphertext: &str) -> Option<Secret<String>> {
        self.config.merchant_key.decrypt(ciphertext)
    }

    /// The keys that count now.
    pub(super) fn keys(&self) -> Arc<PlatformKeys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn replace_keys(&self, keys: PlatformKeys) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }

    /// Calls and reads what came of it. Nothing of an answer that is not proven to be WeChat Pay's is passed on.
    pub(super) async fn call(&self, call: &Call) -> Result<Answer, CallError> {
        self.refresh_if_due().await;
        for _ in 1..TRIES {
            match self.call_once(call).await {
                Err(CallError::Unverified(Unverified::Probe)) => {}
                called => return called,
            }
        }
        self.call_once(call).await
    }

    pub(super) async fn call_once(&self, call: &Call) -> Result<Answer, CallError> {
        let answer = self.send(call, ANSWER_LIMIT).await?;
        if !(200..300).contains(&answer.status) {
            return Ok(Answer::Error { status: answer.status, code: code_of(&answer.body) });
        }
        let received_at = self.clock.now();
        let headers = SignedHeaders::read(&answer.headers).map_err(CallError::Unverified)?;
        let mut verified = headers.verify(&answer.body, &self.keys(), received_at);
        if verified == Err(Unverified::UnknownSerial) {
            self.fetch_certificate(headers.serial, NamedBy::Answer).await;
            verified = headers.verify(&answer.body, &self.keys(), received_at);
        }
        verified.map_err(CallError::Unverified)?;
        Ok(Answer::Verified { status: answer.status, body: answer.body })
    }

    /// Signs and sends; the answer is believed by nobody yet.
    pub(super) async fn send(&self, call: &Call, answer_limit: usize) -> Result<HttpAnswer, CallError> {
        let url = self.address(&call.path)?;
        let path_and_query = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let nonce = signing::nonce().map_err(CallError::Signing)?;
        let signable = Signable {
            method: call.method.as_str(),
            path_and_query: &path_and_query,
            at: self.clock.now(),
            nonce: &nonce,
            body: &call.body,
        };
        let config = &self.config;
        let authorization =
            signable.authorization(&config.mchid, &config.merchant_serial, &config.merchant_key).map_err(CallError::Signing)?;
        let request = Request {
            method: call.method.clone(),
            url,
            authorization,
            answer_key: config.public_key_id.clone(),
            body: call.body.clone(),
            answer_limit,
        };
        let answer = self.transport.send(request).await.map_err(CallError::Transport)?;
        self.skew.note(answer.date(), self.clock.now());
        Ok(answer)
    }

    /// The configured address with the path behind it. What is signed is what this makes of it, so that nothing between
    /// signing and sending can write it differently.
    fn address(&self, path: &str) -> Result<Url, CallError> {
        if path.starts_with("https://") || path.starts_with("http://") {
            return Url::parse(path).map_err(|_| CallError::Address);
        }
        let base = self.config.base_url.as_str().trim_end_matches('/');
        Url::parse(&format!("{base}{path}")).map_err(|_| CallError::Address)
    }
}

impl fmt::Debug for WechatPayClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WechatPayClient").field("config", &self.config).finish_non_exhaustive()
    }
}

/// The code of an answer's body, if it has one that can be logged and stored.
pub(super) fn code_of(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Error {
        code: String,
    }
    let is_word = |code: &String| {
        (1..=CODE_LIMIT).contains(&code.len())
            && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
    };
    json::read::<Error>(body).ok().map(|error| error.code).filter(is_word)
}

#[cfg(test)]
mod tests;
