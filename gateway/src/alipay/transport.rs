//! The way to the gateway: one POST at a time over a shared pool of connections.

use async_trait::async_trait;
use reqwest::header::{CONTENT_TYPE, DATE};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};

use super::AlipayStartError;
use super::config::AlipayConfig;
use super::request::Request;

/// The largest answer that is read, in bytes. Answers have a few thousand.
pub(super) const ANSWER_LIMIT: usize = 1024 * 1024;

/// The largest archive of a bill that is fetched, in bytes.
pub(super) const FILE_LIMIT: usize = 64 * 1024 * 1024;

/// How long fetching the archive of a bill may take. Nobody waits for it at a checkout.
const FILE_TIME_LIMIT: std::time::Duration = std::time::Duration::from_mins(2);

/// How long making a connection may take.
const CONNECT_TIME_LIMIT: std::time::Duration = std::time::Duration::from_secs(3);

/// How many idle connections are kept for the next calls.
const IDLE_CONNECTIONS: usize = 16;

/// How long a connection may be idle; gateways close theirs not much later.
const IDLE_TIME_LIMIT: std::time::Duration = std::time::Duration::from_secs(50);

const FORM: &str = "application/x-www-form-urlencoded;charset=utf-8";

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
    #[error("the gateway did not answer")]
    NoAnswer(#[source] reqwest::Error),
    /// The answer is larger than [`ANSWER_LIMIT`], or the file than [`FILE_LIMIT`].
    #[error("the answer is too large")]
    TooLarge,
}

/// What brings a request to the gateway and an answer back.
#[async_trait]
pub(super) trait Transport: Send + Sync {
    /// Sends the request once. It ends within a time limit of its own.
    async fn send(&self, request: Request) -> Result<HttpAnswer, TransportError>;

    /// Fetches a file that the gateway's answer named. It ends within a time limit of its own.
    async fn fetch(&self, url: Url) -> Result<HttpAnswer, TransportError>;
}

/// The real one.
pub(super) struct HttpTransport {
    client: Client,
    gateway_url: Url,
}

impl HttpTransport {
    pub(super) fn new(config: &AlipayConfig) -> Result<Self, AlipayStartError> {
        let client = Client::builder()
            .timeout(config.time_limit)
            .connect_timeout(CONNECT_TIME_LIMIT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .pool_idle_timeout(IDLE_TIME_LIMIT)
            // An answer comes from the gateway itself or not at all.
            .redirect(Policy::none());
        // Without TLS there is nothing to verify, and a machine without certificates can still run the sandbox, which
        // is not reached through a proxy either.
        let is_plain = config.gateway_url.scheme() == "http";
        let client = if is_plain { client.tls_certs_only([]).no_proxy() } else { client.https_only(true) };
        Ok(Self { client: client.build().map_err(AlipayStartError)?, gateway_url: config.gateway_url.clone() })
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn send(&self, request: Request) -> Result<HttpAnswer, TransportError> {
        let mut url = self.gateway_url.clone();
        url.set_query(Some(&request.query));
        let sent = self.client.post(url).header(CONTENT_TYPE, FORM).body(request.body).send().await;
        whole(sent, ANSWER_LIMIT).await
    }

    async fn fetch(&self, url: Url) -> Result<HttpAnswer, TransportError> {
        whole(self.client.get(url).timeout(FILE_TIME_LIMIT).send().await, FILE_LIMIT).await
    }
}

async fn whole(sent: Result<Response, reqwest::Error>, limit: usize) -> Result<HttpAnswer, TransportError> {
    let mut answer = sent.map_err(no_answer)?;
    let status = answer.status().as_u16();
    let date = answer.headers().get(DATE).and_then(|date| date.to_str().ok()).map(str::to_owned);
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(no_answer)? {
        if body.len() + chunk.len() > limit {
            return Err(TransportError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(HttpAnswer { status, date, body })
}

/// The URL holds a signature and where notifications go, which no log needs.
fn no_answer(error: reqwest::Error) -> TransportError {
    TransportError::NoAnswer(error.without_url())
}

#[cfg(test)]
mod tests;
