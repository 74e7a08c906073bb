//! The way to the channel: one POST at a time over shared pools of connections, one of them with the merchant's certificate.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, ClientBuilder, Url};

use super::WechatPayV2StartError;
use super::config::WechatPayV2Config;
use crate::http::{self, HttpAnswer, TransportError};

/// How long a bill may take: it is some megabytes, and nobody waits for it.
const BILL_TIME_LIMIT: Duration = Duration::from_mins(2);

const XML: &str = "text/xml; charset=utf-8";

/// A call as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    /// The path behind the configured address, for instance `/pay/orderquery`.
    pub(super) path: &'static str,
    /// The signed message.
    pub(super) body: String,
    /// The largest answer that is read, in bytes.
    pub(super) answer_limit: usize,
}

/// The path of refunds: the one call that shows the merchant's certificate.
pub(super) const REFUND_PATH: &str = "/secapi/pay/refund";

/// The path of bills: the one call whose answer may be large.
pub(super) const BILL_PATH: &str = "/pay/downloadbill";

/// What brings a call to the channel and an answer back.
#[async_trait]
pub(super) trait Transport: Send + Sync {
    /// Sends the call once. It ends within a time limit of its own.
    async fn send(&self, call: Call) -> Result<HttpAnswer, TransportError>;
}

/// The real one.
pub(super) struct HttpTransport {
    client: Client,
    /// Connections on which the merchant's certificate was shown.
    certified: Option<Client>,
    base_url: Url,
}

impl HttpTransport {
    pub(super) fn new(config: &WechatPayV2Config) -> Result<Self, WechatPayV2StartError> {
        Self::with(config, || http::client(&config.base_url, config.time_limit))
    }

    fn with(config: &WechatPayV2Config, builder: impl Fn() -> ClientBuilder) -> Result<Self, WechatPayV2StartError> {
        let client = builder().build().map_err(WechatPayV2StartError)?;
        let certified = config.certificate.as_ref().map(|certificate| builder().identity(certificate.identity.clone()).build());
        Ok(Self { client, certified: certified.transpose().map_err(WechatPayV2StartError)?, base_url: config.base_url.clone() })
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn send(&self, call: Call) -> Result<HttpAnswer, TransportError> {
        let mut url = self.base_url.clone();
        url.set_path(&format!("{}{}", self.base_url.path().trim_end_matches('/'), call.path));
        let client = if call.path == REFUND_PATH { self.certified.as_ref().unwrap_or(&self.client) } else { &self.client };
        let mut request = client.post(url).header(CONTENT_TYPE, XML).body(call.body);
        if call.path == BILL_PATH {
            request = request.timeout(BILL_TIME_LIMIT);
        }
        http::answer(request.send().await, call.answer_limit).await
    }
}

#[cfg(test)]
mod tests;
