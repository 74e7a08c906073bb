//! What the variables mean, checked whole before anything is started.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chassis::admission::{AdmissionConfig, Rate, RateError};
use chassis::client_address::TrustedProxies;
use chassis::problem::Chain;
use chassis::telemetry::{LogFormat, check_filter};
use chrono::TimeDelta;
use command_api::CouponRule;
use database::DatabaseUrl;
use domain::Channel;
use event_store::LogUrl;
use gateway::alipay::AlipaySettings;
use sandbox::NotifyScale;

use crate::variables::{self, Typed};
use crate::wechat::WechatMerchant;

pub(crate) use nats::NatsSettings;

mod alipay;
mod coupons;
mod nats;
mod wechat;

/// Why the configuration is refused. Each names the variable, and none repeats a secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingError {
    #[error("there is no variable {0}")]
    UnknownVariable(String),
    #[error("{path} has a member {key}, which is unknown")]
    UnknownMember { path: String, key: String },
    #[error("{path} cannot be read: {reason}")]
    File { path: String, reason: String },
    #[error("{variable}: {expected}")]
    Invalid { variable: &'static str, expected: String },
    #[error("{variable} is missing: Alipay is configured by all of its variables or by none")]
    Missing { variable: &'static str },
    #[error("{variable} is missing: no channel could send a notification to http://{listen}")]
    NoPublicUrl { variable: &'static str, listen: SocketAddr },
    #[error("{variable}: the file {path} cannot be read")]
    KeyFile {
        variable: &'static str,
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("a live channel (PAYSTREAM_ALIPAY_… or PAYSTREAM_WECHAT_…) and the sandbox exclude each other")]
    SandboxBesideLiveKeys,
}

/// A part of the system that a process may play.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    CommandApi,
    QueryApi,
    Projections,
    Relay,
    ProcessManagers,
    Sandbox,
}

impl Role {
    const ALL: [(Self, &'static str); 6] = [
        (Self::CommandApi, "command-api"),
        (Self::QueryApi, "query-api"),
        (Self::Projections, "projections"),
        (Self::Relay, "relay"),
        (Self::ProcessManagers, "process-managers"),
        (Self::Sandbox, "sandbox"),
    ];
}

/// Where Alipay is.
pub(crate) enum AlipaySource {
    /// The real one.
    Live(Box<AlipaySettings>),
    /// The sandbox of this process.
    OwnSandbox,
    /// A sandbox in another process.
    SandboxAt(String),
    /// This process needs none.
    None,
}

/// The whole configuration.
pub(crate) struct Settings {
    pub(crate) listen: SocketAddr,
    pub(crate) data: PathBuf,
    pub(crate) public_url: String,
    pub(crate) roles: BTreeSet<Role>,
    pub(crate) event_store: LogUrl,
    pub(crate) views: DatabaseUrl,
    pub(crate) state: DatabaseUrl,
    pub(crate) nats: Option<NatsSettings>,
    pub(crate) order_life: TimeDelta,
    pub(crate) coupon: Option<CouponRule>,
    pub(crate) snowflake_worker: Option<u16>,
    pub(crate) demo: bool,
    pub(crate) log_filter: String,
    pub(crate) log_format: LogFormat,
    pub(crate) token_issuer: String,
    pub(crate) token_audience: String,
    pub(crate) token_key_file: PathBuf,
    pub(crate) seal_keys_file: PathBuf,
    pub(crate) trusted_proxies: TrustedProxies,
    pub(crate) admission: AdmissionConfig,
    pub(crate) notify_scale: NotifyScale,
    pub(crate) notify_hosts: Vec<String>,
    pub(crate) channel_timeout: Duration,
    pub(crate) alipay: AlipaySource,
    /// WeChat Pay's live merchant, if it is configured.
    pub(crate) wechat: Option<WechatMerchant>,
    /// The products of Alipay's that can be paid through.
    pub(crate) alipay_products: Vec<Channel>,
    /// Whether the file of the token key was named, and is not the one in the data folder.
    pub(crate) token_key_is_named: bool,
    /// The same of the seal keys.
    pub(crate) seal_keys_are_named: bool,
    /// The files of the channels' secrets, by their variables.
    pub(crate) channel_secrets: Vec<(&'static str, PathBuf)>,
}

const SHORTEST_ORDER_LIFE_S: i64 = 1;
const LONGEST_ORDER_LIFE_S: i64 = 15 * 24 * 3600;
/// Order ids have ten bits for the worker.
const LARGEST_SNOWFLAKE_WORKER: u16 = 1023;

impl Settings {
    /// Reads file and environment, and checks all of it. `file` is the one that the command line names; `roles` are those of
    /// the command line; they win.
    pub(crate) fn load(file: Option<&Path>, roles: &[String]) -> Result<Self, SettingError> {
        Self::of(&Typed::read(file, std::env::vars_os())?, roles)
    }

    fn of(typed: &Typed, roles: &[String]) -> Result<Self, SettingError> {
        let listen: SocketAddr = parsed(typed, variables::LISTEN, "an address and a port, for instance 127.0.0.1:8080")?
            .unwrap_or(([127, 0, 0, 1], 8080).into());
        let data = PathBuf::from(typed.get(variables::DATA).unwrap_or("./data"));
        let live = alipay::live(typed)?;
        let wechat = wechat::live(typed)?;
        let is_live = live.is_some() || wechat.is_some();
        let sandbox_url = typed.get(variables::SANDBOX_URL).map(|url| url.trim_end_matches('/').to_owned());
        let nats = nats::broker(typed)?;
        let are_named = !roles.is_empty() || typed.get(variables::ROLES).is_some();
        let roles = chosen_roles(typed, roles, is_live || sandbox_url.is_some())?;
        let roles = nats::fit_to_broker(roles, are_named, nats.as_ref())?;
        if is_live && (sandbox_url.is_some() || roles.contains(&Role::Sandbox)) {
            return Err(SettingError::SandboxBesideLiveKeys);
        }
        let alipay = match (live, sandbox_url) {
            (Some(settings), _) => AlipaySource::Live(Box::new(settings)),
            (None, Some(url)) => AlipaySource::SandboxAt(http_url(variables::SANDBOX_URL, &url)?),
            (None, None) if roles.contains(&Role::Sandbox) => AlipaySource::OwnSandbox,
            (None, None) => AlipaySource::None,
        };
        let demo = on_off(typed, variables::DEMO)?.unwrap_or(!is_live);
        let public_url = match typed.get(variables::PUBLIC_URL) {
            Some(url) => http_url(variables::PUBLIC_URL, url)?,
            None if is_live => {
                return Err(SettingError::NoPublicUrl { variable: variables::PUBLIC_URL, listen });
            }
            None => format!("http://{listen}"),
        };
        Ok(Self {
            event_store: log_url(typed, &data)?,
            views: store_url(typed, variables::VIEWS, &data, "views.db")?,
            state: store_url(typed, variables::STATE, &data, "state.db")?,
            order_life: order_life(typed)?,
            snowflake_worker: snowflake_worker(typed)?,
            coupon: coupons::rule(typed, demo)?,
            demo,
            log_filter: log_filter(typed)?,
            log_format: log_format(typed)?,
            token_issuer: typed.get(variables::TOKEN_ISSUER).unwrap_or("paystream").to_owned(),
            token_audience: typed.get(variables::TOKEN_AUDIENCE).unwrap_or("paystream").to_owned(),
            token_key_file: path(typed, variables::TOKEN_KEY_FILE, &data, "keys/token.pem"),
            seal_keys_file: path(typed, variables::SEAL_KEYS_FILE, &data, "keys/seal.keys"),
            trusted_proxies: parsed(typed, variables::TRUSTED_PROXIES, "addresses and networks such as 10.0.0.0/8, separated by commas")?
                .unwrap_or_default(),
            admission: admission(typed)?,
            notify_scale: parsed(typed, variables::SANDBOX_NOTIFY_SCALE, "a decimal number from 0 to 1000")?.unwrap_or(NotifyScale::REAL),
            notify_hosts: notify_hosts(typed)?,
            channel_timeout: channel_timeout(typed)?,
            token_key_is_named: typed.get(variables::TOKEN_KEY_FILE).is_some(),
            seal_keys_are_named: typed.get(variables::SEAL_KEYS_FILE).is_some(),
            alipay_products: alipay::products(typed, matches!(alipay, AlipaySource::Live(_)))?,
            channel_secrets: channel_secrets(typed),
            listen,
            data,
            public_url,
            roles,
            nats,
            alipay,
            wechat,
        })
    }

    /// Whether this process plays the role.
    pub(crate) fn plays(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Whether this process does anything beside the sandbox.
    pub(crate) fn needs_stores(&self) -> bool {
        self.roles.iter().any(|role| *role != Role::Sandbox)
    }

    /// Whether other processes may work on the same stores.
    pub(crate) fn shares_stores(&self) -> bool {
        self.event_store.sqlite_path().is_none() || [&self.views, &self.state].iter().any(|url| url.sqlite_path().is_none())
    }

    /// Whether anything is to be written into the data folder.
    pub(crate) fn uses_data_folder(&self) -> bool {
        let is_embedded = |url: &DatabaseUrl| url.sqlite_path().is_some();
        let has_embedded_store = self.event_store.sqlite_path().is_some() || is_embedded(&self.views) || is_embedded(&self.state);
        let makes_keys = !self.token_key_is_named || !self.seal_keys_are_named;
        has_embedded_store || makes_keys || self.plays(Role::Sandbox)
    }

    /// Whether a channel is live: no clock may be moved then.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.alipay, AlipaySource::Live(_)) || self.wechat.is_some()
    }

    /// Whether this process asks a channel.
    pub(crate) fn asks_channels(&self) -> bool {
        self.plays(Role::CommandApi) || self.plays(Role::ProcessManagers)
    }
}

/// Files that hold what only we and a channel may know.
fn channel_secrets(typed: &Typed) -> Vec<(&'static str, PathBuf)> {
    const SECRETS: [&str; 5] = [
        variables::ALIPAY_APP_PRIVATE_KEY_FILE,
        variables::WECHAT_API_V3_KEY_FILE,
        variables::WECHAT_MERCHANT_PRIVATE_KEY_FILE,
        variables::WECHAT_APP_SECRET_FILE,
        variables::WECHAT_V2_API_KEY_FILES,
    ];
    let files = |variable| list(typed.get(variable)).into_iter().map(move |file| (variable, PathBuf::from(file)));
    SECRETS.into_iter().flat_map(files).collect()
}

fn invalid(variable: &'static str, expected: impl Into<String>) -> SettingError {
    SettingError::Invalid { variable, expected: expected.into() }
}

fn parsed<T: std::str::FromStr>(typed: &Typed, variable: &'static str, expected: &str) -> Result<Option<T>, SettingError> {
    typed.get(variable).map(|text| text.parse().map_err(|_| invalid(variable, expected))).transpose()
}

fn admission(typed: &Typed) -> Result<AdmissionConfig, SettingError> {
    let rate = |variable, default: Rate| parsed(typed, variable, &RateError.to_string()).map(|rate| rate.unwrap_or(default));
    let default = AdmissionConfig::default();
    Ok(AdmissionConfig {
        buyer: rate(variables::RATE_LIMIT_BUYER, default.buyer)?,
        system: rate(variables::RATE_LIMIT_SYSTEM, default.system)?,
        address: rate(variables::RATE_LIMIT_ADDRESS, default.address)?,
    })
}

fn on_off(typed: &Typed, variable: &'static str) -> Result<Option<bool>, SettingError> {
    match typed.get(variable) {
        None => Ok(None),
        Some("on") => Ok(Some(true)),
        Some("off") => Ok(Some(false)),
        Some(_) => Err(invalid(variable, "on or off")),
    }
}

fn order_life(typed: &Typed) -> Result<TimeDelta, SettingError> {
    let seconds: i64 = parsed(typed, variables::ORDER_LIFE_S, "whole seconds")?.unwrap_or(1800);
    if (SHORTEST_ORDER_LIFE_S..=LONGEST_ORDER_LIFE_S).contains(&seconds) {
        Ok(TimeDelta::seconds(seconds))
    } else {
        Err(invalid(variables::ORDER_LIFE_S, format!("{SHORTEST_ORDER_LIFE_S} to {LONGEST_ORDER_LIFE_S} seconds")))
    }
}

fn channel_timeout(typed: &Typed) -> Result<Duration, SettingError> {
    const EXPECTED: &str = "milliseconds from 100 to 60000";
    let ms: u64 = parsed(typed, variables::CHANNEL_TIMEOUT_MS, EXPECTED)?.unwrap_or(10_000);
    if (100..=60_000).contains(&ms) { Ok(Duration::from_millis(ms)) } else { Err(invalid(variables::CHANNEL_TIMEOUT_MS, EXPECTED)) }
}

fn snowflake_worker(typed: &Typed) -> Result<Option<u16>, SettingError> {
    const EXPECTED: &str = "a number from 0 to 1023";
    let worker: Option<u16> = parsed(typed, variables::SNOWFLAKE_WORKER, EXPECTED)?;
    if worker.is_none_or(|worker| worker <= LARGEST_SNOWFLAKE_WORKER) {
        Ok(worker)
    } else {
        Err(invalid(variables::SNOWFLAKE_WORKER, EXPECTED))
    }
}

fn log_filter(typed: &Typed) -> Result<String, SettingError> {
    let filter = typed.get(variables::LOG).unwrap_or("info");
    check_filter(filter).map_err(|error| invalid(variables::LOG, Chain(&error).to_string()))?;
    Ok(filter.to_owned())
}

/// Hosts as an address would name them: no port, no path. An IPv6 address stands in brackets.
fn notify_hosts(typed: &Typed) -> Result<Vec<String>, SettingError> {
    let hosts = list(typed.get(variables::SANDBOX_NOTIFY_HOSTS));
    let is_host = |host: &String| {
        let url = reqwest::Url::parse(&format!("http://{host}/"));
        url.is_ok_and(|url| url.host_str().is_some_and(|known| known.eq_ignore_ascii_case(host)))
    };
    match hosts.iter().find(|host| !is_host(host)) {
        None => Ok(hosts),
        Some(host) => Err(invalid(variables::SANDBOX_NOTIFY_HOSTS, format!("{host} is no host name; ports and paths are not told"))),
    }
}

fn log_format(typed: &Typed) -> Result<LogFormat, SettingError> {
    match typed.get(variables::LOG_FORMAT) {
        None | Some("text") => Ok(LogFormat::Text),
        Some("json") => Ok(LogFormat::Json),
        Some(_) => Err(invalid(variables::LOG_FORMAT, "text or json")),
    }
}

fn path(typed: &Typed, variable: &'static str, data: &Path, default: &str) -> PathBuf {
    typed.get(variable).map_or_else(|| data.join(default), PathBuf::from)
}

fn log_url(typed: &Typed, data: &Path) -> Result<LogUrl, SettingError> {
    match typed.get(variables::EVENT_STORE) {
        None => Ok(LogUrl::Database(DatabaseUrl::sqlite(data.join("log.db")))),
        Some(url) => LogUrl::parse(url).map_err(|error| invalid(variables::EVENT_STORE, error.to_string())),
    }
}

fn store_url(typed: &Typed, variable: &'static str, data: &Path, file: &str) -> Result<DatabaseUrl, SettingError> {
    match typed.get(variable) {
        None => Ok(DatabaseUrl::sqlite(data.join(file))),
        Some(url) => {
            DatabaseUrl::parse(url).map_err(|_| invalid(variable, "sqlite:<path> or postgres://<user>:<password>@<host>/<database>"))
        }
    }
}

fn http_url(variable: &'static str, url: &str) -> Result<String, SettingError> {
    let expected = "a full http or https address without user, query and fragment";
    let known = reqwest::Url::parse(url).is_ok_and(|url| {
        let is_whole = matches!(url.scheme(), "http" | "https") && url.has_host();
        let is_plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
        is_whole && is_plain
    });
    if known { Ok(url.trim_end_matches('/').to_owned()) } else { Err(invalid(variable, expected)) }
}

fn list(text: Option<&str>) -> Vec<String> {
    text.unwrap_or_default().split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn chosen_roles(typed: &Typed, command_line: &[String], no_own_sandbox: bool) -> Result<BTreeSet<Role>, SettingError> {
    let (place, named) = match command_line {
        [] => (variables::ROLES, list(typed.get(variables::ROLES))),
        named => ("--roles", named.to_vec()),
    };
    if named.is_empty() {
        return Ok(Role::ALL.into_iter().map(|(role, _)| role).filter(|role| *role != Role::Sandbox || !no_own_sandbox).collect());
    }
    named
        .iter()
        .map(|name| {
            let known = Role::ALL.into_iter().find(|(_, word)| word == name).map(|(role, _)| role);
            known.ok_or_else(|| {
                invalid(place, format!("{name} is none of command-api, query-api, projections, relay, process-managers, sandbox"))
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
