//! OAuth inside WeChat: how a merchant learns the id of the buyer who has opened its page. The browser is led back at once,
//! as with the silent scope.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Url;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{BASE, numbers};
use crate::Sandbox;

/// How long a code may wait to be exchanged.
const CODE_LIFE: TimeDelta = TimeDelta::minutes(5);
/// How many codes are remembered at once; beyond that the oldest are forgotten.
const MOST_CODES: usize = 10_000;

/// The codes that browsers were led back with and that nobody has exchanged. They are forgotten with the process, and the
/// browser asks anew.
#[derive(Debug, Default)]
pub(crate) struct Codes {
    given: Mutex<HashMap<String, DateTime<Utc>>>,
}

impl Codes {
    fn give(&self, now: DateTime<Utc>) -> String {
        let code = numbers::nonce(32);
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        if given.len() >= MOST_CODES {
            given.retain(|_, given_at| now < *given_at + CODE_LIFE);
        }
        if given.len() >= MOST_CODES {
            given.clear();
        }
        given.insert(code.clone(), now);
        code
    }

    /// Whether the code holds; it does so once.
    fn take(&self, code: &str, now: DateTime<Utc>) -> bool {
        let taken = self.given.lock().unwrap_or_else(PoisonError::into_inner).remove(code);
        taken.is_some_and(|given_at| now < given_at + CODE_LIFE)
    }
}

pub(super) fn routes() -> Router<Arc<Sandbox>> {
    Router::new()
        .route(&format!("{BASE}/oauth2/authorize"), get(authorize))
        .route(&format!("{BASE}/connect/oauth2/authorize"), get(authorize))
        .route(&format!("{BASE}/sns/oauth2/access_token"), get(access_token))
}

#[derive(Debug, Deserialize)]
struct Asked {
    appid: String,
    redirect_uri: String,
    response_type: String,
    scope: String,
    state: Option<String>,
}

/// Leads the browser back to the merchant with a code. Only places that the sandbox may notify are led to.
async fn authorize(State(sandbox): State<Arc<Sandbox>>, asked: Result<Query<Asked>, QueryRejection>) -> Response {
    let Ok(Query(asked)) = asked else { return told("参数错误") };
    if asked.appid != sandbox.wechat().credentials().appid {
        return told("appid 参数错误");
    }
    if asked.response_type != "code" || !matches!(asked.scope.as_str(), "snsapi_base" | "snsapi_userinfo") {
        return told("scope 参数错误或没有 scope 权限");
    }
    let place = Url::parse(&asked.redirect_uri).ok().filter(|_| sandbox.config().may_notify(&asked.redirect_uri));
    let Some(mut place) = place else { return told("redirect_uri 参数错误") };
    let code = sandbox.oauth().give(sandbox.now());
    place.query_pairs_mut().append_pair("code", &code).append_pair("state", asked.state.as_deref().unwrap_or_default());
    (StatusCode::FOUND, [(LOCATION, place.as_str()), (CACHE_CONTROL, "no-store")]).into_response()
}

fn told(words: &'static str) -> Response {
    (StatusCode::BAD_REQUEST, [(CONTENT_TYPE, "text/plain; charset=utf-8"), (CACHE_CONTROL, "no-store")], words).into_response()
}

#[derive(Debug, Deserialize)]
struct Exchange {
    appid: Option<String>,
    secret: Option<String>,
    code: Option<String>,
    grant_type: Option<String>,
}

/// Exchanges a code for the buyer's id. Status 200 also for errors, as the real one.
async fn access_token(State(sandbox): State<Arc<Sandbox>>, exchange: Result<Query<Exchange>, QueryRejection>) -> Response {
    let answer = exchange.map_or_else(|_| error(41_002, "appid missing"), |Query(exchange)| exchanged(&sandbox, &exchange));
    ([(CONTENT_TYPE, "text/plain"), (CACHE_CONTROL, "no-store")], answer.to_string()).into_response()
}

fn exchanged(sandbox: &Sandbox, exchange: &Exchange) -> Value {
    let account = sandbox.wechat();
    let credentials = account.credentials();
    if exchange.appid.as_ref() != Some(&credentials.appid) {
        return error(40_013, "invalid appid");
    }
    if exchange.secret.as_ref() != Some(&credentials.app_secret) {
        return error(40_125, "invalid appsecret");
    }
    if exchange.grant_type.as_deref() != Some("authorization_code") {
        return error(40_002, "invalid grant_type");
    }
    match exchange.code.as_deref() {
        None => error(41_008, "missing code"),
        Some(code) if !sandbox.oauth().take(code, sandbox.now()) => error(40_029, "invalid code"),
        Some(_) => json!({
            "access_token": numbers::nonce(64),
            "expires_in": 7200,
            "refresh_token": numbers::nonce(64),
            "openid": credentials.openid,
            "scope": "snsapi_base",
        }),
    }
}

fn error(errcode: u32, errmsg: &str) -> Value {
    json!({"errcode": errcode, "errmsg": errmsg})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trade::tests::at;

    #[test]
    fn a_code_holds_once_and_for_five_minutes() {
        let codes = Codes::default();
        let code = codes.give(at(0));
        assert!(codes.take(&code, at(299)) && !codes.take(&code, at(299)) && !codes.take("none", at(0)));
        let code = codes.give(at(0));
        assert!(!codes.take(&code, at(300)));
    }
}
