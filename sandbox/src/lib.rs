//! Payment channels simulated with state, at their own endpoints and with real signatures under throwaway keys.
//!
//! A product feature: demonstrations and tests run on it, and any SDK can be pointed at it. Each
//! channel has a module of its own beside what all channels share (trades, notifications, faults, the clock).

mod alipay;
mod archive;
mod cashier;
mod certificate;
mod config;
mod control;
mod delivery;
mod fault;
mod movement;
mod notification;
mod payment;
mod refund;
mod store;
mod trade;
mod wechat;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::DATE;
use axum::response::Response;
use axum::{Router, middleware};
use chassis::clock::{Clock, SystemClock};
use chassis::problem::{unknown_method, unknown_route};
use chrono::{DateTime, Utc};
use database::Database;
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, Notify};

pub use alipay::{AccountError, AlipayCertificateFiles, AlipayCredentials};
pub use certificate::CertificateError;
pub use config::{NotifyScale, NotifyScaleError, SandboxConfig};
pub use store::StoreError;
pub use wechat::{AccountError as WechatAccountError, PlatformCertificate, SealError, WechatCredentials};

use fault::{Fault, Operation};
use store::Store;
use trade::Wallet;

/// How often a change is tried that others keep overtaking.
const CHANGE_TRIES: u32 = 5;

/// The simulated channels with their state.
pub struct Sandbox {
    config: SandboxConfig,
    store: Store,
    clock: Arc<SystemClock>,
    /// Held while the clock is moved, so that what is kept and what runs are moved together.
    clock_move: Mutex<()>,
    /// Replaced whole when keys change.
    alipay: RwLock<Arc<alipay::Account>>,
    alipay_change: Mutex<()>,
    /// The same.
    wechat: RwLock<Arc<wechat::Account>>,
    wechat_change: Mutex<()>,
    oauth: wechat::OauthCodes,
    client: reqwest::Client,
    wake: Notify,
}

/// What merchants of this sandbox hold, channel by channel. Printing it shows no private key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// Alipay's.
    pub alipay: AlipayCredentials,
    /// WeChat Pay's.
    pub wechat: WechatCredentials,
}

/// Why the sandbox failed.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// Its state cannot be read or written.
    #[error("the sandbox's state cannot be used")]
    Store(#[from] StoreError),
    /// The merchant account cannot be made or read.
    #[error("the sandbox's Alipay account cannot be used")]
    Account(#[from] AccountError),
    /// WeChat Pay's merchant account cannot be made or read.
    #[error("the sandbox's WeChat Pay account cannot be used")]
    WechatAccount(#[from] WechatAccountError),
    /// The client that carries notifications cannot be made.
    #[error("no client for notifications can be made")]
    Client(#[source] reqwest::Error),
    /// Something could not be signed.
    #[error("a text cannot be signed")]
    Signing(#[from] rsa::signature::Error),
    /// A bill could not be packed.
    #[error("a bill cannot be packed")]
    Archive(#[source] std::io::Error),
    /// Something could not be encrypted.
    #[error("a text cannot be encrypted")]
    Sealing(#[source] SealError),
    /// Work on another thread was cut off.
    #[error("work on another thread was cut off")]
    Cut(#[from] tokio::task::JoinError),
    /// Others changed the same trade again and again.
    #[error("others keep changing the same trade")]
    Contended,
}

async fn dated(State(sandbox): State<Arc<Sandbox>>, mut response: Response) -> Response {
    // As HTTP writes it, in whole seconds.
    let date = sandbox.now().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    if let Ok(date) = HeaderValue::from_str(&date) {
        response.headers_mut().insert(DATE, date);
    }
    response
}

async fn alipay_account(store: &Store) -> Result<alipay::AccountTexts, SandboxError> {
    match store.account().await? {
        Some(texts) => Ok(texts),
        None => Ok(store.keep_account(&tokio::task::spawn_blocking(alipay::AccountTexts::make).await??).await?),
    }
}

async fn wechat_account(store: &Store, now: DateTime<Utc>) -> Result<wechat::AccountTexts, SandboxError> {
    if let Some(texts) = store.wechat_account().await? {
        return Ok(texts);
    }
    let texts = tokio::task::spawn_blocking(move || wechat::AccountTexts::make(now)).await??;
    Ok(store.keep_wechat_account(&texts).await?)
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("config", &self.config).field("alipay", &self.alipay()).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Opens the sandbox whose state lies in `database`, an own SQLite file; makes tables, account and keys at the first start.
    ///
    /// `clock` is set to run as far ahead as it did before. Making keys takes up to some seconds.
    pub async fn open(config: SandboxConfig, database: Database, clock: Arc<SystemClock>) -> Result<Arc<Self>, SandboxError> {
        let store = Store::open(database).await?;
        clock.set_offset_ms(store.clock_offset_ms().await?);
        // Both accounts' keys are made at once, on as many processors as there are.
        let (alipay, wechat) = tokio::join!(alipay_account(&store), wechat_account(&store, clock.now()));
        let alipay = alipay::Account::open(alipay?, &config.public_url)?;
        let wechat = wechat::Account::open(wechat?, &config.public_url)?;
        Ok(Arc::new(Self {
            client: delivery::client()?,
            config,
            store,
            clock,
            clock_move: Mutex::new(()),
            alipay: RwLock::new(Arc::new(alipay)),
            alipay_change: Mutex::new(()),
            wechat: RwLock::new(Arc::new(wechat)),
            wechat_change: Mutex::new(()),
            oauth: wechat::OauthCodes::default(),
            wake: Notify::new(),
        }))
    }

    /// All routes, under `/sandbox/`. They need no bearer token. Every answer's `Date` is the sandbox's own time, by which
    /// merchants see whether their clock is right.
    pub fn router(self: &Arc<Self>) -> Router {
        Router::new()
            .merge(alipay::routes())
            .merge(cashier::routes())
            .merge(control::routes())
            .merge(wechat::routes())
            .route("/sandbox/{*rest}", axum::routing::any(unknown_route))
            .method_not_allowed_fallback(unknown_method)
            .layer(middleware::map_response_with_state(self.clone(), dated))
            .with_state(self.clone())
    }

    /// Ends the use of the state once nobody is answered any more; its file then stands alone, without a write-ahead log
    /// beside it. Who asks afterwards is told that the state is not there.
    pub async fn close(&self) {
        self.store.close().await;
    }

    /// What merchants of this sandbox hold.
    pub fn credentials(&self) -> Credentials {
        Credentials { alipay: self.alipay().credentials().clone(), wechat: self.wechat().credentials().clone() }
    }

    /// The sandbox's time.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub(crate) fn clock_offset_ms(&self) -> i64 {
        self.clock.offset_ms()
    }

    /// Moves the clock ahead and keeps by how much. False if it would run ahead by more than `longest_offset_ms`.
    pub(crate) async fn advance_clock(&self, advance_ms: i64, longest_offset_ms: i64) -> Result<bool, SandboxError> {
        let _held = self.clock_move.lock().await;
        let offset_ms = self.clock.offset_ms().saturating_add(advance_ms);
        if offset_ms > longest_offset_ms {
            return Ok(false);
        }
        self.store.keep_clock_offset_ms(offset_ms).await?;
        self.clock.set_offset_ms(offset_ms);
        tracing::info!(clock.offset_ms = offset_ms, "the sandbox's clock was moved");
        self.wake();
        Ok(true)
    }

    pub(crate) async fn add_fault(
        &self,
        wallet: Option<Wallet>,
        operation: Operation,
        fault: Fault,
        count: u32,
    ) -> Result<(), SandboxError> {
        self.store.add_fault(wallet, operation, fault, count).await?;
        tracing::info!(sandbox.operation = operation.as_str(), sandbox.fault = fault.as_str(), count, "a fault was asked for");
        Ok(())
    }

    /// The fault that hits this call, if one does; it is used up by that.
    pub(crate) async fn take_fault(&self, wallet: Wallet, operation: Operation) -> Result<Option<Fault>, StoreError> {
        self.store.take_fault(wallet, operation).await
    }

    /// Where a buyer's phone is led by the code of a trade.
    pub(crate) fn cashier_url(&self, out_trade_no: &str) -> String {
        format!("{}{}", self.config.public_url, cashier::path(out_trade_no))
    }

    pub(crate) fn config(&self) -> &SandboxConfig {
        &self.config
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Alipay's account as it is now; keys may be changed later.
    pub(crate) fn alipay(&self) -> Arc<alipay::Account> {
        self.alipay.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes Alipay's account, one change at a time, and keeps it. `change` may take seconds of the processor.
    pub(crate) async fn change_alipay<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut alipay::AccountTexts) -> Result<T, AccountError> + Send + 'static,
    ) -> Result<T, SandboxError> {
        let _held = self.alipay_change.lock().await;
        let (mut texts, public_url) = (self.alipay().texts().clone(), self.config.public_url.clone());
        let changing = move || {
            let outcome = change(&mut texts)?;
            Ok::<_, AccountError>((alipay::Account::open(texts, &public_url)?, outcome))
        };
        let (account, outcome) = tokio::task::spawn_blocking(changing).await??;
        self.store.replace_account(account.texts()).await?;
        *self.alipay.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(account);
        Ok(outcome)
    }

    /// WeChat Pay's account as it is now; keys may be changed later.
    pub(crate) fn wechat(&self) -> Arc<wechat::Account> {
        self.wechat.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes WeChat Pay's account, one change at a time, and keeps it. `change` may take seconds of the processor.
    pub(crate) async fn change_wechat<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut wechat::AccountTexts) -> Result<T, WechatAccountError> + Send + 'static,
    ) -> Result<T, SandboxError> {
        let _held = self.wechat_change.lock().await;
        let mut texts = self.wechat().texts().clone();
        let (texts, outcome) = tokio::task::spawn_blocking(move || change(&mut texts).map(|outcome| (texts, outcome))).await??;
        let account = wechat::Account::open(texts, &self.config.public_url)?;
        self.store.replace_wechat_account(account.texts()).await?;
        *self.wechat.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(account);
        Ok(outcome)
    }

    pub(crate) fn oauth(&self) -> &wechat::OauthCodes {
        &self.oauth
    }

    pub(crate) fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// Makes the delivery loop look at what is due.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }
}
