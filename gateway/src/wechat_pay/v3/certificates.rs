//! Platform certificates: fetched, decrypted, checked, and put beside the keys that are configured.
//!
//! Source: WeChat Pay v3, `GET /v3/certificates`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use chassis::problem::Chain;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use super::client::{Call, CallError, WechatPayClient, code_of};
use super::config::certified;
use super::json::{self, JsonError};
use super::keys::{KeyError, PlatformKey};
use super::resource::{Resource, ResourceError};
use super::time;
use super::transport::ANSWER_LIMIT;
use super::verification::{SignedHeaders, Unverified, is_certificate_serial};
use crate::fetch_turn::{FETCH_RETRY, FetchTurn, FetchTurns, NamedBy};

/// How long a list of certificates is taken for whole. WeChat Pay asks for at most twelve hours.
pub const CERTIFICATES_KEEP: TimeDelta = TimeDelta::hours(6);

/// How long nothing is fetched after it was tried in vain: anybody can send a notification with a made-up serial.
pub const CERTIFICATES_RETRY: TimeDelta = FETCH_RETRY;

/// The most certificates that one list may have.
const CERTIFICATES_LIMIT: usize = 16;

/// What fetching the certificates came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificatesFetched {
    /// So many of them count now.
    Taken(usize),
    /// A fetch that began later was sooner: what that one brought stays.
    Overtaken,
    /// The merchant has none: it uses WeChat Pay's public key alone.
    NoneHere,
}

/// Why the certificates could not be fetched. Those that were there before stay.
#[derive(Debug, thiserror::Error)]
#[error("the platform certificates could not be fetched")]
pub struct CertificatesError(#[source] Failed);

#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    #[error("the call failed")]
    Call(#[source] CallError),
    #[error("WeChat Pay refused: {0}")]
    Refused(String),
    #[error("the list cannot be read")]
    List(#[source] JsonError),
    #[error("a certificate cannot be decrypted")]
    Resource(#[source] ResourceError),
    #[error("a certificate is refused")]
    Certificate(#[source] KeyError),
    #[error("a certificate has another serial number than the list says")]
    OtherSerial,
    #[error("none of the listed certificates counts now")]
    NoneCounts,
    #[error("the list is not signed by a key that is known or one of its own")]
    Unverified(#[source] Unverified),
}

/// When certificates were fetched, and who may fetch them.
#[derive(Debug, Default)]
pub(super) struct Refreshing {
    fetched_at: Mutex<Option<DateTime<Utc>>>,
    turns: FetchTurns,
    /// How many fetches were begun.
    begun: AtomicU64,
    /// Which of them, counted from 1, brought the keys that count now.
    newest: Mutex<u64>,
}

impl Refreshing {
    /// Whether the list is too old at `now`.
    fn is_due(&self, now: DateTime<Utc>) -> bool {
        let fetched_at = *self.fetched_at.lock().unwrap_or_else(PoisonError::into_inner);
        fetched_at.is_none_or(|at| now - at >= CERTIFICATES_KEEP)
    }

    /// The list was fetched.
    fn fetched(&self, now: DateTime<Utc>) {
        *self.fetched_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    /// The number of a fetch that begins.
    fn begin(&self) -> u64 {
        self.begun.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Has what a fetch brought replace what was there, and answers whether it did. Several may be under way at once, and a
    /// slow one must not take away a certificate that came into use meanwhile.
    fn replace(&self, number: u64, with: impl FnOnce()) -> bool {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let is_newer = number > *newest;
        if is_newer {
            *newest = number;
            with();
        }
        is_newer
    }
}

#[derive(Deserialize)]
struct List {
    data: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    serial_no: String,
    effective_time: String,
    expire_time: String,
    encrypt_certificate: Resource,
}

impl WechatPayClient {
    /// Fetches the list if it may hold the certificate of this serial number and nobody knows it yet, or waits for whoever
    /// is fetching it.
    pub(super) async fn fetch_certificate(&self, serial: &str, by: NamedBy) {
        let is_known = || self.keys().get(serial).is_some();
        if !self.config.fetch_platform_certificates || !is_certificate_serial(serial) || is_known() {
            return;
        }
        let (now, turn) = (self.clock.now(), self.refreshing.turns.of(by));
        let _fetching = turn.held.lock().await;
        if !is_known() && turn.may_ask(now) {
            self.fetch_and_log(turn, now).await;
            if !is_known() {
                turn.in_vain(now);
            }
        }
    }

    /// Fetches the certificates if that is configured and due, or waits for whoever is fetching them. What goes wrong is
    /// logged: the calls go on with the keys that are known.
    pub async fn refresh_if_due(&self) {
        let now = self.clock.now();
        if !self.config.fetch_platform_certificates || !self.refreshing.is_due(now) {
            return;
        }
        let turn = self.refreshing.turns.of(NamedBy::Answer);
        let _fetching = turn.held.lock().await;
        if self.refreshing.is_due(now) && turn.may_ask(now) {
            self.fetch_and_log(turn, now).await;
        }
    }

    async fn fetch_and_log(&self, turn: &FetchTurn, now: DateTime<Utc>) {
        match self.fetch_certificates().await {
            Ok(fetched) => tracing::info!(?fetched, "platform certificates were fetched"),
            Err(error) => {
                turn.in_vain(now);
                tracing::warn!(error = %Chain(&error), "platform certificates could not be fetched");
            }
        }
    }

    /// Fetches the platform certificates now and uses those that count, beside the configured keys.
    pub async fn fetch_certificates(&self) -> Result<CertificatesFetched, CertificatesError> {
        self.fetch().await.map(|(fetched, _)| fetched).map_err(CertificatesError)
    }

    /// Also answers whether a key that was known before signed the list.
    pub(super) async fn fetch(&self) -> Result<(CertificatesFetched, bool), Failed> {
        let number = self.refreshing.begin();
        let answer = self.send(&Call::get("/v3/certificates".to_owned()), ANSWER_LIMIT).await.map_err(Failed::Call)?;
        let now = self.clock.now();
        if answer.status == 404 && code_of(&answer.body).as_deref() == Some("RESOURCE_NOT_EXISTS") {
            self.refreshing.fetched(now);
            return Ok((CertificatesFetched::NoneHere, false));
        }
        if answer.status != 200 {
            return Err(Failed::Refused(code_of(&answer.body).unwrap_or_else(|| format!("http_{}", answer.status))));
        }
        let headers = SignedHeaders::read(&answer.headers).map_err(Failed::Unverified)?;
        let known = self.keys();
        // A list that a known key signed is believed before it is read. The very first may be signed by one of its own;
        // then the API v3 key, which nobody else has, and the authority, where one is configured, speak for it.
        let is_known = known.get(headers.serial).is_some();
        if is_known {
            headers.verify(&answer.body, &known, now).map_err(Failed::Unverified)?;
        }
        let listed = self.read_list(&answer.body, now)?;
        let taken = listed.len();
        let mut keys = self.config.platform_keys.clone();
        for (serial, key) in listed {
            keys.insert(serial, key);
        }
        keys.drop_expired(now);
        if !is_known {
            headers.verify(&answer.body, &keys, now).map_err(Failed::Unverified)?;
        }
        let is_newest = self.refreshing.replace(number, || self.replace_keys(keys));
        self.refreshing.fetched(now);
        Ok((if is_newest { CertificatesFetched::Taken(taken) } else { CertificatesFetched::Overtaken }, is_known))
    }

    /// The keys of a list's certificates that count at `now`. Errors also where one that should count is not what the list
    /// says of it, or none counts.
    fn read_list(&self, body: &[u8], now: DateTime<Utc>) -> Result<Vec<(String, PlatformKey)>, Failed> {
        let list: List = json::read(body).map_err(Failed::List)?;
        if list.data.len() > CERTIFICATES_LIMIT {
            return Err(Failed::List(JsonError::Shape));
        }
        let mut keys = Vec::new();
        for listed in &list.data {
            let times = time::parse(&listed.effective_time).zip(time::parse(&listed.expire_time));
            let (effective, expires) = times.ok_or(Failed::List(JsonError::Shape))?;
            if now < effective || now > expires {
                continue;
            }
            let text = self.config.api_v3_key.open(&listed.encrypt_certificate).map_err(Failed::Resource)?;
            let text = str::from_utf8(&text).map_err(|_| Failed::Certificate(KeyError::Unreadable))?;
            let config = &self.config;
            match certified(text, config.platform_authority.as_ref(), &config.merchant_key, now) {
                Ok((serial, key)) if serial == listed.serial_no.to_ascii_uppercase() => keys.push((serial, key.until(expires))),
                Ok(_) => return Err(Failed::OtherSerial),
                // Its own dates may lie within those of the list; the next fetch looks again.
                Err(KeyError::NotYetValid | KeyError::Expired) => {}
                Err(error) => return Err(Failed::Certificate(error)),
            }
        }
        if keys.is_empty() { Err(Failed::NoneCounts) } else { Ok(keys) }
    }

    /// The keys that a list's certificates hold, without a look at their times.
    #[cfg(test)]
    pub(super) fn texts_of_list(&self, body: &[u8]) -> std::collections::BTreeMap<String, String> {
        let list: List = json::read(body).unwrap();
        let text = |listed: &Listed| String::from_utf8(self.config.api_v3_key.open(&listed.encrypt_certificate).unwrap()).unwrap();
        list.data.iter().map(|listed| (listed.serial_no.clone(), text(listed))).collect()
    }
}

#[cfg(test)]
pub(super) mod tests;
