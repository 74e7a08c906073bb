//! The HTTP client of the tests. It holds every reply to the rules that the contract sets for all routes.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use super::json_rules;

/// Longer than any answer may take, `Paystream-After` (5 s) and a time-out at the channel included.
const ANSWER_LIMIT: Duration = Duration::from_mins(1);

/// Who speaks to which server.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    base: Arc<str>,
    token: Option<Arc<str>>,
    http: reqwest::Client,
}

impl Api {
    /// A caller without a token.
    pub(crate) fn anonymous(base: &str) -> Self {
        let http = reqwest::Client::builder().timeout(ANSWER_LIMIT).redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
        Self { base: base.into(), token: None, http }
    }

    /// The same caller with a new connection for each request, as proxies make them.
    pub(crate) fn without_kept_connections(&self) -> Self {
        let builder = reqwest::Client::builder().timeout(ANSWER_LIMIT).redirect(reqwest::redirect::Policy::none());
        Self { http: builder.no_proxy().pool_max_idle_per_host(0).build().unwrap(), ..self.clone() }
    }

    /// The same connections with a token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.into()), ..self.clone() }
    }

    /// The server's address without a slash at its end.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// The token, if there is one.
    pub(crate) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// A request; `path` starts with `/`, or is a whole address of the same server.
    pub(crate) fn call(&self, method: Method, path: &str) -> Call {
        let address = if path.starts_with('/') { format!("{}{path}", self.base) } else { path.to_owned() };
        let mut request = self.http.request(method, address);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        Call { request }
    }

    /// A `GET`.
    pub(crate) fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    /// A `POST` of JSON.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Call {
        let call = self.call(Method::POST, path);
        Call { request: call.request.json(body) }
    }

    /// A `POST` of bytes as they are.
    pub(crate) fn post_bytes(&self, path: &str, content_type: &str, body: impl Into<reqwest::Body>) -> Call {
        self.call(Method::POST, path).header("content-type", content_type).body(body)
    }
}

/// A request that is not sent yet.
pub(crate) struct Call {
    request: RequestBuilder,
}

impl Call {
    /// Adds a header.
    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        Self { request: self.request.header(name, value) }
    }

    /// Adds `Idempotency-Key`.
    pub(crate) fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    /// Adds `Paystream-After`.
    pub(crate) fn after(self, position: &str) -> Self {
        self.header("paystream-after", position)
    }

    fn body(self, body: impl Into<reqwest::Body>) -> Self {
        Self { request: self.request.body(body) }
    }

    /// Sends it and reads the whole answer; fails the test if there is none.
    pub(crate) async fn send(self) -> Reply {
        self.try_send().await.unwrap_or_else(|error| panic!("no answer: {error:?}"))
    }

    /// Sends it and reads the whole answer, or says why there is none.
    pub(crate) async fn try_send(self) -> Result<Reply, reqwest::Error> {
        let response = self.request.send().await?;
        let (status, headers, address) = (response.status().as_u16(), response.headers().clone(), response.url().to_string());
        let body = response.bytes().await?.to_vec();
        Ok(Reply::checked(status, headers, body, address))
    }

    /// Sends it and leaves the body to be read piece by piece.
    pub(crate) async fn open(self) -> reqwest::Response {
        // A stream has no end to wait for; its reader has a deadline of its own.
        self.request.timeout(Duration::from_hours(1)).send().await.unwrap()
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The body as it came.
    pub(crate) body: Vec<u8>,
    address: String,
}

impl Reply {
    fn checked(status: u16, headers: HeaderMap, body: Vec<u8>, address: String) -> Self {
        let reply = Self { status, headers, body, address };
        if reply.content_type().contains("json") && !reply.content_type().contains("ndjson") {
            let found = json_rules::unsafe_numbers(&reply.json());
            assert!(found.is_empty(), "{} answers ids or positions as numbers: {found:?}", reply.address);
        }
        reply
    }

    /// The value of a header, empty if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The content type, empty if there is none.
    pub(crate) fn content_type(&self) -> &str {
        self.header("content-type")
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{} answers no JSON ({error}): {self}", self.address))
    }

    /// The text member `name` of the body.
    pub(crate) fn field(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_else(|| panic!("no text member {name}: {self}")).to_owned()
    }

    /// The log position of the command's last event.
    pub(crate) fn position(&self) -> String {
        let position = self.header("paystream-position");
        assert!(!position.is_empty(), "no Paystream-Position: {self}");
        position.to_owned()
    }

    /// Fails the test unless the status is `status`.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self}");
        self
    }

    /// Fails the test unless this is the problem document with this status and code; answers the document.
    #[track_caller]
    pub(crate) fn expect_problem(&self, status: u16, code: &str) -> Value {
        let problem = self.problem();
        assert_eq!((self.status, problem["code"].as_str()), (status, Some(code)), "{self}");
        problem
    }

    /// The problem document of any refusal; fails the test if a member that all of them have is missing.
    #[track_caller]
    pub(crate) fn problem(&self) -> Value {
        assert!(self.content_type().starts_with("application/problem+json"), "not a problem document: {self}");
        let problem = self.json();
        for member in ["type", "title", "detail", "code"] {
            assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "no {member}: {self}");
        }
        assert_eq!(problem["status"], self.status, "{self}");
        let code = problem["code"].as_str().unwrap_or_default();
        let snake_case = code.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        assert!(snake_case, "the code is not a snake_case word: {self}");
        problem
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = self.text();
        let shown: String = text.chars().take(2_000).collect();
        write!(f, "{} answered {} {}: {shown}", self.address, self.status, self.content_type())
    }
}
