//! The notification of a trade: its members, signed.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::account::{Account, notify_id};
use super::charset::Charset;
use super::form::{self, Members};
use super::{beijing, signature, trade_status};
use crate::SandboxError;
use crate::notification::Message;
use crate::refund::Refund;
use crate::trade::Trade;

/// The one buyer of the sandbox.
pub(super) const BUYER_ID: &str = "2088600000000001";
pub(super) const BUYER_LOGON_ID: &str = "san***@example.com";
const SELLER_EMAIL: &str = "merchant@example.com";

/// Who signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signer {
    /// Alipay, with its own key.
    Alipay,
    /// Somebody who has another key.
    Forger,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Fund<'a> {
    amount: &'a str,
    fund_channel: &'static str,
}

/// Writes and signs the notification of a trade as it stands at `now`. Takes milliseconds of the processor.
///
/// A trade that no buyer has come to has no notification: its `trade_no` and state are then left out.
pub(crate) fn compose(
    account: &Account,
    trade: &Trade,
    refund: Option<&Refund>,
    now: DateTime<Utc>,
    signer: Signer,
) -> Result<Message, SandboxError> {
    let charset = Charset::parse(&trade.charset).unwrap_or(Charset::Utf8);
    let notify_id = notify_id(now);
    let mut members = Members::new();
    let texts = texts(account, trade, now, &notify_id).into_iter().chain(refund.into_iter().flat_map(|refund| told(trade, refund)));
    for (name, text) in texts {
        members.insert(name.to_owned(), charset.encode(&text));
    }
    members.insert("charset".to_owned(), charset.as_str().as_bytes().to_vec());
    if let Some(serial) = account.named_certificate() {
        members.insert("alipay_cert_sn".to_owned(), serial.as_bytes().to_vec());
    }
    let key = match signer {
        Signer::Alipay => &account.platform_key,
        Signer::Forger => &account.app_key,
    };
    let sign = signature::sign(key, &signature::canonical_notification(&members))?;
    members.insert("sign".to_owned(), sign.into_bytes());
    Ok(Message {
        notify_id,
        content_type: format!("application/x-www-form-urlencoded; charset={}", charset.as_str()),
        body: form::write(members.iter().map(|(name, value)| (name.as_str(), value.as_slice()))),
    })
}

fn texts(account: &Account, trade: &Trade, now: DateTime<Utc>, notify_id: &str) -> Vec<(&'static str, String)> {
    let total = trade.total_amount().major_text();
    let mut texts = vec![
        ("notify_time", beijing::text(now)),
        ("notify_type", "trade_status_sync".to_owned()),
        ("notify_id", notify_id.to_owned()),
        ("version", "1.0".to_owned()),
        ("sign_type", "RSA2".to_owned()),
        ("app_id", account.app_id.clone()),
        ("auth_app_id", account.app_id.clone()),
        ("seller_id", account.seller_id.clone()),
        ("seller_email", SELLER_EMAIL.to_owned()),
        ("out_trade_no", trade.out_trade_no.clone()),
        ("subject", trade.subject.clone()),
    ];
    if trade.paid_amount.is_some() {
        let fund = [Fund { amount: &total, fund_channel: "ALIPAYACCOUNT" }];
        let funds = serde_json::to_string(&fund).expect("texts under text keys can always be written");
        texts.extend([
            ("buyer_id", BUYER_ID.to_owned()),
            ("buyer_logon_id", BUYER_LOGON_ID.to_owned()),
            ("buyer_pay_amount", total.clone()),
            ("invoice_amount", total.clone()),
            ("receipt_amount", total.clone()),
            ("point_amount", "0.00".to_owned()),
            ("fund_bill_list", funds),
        ]);
    }
    texts.push(("total_amount", total));
    let optional = [
        ("trade_no", trade.trade_no.clone()),
        ("trade_status", trade_status(trade.standing(now)).map(str::to_owned)),
        ("body", trade.body.clone()),
        ("passback_params", trade.passback_params.clone()),
        ("gmt_create", trade.scanned_at.map(beijing::text)),
        ("gmt_payment", trade.paid_at.map(beijing::text)),
        ("gmt_close", trade.ended_at(now).map(beijing::text)),
    ];
    texts.extend(optional.into_iter().filter_map(|(name, text)| text.map(|text| (name, text))));
    texts
}

/// What a notification says beside the trade where it tells of a refund.
fn told(trade: &Trade, refund: &Refund) -> [(&'static str, String); 4] {
    [
        ("gmt_refund", beijing::fine_text(refund.refunded_at)),
        ("out_biz_no", refund.request_no.clone()),
        // The sum of all refunds so far.
        ("refund_fee", trade.refunded.major_text()),
        ("send_back_fee", refund.amount.major_text()),
    ]
}

#[cfg(test)]
mod tests;
