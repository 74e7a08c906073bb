//! Why the program ends without having done what was asked.

use chassis::identity::KeyError;
use chassis::seal::KeyRingError;
use command_api::CommandFailure;
use database::DatabaseError;
use event_store::contract::OwnPlacesError;
use event_store::lineage::LineageError;
use event_store::{LogUrlError, OpenError};
use followers::nats::NatsError;
use gateway::alipay::{AlipayConfigError, AlipayStartError};
use gateway::wechat_pay::official_account::OfficialAccountError;
use gateway::wechat_pay::{v2, v3};
use projections::{RebuildError, UnknownView};
use sandbox::SandboxError;
use storefront::StorefrontError;
use storefront::demo::DemoError;
use storefront::order_ids::OrderIdError;

use crate::settings::SettingError;

/// Why the program ends without having done what was asked. Each names what an operator can change.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error("the configuration is refused")]
    Setting(#[from] SettingError),
    #[error("{variable}: the folder {path} cannot be used")]
    Folder {
        variable: &'static str,
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("PAYSTREAM_LISTEN: {address} cannot be listened on")]
    Listen {
        address: String,
        #[source]
        source: std::io::Error,
    },
    #[error("{variable}: the log cannot be opened at {place}")]
    Log {
        variable: &'static str,
        place: String,
        #[source]
        source: OpenError,
    },
    #[error("{variable}: the database cannot be opened at {place}")]
    Database {
        variable: &'static str,
        place: String,
        #[source]
        source: DatabaseError,
    },
    #[error("{variable}: NATS at {place} cannot be used")]
    Nats {
        variable: &'static str,
        place: String,
        #[source]
        source: NatsError,
    },
    #[error("the log's lineage cannot be told")]
    Lineage(#[from] LineageError),
    #[error("{variable}: {path} cannot be used")]
    TokenKey {
        variable: &'static str,
        path: String,
        #[source]
        source: KeyError,
    },
    #[error("{variable}: {path} cannot be used")]
    SealKeys {
        variable: &'static str,
        path: String,
        #[source]
        source: KeyRingError,
    },
    #[error("the configuration of Alipay is refused")]
    Alipay(#[from] AlipayConfigError),
    #[error("Alipay cannot be prepared")]
    AlipayStart(#[from] AlipayStartError),
    #[error("the configuration of WeChat Pay is refused")]
    Wechat(#[from] v3::WechatPayConfigError),
    #[error("WeChat Pay cannot be prepared")]
    WechatStart(#[from] v3::WechatPayStartError),
    #[error("the configuration of WeChat Pay's API v2 is refused")]
    WechatV2(#[from] v2::WechatPayV2ConfigError),
    #[error("WeChat Pay's API v2 cannot be prepared")]
    WechatV2Start(#[from] v2::WechatPayV2StartError),
    #[error("the official account of WeChat is refused")]
    OfficialAccount(#[from] OfficialAccountError),
    #[error("the sandbox cannot be started")]
    Sandbox(#[from] SandboxError),
    #[error("PAYSTREAM_SANDBOX_URL: the sandbox at {url} does not answer")]
    SandboxLink {
        url: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("the demo's data cannot be loaded")]
    Demo(#[from] DemoError),
    #[error("the demo's stock cannot be taken in")]
    DemoStock(#[source] CommandFailure),
    #[error("the shop's state cannot be used")]
    Storefront(#[from] StorefrontError),
    #[error("PAYSTREAM_SNOWFLAKE_WORKER: no worker number for order ids can be had")]
    OrderIds(#[from] OrderIdError),
    #[error("the program's threads cannot be started")]
    Runtime(#[source] std::io::Error),
    #[error("signals cannot be waited for")]
    Signals(#[source] std::io::Error),
    #[error("the logs cannot be set up")]
    Telemetry(#[from] chassis::telemetry::TelemetryError),
    #[error(transparent)]
    View(#[from] UnknownView),
    #[error("the view cannot be made again")]
    Rebuild(#[from] RebuildError),
    #[error("the running server at {url} did not make the view again: {answer}")]
    RemoteRebuild { url: String, answer: String },
    #[error(transparent)]
    UnfitOperator(#[from] crate::parked::UnfitOperator),
    #[error("nothing was done about parked messages")]
    Parked(#[source] command_api::ParkedFailure),
    #[error("the running server did nothing about parked messages: {0}")]
    RemoteParked(String),
    #[error("the store's address is refused")]
    StoreUrl(#[source] LogUrlError),
    #[error("the contract cannot be tried at {place}")]
    ContractPlace {
        place: String,
        #[source]
        source: OwnPlacesError,
    },
    #[error("the log's contract is not kept: {0} of its checks failed")]
    ContractBroken(usize),
    #[error("the running server at {url} did not reconcile: {answer}")]
    NotReconciled { url: String, answer: String },
    #[error("{0} movements of money stand on one side only, or differ")]
    Discrepancies(usize),
    #[error("the running server at {url} does not answer")]
    Remote {
        url: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("the server at {url} may take no traffic: {said}")]
    NotReady { url: String, said: String },
    #[error("{0} of this configuration's settings want to be put right")]
    Misconfigured(usize),
    #[error("--role: {0} is none of buyer, service, operator, auditor")]
    Role(String),
}
