//! The way to the gateway: one POST at a time over a shared pool of connections.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url};

use super::AlipayStartError;
use super::config::AlipayConfig;
use super::request::Request;
use crate::http::{self, HttpAnswer, TransportError};

/// The largest answer that is read, in bytes. Answers have a few thousand.
pub(super) const ANSWER_LIMIT: usize = 1024 * 1024;

/// The largest archive of a bill that is fetched, in bytes.
pub(super) const FILE_LIMIT: usize = 64 * 1024 * 1024;

/// How long fetching the archive of a bill may take. Nobody waits for it at a checkout.
const FILE_TIME_LIMIT: Duration = Duration::from_mins(2);

const FORM: &str = "application/x-www-form-urlencoded;charset=utf-8";

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
        let client = http::client(&config.gateway_url, config.time_limit).build().map_err(AlipayStartError)?;
        Ok(Self { client, gateway_url: config.gateway_url.clone() })
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn send(&self, request: Request) -> Result<HttpAnswer, TransportError> {
        let mut url = self.gateway_url.clone();
        url.set_query(Some(&request.query));
        let sent = self.client.post(url).header(CONTENT_TYPE, FORM).body(request.body).send().await;
        http::answer(sent, ANSWER_LIMIT).await
    }

    async fn fetch(&self, url: Url) -> Result<HttpAnswer, TransportError> {
        http::answer(self.client.get(url).timeout(FILE_TIME_LIMIT).send().await, FILE_LIMIT).await
    }
}

#[cfg(test)]
mod tests;
