//! WeChat Pay's side: its APIv3 and the protocol before it, the orders behind both, and the notifications it sends.
//!
//! Source: the rules of WeChat Pay's APIv3 and v2 for merchants of their own.

mod account;
mod beijing;
mod bill;
mod certificate;
mod control;
mod credentials;
mod numbers;
mod oauth;
mod order;
mod refund;
mod resource;
mod scan;
mod signature;
mod v2;
mod v3;

use std::sync::Arc;

use axum::Router;
use chrono::{DateTime, TimeDelta, Utc};

pub use account::AccountError;
pub(crate) use account::{Account, AccountTexts};
pub use credentials::{PlatformCertificate, WechatCredentials};
pub(crate) use numbers::transaction_id;
pub(crate) use oauth::Codes as OauthCodes;
pub(crate) use order::{Prepay, trade_state};
pub(crate) use refund::by_staff as refund_by_staff;
pub use resource::SealError;
pub(crate) use v2::is_acknowledgement;
pub(crate) use v3::notification_headers;

use crate::notification::{Message, Protocol, Signer};
use crate::refund::Refund;
use crate::trade::Trade;
use crate::{Sandbox, SandboxError};
use v2::signature::SignType;

/// What WeChat Pay's addresses are under here: an SDK's `https://api.mch.weixin.qq.com` is replaced by the sandbox's own
/// address and this.
const BASE: &str = "/sandbox/wechat";

/// The heading of the cashier.
pub(crate) const CASHIER_TITLE: &str = "微信支付沙箱 · WeChat Pay sandbox";

/// The largest request that is read, in bytes.
const REQUEST_LIMIT: usize = 256 * 1024;

/// The waits between the deliveries of a notification, 24 hours and 4 minutes in all.
pub(crate) const NOTIFY_LADDER: [TimeDelta; 15] = [
    TimeDelta::seconds(15),
    TimeDelta::seconds(15),
    TimeDelta::seconds(30),
    TimeDelta::minutes(3),
    TimeDelta::minutes(10),
    TimeDelta::minutes(20),
    TimeDelta::minutes(30),
    TimeDelta::minutes(30),
    TimeDelta::minutes(30),
    TimeDelta::minutes(60),
    TimeDelta::hours(3),
    TimeDelta::hours(3),
    TimeDelta::hours(3),
    TimeDelta::hours(6),
    TimeDelta::hours(6),
];

/// The routes that a merchant's SDK, a buyer's browser and a test call.
pub(crate) fn routes() -> Router<Arc<Sandbox>> {
    Router::new().merge(v3::routes()).merge(v2::routes()).merge(oauth::routes()).merge(control::routes()).merge(scan::routes())
}

/// Writes the notification of a trade as it stands at `now`; with `refund`, of that refund.
pub(crate) fn compose(
    account: &Account,
    trade: &Trade,
    refund: Option<&Refund>,
    now: DateTime<Utc>,
    signer: Signer,
) -> Result<(Message, Protocol), SandboxError> {
    let sign_type = trade.wechat.as_ref().and_then(|prepay| SignType::of_api(prepay.api));
    let is_by_staff = refund.is_some_and(|refund| refund.is_by_staff);
    match sign_type {
        // What is signed of it is signed with each delivery.
        None if !is_by_staff => Ok((v3::compose(account, trade, refund, now)?, Protocol::WechatV3)),
        // The website tells of its refunds in the old form, whatever the order was made by.
        sign_type => Ok((v2::compose(account, trade, refund, now, sign_type.unwrap_or(SignType::Md5), signer), Protocol::WechatV2)),
    }
}
