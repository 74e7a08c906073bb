//! Control routes of WeChat Pay: keys that change while everything runs, and what a merchant sets on the platform's website.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use chassis::extract::Json;
use chassis::problem::{Problem, field};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::account::{Account, SignedBy};
use super::certificate::LIFE;
use super::{BASE, WechatCredentials, numbers};
use crate::Sandbox;
use crate::control::{Use, problem};

pub(super) fn routes() -> Router<Arc<Sandbox>> {
    Router::new()
        .route(&format!("{BASE}/keys/rotate"), post(rotate))
        .route(&format!("{BASE}/keys/use"), post(use_known))
        .route(&format!("{BASE}/keys/retire"), post(retire))
        .route(&format!("{BASE}/settings"), post(set))
}

/// A kind of key.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    PlatformCertificate,
    PublicKey,
    MerchantCertificate,
    ApiV3Key,
    ApiV2Key,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotate {
    key: Kind,
    #[serde(default, rename = "use")]
    used: Use,
    life_days: Option<u16>,
    /// Of a key that is a plain text and that the merchant chooses.
    value: Option<String>,
}

/// What the merchant holds after a change.
#[derive(Debug, Serialize)]
struct Changed {
    /// The serial number or id of the new key; none for the keys that are plain texts.
    serial: Option<String>,
    /// The new public key or certificate, in PEM.
    published: Option<String>,
    wechat: WechatCredentials,
}

impl Changed {
    fn of(account: &Account, serial: Option<String>) -> Self {
        let published = serial.as_deref().and_then(|serial| account.published(serial));
        Self { serial, published, wechat: account.credentials().clone() }
    }
}

/// Makes a new key of a kind. WeChat Pay signs with its own at once, or when it is told to. Older certificates and public keys
/// stay good until they are retired; the two API keys change at once, as on the real platform.
async fn rotate(State(sandbox): State<Arc<Sandbox>>, Json(wish): Json<Rotate>) -> Result<Json<Changed>, Problem> {
    let Rotate { key, used, life_days, value } = wish;
    let is_text = matches!(key, Kind::ApiV3Key | Kind::ApiV2Key);
    let is_key = |value: &String| value.len() == 32 && value.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if value.as_ref().is_some_and(|value| !is_text || !is_key(value)) {
        return Err(Problem::invalid("value", field::INVALID, "must be 32 letters and digits, for an API key"));
    }
    let value = value.unwrap_or_else(|| numbers::nonce(32));
    if used == Use::Later && !matches!(key, Kind::PlatformCertificate | Kind::PublicKey) {
        return Err(Problem::invalid("use", field::INVALID, "can be later only for what WeChat Pay signs with"));
    }
    let (now, is_used) = (sandbox.now(), used == Use::Now);
    let life = life_days.map_or(LIFE, |days| TimeDelta::days(days.into()));
    let serial = sandbox.change_wechat(move |texts| match key {
        Kind::PlatformCertificate => texts.add_platform_certificate(now, life, is_used).map(Some),
        Kind::PublicKey => texts.add_public_key(is_used).map(Some),
        Kind::MerchantCertificate => texts.add_merchant_certificate(now, life).map(Some),
        Kind::ApiV3Key => {
            texts.api_v3_key = value;
            Ok(None)
        }
        Kind::ApiV2Key => {
            texts.api_v2_key = value;
            Ok(None)
        }
    });
    let serial = serial.await.map_err(|error| problem(&error))?;
    tracing::info!(wechat.key = ?key, "a key of the sandbox's WeChat Pay was changed");
    Ok(Json(Changed::of(&sandbox.wechat(), serial)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    serial: String,
}

/// Signs with a certificate or public key from now on that was made for later.
async fn use_known(State(sandbox): State<Arc<Sandbox>>, Json(Named { serial }): Json<Named>) -> Result<Json<Changed>, Problem> {
    let used = sandbox.change_wechat(move |texts| Ok(texts.use_key(&serial))).await.map_err(|error| problem(&error))?;
    if !used {
        return Err(Problem::invalid("serial", field::UNKNOWN_VALUE, "must be that of a key of WeChat Pay's"));
    }
    Ok(Json(Changed::of(&sandbox.wechat(), None)))
}

/// Takes a certificate or public key out of use. Without platform certificates their list answers as a new merchant's does.
async fn retire(State(sandbox): State<Arc<Sandbox>>, Json(Named { serial }): Json<Named>) -> Result<Json<Changed>, Problem> {
    let retired = sandbox.change_wechat(move |texts| Ok(texts.retire(&serial))).await.map_err(|error| problem(&error))?;
    if !retired {
        return Err(Problem::invalid("serial", field::UNKNOWN_VALUE, "must be that of a key that is not the last of its owner"));
    }
    Ok(Json(Changed::of(&sandbox.wechat(), None)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    notifications_signed_by: Option<SignedBy>,
    refund_notify_url: Option<String>,
}

/// Sets what a merchant sets on the platform's website.
async fn set(State(sandbox): State<Arc<Sandbox>>, Json(settings): Json<Settings>) -> Result<Json<Changed>, Problem> {
    if settings.refund_notify_url.as_ref().is_some_and(|url| !sandbox.config().may_notify(url)) {
        return Err(Problem::invalid("refund_notify_url", field::INVALID, "must be an address on this machine, unless configured"));
    }
    let changed = sandbox.change_wechat(move |texts| {
        texts.notifications = settings.notifications_signed_by.unwrap_or(texts.notifications);
        texts.refund_notify_url = settings.refund_notify_url.or(texts.refund_notify_url.take());
        Ok(())
    });
    changed.await.map_err(|error| problem(&error))?;
    Ok(Json(Changed::of(&sandbox.wechat(), None)))
}
