//! What a merchant asks a buyer to pay: the members that precreate, page.pay and wap.pay share.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{Currency, Money};
use serde::Deserialize;

use super::answer::Refusal;
use super::beijing;
use super::content::{self, Scalar};
use super::request::Call;
use crate::Sandbox;
use crate::trade::{Trade, TradeStatus, Wallet};

const SHORTEST_LIFE: TimeDelta = TimeDelta::minutes(1);
const LONGEST_LIFE: TimeDelta = TimeDelta::days(15);

const OUT_TRADE_NO_LENGTH: usize = 64;
const SUBJECT_LENGTH: usize = 256;
const BODY_LENGTH: usize = 128;
const PASSBACK_LENGTH: usize = 512;
const URL_LENGTH: usize = 256;
const QUIT_URL_LENGTH: usize = 400;

/// A product of Alipay's.
#[derive(Debug)]
pub(super) struct Product {
    codes: &'static [&'static str],
    /// How long a buyer may come with what the merchant has.
    code_life: TimeDelta,
    /// How long a buyer who has come may take where the merchant says nothing.
    default_life: TimeDelta,
}

impl Product {
    /// Whether it goes by this code.
    pub(super) fn has(&self, product_code: &str) -> bool {
        self.codes.contains(&product_code)
    }
}

/// A code that a buyer scans.
pub(super) const SCANNED: Product =
    Product { codes: &["QR_CODE_OFFLINE", "FACE_TO_FACE_PAYMENT"], code_life: TimeDelta::hours(2), default_life: TimeDelta::hours(3) };

/// A page in a desktop's browser.
pub(super) const PAGE: Product = Product { codes: &["FAST_INSTANT_TRADE_PAY"], code_life: LONGEST_LIFE, default_life: LONGEST_LIFE };

/// A page in a phone's browser, which opens Alipay's app where there is one.
pub(super) const WAP: Product = Product { codes: &["QUICK_WAP_WAY"], code_life: LONGEST_LIFE, default_life: LONGEST_LIFE };

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
    quit_url: Option<Scalar>,
}

impl Content {
    /// The merchant's number, unchecked.
    pub(super) fn out_trade_no(&self) -> Option<String> {
        content::text(self.out_trade_no.clone())
    }
}

/// Whether two trades of one number were asked for with the same content.
pub(super) fn is_same(known: &Trade, asked: &Trade) -> bool {
    let content = |trade: &Trade| (trade.amount, trade.subject.clone(), trade.product_code.clone());
    content(known) == content(asked)
}

fn is_web(url: &str) -> bool {
    reqwest::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

/// Where the browser goes after the payment.
pub(super) fn return_url(call: &Call) -> Result<Option<String>, Refusal> {
    match call.return_url.clone() {
        Some(url) if url.len() > URL_LENGTH || !is_web(&url) => Err(Refusal::invalid("return_url", "须为 256 字以内的网址")),
        url => Ok(url),
    }
}

/// Where notifications of the trade go. A place that this sandbox would never send to is refused here, where it is seen.
pub(super) fn notify_url(sandbox: &Sandbox, call: &Call) -> Result<Option<String>, Refusal> {
    match call.notify_url.clone() {
        Some(url) if url.len() > URL_LENGTH => Err(Refusal::invalid("notify_url", "过长")),
        Some(url) if !sandbox.config().may_notify(&url) => {
            Err(Refusal::invalid("notify_url", "不被沙箱允许 (the sandbox notifies this machine only, unless configured)"))
        }
        url => Ok(url),
    }
}

/// The trade that is asked for at `now`, with every member checked.
pub(super) fn asked(content: Content, product: &Product, now: DateTime<Utc>) -> Result<Trade, Refusal> {
    let out_trade_no = content::required("out_trade_no", content.out_trade_no, OUT_TRADE_NO_LENGTH)?;
    if !out_trade_no.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')) {
        return Err(Refusal::invalid("out_trade_no", "只能包含字母、数字和下划线"));
    }
    let amount = amount(&content::required("total_amount", content.total_amount, 16)?)?;
    let subject = content::required("subject", content.subject, SUBJECT_LENGTH)?;
    if subject.contains(['/', '=', '&']) {
        return Err(Refusal::invalid("subject", "不可包含 / = &"));
    }
    let product_code = content::required("product_code", content.product_code, 64)?;
    if !product.has(&product_code) {
        return Err(Refusal::invalid("product_code", "不适用于该接口"));
    }
    if content::optional("quit_url", content.quit_url, QUIT_URL_LENGTH)?.is_some_and(|url| !is_web(&url)) {
        return Err(Refusal::invalid("quit_url", "须为网址"));
    }
    let (time_expire, timeout_express) = (content::text(content.time_expire), content::text(content.timeout_express));
    let (expires_at, life) = expiry(time_expire, timeout_express.as_deref(), product.default_life, now)?;
    let code_expires_at = now + product.code_life;
    Ok(Trade {
        wallet: Wallet::Alipay,
        out_trade_no,
        trade_no: None,
        status: TradeStatus::Coded,
        revision: 0,
        amount,
        paid_amount: None,
        refunded: Money::zero(Currency::Cny),
        product_code,
        subject,
        body: content::optional("body", content.body, BODY_LENGTH)?,
        passback_params: content::optional("passback_params", content.passback_params, PASSBACK_LENGTH)?,
        charset: String::new(),
        notify_url: None,
        return_url: None,
        coded_at: now,
        code_expires_at: expires_at.map_or(code_expires_at, |expires_at| expires_at.min(code_expires_at)),
        expires_at,
        life,
        scanned_at: None,
        paid_at: None,
        closed_at: None,
        refunded_at: None,
        wechat: None,
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
    default_life: TimeDelta,
    now: DateTime<Utc>,
) -> Result<(Option<DateTime<Utc>>, TimeDelta), Refusal> {
    if let Some(text) = time_expire {
        let expires_at = beijing::parse(&text).ok_or_else(|| Refusal::invalid("time_expire", "格式不正确"))?;
        return match expires_at - now {
            left if left <= TimeDelta::zero() => Err(Refusal::new("ACQ.NOW_TIME_AFTER_EXPIRE_TIME_ERROR", "当前时间已超过允许支付的时间")),
            left if left < SHORTEST_LIFE || left > LONGEST_LIFE => Err(Refusal::invalid("time_expire", "须在 1 分钟到 15 天之间")),
            _ => Ok((Some(expires_at), default_life)),
        };
    }
    match timeout_express {
        None => Ok((None, default_life)),
        Some("1c") => Ok((beijing::end_of_day(now), default_life)),
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

#[cfg(test)]
mod tests;
