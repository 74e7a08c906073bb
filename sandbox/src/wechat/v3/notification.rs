//! Notifications: an encrypted resource in an envelope, signed anew with each delivery.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::super::account::{Account, ChannelKey};
use super::super::resource::{Sealed, seal};
use super::super::{beijing, numbers};
use super::answer::signed_headers;
use super::refund::told;
use super::transaction::transaction;
use crate::notification::{Message, Signer};
use crate::refund::{Refund, RefundOutcome};
use crate::store::StoreError;
use crate::trade::Trade;
use crate::{Sandbox, SandboxError};

#[derive(Serialize)]
struct Envelope<'a> {
    id: &'a str,
    create_time: String,
    resource_type: &'static str,
    event_type: &'static str,
    summary: &'static str,
    resource: Resource,
}

#[derive(Serialize)]
struct Resource {
    original_type: &'static str,
    #[serde(flatten)]
    sealed: Sealed,
}

/// Writes the notification of a trade as it stands at `now`; with `refund`, of that refund.
pub(in super::super) fn compose(
    account: &Account,
    trade: &Trade,
    refund: Option<&Refund>,
    now: DateTime<Utc>,
) -> Result<Message, SandboxError> {
    let (event_type, summary, original_type) = match refund.map(|refund| refund.outcome) {
        None => ("TRANSACTION.SUCCESS", "支付成功", "transaction"),
        Some(RefundOutcome::Succeeded) => ("REFUND.SUCCESS", "退款成功", "refund"),
        Some(RefundOutcome::Closed) => ("REFUND.CLOSED", "退款关闭", "refund"),
        Some(RefundOutcome::Abnormal) => ("REFUND.ABNORMAL", "退款异常", "refund"),
    };
    let text = match refund {
        None => serde_json::to_string(&transaction(account, trade, now)),
        Some(refund) => serde_json::to_string(&told(account, trade, refund, now)),
    };
    let sealed = seal(&account.texts().api_v3_key, original_type, &text.map_err(StoreError::from)?).map_err(SandboxError::Sealing)?;
    let id = numbers::notification_id();
    let envelope = Envelope {
        id: &id,
        create_time: beijing::rfc3339(now),
        resource_type: "encrypt-resource",
        event_type,
        summary,
        resource: Resource { original_type, sealed },
    };
    let body = serde_json::to_string(&envelope).map_err(StoreError::from)?;
    Ok(Message { notify_id: id, content_type: "application/json".to_owned(), body })
}

/// The headers of one delivery of a notification, by the sandbox's clock. A forger names a key of WeChat Pay's and has
/// another.
pub(crate) async fn notification_headers(
    sandbox: &Sandbox,
    body: &str,
    signer: Signer,
    is_probe: bool,
) -> Result<Vec<(&'static str, String)>, SandboxError> {
    let (account, body, now) = (sandbox.wechat(), body.to_owned(), sandbox.now());
    let signing = tokio::task::spawn_blocking(move || {
        let key = account.notifying_key().ok_or(crate::WechatAccountError::Missing("key to sign with"))?;
        let headers = match signer {
            Signer::Channel => signed_headers(key, body.as_bytes(), now, is_probe),
            Signer::Forger => {
                let forged = ChannelKey { serial: key.serial.clone(), key: account.forger().clone() };
                signed_headers(&forged, body.as_bytes(), now, is_probe)
            }
        };
        Ok(headers?)
    });
    signing.await?
}
