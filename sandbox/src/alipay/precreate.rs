//! `alipay.trade.precreate`: a code that a buyer may scan.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{Currency, Money};
use serde::{Deserialize, Serialize};

use super::answer::{self, Refusal, Unsuccessful};
use super::beijing;
use super::content::{self, Scalar};
use super::request::Call;
use crate::Sandbox;
use crate::trade::{Standing, Trade, TradeStatus, Wallet};

/// How long a code can be scanned.
const CODE_LIFE: TimeDelta = TimeDelta::hours(2);
/// How long a buyer who has scanned may take where the merchant says nothing.
const DEFAULT_LIFE: TimeDelta = TimeDelta::hours(3);
const SHORTEST_LIFE: TimeDelta = TimeDelta::minutes(1);
const LONGEST_LIFE: TimeDelta = TimeDelta::days(15);

const OUT_TRADE_NO_LENGTH: usize = 64;
const SUBJECT_LENGTH: usize = 256;
const BODY_LENGTH: usize = 128;
const PASSBACK_LENGTH: usize = 512;
const NOTIFY_URL_LENGTH: usize = 256;

#[derive(Debug, Deserialize)]
pub(super) struct Content {
    out_trade_no: Option<Scalar>,
    total_amount: Option<Scalar>,
    subject: Option<Scalar>,
    product_code: Option<Scalar>,
    body: Option<Scalar>,
    passback_params: Option<Scalar>,
    time_expire: Option<Scalar>,
    timeout_express: Option<Scalar>,
}

#[derive(Serialize)]
struct Precreated<'a> {
    out_trade_no: &'a str,
    qr_code: &'a str,
}

/// Makes the code, once per number.
pub(super) async fn precreate(sandbox: &Sandbox, call: &Call, content: Content) -> Result<String, Unsuccessful> {
    let now = sandbox.now();
    let notify_url = notify_url(sandbox, call)?;
    let trade = Trade { charset: call.charset.as_str().to_owned(), notify_url, ..asked(content, now)? };
    if !sandbox.store().insert_trade(&trade).await? {
        let known = sandbox.store().trade(Wallet::Alipay, &trade.out_trade_no).await?;
        return Err(known.map_or_else(Refusal::trade_not_exist, |known| repeated(&known, &trade, now)).into());
    }
    tracing::info!(sandbox.out_trade_no = trade.out_trade_no, "the sandbox's Alipay made a code");
    let qr_code = sandbox.cashier_url(&trade.out_trade_no);
    Ok(answer::success(&Precreated { out_trade_no: &trade.out_trade_no, qr_code: &qr_code }))
}

/// Why a number that is known gets no second code.
fn repeated(known: &Trade, asked: &Trade, now: DateTime<Utc>) -> Refusal {
    match known.standing(now) {
        Standing::Paid => Refusal::new("ACQ.TRADE_HAS_SUCCESS", "交易已被支付"),
        Standing::Closed => Refusal::new("ACQ.TRADE_HAS_CLOSE", "交易已经关闭"),
        _ if (known.amount, &known.subject) != (asked.amount, &asked.subject) => Refusal::new("ACQ.CONTEXT_INCONSISTENT", "交易信息被篡改"),
        _ => Refusal::new("ACQ.APPLY_PC_MERCHANT_CODE_ERROR", "申请二维码失败，该商户订单号已有二维码"),
    }
}

/// Where notifications of the trade go. A place that this sandbox would never send to is refused here, where it is seen.
fn notify_url(sandbox: &Sandbox, call: &Call) -> Result<Option<String>, Refusal> {
    match call.notify_url.clone() {
        Some(url) if url.len() > NOTIFY_URL_LENGTH => Err(Refusal::invalid("notify_url", "过长")),
        Some(url) if !sandbox.config().may_notify(&url) => {
            Err(Refusal::invalid("notify_url", "不被沙箱允许 (the sandbox notifies this machine only, unless configured)"))
        }
        url => Ok(url),
    }
}

/// The trade that is asked for, with every member checked.
fn asked(content: Content, now: DateTime<Utc>) -> Result<Trade, Refusal> {
    let out_trade_no = required("out_trade_no", content.out_trade_no, OUT_TRADE_NO_LENGTH)?;
    if !out_trade_no.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')) {
        return Err(Refusal::invalid("out_trade_no", "只能包含字母、数字和下划线"));
    }
    let amount = amount(&required("total_amount", content.total_amount, 16)?)?;
    let subject = required("subject", content.subject, SUBJECT_LENGTH)?;
    if subject.contains(['/', '=', '&']) {
        return Err(Refusal::invalid("subject", "不可包含 / = &"));
    }
    let product_code = required("product_code", content.product_code, 64)?;
    if !matches!(product_code.as_str(), "QR_CODE_OFFLINE" | "FACE_TO_FACE_PAYMENT") {
        return Err(Refusal::invalid("product_code", "不适用于该接口"));
    }
    let (expires_at, life) = expiry(content::text(content.time_expire), content::text(content.timeout_express).as_deref(), now)?;
    let code_expires_at = now + CODE_LIFE;
    Ok(Trade {
        wallet: Wallet::Alipay,
        out_trade_no,
        trade_no: None,
        status: TradeStatus::Coded,
        revision: 0,
        amount,
        paid_amount: None,
        subject,
        body: optional("body", content.body, BODY_LENGTH)?,
        passback_params: optional("passback_params", content.passback_params, PASSBACK_LENGTH)?,
        charset: String::new(),
        notify_url: None,
        coded_at: now,
        code_expires_at: expires_at.map_or(code_expires_at, |expires_at| expires_at.min(code_expires_at)),
        expires_at,
        life,
        scanned_at: None,
        paid_at: None,
        closed_at: None,
    })
}

fn amount(text: &str) -> Result<Money, Refusal> {
    let amount = Money::parse_major(text, Currency::Cny).map_err(|_| Refusal::invalid("total_amount", "格式不正确"))?;
    if amount.is_zero() { Err(Refusal::invalid("total_amount", "不在 0.01 到 100000000.00 之间")) } else { Ok(amount) }
}

/// When the buyer can pay no more, or how long the buyer may take from the scan.
fn expiry(
    time_expire: Option<String>,
    timeout_express: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(Option<DateTime<Utc>>, TimeDelta), Refusal> {
    if let Some(text) = time_expire {
        let expires_at = beijing::parse(&text).ok_or_else(|| Refusal::invalid("time_expire", "格式不正确"))?;
        return match expires_at - now {
            left if left <= TimeDelta::zero() => Err(Refusal::new("ACQ.NOW_TIME_AFTER_EXPIRE_TIME_ERROR", "当前时间已超过允许支付的时间")),
            left if left < SHORTEST_LIFE || left > LONGEST_LIFE => Err(Refusal::invalid("time_expire", "须在 1 分钟到 15 天之间")),
            _ => Ok((Some(expires_at), DEFAULT_LIFE)),
        };
    }
    match timeout_express {
        None => Ok((None, DEFAULT_LIFE)),
        Some("1c") => Ok((beijing::end_of_day(now), DEFAULT_LIFE)),
        Some(text) => relative(text).map(|life| (None, life)).ok_or_else(|| Refusal::invalid("timeout_express", "须在 1m 到 15d 之间")),
    }
}

/// Reads `90m`, `12h`, `3d`.
fn relative(text: &str) -> Option<TimeDelta> {
    let digits = text.trim_end_matches(['m', 'h', 'd']);
    if text.len() != digits.len() + 1 || digits.len() > 5 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: i64 = digits.parse().ok()?;
    let life = match text.bytes().next_back()? {
        b'm' => TimeDelta::minutes(count),
        b'h' => TimeDelta::hours(count),
        _ => TimeDelta::days(count),
    };
    (SHORTEST_LIFE..=LONGEST_LIFE).contains(&life).then_some(life)
}

fn required(member: &str, value: Option<Scalar>, most: usize) -> Result<String, Refusal> {
    optional(member, value, most)?.ok_or_else(|| Refusal::invalid(member, "不能为空"))
}

/// Lengths are counted in characters.
fn optional(member: &str, value: Option<Scalar>, most: usize) -> Result<Option<String>, Refusal> {
    match content::text(value) {
        Some(text) if text.chars().count() > most => Err(Refusal::invalid(member, "过长")),
        text => Ok(text),
    }
}

#[cfg(test)]
mod tests;
