//! Every variable of the configuration, in one place. `.env.example` says what each is for.
//!
//! A value stands in the environment or, in lower case without `PAYSTREAM_`, in the configuration file; the environment wins.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use crate::settings::SettingError;

macro_rules! variables {
    ($($name:ident = $variable:literal,)+) => {
        $(pub(crate) const $name: &str = $variable;)+
        /// All of them.
        pub(crate) const ALL: &[&str] = &[$($variable,)+];
    };
}

variables! {
    LISTEN = "PAYSTREAM_LISTEN",
    DATA = "PAYSTREAM_DATA",
    PUBLIC_URL = "PAYSTREAM_PUBLIC_URL",
    ROLES = "PAYSTREAM_ROLES",
    EVENT_STORE = "PAYSTREAM_EVENT_STORE",
    VIEWS = "PAYSTREAM_VIEWS",
    STATE = "PAYSTREAM_STATE",
    NATS = "PAYSTREAM_NATS",
    NATS_REPLICAS = "PAYSTREAM_NATS_REPLICAS",
    ORDER_LIFE_S = "PAYSTREAM_ORDER_LIFE_S",
    COUPON_AMOUNT = "PAYSTREAM_COUPON_AMOUNT",
    COUPON_LEAST_AMOUNT = "PAYSTREAM_COUPON_LEAST_AMOUNT",
    COUPON_DAYS = "PAYSTREAM_COUPON_DAYS",
    SNOWFLAKE_WORKER = "PAYSTREAM_SNOWFLAKE_WORKER",
    DEMO = "PAYSTREAM_DEMO",
    LOG = "PAYSTREAM_LOG",
    LOG_FORMAT = "PAYSTREAM_LOG_FORMAT",
    TOKEN_ISSUER = "PAYSTREAM_TOKEN_ISSUER",
    TOKEN_AUDIENCE = "PAYSTREAM_TOKEN_AUDIENCE",
    TOKEN_KEY_FILE = "PAYSTREAM_TOKEN_KEY_FILE",
    SEAL_KEYS_FILE = "PAYSTREAM_SEAL_KEYS_FILE",
    TRUSTED_PROXIES = "PAYSTREAM_TRUSTED_PROXIES",
    RATE_LIMIT_BUYER = "PAYSTREAM_RATE_LIMIT_BUYER",
    RATE_LIMIT_SYSTEM = "PAYSTREAM_RATE_LIMIT_SYSTEM",
    RATE_LIMIT_ADDRESS = "PAYSTREAM_RATE_LIMIT_ADDRESS",
    SANDBOX_URL = "PAYSTREAM_SANDBOX_URL",
    SANDBOX_NOTIFY_SCALE = "PAYSTREAM_SANDBOX_NOTIFY_SCALE",
    SANDBOX_NOTIFY_HOSTS = "PAYSTREAM_SANDBOX_NOTIFY_HOSTS",
    CHANNEL_TIMEOUT_MS = "PAYSTREAM_CHANNEL_TIMEOUT_MS",
    ALIPAY_GATEWAY_URL = "PAYSTREAM_ALIPAY_GATEWAY_URL",
    ALIPAY_APP_ID = "PAYSTREAM_ALIPAY_APP_ID",
    ALIPAY_SELLER_ID = "PAYSTREAM_ALIPAY_SELLER_ID",
    ALIPAY_APP_PRIVATE_KEY_FILE = "PAYSTREAM_ALIPAY_APP_PRIVATE_KEY_FILE",
    ALIPAY_PUBLIC_KEY_FILES = "PAYSTREAM_ALIPAY_PUBLIC_KEY_FILES",
    ALIPAY_APP_CERT_FILE = "PAYSTREAM_ALIPAY_APP_CERT_FILE",
    ALIPAY_CERT_FILES = "PAYSTREAM_ALIPAY_CERT_FILES",
    ALIPAY_ROOT_CERT_FILE = "PAYSTREAM_ALIPAY_ROOT_CERT_FILE",
    ALIPAY_PRODUCT_CODE = "PAYSTREAM_ALIPAY_PRODUCT_CODE",
    ALIPAY_PRODUCTS = "PAYSTREAM_ALIPAY_PRODUCTS",
    WECHAT_BASE_URL = "PAYSTREAM_WECHAT_BASE_URL",
    WECHAT_MCHID = "PAYSTREAM_WECHAT_MCHID",
    WECHAT_APPID = "PAYSTREAM_WECHAT_APPID",
    WECHAT_APP_APPID = "PAYSTREAM_WECHAT_APP_APPID",
    WECHAT_MINI_PROGRAM_APPID = "PAYSTREAM_WECHAT_MINI_PROGRAM_APPID",
    WECHAT_API_V3_KEY_FILE = "PAYSTREAM_WECHAT_API_V3_KEY_FILE",
    WECHAT_MERCHANT_SERIAL = "PAYSTREAM_WECHAT_MERCHANT_SERIAL",
    WECHAT_MERCHANT_PRIVATE_KEY_FILE = "PAYSTREAM_WECHAT_MERCHANT_PRIVATE_KEY_FILE",
    WECHAT_MERCHANT_CERTIFICATE_FILE = "PAYSTREAM_WECHAT_MERCHANT_CERTIFICATE_FILE",
    WECHAT_PUBLIC_KEY_FILES = "PAYSTREAM_WECHAT_PUBLIC_KEY_FILES",
    WECHAT_PLATFORM_CERTIFICATE_FILES = "PAYSTREAM_WECHAT_PLATFORM_CERTIFICATE_FILES",
    WECHAT_PLATFORM_AUTHORITY_FILE = "PAYSTREAM_WECHAT_PLATFORM_AUTHORITY_FILE",
    WECHAT_FETCH_CERTIFICATES = "PAYSTREAM_WECHAT_FETCH_CERTIFICATES",
    WECHAT_PRODUCTS = "PAYSTREAM_WECHAT_PRODUCTS",
    WECHAT_APP_SECRET_FILE = "PAYSTREAM_WECHAT_APP_SECRET_FILE",
    WECHAT_V2_API_KEY_FILES = "PAYSTREAM_WECHAT_V2_API_KEY_FILES",
    WECHAT_V2_SIGN_TYPE = "PAYSTREAM_WECHAT_V2_SIGN_TYPE",
    WECHAT_V2_SERVER_IP = "PAYSTREAM_WECHAT_V2_SERVER_IP",
    WECHAT_V2_WAP_URL = "PAYSTREAM_WECHAT_V2_WAP_URL",
    WECHAT_V2_WAP_NAME = "PAYSTREAM_WECHAT_V2_WAP_NAME",
    WECHAT_V2_PRODUCTS = "PAYSTREAM_WECHAT_V2_PRODUCTS",
}

const PREFIX: &str = "PAYSTREAM_";

/// The configuration file where none is named; it may be absent.
const DEFAULT_FILE: &str = "paystream.toml";

/// Variables of tests and benchmarks, which are none of ours.
fn belongs_to_tests(name: &str) -> bool {
    name.starts_with("PAYSTREAM_TEST_") || name.starts_with("PAYSTREAM_BENCH_") || name == "PAYSTREAM_VECTORS"
}

/// What was typed, by variable. Empty values count as not given.
#[derive(Clone, Default)]
pub(crate) struct Typed {
    values: BTreeMap<String, String>,
}

impl Typed {
    /// Reads the file and the environment over it. A `file` that is named must be there; without a name it is `paystream.toml`,
    /// if there is one. Errors: unknown names, unreadable file, a value of ours that is not UTF-8.
    pub(crate) fn read(file: Option<&Path>, environment: impl Iterator<Item = (OsString, OsString)>) -> Result<Self, SettingError> {
        let mut values = from_file(file)?;
        // What is not ours is not looked at: it may be anything.
        let ours = environment.filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        for (name, value) in ours.filter(|(name, _)| name.starts_with(PREFIX) && !belongs_to_tests(name)) {
            let Some(variable) = ALL.iter().copied().find(|variable| *variable == name) else {
                return Err(SettingError::UnknownVariable(name));
            };
            let value = value.into_string().map_err(|_| SettingError::Invalid { variable, expected: "text in UTF-8".to_owned() })?;
            values.insert(name, value);
        }
        values.retain(|_, value| !value.is_empty());
        Ok(Self { values })
    }

    /// The value of a variable, if it was given.
    pub(crate) fn get(&self, variable: &str) -> Option<&str> {
        self.values.get(variable).map(String::as_str)
    }
}

fn from_file(named: Option<&Path>) -> Result<BTreeMap<String, String>, SettingError> {
    let file = named.unwrap_or(Path::new(DEFAULT_FILE));
    let unreadable = |reason: String| SettingError::File { path: file.display().to_string(), reason };
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => return Ok(BTreeMap::new()),
        Err(error) => return Err(unreadable(error.to_string())),
    };
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| unreadable(error.message().to_owned()))?;
    let mut values = BTreeMap::new();
    for (key, value) in table {
        let name = format!("{PREFIX}{}", key.to_ascii_uppercase());
        if !ALL.contains(&name.as_str()) || key != key.to_ascii_lowercase() {
            return Err(SettingError::UnknownMember { path: file.display().to_string(), key });
        }
        let value = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            // A decimal stays one: 3.0 is not taken where a whole number is wanted.
            toml::Value::Float(number) => format!("{number:?}"),
            toml::Value::Boolean(true) => "on".to_owned(),
            toml::Value::Boolean(false) => "off".to_owned(),
            _ => return Err(unreadable(format!("{key} is neither text, nor a number, nor true or false"))),
        };
        values.insert(name, value);
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> impl Iterator<Item = (OsString, OsString)> {
        pairs.iter().map(|(name, value)| (name.into(), value.into())).collect::<Vec<_>>().into_iter()
    }

    /// What a file of this content says, with nothing in the environment.
    fn written(name: &str, content: &str) -> Result<Typed, SettingError> {
        let file = std::env::temp_dir().join(format!("paystream-{name}-{}.toml", std::process::id()));
        std::fs::write(&file, content).unwrap();
        let typed = Typed::read(Some(&file), environment(&[]));
        std::fs::remove_file(&file).unwrap();
        typed
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let file = std::env::temp_dir().join(format!("paystream-variables-{}.toml", std::process::id()));
        std::fs::write(&file, "listen = \"127.0.0.1:1\"\norder_life_s = 600\n").unwrap();
        let typed = Typed::read(Some(&file), environment(&[("PAYSTREAM_LISTEN", "127.0.0.1:2"), ("HOME", "/")])).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert_eq!((typed.get(LISTEN), typed.get(ORDER_LIFE_S), typed.get(DATA)), (Some("127.0.0.1:2"), Some("600"), None));
    }

    #[test]
    fn an_unknown_variable_is_refused_and_one_of_the_tests_is_not() {
        let misspelt = format!("{PREFIX}LISTN");
        let error = Typed::read(None, environment(&[(&misspelt, "x")])).err().unwrap();
        assert!(matches!(error, SettingError::UnknownVariable(name) if name == misspelt));
        assert!(Typed::read(None, environment(&[("PAYSTREAM_TEST_RUN", "x"), ("PAYSTREAM_VECTORS", "y")])).is_ok());
    }

    #[test]
    fn an_unknown_member_of_the_file_is_refused() {
        let error = written("members", "lissten = \"x\"\n").err().unwrap();
        assert!(matches!(error, SettingError::UnknownMember { key, .. } if key == "lissten"));
    }

    #[test]
    fn the_file_holds_texts_numbers_decimals_and_switches() {
        let typed = written("kinds", "sandbox_notify_scale = 0.001\norder_life_s = 600\ndemo = false\nlog = \"debug\"\n").unwrap();
        let values = [SANDBOX_NOTIFY_SCALE, ORDER_LIFE_S, DEMO, LOG].map(|variable| typed.get(variable).unwrap());
        assert_eq!(values, ["0.001", "600", "off", "debug"]);
        assert_eq!(written("decimal", "order_life_s = 600.0\n").unwrap().get(ORDER_LIFE_S), Some("600.0"));
        assert_eq!(written("on", "demo = true\n").unwrap().get(DEMO), Some("on"));
        assert!(matches!(written("list", "roles = [\"sandbox\"]\n"), Err(SettingError::File { reason, .. }) if reason.contains("roles")));
    }

    #[test]
    fn a_file_that_was_named_must_be_there() {
        let error = Typed::read(Some(Path::new("no-such-file.toml")), environment(&[])).err().unwrap();
        assert!(matches!(error, SettingError::File { path, .. } if path == "no-such-file.toml"));
    }

    #[cfg(unix)]
    #[test]
    fn what_is_not_utf8_is_refused_only_where_it_is_ours() {
        use std::os::unix::ffi::OsStringExt;
        let broken = || OsString::from_vec(vec![b'x', 0xff]);
        let foreign = [("HOME".into(), broken()), (broken(), "x".into())];
        assert!(Typed::read(None, foreign.into_iter()).is_ok());
        let error = Typed::read(None, [("PAYSTREAM_DATA".into(), broken())].into_iter()).err().unwrap();
        assert!(matches!(error, SettingError::Invalid { variable: DATA, .. }));
    }
}
