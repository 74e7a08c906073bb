//! The documented rules that requests keep, and the requests that keep them.

use domain::Channel;
use serde::Serialize;

use super::config::WechatPayConfig;
use super::time;
use super::wire::{Close, H5Info, Payer, Payment, Refund, RefundTotal, Scene, Total};
use crate::rules::{Unsendable, is_part, rule};
use crate::{PrecreateRequest, RefundRequest};

/// How many characters a number of a payment has.
const NUMBER_LENGTH: std::ops::RangeInclusive<usize> = 6..=32;

/// The longest number of a refund, in characters.
const REFUND_NUMBER_LIMIT: usize = 64;

/// The longest description, in bytes: the pages say 127 without saying of what.
const DESCRIPTION_LIMIT: usize = 127;

/// The longest address for notifications, in characters.
const URL_LIMIT: usize = 255;

/// The longest reason of a refund, in bytes.
const REASON_LIMIT: usize = 80;

/// The longest openid, in characters.
const OPENID_LIMIT: usize = 128;

/// The longest prepay id, in characters.
const PREPAY_ID_LIMIT: usize = 64;

/// The longest nonce of signed parameters, in characters.
const NONCE_LIMIT: usize = 32;

/// The body of a precreate through `channel`.
pub(super) fn precreate(request: &PrecreateRequest, channel: Channel, config: &WechatPayConfig) -> Result<String, Unsendable> {
    rule("channel", request.channel == channel)?;
    number(&request.out_trade_no)?;
    rule("amount", !request.amount.is_zero())?;
    // The same subject always makes the same description, so that a repeat sends the same.
    let description = sendable(&request.subject, DESCRIPTION_LIMIT);
    rule("description", !description.is_empty())?;
    rule("notify_url", is_url(&request.notify_url))?;
    json(&Payment {
        appid: config.appid_of(channel),
        mchid: &config.mchid,
        description: &description,
        out_trade_no: &request.out_trade_no,
        time_expire: time::text(request.time_expire),
        notify_url: &request.notify_url,
        amount: Total::of(request.amount),
        payer: payer(request, channel)?,
        scene_info: scene(request, channel)?,
    })
}

fn payer(request: &PrecreateRequest, channel: Channel) -> Result<Option<Payer<'_>>, Unsendable> {
    if !matches!(channel, Channel::WechatJsapi | Channel::WechatMiniProgram) {
        return Ok(None);
    }
    let is_openid = |openid: &&str| (1..=OPENID_LIMIT).contains(&openid.len()) && openid.bytes().all(|byte| byte.is_ascii_graphic());
    let openid = request.payer_openid.as_deref().filter(is_openid).ok_or(Unsendable("openid"))?;
    Ok(Some(Payer { openid }))
}

fn scene(request: &PrecreateRequest, channel: Channel) -> Result<Option<Scene>, Unsendable> {
    if channel != Channel::WechatH5 {
        return Ok(None);
    }
    let address = request.payer_client_ip.ok_or(Unsendable("payer_client_ip"))?;
    Ok(Some(Scene { payer_client_ip: address.to_string(), h5_info: H5Info { kind: "Wap" } }))
}

/// The body of a close.
pub(super) fn close(config: &WechatPayConfig) -> Result<String, Unsendable> {
    json(&Close { mchid: &config.mchid })
}

/// The body of a refund. A reason is made sendable, and left out where nothing readable is left of it: it must not keep
/// money from its buyer.
pub(super) fn refund(request: &RefundRequest) -> Result<String, Unsendable> {
    number(&request.out_trade_no)?;
    refund_number(&request.refund_no)?;
    rule("amount", is_part(request))?;
    rule("notify_url", request.notify_url.as_deref().is_none_or(is_url))?;
    let reason = request.reason.as_deref().map(|reason| sendable(reason, REASON_LIMIT));
    json(&Refund {
        out_trade_no: &request.out_trade_no,
        out_refund_no: &request.refund_no,
        reason: reason.filter(|reason| !reason.is_empty()),
        notify_url: request.notify_url.as_deref(),
        amount: RefundTotal::of(request.amount, request.total),
    })
}

/// Checks our number of a payment, which then may stand in a path.
pub(super) fn number(out_trade_no: &str) -> Result<(), Unsendable> {
    rule("out_trade_no", NUMBER_LENGTH.contains(&out_trade_no.len()) && is_number(out_trade_no))
}

/// Checks our number of a refund, which then may stand in a path.
pub(super) fn refund_number(refund_no: &str) -> Result<(), Unsendable> {
    rule("out_refund_no", (1..=REFUND_NUMBER_LIMIT).contains(&refund_no.len()) && is_number(refund_no))
}

/// WeChat Pay also takes `|`, `*` and `@`, which libraries write into a path in different ways; ours have none.
fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// Checks what is signed for a client: none of it may hold the end of a line.
pub(super) fn client(prepay_id: &str, nonce: &str) -> Result<(), Unsendable> {
    rule("prepay_id", (1..=PREPAY_ID_LIMIT).contains(&prepay_id.len()) && prepay_id.bytes().all(|byte| byte.is_ascii_graphic()))?;
    rule("nonce", (1..=NONCE_LIMIT).contains(&nonce.len()) && nonce.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// What WeChat Pay may be given for a text: in one line, cut to its length. Empty if nothing readable is left.
fn sendable(text: &str, limit: usize) -> String {
    let line: String = text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
    let line = line.trim();
    line.get(..line.floor_char_boundary(limit)).unwrap_or_default().trim_end().to_owned()
}

fn is_url(text: &str) -> bool {
    let has_scheme = text.starts_with("https://") || text.starts_with("http://");
    has_scheme && text.len() <= URL_LIMIT && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'?')
}

fn json(content: &impl Serialize) -> Result<String, Unsendable> {
    serde_json::to_string(content).map_err(|_| Unsendable("body"))
}

#[cfg(test)]
mod tests;
