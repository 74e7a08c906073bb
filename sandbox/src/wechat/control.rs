//! Control routes of WeChat Pay: keys that change while everything runs, and what a merchant sets on the platform's website.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use chassis::extract::Json;
use chassis::problem::{Problem, field};
use serde::{Deserialize, Serialize};

use super::account::SignedBy;
use super::{BASE, WechatCredentials, numbers};
use crate::Sandbox;
use crate::control::problem;

pub(super) fn routes() -> Router<Arc<Sandbox>> {
    Router::new()
        .route(&format!("{BASE}/keys/rotate"), post(rotate))
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
}

/// What the merchant holds after a change.
#[derive(Debug, Serialize)]
struct Changed {
    /// The serial number or id of the new key; none for the keys that are plain texts.
    serial: Option<String>,
    wechat: WechatCredentials,
}

/// Makes a new key of a kind, which is used from now on. Older certificates and public keys stay good until they are
/// retired; the two API keys change at once, as on the real platform.
async fn rotate(State(sandbox): State<Arc<Sandbox>>, Json(Rotate { key }): Json<Rotate>) -> Result<Json<Changed>, Problem> {
    let now = sandbox.now();
    let serial = sandbox.change_wechat(move |texts| match key {
        Kind::PlatformCertificate => texts.add_platform_certificate(now).map(Some),
        Kind::PublicKey => texts.add_public_key().map(Some),
        Kind::MerchantCertificate => texts.add_merchant_certificate(now).map(Some),
        Kind::ApiV3Key => {
            texts.api_v3_key = numbers::nonce(32);
            Ok(None)
        }
        Kind::ApiV2Key => {
            texts.api_v2_key = numbers::nonce(32);
            Ok(None)
        }
    });
    let serial = serial.await.map_err(|error| problem(&error))?;
    tracing::info!(wechat.key = ?key, "a key of the sandbox's WeChat Pay was changed");
    Ok(Json(Changed { serial, wechat: sandbox.wechat().credentials().clone() }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Retire {
    serial: String,
}

/// Takes a certificate or public key out of use. Without platform certificates their list answers as a new merchant's does.
async fn retire(State(sandbox): State<Arc<Sandbox>>, Json(Retire { serial }): Json<Retire>) -> Result<Json<Changed>, Problem> {
    let retired = sandbox.change_wechat(move |texts| Ok(texts.retire(&serial))).await.map_err(|error| problem(&error))?;
    if !retired {
        return Err(Problem::invalid("serial", field::UNKNOWN_VALUE, "must be that of a key that is not the last of its owner"));
    }
    Ok(Json(Changed { serial: None, wechat: sandbox.wechat().credentials().clone() }))
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
    Ok(Json(Changed { serial: None, wechat: sandbox.wechat().credentials().clone() }))
}
