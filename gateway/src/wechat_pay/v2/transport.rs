//! The way to the channel: one POST at a time over shared pools of connections, one of them with the merchant's certificate.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{CONTENT_TYPE, DATE};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Url};

use super::WechatPayV2StartError;
use super::config::WechatPayV2Config;

/// How long making a connection may take.
const CONNECT_TIME_LIMIT: Duration = Duration::from_secs(3);

/// How many idle connections are kept for the next calls.
const IDLE_CONNECTIONS: usize = 16;

/// How long a connection may be idle; servers close theirs not much later.
const IDLE_TIME_LIMIT: Duration = Duration::from_secs(50);

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

/// An HTTP answer, whatever it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HttpAnswer {
    pub(super) status: u16,
    /// The value of the header `Date`.
    pub(super) date: Option<String>,
    pub(super) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum TransportError {
    /// No connection, no answer in time, or a connection that broke.
    #[error("the channel did not answer")]
    NoAnswer(#[source] reqwest::Error),
    /// The answer is larger than the call's limit.
    #[error("the answer is too large")]
    TooLarge,
    /// The address cannot be joined with the path.
    #[error("the call has no address")]
    NoAddress,
}

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
    base_url: String,
}

impl HttpTransport {
    pub(super) fn new(config: &WechatPayV2Config) -> Result<Self, WechatPayV2StartError> {
        Self::with(config, || builder(config))
    }

    fn with(config: &WechatPayV2Config, builder: impl Fn() -> ClientBuilder) -> Result<Self, WechatPayV2StartError> {
        let client = builder().build().map_err(WechatPayV2StartError)?;
        let certified = config.certificate.as_ref().map(|certificate| builder().identity(certificate.identity.clone()).build());
        let base_url = config.base_url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { client, certified: certified.transpose().map_err(WechatPayV2StartError)?, base_url })
    }
}

fn builder(config: &WechatPayV2Config) -> ClientBuilder {
    let builder = Client::builder()
        .timeout(config.time_limit)
        .connect_timeout(CONNECT_TIME_LIMIT)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .pool_idle_timeout(IDLE_TIME_LIMIT)
        // An answer comes from the channel itself or not at all.
        .redirect(Policy::none());
    // Without TLS there is nothing to verify, and a machine without certificates can still run the sandbox, which is not
    // reached through a proxy either.
    let is_plain = config.base_url.scheme() == "http";
    if is_plain { builder.tls_certs_only([]).no_proxy() } else { builder.https_only(true) }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn send(&self, call: Call) -> Result<HttpAnswer, TransportError> {
        let url = Url::parse(&format!("{}{}", self.base_url, call.path)).map_err(|_| TransportError::NoAddress)?;
        let client = if call.path == REFUND_PATH { self.certified.as_ref().unwrap_or(&self.client) } else { &self.client };
        let mut request = client.post(url).header(CONTENT_TYPE, XML).body(call.body);
        if call.path == BILL_PATH {
            request = request.timeout(BILL_TIME_LIMIT);
        }
        let mut answer = request.send().await.map_err(no_answer)?;
        let status = answer.status().as_u16();
        let date = answer.headers().get(DATE).and_then(|date| date.to_str().ok()).map(str::to_owned);
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(no_answer)? {
            if body.len() + chunk.len() > call.answer_limit {
                return Err(TransportError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(HttpAnswer { status, date, body })
    }
}

/// Which address was called is configuration, which no log needs.
fn no_answer(error: reqwest::Error) -> TransportError {
    TransportError::NoAnswer(error.without_url())
}

#[cfg(test)]
mod tests;
