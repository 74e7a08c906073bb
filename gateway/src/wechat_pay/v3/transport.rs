//! The way to WeChat Pay: one request at a time over a shared pool of connections.

use async_trait::async_trait;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderName, USER_AGENT};
use reqwest::{Client, Method, Url};

use super::WechatPayStartError;
use super::config::WechatPayConfig;
use crate::http::{self, TransportError};

/// The largest answer that is read, in bytes. Answers have a few thousand.
pub(super) const ANSWER_LIMIT: usize = 1024 * 1024;

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
        let client = http::client(&config.base_url, config.time_limit).build().map_err(WechatPayStartError)?;
        Ok(Self { client })
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
        let (status, headers, body) = http::whole(builder.send().await, request.answer_limit).await?;
        let headers = headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect();
        Ok(HttpAnswer { status, headers, body })
    }
}

#[cfg(test)]
mod tests;
