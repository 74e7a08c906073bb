//! Notifications of refunds. They are encrypted and not signed, so they prove nothing: whoever reads one asks the channel
//! before anything is booked.
//!
//! Source: WeChat Pay's page of the result of a refund.

use super::answer::{SUCCESS, text};
use super::config::WechatPayV2Config;
use super::notification::amount;
use super::xml::{self, Members};
use super::{refund, seal};
use crate::{News, Notification, NotificationRefusal};

/// The member that tells a refund's notification from a payment's.
pub(super) const SEALED: &str = "req_info";

/// The root of what is inside.
const ROOT: &str = "root";

/// Reads what is inside the sealed member. Errors: the first check that fails.
pub(super) fn read(outer: &Members, sealed: &str, config: &WechatPayV2Config) -> Result<Notification, NotificationRefusal> {
    if text(outer, "return_code") != Some(SUCCESS) {
        return Err(NotificationRefusal::Malformed);
    }
    let members = opened(sealed, config)?;
    // These two stand outside; only now it is known that somebody with our key wrote what is inside.
    if !text(outer, "appid").is_some_and(|app_id| config.is_our_app(app_id)) {
        return Err(NotificationRefusal::AppIdMismatch);
    }
    if text(outer, "mch_id") != Some(&config.mch_id) {
        return Err(NotificationRefusal::MerchantIdMismatch);
    }
    let number = |name: &str| text(&members, name).map(str::to_owned).ok_or(NotificationRefusal::Incomplete);
    let status = number("refund_status")?;
    let total = amount(&members, "total_fee")?;
    let refunded = amount(&members, "refund_fee")?;
    if refunded.is_zero() || refunded.amount_minor() > total.amount_minor() {
        return Err(NotificationRefusal::BadAmount);
    }
    Ok(Notification {
        // The channel gives notifications no id; a refund is told of once for each state.
        notify_id: format!("{status}-{}", number("refund_id")?),
        out_trade_no: number("out_trade_no")?,
        trade_no: number("transaction_id")?,
        amount: total,
        news: News::Refund {
            refund_no: number("out_refund_no")?,
            amount: refunded,
            state: refund::state(&status, text(&members, "success_time")),
        },
        query_first: true,
    })
}

/// What one of our keys opens. A wrong key shows in the padding and, where that fits by chance, in what comes out.
fn opened(sealed: &str, config: &WechatPayV2Config) -> Result<Members, NotificationRefusal> {
    let open = |key: &str| xml::read(&seal::open(sealed, key).ok()?, ROOT).ok();
    config.signer.keys().find_map(open).ok_or(NotificationRefusal::NotEncryptedForUs)
}

#[cfg(test)]
mod tests;
