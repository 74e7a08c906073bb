//! What the ways to all channels share: the client, the bounded reading of an answer, and why there is none.

use std::time::Duration;

use reqwest::header::{DATE, HeaderMap};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Response, Url};

/// How long making a connection may take.
const CONNECT_TIME_LIMIT: Duration = Duration::from_secs(3);

/// How many idle connections are kept for the next calls.
const IDLE_CONNECTIONS: usize = 16;

/// How long a connection may be idle; channels close theirs not much later.
const IDLE_TIME_LIMIT: Duration = Duration::from_secs(50);

/// An HTTP answer, whatever it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HttpAnswer {
    pub(crate) status: u16,
    /// The value of the header `Date`.
    pub(crate) date: Option<String>,
    pub(crate) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransportError {
    /// No connection, no answer in time, or a connection that broke.
    #[error("the channel did not answer")]
    NoAnswer(#[source] reqwest::Error),
    /// The answer is larger than was asked to be read.
    #[error("the answer is too large")]
    TooLarge,
}

/// A client for the calls to `url`, each of which ends within `time_limit` unless it says otherwise.
pub(crate) fn client(url: &Url, time_limit: Duration) -> ClientBuilder {
    let builder = Client::builder()
        .timeout(time_limit)
        .connect_timeout(CONNECT_TIME_LIMIT)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .pool_idle_timeout(IDLE_TIME_LIMIT)
        // An answer comes from the channel itself or not at all.
        .redirect(Policy::none());
    // Without TLS there is nothing to verify, and a machine without certificates can still run the sandbox, which is not
    // reached through a proxy either.
    if url.scheme() == "http" { builder.tls_certs_only([]).no_proxy() } else { builder.https_only(true) }
}

/// The answer to what was sent, if its body has at most `limit` bytes.
pub(crate) async fn answer(sent: Result<Response, reqwest::Error>, limit: usize) -> Result<HttpAnswer, TransportError> {
    let (status, headers, body) = whole(sent, limit).await?;
    let date = headers.get(DATE).and_then(|date| date.to_str().ok()).map(str::to_owned);
    Ok(HttpAnswer { status, date, body })
}

/// Status, headers and body of the answer to what was sent. A body of more than `limit` bytes is not read to its end.
pub(crate) async fn whole(sent: Result<Response, reqwest::Error>, limit: usize) -> Result<(u16, HeaderMap, Vec<u8>), TransportError> {
    let mut answer = sent.map_err(no_answer)?;
    let status = answer.status().as_u16();
    let headers = std::mem::take(answer.headers_mut());
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(no_answer)? {
        if body.len() + chunk.len() > limit {
            return Err(TransportError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok((status, headers, body))
}

/// The URL may hold a signature, a token or where notifications go, which no log needs.
fn no_answer(error: reqwest::Error) -> TransportError {
    TransportError::NoAnswer(error.without_url())
}

#[cfg(test)]
pub(crate) mod server;
#[cfg(test)]
mod tests;
