//! The members of calls, the documented rules that they keep, and their signature.

use std::net::IpAddr;

use aws_lc_rs::rand;
use serde::Serialize;

use super::config::{Site, WechatPayV2Config};
use super::product::Product;
use super::sign::{LOWER, SIGN, SIGN_TYPE, hex};
use super::xml;
use crate::rules::{Unsendable, is_part, rule};
use crate::{PrecreateRequest, RefundRequest, beijing};

/// The longest description, in bytes of UTF-8.
const BODY_LIMIT: usize = 127;

/// The longest reason of a refund, in bytes of UTF-8.
const REASON_LIMIT: usize = 80;

/// The longest address for notifications, in characters.
const URL_LIMIT: usize = 256;

/// The longest name of a payer, in characters.
const OPENID_LIMIT: usize = 128;

/// The longest number of a refund, in characters.
const REFUND_NO_LIMIT: usize = 64;

/// The longest nonce, in characters.
const NONCE_LIMIT: usize = 32;

/// The longest number of a product, in characters.
const PRODUCT_ID_LIMIT: usize = 32;

/// Names and values of a call, without those that every call has.
pub(super) type CallMembers = Vec<(&'static str, String)>;

/// The machine gave no randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no randomness for a call")]
pub(super) struct NoNonce;

/// A text that is used once: 32 characters.
pub(super) fn nonce() -> Result<String, NoNonce> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).map_err(|_| NoNonce)?;
    Ok(hex(&bytes, LOWER))
}

/// The signed message of a call in the name of `app_id`. Members without a value are neither signed nor sent.
pub(super) fn message(config: &WechatPayV2Config, app_id: &str, nonce: &str, members: &[(&'static str, String)]) -> String {
    let common =
        [("appid", app_id), ("mch_id", config.mch_id.as_str()), ("nonce_str", nonce), (SIGN_TYPE, config.signer.digest().as_str())];
    let own = members.iter().map(|(name, value)| (*name, value.as_str()));
    let members: Vec<_> = common.into_iter().chain(own).filter(|(_, value)| !value.is_empty()).collect();
    let sign = config.signer.sign(members.iter().copied());
    xml::write(members.into_iter().chain([(SIGN, sign.as_str())]))
}

#[derive(Serialize)]
struct Scene<'a> {
    h5_info: H5Info<'a>,
}

#[derive(Serialize)]
struct H5Info<'a> {
    r#type: &'a str,
    wap_url: &'a str,
    wap_name: &'a str,
}

/// The members of an order for `product`.
pub(super) fn unified_order(product: Product, request: &PrecreateRequest, config: &WechatPayV2Config) -> Result<CallMembers, Unsendable> {
    number(&request.out_trade_no)?;
    rule("total_fee", !request.amount.is_zero())?;
    let body = sendable(&request.subject, BODY_LIMIT);
    rule("subject", !body.is_empty())?;
    rule("notify_url", is_notify_url(&request.notify_url))?;
    let mut members = vec![
        ("body", body),
        ("out_trade_no", request.out_trade_no.clone()),
        ("total_fee", request.amount.amount_minor().to_string()),
        ("fee_type", request.amount.currency().code().to_owned()),
        ("spbill_create_ip", payer_ip(product, request, config)?.to_string()),
        ("time_expire", beijing::compact(request.time_expire)),
        ("notify_url", request.notify_url.clone()),
        ("trade_type", product.trade_type().to_owned()),
    ];
    match product {
        // The code is for this one payment, so the payment is all that its product can be.
        Product::Native => members.push(("product_id", request.out_trade_no.clone())),
        Product::Jsapi => members.push(("openid", openid(request.payer_openid.as_deref())?.to_owned())),
        Product::H5 => members.push(("scene_info", scene(config.site.as_ref())?)),
        Product::App => {}
    }
    Ok(members)
}

/// Only in a phone's browser the channel compares the address with the payer's own.
fn payer_ip(product: Product, request: &PrecreateRequest, config: &WechatPayV2Config) -> Result<IpAddr, Unsendable> {
    match product {
        Product::Native => Ok(config.server_ip),
        Product::Jsapi | Product::App => Ok(request.payer_client_ip.unwrap_or(config.server_ip)),
        Product::H5 => request.payer_client_ip.ok_or(Unsendable("payer_client_ip")),
    }
}

fn openid(openid: Option<&str>) -> Result<&str, Unsendable> {
    let is_openid = |text: &&str| {
        (1..=OPENID_LIMIT).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    };
    openid.filter(is_openid).ok_or(Unsendable("payer_openid"))
}

fn scene(site: Option<&Site>) -> Result<String, Unsendable> {
    let site = site.ok_or(Unsendable("scene_info"))?;
    let scene = Scene { h5_info: H5Info { r#type: "Wap", wap_url: &site.url, wap_name: &site.name } };
    serde_json::to_string(&scene).map_err(|_| Unsendable("scene_info"))
}

/// The members of a query and of a close.
pub(super) fn numbered(out_trade_no: &str) -> Result<CallMembers, Unsendable> {
    number(out_trade_no)?;
    Ok(vec![("out_trade_no", out_trade_no.to_owned())])
}

/// The members of a refund. A reason is made sendable, and left out where nothing readable is left of it: it must not keep
/// money from its buyer.
pub(super) fn refund(request: &RefundRequest) -> Result<CallMembers, Unsendable> {
    number(&request.out_trade_no)?;
    refund_number(&request.refund_no)?;
    rule("refund_fee", is_part(request))?;
    rule("notify_url", request.notify_url.as_deref().is_none_or(is_notify_url))?;
    Ok(vec![
        ("out_trade_no", request.out_trade_no.clone()),
        ("out_refund_no", request.refund_no.clone()),
        ("total_fee", request.total.amount_minor().to_string()),
        ("refund_fee", request.amount.amount_minor().to_string()),
        ("refund_fee_type", request.amount.currency().code().to_owned()),
        ("refund_desc", request.reason.as_deref().map(|reason| sendable(reason, REASON_LIMIT)).unwrap_or_default()),
        ("notify_url", request.notify_url.clone().unwrap_or_default()),
    ])
}

/// The members of the question what became of a refund.
pub(super) fn refund_query(out_trade_no: &str, refund_no: &str) -> Result<CallMembers, Unsendable> {
    number(out_trade_no)?;
    refund_number(refund_no)?;
    // One number alone: of two, the channel's page says which one counts, and it is not ours.
    Ok(vec![("out_refund_no", refund_no.to_owned())])
}

/// The number of a product that a fixed code names. It is signed bare, so it may not look like another member.
pub(super) fn product_number(product_id: &str) -> Result<(), Unsendable> {
    let is_allowed = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'&' | b'=');
    rule("product_id", (1..=PRODUCT_ID_LIMIT).contains(&product_id.len()) && product_id.bytes().all(is_allowed))
}

/// Whether a text may be used as a nonce.
pub(super) fn is_nonce(text: &str) -> bool {
    (1..=NONCE_LIMIT).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn number(out_trade_no: &str) -> Result<(), Unsendable> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'|' | b'*');
    rule("out_trade_no", (6..=32).contains(&out_trade_no.len()) && out_trade_no.bytes().all(is_allowed))
}

fn refund_number(refund_no: &str) -> Result<(), Unsendable> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'|' | b'*' | b'@');
    rule("out_refund_no", (1..=REFUND_NO_LIMIT).contains(&refund_no.len()) && refund_no.bytes().all(is_allowed))
}

fn is_notify_url(text: &str) -> bool {
    let has_scheme = text.starts_with("https://") || text.starts_with("http://");
    let is_bare = text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#'));
    has_scheme && text.len() <= URL_LIMIT && is_bare
}

/// A text as the channel takes it: control characters become blanks, and it is cut to `limit` bytes between characters.
pub(super) fn sendable(text: &str, limit: usize) -> String {
    let is_shown = |character: char| !character.is_control() && !matches!(character, '\u{FFFE}' | '\u{FFFF}');
    let shown: String = text.chars().map(|character| if is_shown(character) { character } else { ' ' }).collect();
    let shown = shown.trim();
    let end = shown.floor_char_boundary(limit);
    shown.get(..end).unwrap_or_default().trim_end().to_owned()
}

#[cfg(test)]
mod tests;
