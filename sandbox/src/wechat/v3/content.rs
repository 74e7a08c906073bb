//! Reading a request's JSON, member by member.

use axum::http::StatusCode;
use domain::{Currency, Money};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::answer::Refusal;
use crate::Sandbox;

const URL_LENGTH: usize = 255;

/// Reads a body as JSON.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    let unreadable = |_| Refusal::new(StatusCode::BAD_REQUEST, "PARAM_ERROR", "请求体不是合法的 JSON，或字段类型不正确");
    serde_json::from_slice(body).map_err(unreadable)
}

/// A text that must be there.
pub(super) fn required(member: &'static str, text: Option<String>, most: usize) -> Result<String, Refusal> {
    optional(member, text, most)?.ok_or_else(|| Refusal::invalid(member, "为必填项"))
}

/// A text that may be there; an empty one is none. The length is in characters.
pub(super) fn optional(member: &'static str, text: Option<String>, most: usize) -> Result<Option<String>, Refusal> {
    match text.filter(|text| !text.is_empty()) {
        Some(text) if text.chars().count() > most => Err(Refusal::invalid(member, "超过长度限制")),
        text => Ok(text),
    }
}

/// A sum and its currency.
#[derive(Debug, Deserialize)]
pub(super) struct Amount {
    pub(super) total: Option<i64>,
    pub(super) refund: Option<i64>,
    pub(super) currency: Option<String>,
}

/// A sum in fen, above zero.
pub(super) fn money(member: &'static str, fen: Option<i64>) -> Result<Money, Refusal> {
    let fen = fen.ok_or_else(|| Refusal::invalid(member, "为必填项"))?;
    let money = Money::new(fen, Currency::Cny).ok().filter(|money| !money.is_zero());
    money.ok_or_else(|| Refusal::invalid(member, "须为大于 0 的整数，单位为分"))
}

/// Checks a currency; without one it is CNY.
pub(super) fn currency(currency: Option<&str>) -> Result<(), Refusal> {
    match currency {
        None | Some("CNY") => Ok(()),
        Some(_) => Err(Refusal::invalid("amount/currency", "仅支持 CNY")),
    }
}

/// An address for notifications: without a query, and where this sandbox may send to.
pub(super) fn notify_url(sandbox: &Sandbox, url: String) -> Result<String, Refusal> {
    if url.chars().count() > URL_LENGTH || url.contains(['?', '#']) {
        return Err(Refusal::invalid("notify_url", "须为不带参数的网址，最长 255 字符"));
    }
    if !sandbox.config().may_notify(&url) {
        return Err(Refusal::invalid("notify_url", "不被沙箱允许 (the sandbox notifies this machine only, unless configured)"));
    }
    Ok(url)
}

/// A number of the merchant's, between `least` and `most` characters, of which `more` are allowed beside letters and digits.
pub(super) fn number(member: &'static str, text: Option<String>, (least, most): (usize, usize), more: &str) -> Result<String, Refusal> {
    let number = required(member, text, most)?;
    if number.len() < least || !number.chars().all(|character| character.is_ascii_alphanumeric() || more.contains(character)) {
        return Err(Refusal::invalid(member, "长度或字符不符合要求"));
    }
    Ok(number)
}
