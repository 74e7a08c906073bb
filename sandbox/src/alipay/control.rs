//! Control routes of Alipay: keys that change while everything runs, and whether what it sends names its certificate.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use chassis::extract::Json;
use chassis::problem::{Problem, field};
use serde::{Deserialize, Serialize};

use super::AlipayCredentials;
use super::account::Account;
use crate::Sandbox;
use crate::certificate::valid_for;
use crate::control::{Use, problem};

pub(super) fn routes() -> Router<Arc<Sandbox>> {
    Router::new()
        .route("/sandbox/alipay/keys/rotate", post(rotate))
        .route("/sandbox/alipay/keys/use", post(use_known))
        .route("/sandbox/alipay/keys/retire", post(retire))
        .route("/sandbox/alipay/settings", post(set))
}

/// A kind of key. Each has a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    AlipayKey,
    ApplicationKey,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotate {
    key: Kind,
    #[serde(default, rename = "use")]
    used: Use,
    life_days: Option<u16>,
}

/// What Alipay publishes and the merchant holds after a change.
#[derive(Debug, Serialize)]
struct Changed {
    /// The serial of the new key's certificate; it names the key also where it is used without a certificate.
    serial: Option<String>,
    /// Of a new key of Alipay's, in PEM.
    public_key: Option<String>,
    /// Of a new key of Alipay's, in PEM.
    certificate: Option<String>,
    alipay: AlipayCredentials,
}

impl Changed {
    fn of(account: &Account, serial: Option<String>) -> Self {
        let published = serial.as_deref().and_then(|serial| account.published(serial));
        Self {
            public_key: published.map(|published| published.public_key.clone()),
            certificate: published.map(|published| published.certificate.clone()),
            alipay: account.credentials().clone(),
            serial,
        }
    }
}

/// Makes a new key with its certificate. Alipay signs with its own at once, or when it is told to; older ones stay good
/// until they are retired.
async fn rotate(State(sandbox): State<Arc<Sandbox>>, Json(wish): Json<Rotate>) -> Result<Json<Changed>, Problem> {
    if wish.key == Kind::ApplicationKey && wish.used == Use::Later {
        return Err(Problem::invalid("use", field::INVALID, "is up to the merchant where the key is the application's"));
    }
    let valid = valid_for(sandbox.now(), wish.life_days);
    let serial = sandbox.change_alipay(move |texts| match wish.key {
        Kind::AlipayKey => texts.add_platform_key(valid, wish.used == Use::Now),
        Kind::ApplicationKey => texts.add_application_key(valid),
    });
    let serial = serial.await.map_err(|error| problem(&error))?;
    tracing::info!(alipay.key = ?wish.key, "a key of the sandbox's Alipay was changed");
    Ok(Json(Changed::of(&sandbox.alipay(), Some(serial))))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    serial: String,
}

/// Signs with a key from now on that was made for later.
async fn use_known(State(sandbox): State<Arc<Sandbox>>, Json(Named { serial }): Json<Named>) -> Result<Json<Changed>, Problem> {
    let used = sandbox.change_alipay(move |texts| Ok(texts.use_platform_key(&serial))).await.map_err(|error| problem(&error))?;
    if !used {
        return Err(Problem::invalid("serial", field::UNKNOWN_VALUE, "must be that of a key of Alipay's"));
    }
    Ok(Json(Changed::of(&sandbox.alipay(), None)))
}

/// Takes a key out of use.
async fn retire(State(sandbox): State<Arc<Sandbox>>, Json(Named { serial }): Json<Named>) -> Result<Json<Changed>, Problem> {
    let retired = sandbox.change_alipay(move |texts| Ok(texts.retire(&serial))).await.map_err(|error| problem(&error))?;
    if !retired {
        return Err(Problem::invalid("serial", field::UNKNOWN_VALUE, "must be that of a key that is not the last of its owner"));
    }
    Ok(Json(Changed::of(&sandbox.alipay(), None)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    names_certificates: bool,
}

/// Whether notifications and returns name the certificate that they are signed under, as those of an application with
/// certificates do.
async fn set(State(sandbox): State<Arc<Sandbox>>, Json(settings): Json<Settings>) -> Result<Json<Changed>, Problem> {
    let changed = sandbox.change_alipay(move |texts| {
        texts.names_certificates = settings.names_certificates;
        Ok(())
    });
    changed.await.map_err(|error| problem(&error))?;
    Ok(Json(Changed::of(&sandbox.alipay(), None)))
}
