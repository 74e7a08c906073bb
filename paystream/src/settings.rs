//! What the variables mean, checked whole before anything is started.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chassis::admission::{AdmissionConfig, Rate, RateError};
use chassis::client_address::TrustedProxies;
use chassis::secret::Secret;
use chassis::telemetry::LogFormat;
use chrono::TimeDelta;
use database::DatabaseUrl;
use gateway::alipay::{AlipayConfig, AlipaySettings};
use sandbox::NotifyScale;

use crate::variables::{self, Typed};

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
    #[error("{variable}: the file cannot be read")]
    KeyFile {
        variable: &'static str,
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

impl Settings {
    /// Reads file and environment, and checks all of it. `roles` are those of the command line; they win.
    pub(crate) fn load(file: &Path, roles: &[String]) -> Result<Self, SettingError> {
        Self::of(&Typed::read(file, std::env::vars())?, roles)
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
        let public_url = match typed.get(variables::PUBLIC_URL) {
            Some(url) => http_url(variables::PUBLIC_URL, url)?,
            None => format!("http://{listen}"),
        };
        Ok(Self {
            event_store: store_url(typed, variables::EVENT_STORE, &data, "log.db")?,
            views: store_url(typed, variables::VIEWS, &data, "views.db")?,
            state: store_url(typed, variables::STATE, &data, "state.db")?,
            order_life: order_life(typed)?,
            snowflake_worker: parsed(typed, variables::SNOWFLAKE_WORKER, "a number from 0 to 1023")?.map(|worker: u16| worker),
            demo: on_off(typed, variables::DEMO)?.unwrap_or(!matches!(alipay, AlipaySource::Live(_))),
            log_filter: typed.get(variables::LOG).unwrap_or("info").to_owned(),
            log_format: log_format(typed)?,
            token_issuer: typed.get(variables::TOKEN_ISSUER).unwrap_or("paystream").to_owned(),
            token_audience: typed.get(variables::TOKEN_AUDIENCE).unwrap_or("paystream").to_owned(),
            token_key_file: path(typed, variables::TOKEN_KEY_FILE, &data, "keys/token.pem"),
            seal_keys_file: path(typed, variables::SEAL_KEYS_FILE, &data, "keys/seal.keys"),
            trusted_proxies: parsed(typed, variables::TRUSTED_PROXIES, "addresses and networks such as 10.0.0.0/8, separated by commas")?
                .unwrap_or_default(),
            admission: admission(typed)?,
            notify_scale: parsed(typed, variables::SANDBOX_NOTIFY_SCALE, "a decimal number from 0 to 1000")?.unwrap_or(NotifyScale::REAL),
            notify_hosts: list(typed.get(variables::SANDBOX_NOTIFY_HOSTS)),
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
    let known = reqwest::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if known { Ok(url.trim_end_matches('/').to_owned()) } else { Err(invalid(variable, "a full http or https address")) }
}

fn list(text: Option<&str>) -> Vec<String> {
    text.unwrap_or_default().split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn chosen_roles(typed: &Typed, command_line: &[String], no_own_sandbox: bool) -> Result<BTreeSet<Role>, SettingError> {
    let named = if command_line.is_empty() { list(typed.get(variables::ROLES)) } else { command_line.to_vec() };
    if named.is_empty() {
        return Ok(Role::ALL.into_iter().map(|(role, _)| role).filter(|role| *role != Role::Sandbox || !no_own_sandbox).collect());
    }
    named
        .iter()
        .map(|name| {
            let known = Role::ALL.into_iter().find(|(_, word)| word == name).map(|(role, _)| role);
            known.ok_or_else(|| {
                invalid(variables::ROLES, format!("{name} is none of command-api, query-api, projections, process-managers, sandbox"))
            })
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
    let read =
        |variable: &'static str, path: &str| std::fs::read_to_string(path).map_err(|source| SettingError::KeyFile { variable, source });
    let private_key = read(variables::ALIPAY_APP_PRIVATE_KEY_FILE, required(variables::ALIPAY_APP_PRIVATE_KEY_FILE)?)?;
    let public_keys = list(Some(required(variables::ALIPAY_PUBLIC_KEY_FILES)?));
    let settings = AlipaySettings {
        gateway_url: typed.get(variables::ALIPAY_GATEWAY_URL).unwrap_or("https://openapi.alipay.com/gateway.do").to_owned(),
        app_id: required(variables::ALIPAY_APP_ID)?.to_owned(),
        seller_id: required(variables::ALIPAY_SELLER_ID)?.to_owned(),
        app_private_key: Secret::new(private_key),
        alipay_public_keys: public_keys.iter().map(|path| read(variables::ALIPAY_PUBLIC_KEY_FILES, path)).collect::<Result<_, _>>()?,
        product_code: typed.get(variables::ALIPAY_PRODUCT_CODE).unwrap_or("FACE_TO_FACE_PAYMENT").to_owned(),
        timeout_ms: None,
    };
    // The adapter's own check names the member; here the variable is named.
    AlipayConfig::new(&settings).map_err(|error| invalid(variable_of(error.member()), error.to_string()))?;
    Ok(Some(settings))
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
