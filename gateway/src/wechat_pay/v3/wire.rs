//! The members of requests and answers, by WeChat Pay's own names.

use chrono::{DateTime, Utc};
use domain::{Currency, Money};
use serde::{Deserialize, Serialize};

use super::time;

/// The one currency that is taken.
const CNY: &str = "CNY";

/// A payment, the same for all products; those that need no payer have no such member.
#[derive(Serialize)]
pub(super) struct Payment<'a> {
    pub(super) appid: &'a str,
    pub(super) mchid: &'a str,
    pub(super) description: &'a str,
    pub(super) out_trade_no: &'a str,
    pub(super) time_expire: String,
    pub(super) notify_url: &'a str,
    pub(super) amount: Total,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) payer: Option<Payer<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) scene_info: Option<Scene>,
}

#[derive(Serialize)]
pub(super) struct Total {
    /// In fen.
    pub(super) total: i64,
    pub(super) currency: &'static str,
}

#[derive(Serialize)]
pub(super) struct Payer<'a> {
    pub(super) openid: &'a str,
}

#[derive(Serialize)]
pub(super) struct Scene {
    pub(super) payer_client_ip: String,
    pub(super) h5_info: H5Info,
}

#[derive(Serialize)]
pub(super) struct H5Info {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
}

#[derive(Serialize)]
pub(super) struct Close<'a> {
    pub(super) mchid: &'a str,
}

#[derive(Serialize)]
pub(super) struct Refund<'a> {
    pub(super) out_trade_no: &'a str,
    pub(super) out_refund_no: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) notify_url: Option<&'a str>,
    pub(super) amount: RefundTotal,
}

#[derive(Serialize)]
pub(super) struct RefundTotal {
    /// In fen.
    pub(super) refund: i64,
    /// In fen.
    pub(super) total: i64,
    pub(super) currency: &'static str,
}

impl Total {
    pub(super) fn of(amount: Money) -> Self {
        Self { total: amount.amount_minor(), currency: amount.currency().code() }
    }
}

impl RefundTotal {
    pub(super) fn of(refund: Money, total: Money) -> Self {
        Self { refund: refund.amount_minor(), total: total.amount_minor(), currency: total.currency().code() }
    }
}

/// The answer to a precreate; which member it has depends on the product.
#[derive(Deserialize)]
pub(super) struct Prepared {
    #[serde(default)]
    pub(super) code_url: Option<String>,
    #[serde(default)]
    pub(super) h5_url: Option<String>,
    #[serde(default)]
    pub(super) prepay_id: Option<String>,
}

/// A payment as queries and notifications tell it. What an unpaid one lacks is `None`.
#[derive(Deserialize)]
pub(super) struct Trade {
    #[serde(default)]
    pub(super) appid: Option<String>,
    #[serde(default)]
    pub(super) mchid: Option<String>,
    #[serde(default)]
    pub(super) out_trade_no: Option<String>,
    #[serde(default)]
    pub(super) transaction_id: Option<String>,
    #[serde(default, rename = "trade_state")]
    pub(super) state: Option<String>,
    #[serde(default)]
    pub(super) success_time: Option<String>,
    #[serde(default)]
    pub(super) amount: Option<TradeAmount>,
}

#[derive(Deserialize)]
pub(super) struct TradeAmount {
    /// What was asked for, in fen. What the buyer paid of it, after coupons of WeChat Pay's, is another member.
    #[serde(default)]
    pub(super) total: Option<i64>,
    #[serde(default)]
    pub(super) currency: Option<String>,
}

/// A refund as answers and notifications tell it.
#[derive(Deserialize)]
pub(super) struct RefundTold {
    #[serde(default)]
    pub(super) mchid: Option<String>,
    #[serde(default)]
    pub(super) out_trade_no: Option<String>,
    #[serde(default)]
    pub(super) transaction_id: Option<String>,
    #[serde(default)]
    pub(super) out_refund_no: Option<String>,
    /// In answers.
    #[serde(default)]
    pub(super) status: Option<String>,
    /// In notifications.
    #[serde(default)]
    pub(super) refund_status: Option<String>,
    #[serde(default)]
    pub(super) success_time: Option<String>,
    #[serde(default)]
    pub(super) amount: Option<RefundAmount>,
}

#[derive(Deserialize)]
pub(super) struct RefundAmount {
    /// The whole payment, in fen.
    #[serde(default)]
    pub(super) total: Option<i64>,
    /// In fen.
    #[serde(default)]
    pub(super) refund: Option<i64>,
    /// Missing in notifications.
    #[serde(default)]
    pub(super) currency: Option<String>,
}

/// Why a sum is none that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadSum {
    /// Missing, nothing, negative, or beyond all bounds.
    Amount,
    /// In another currency.
    Currency,
}

/// A sum of so many fen; more than nothing.
pub(super) fn sum(fen: Option<i64>, currency: Option<&str>) -> Result<Money, BadSum> {
    if currency.is_some_and(|currency| currency != CNY) {
        return Err(BadSum::Currency);
    }
    let sum = fen.and_then(|fen| Money::new(fen, Currency::Cny).ok());
    sum.filter(|sum| !sum.is_zero()).ok_or(BadSum::Amount)
}

impl TradeAmount {
    pub(super) fn sum(&self) -> Result<Money, BadSum> {
        sum(self.total, self.currency.as_deref())
    }
}

/// A text that says something.
pub(super) fn filled(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

/// The time of a member, where it names one.
pub(super) fn at(text: Option<&String>) -> Option<DateTime<Utc>> {
    text.and_then(|text| time::parse(text))
}
