//! The way to WeChat Pay: one request at a time over a shared pool of connections.

use async_trait::async_trait;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderName, USER_AGENT};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Url};

use super::WechatPayStartError;
use super::config::WechatPayConfig;

/// The largest answer that is read, in bytes. Answers have a few thousand.
pub(super) const ANSWER_LIMIT: usize = 1024 * 1024;

/// How long making a connection may take.
const CONNECT_TIME_LIMIT: std::time::Duration = std::time::Duration::from_secs(3);

/// How many idle connections are kept for the next calls.
const IDLE_CONNECTIONS: usize = 16;

/// How long a connection may be idle; servers close theirs not much later.
const IDLE_TIME_LIMIT: std::time::Duration = std::time::Duration::from_secs(50);

/// Some paths refuse a request that does not say who asks.
const AGENT: &str = concat!("paystream/", env!("CARGO_PKG_VERSION"));

const JSON: &str = "application/json";

/// Which key an answer should be signed with.
const SERIAL: HeaderName = HeaderName::from_static("wechatpay-serial");

/// A request as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) authorization: String,
    /// The value of `Wechatpay-Serial`.
    pub(super) answer_key: Option<String>,
    /// Empty where there is none.
    pub(super) body: String,
    /// The largest answer that is read, in bytes.
    pub(super) answer_limit: usize,
}

/// An HTTP answer, whatever it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HttpAnswer {
    pub(super) status: u16,
    /// Names in lower case and values, in order of arrival.
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Vec<u8>,
}

impl HttpAnswer {
    /// The value of the header `Date`.
    pub(super) fn date(&self) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(name, _)| name == DATE.as_str())?;
        str::from_utf8(value).ok()
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum TransportError {
    /// No connection, no answer in time, or a connection that broke.
    #[error("WeChat Pay did not answer")]
    NoAnswer(#[source] reqwest::Error),
    /// The answer is larger than was asked to be read.
    #[error("the answer is too large")]
    TooLarge,
}

/// What brings a request to WeChat Pay and an answer back.
#[async_trait]
pub(super) trait Transport: Send + Sync {
    /// Sends the request once. It ends within a time limit of its own.
    async fn send(&self, request: Request) -> Result<HttpAnswer, TransportError>;
}

/// The real one.
pub(super) struct HttpTransport {
    client: Client,
}

impl HttpTransport {
    pub(super) fn new(config: &WechatPayConfig) -> Result<Self, WechatPayStartError> {
        let client = Client::builder()
            .timeout(config.time_limit)
            .connect_timeout(CONNECT_TIME_LIMIT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .pool_idle_timeout(IDLE_TIME_LIMIT)
            // An answer comes from WeChat Pay itself or not at all.
            .redirect(Policy::none());
        // Without TLS there is nothing to verify, and a machine without certificates can still run the sandbox, which
        // is not reached through a proxy either.
        let is_plain = config.base_url.scheme() == "http";
        let client = if is_plain { client.tls_certs_only([]).no_proxy() } else { client.https_only(true) };
        Ok(Self { client: client.build().map_err(WechatPayStartError)? })
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn send(&self, request: Request) -> Result<HttpAnswer, TransportError> {
        let mut builder = self.client.request(request.method, request.url);
        builder = builder.header(USER_AGENT, AGENT).header(ACCEPT, JSON).header(AUTHORIZATION, request.authorization);
        if let Some(serial) = request.answer_key {
            builder = builder.header(SERIAL, serial);
        }
        if !request.body.is_empty() {
            builder = builder.header(CONTENT_TYPE, JSON).body(request.body);
        }
        let mut answer = builder.send().await.map_err(no_answer)?;
        let status = answer.status().as_u16();
        let headers = answer.headers().iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(no_answer)? {
            if body.len() + chunk.len() > request.answer_limit {
                return Err(TransportError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(HttpAnswer { status, headers, body })
    }
}

/// The URL may hold a token, which no log needs.
fn no_answer(error: reqwest::Error) -> TransportError {
    TransportError::NoAnswer(error.without_url())
}

#[cfg(test)]
mod tests;
