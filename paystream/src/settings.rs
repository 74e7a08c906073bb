//! What the variables mean, checked whole before anything is started.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chassis::admission::{AdmissionConfig, Rate, RateError};
use chassis::client_address::TrustedProxies;
use chassis::problem::Chain;
use chassis::secret::Secret;
use chassis::telemetry::{LogFormat, check_filter};
use chrono::TimeDelta;
use command_api::CouponRule;
use database::DatabaseUrl;
use gateway::alipay::{AlipayConfig, AlipayConfigError, AlipaySettings, KeyError};
use sandbox::NotifyScale;

use crate::variables::{self, Typed};

mod coupons;

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
    #[error("{variable} is missing: Alipay could send no notification to http://{listen}")]
    NoPublicUrl { variable: &'static str, listen: SocketAddr },
    #[error("{variable}: the file {path} cannot be read")]
    KeyFile {
        variable: &'static str,
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("Alipay's live configuration (PAYSTREAM_ALIPAY_…) and the sandbox exclude each other")]
    SandboxBesideLiveKeys,
}

/// A part of the system that a process may play.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    CommandApi,
    QueryApi,
    Projections,
    ProcessManagers,
    Sandbox,
}

impl Role {
    const ALL: [(Self, &'static str); 5] = [
        (Self::CommandApi, "command-api"),
        (Self::QueryApi, "query-api"),
        (Self::Projections, "projections"),
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
    pub(crate) event_store: DatabaseUrl,
    pub(crate) views: DatabaseUrl,
    pub(crate) state: DatabaseUrl,
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
        let live = live_alipay(typed)?;
        let sandbox_url = typed.get(variables::SANDBOX_URL).map(|url| url.trim_end_matches('/').to_owned());
        let roles = chosen_roles(typed, roles, live.is_some() || sandbox_url.is_some())?;
        let alipay = match (live, sandbox_url) {
            (Some(_), Some(_)) => return Err(SettingError::SandboxBesideLiveKeys),
            (Some(_), None) if roles.contains(&Role::Sandbox) => return Err(SettingError::SandboxBesideLiveKeys),
            (Some(settings), None) => AlipaySource::Live(Box::new(settings)),
            (None, Some(url)) => AlipaySource::SandboxAt(http_url(variables::SANDBOX_URL, &url)?),
            (None, None) if roles.contains(&Role::Sandbox) => AlipaySource::OwnSandbox,
            (None, None) => AlipaySource::None,
        };
        let demo = on_off(typed, variables::DEMO)?.unwrap_or(!matches!(alipay, AlipaySource::Live(_)));
        let public_url = match typed.get(variables::PUBLIC_URL) {
            Some(url) => http_url(variables::PUBLIC_URL, url)?,
            None if matches!(alipay, AlipaySource::Live(_)) => {
                return Err(SettingError::NoPublicUrl { variable: variables::PUBLIC_URL, listen });
            }
            None => format!("http://{listen}"),
        };
        Ok(Self {
            event_store: store_url(typed, variables::EVENT_STORE, &data, "log.db")?,
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
            listen,
            data,
            public_url,
            roles,
            alipay,
        })
        .and_then(only_embedded_delivery(typed))
    }

    /// Whether this process plays the role.
    pub(crate) fn plays(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Whether this process does anything beside the sandbox.
    pub(crate) fn needs_stores(&self) -> bool {
        self.roles.iter().any(|role| *role != Role::Sandbox)
    }

    /// Whether this process asks a channel.
    pub(crate) fn asks_channels(&self) -> bool {
        self.plays(Role::CommandApi) || self.plays(Role::ProcessManagers)
    }
}

fn only_embedded_delivery(typed: &Typed) -> impl FnOnce(Settings) -> Result<Settings, SettingError> {
    let nats = typed.get(variables::NATS).map(str::to_owned);
    move |settings| match nats.as_deref() {
        None | Some("none") => Ok(settings),
        Some(_) => Err(invalid(variables::NATS, "only none is known to this version: consumers are fed from the log")),
    }
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
            known.ok_or_else(|| invalid(place, format!("{name} is none of command-api, query-api, projections, process-managers, sandbox")))
        })
        .collect()
}

/// Alipay's live configuration: all of it or none.
fn live_alipay(typed: &Typed) -> Result<Option<AlipaySettings>, SettingError> {
    const REQUIRED: [&str; 4] =
        [variables::ALIPAY_APP_ID, variables::ALIPAY_SELLER_ID, variables::ALIPAY_APP_PRIVATE_KEY_FILE, variables::ALIPAY_PUBLIC_KEY_FILES];
    const OPTIONAL: [&str; 2] = [variables::ALIPAY_GATEWAY_URL, variables::ALIPAY_PRODUCT_CODE];
    if REQUIRED.iter().chain(&OPTIONAL).all(|variable| typed.get(variable).is_none()) {
        return Ok(None);
    }
    let required = |variable: &'static str| typed.get(variable).ok_or(SettingError::Missing { variable });
    let read = |variable: &'static str, path: &str| {
        std::fs::read_to_string(path).map_err(|source| SettingError::KeyFile { variable, path: path.to_owned(), source })
    };
    let private_file = required(variables::ALIPAY_APP_PRIVATE_KEY_FILE)?;
    let private_key = read(variables::ALIPAY_APP_PRIVATE_KEY_FILE, private_file)?;
    let public_files = list(Some(required(variables::ALIPAY_PUBLIC_KEY_FILES)?));
    let settings = AlipaySettings {
        gateway_url: typed.get(variables::ALIPAY_GATEWAY_URL).unwrap_or("https://openapi.alipay.com/gateway.do").to_owned(),
        app_id: required(variables::ALIPAY_APP_ID)?.to_owned(),
        seller_id: required(variables::ALIPAY_SELLER_ID)?.to_owned(),
        app_private_key: Secret::new(private_key),
        alipay_public_keys: public_files.iter().map(|path| read(variables::ALIPAY_PUBLIC_KEY_FILES, path)).collect::<Result<_, _>>()?,
        product_code: typed.get(variables::ALIPAY_PRODUCT_CODE).unwrap_or("FACE_TO_FACE_PAYMENT").to_owned(),
        timeout_ms: None,
    };
    AlipayConfig::new(&settings).map_err(|error| refused_alipay(&error, &settings, private_file, &public_files))?;
    Ok(Some(settings))
}

/// The adapter's own check names the member and, of keys, the reason; here the variable and the file are named.
fn refused_alipay(error: &AlipayConfigError, settings: &AlipaySettings, private_file: &str, public_files: &[String]) -> SettingError {
    let expected = match error {
        AlipayConfigError::AppPrivateKey(reason) => format!("{private_file}: {reason}"),
        AlipayConfigError::AlipayPublicKey { number, source } => {
            let place = number.saturating_sub(1);
            let file = public_files.get(place).map_or("no file", String::as_str);
            let text = settings.alipay_public_keys.get(place).map_or("", String::as_str);
            format!("{file}: {}", reason_of(*source, text))
        }
        other => other.to_string(),
    };
    invalid(variable_of(error.member()), expected)
}

/// Why a text is no public key of Alipay's. What its armour calls it says more than that it cannot be read.
fn reason_of(error: KeyError, text: &str) -> String {
    let label = text.split_once("-----BEGIN ").and_then(|(_, rest)| rest.split_once("-----")).map(|(label, _)| label);
    match (error, label) {
        (KeyError::Unreadable, Some(label)) if !label.ends_with("PUBLIC KEY") => format!("it is a {label}, not a public key"),
        (KeyError::Unreadable | KeyError::WrongSize, _) => "it is no RSA public key of at least 2048 bits in PEM or base64".to_owned(),
        (other, _) => other.to_string(),
    }
}

fn variable_of(member: &str) -> &'static str {
    match member {
        "gateway_url" => variables::ALIPAY_GATEWAY_URL,
        "app_id" => variables::ALIPAY_APP_ID,
        "seller_id" => variables::ALIPAY_SELLER_ID,
        "app_private_key" => variables::ALIPAY_APP_PRIVATE_KEY_FILE,
        "product_code" => variables::ALIPAY_PRODUCT_CODE,
        "timeout_ms" => variables::CHANNEL_TIMEOUT_MS,
        _ => variables::ALIPAY_PUBLIC_KEY_FILES,
    }
}

#[cfg(test)]
mod tests;
