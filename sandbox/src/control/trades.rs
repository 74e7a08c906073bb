//! `/sandbox/trades/{out_trade_no}`: a trade as the channel has it, and paying it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use chassis::extract::{Json, OptionalJson, Path};
use chassis::problem::{Code, Problem, field};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::problem;
use crate::notification::{Delivery, Protocol, Signer};
use crate::payment::{Notify, PayError};
use crate::refund::{Refund, RefundOutcome};
use crate::trade::{Trade, Unpayable, Wallet};
use crate::{Sandbox, SandboxError, alipay, wechat};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pay {
    notify: Option<String>,
}

/// A trade for people and tests. Amounts are in fen.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    out_trade_no: String,
    channel: &'static str,
    status: &'static str,
    trade_no: Option<String>,
    trade_status: Option<&'static str>,
    amount: i64,
    paid_amount: Option<i64>,
    refunded_amount: i64,
    refunds: Vec<ShownRefund>,
    currency: &'static str,
    subject: String,
    product_code: String,
    notify_url: Option<String>,
    return_url: Option<String>,
    cashier_url: String,
    coded_at: DateTime<Utc>,
    code_expires_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    scanned_at: Option<DateTime<Utc>>,
    paid_at: Option<DateTime<Utc>>,
    closed_at: Option<DateTime<Utc>>,
    /// The newest message that the channel itself signed, as it is or would be sent.
    notification: Option<String>,
    /// The headers that it has or would have if it were sent now, signed anew each time; none where the channel has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    notification_headers: Option<BTreeMap<&'static str, String>>,
    deliveries: Vec<ShownDelivery>,
}

#[derive(Debug, Serialize)]
struct ShownRefund {
    request_no: String,
    amount: i64,
    refunded_at: DateTime<Utc>,
    /// The channel's own number.
    #[serde(skip_serializing_if = "Option::is_none")]
    channel_refund_no: Option<String>,
    status: &'static str,
}

#[derive(Debug, Serialize)]
struct ShownDelivery {
    notify_id: String,
    genuine: bool,
    status: &'static str,
    attempts: u32,
    next_attempt_at: Option<DateTime<Utc>>,
    last_outcome: Option<String>,
}

/// Shows a trade.
pub(super) async fn show(State(sandbox): State<Arc<Sandbox>>, Path(out_trade_no): Path<String>) -> Result<Json<Shown>, Problem> {
    let trade = sandbox.store().trade_of_any_wallet(&out_trade_no).await.map_err(|error| problem(&error.into()))?;
    let trade = trade.ok_or_else(Problem::not_found)?;
    shown(&sandbox, trade).await.map_err(|error| problem(&error))
}

/// Pays a trade, or pretends to, and shows it.
pub(super) async fn pay(
    State(sandbox): State<Arc<Sandbox>>,
    Path(out_trade_no): Path<String>,
    OptionalJson(asked): OptionalJson<Pay>,
) -> Result<Json<Shown>, Problem> {
    let notify = match asked.unwrap_or_default().notify {
        None => Notify::default(),
        Some(word) => word.parse().map_err(|_| unknown_notify())?,
    };
    let trade = sandbox.pay(&out_trade_no, notify).await.map_err(|error| match error {
        PayError::UnknownTrade => Problem::not_found(),
        PayError::Unpayable(unpayable) => unpayable_problem(unpayable),
        PayError::Failed(error) => problem(&error),
    })?;
    shown(&sandbox, trade).await.map_err(|error| problem(&error))
}

fn unknown_notify() -> Problem {
    let words = "must be once, never, twice, late:<milliseconds, at most 30 days>, forged, wrong_amount or sign_test";
    Problem::invalid("notify", field::UNKNOWN_VALUE, words)
}

fn unpayable_problem(unpayable: Unpayable) -> Problem {
    let (detail, detail_zh) = match unpayable {
        Unpayable::AlreadyPaid => ("This trade is already paid.", "该交易已支付。"),
        Unpayable::Closed => ("This trade is closed, or the buyer's time is over.", "该交易已关闭或已超时。"),
        Unpayable::CodeExpired => ("This trade's code has expired.", "该交易的二维码已过期。"),
    };
    Problem::new(Code::NotPayable).detail(detail).detail_zh(detail_zh)
}

pub(super) async fn shown(sandbox: &Sandbox, trade: Trade) -> Result<Json<Shown>, SandboxError> {
    let deliveries = sandbox.store().deliveries(&trade).await?;
    let refunds = sandbox.store().refunds(&trade).await?;
    let now = sandbox.now();
    let standing = trade.standing(now);
    let newest = deliveries.iter().rev().find(|delivery| delivery.is_genuine);
    let notification = newest.map(|delivery| delivery.body.clone());
    let notification_headers = match newest {
        Some(delivery) if delivery.protocol == Protocol::WechatV3 => {
            Some(wechat::notification_headers(sandbox, &delivery.body, Signer::Channel, false).await?.into_iter().collect())
        }
        _ => None,
    };
    Ok(Json(Shown {
        channel: trade.wallet.as_str(),
        status: standing.as_str(),
        trade_status: match trade.wallet {
            Wallet::Alipay => alipay::trade_status(standing),
            Wallet::Wechat => Some(wechat::trade_state(&trade, now).as_str()),
        },
        amount: trade.amount.amount_minor(),
        paid_amount: trade.paid_amount.map(domain::Money::amount_minor),
        refunded_amount: trade.refunded.amount_minor(),
        refunds: refunds.into_iter().map(|refund| shown_refund(refund, now)).collect(),
        currency: trade.amount.currency().code(),
        cashier_url: sandbox.cashier_url(&trade.out_trade_no),
        closed_at: trade.ended_at(now),
        out_trade_no: trade.out_trade_no,
        // WeChat Pay numbers payments, not scans.
        trade_no: trade.trade_no.filter(|_| trade.wallet == Wallet::Alipay || trade.paid_at.is_some()),
        subject: trade.subject,
        product_code: trade.product_code,
        notify_url: trade.notify_url,
        return_url: trade.return_url,
        coded_at: trade.coded_at,
        code_expires_at: trade.code_expires_at,
        expires_at: trade.expires_at,
        scanned_at: trade.scanned_at,
        paid_at: trade.paid_at,
        notification,
        notification_headers,
        deliveries: deliveries.into_iter().map(shown_delivery).collect(),
    }))
}

fn shown_refund(refund: Refund, now: DateTime<Utc>) -> ShownRefund {
    ShownRefund {
        amount: refund.amount.amount_minor(),
        refunded_at: refund.refunded_at,
        status: refund.ended(now).map_or("processing", RefundOutcome::as_str),
        channel_refund_no: refund.channel_no,
        request_no: refund.request_no,
    }
}

fn shown_delivery(delivery: Delivery) -> ShownDelivery {
    ShownDelivery {
        notify_id: delivery.notify_id,
        genuine: delivery.is_genuine,
        status: delivery.status.as_str(),
        attempts: delivery.attempts,
        next_attempt_at: delivery.next_due_at,
        last_outcome: delivery.last_outcome,
    }
}
