//! Every variable of the configuration, in one place. `.env.example` says what each is for.
//!
//! A value stands in the environment or, in lower case without `PAYSTREAM_`, in the configuration file; the environment wins.

use std::collections::BTreeMap;
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
    ORDER_LIFE_S = "PAYSTREAM_ORDER_LIFE_S",
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
    ALIPAY_PRODUCT_CODE = "PAYSTREAM_ALIPAY_PRODUCT_CODE",
}

const PREFIX: &str = "PAYSTREAM_";

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
    /// Reads the file, if it is there, and the environment over it. Errors: unknown names, unreadable file.
    pub(crate) fn read(file: &Path, environment: impl Iterator<Item = (String, String)>) -> Result<Self, SettingError> {
        let mut values = from_file(file)?;
        for (name, value) in environment.filter(|(name, _)| name.starts_with(PREFIX) && !belongs_to_tests(name)) {
            if !ALL.contains(&name.as_str()) {
                return Err(SettingError::UnknownVariable(name));
            }
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

fn from_file(file: &Path) -> Result<BTreeMap<String, String>, SettingError> {
    let unreadable = |reason: String| SettingError::File { path: file.display().to_string(), reason };
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
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
            _ => return Err(unreadable(format!("{key} is neither text nor a whole number"))),
        };
        values.insert(name, value);
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>().into_iter()
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let file = std::env::temp_dir().join(format!("paystream-variables-{}.toml", std::process::id()));
        std::fs::write(&file, "listen = \"127.0.0.1:1\"\norder_life_s = 600\n").unwrap();
        let typed = Typed::read(&file, environment(&[("PAYSTREAM_LISTEN", "127.0.0.1:2"), ("HOME", "/")])).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert_eq!((typed.get(LISTEN), typed.get(ORDER_LIFE_S), typed.get(DATA)), (Some("127.0.0.1:2"), Some("600"), None));
    }

    #[test]
    fn an_unknown_variable_is_refused_and_one_of_the_tests_is_not() {
        let missing = Path::new("no-such-file.toml");
        let misspelt = format!("{PREFIX}LISTN");
        let error = Typed::read(missing, environment(&[(&misspelt, "x")])).err().unwrap();
        assert!(matches!(error, SettingError::UnknownVariable(name) if name == misspelt));
        assert!(Typed::read(missing, environment(&[("PAYSTREAM_TEST_RUN", "x"), ("PAYSTREAM_VECTORS", "y")])).is_ok());
    }

    #[test]
    fn an_unknown_member_of_the_file_is_refused() {
        let file = std::env::temp_dir().join(format!("paystream-members-{}.toml", std::process::id()));
        std::fs::write(&file, "lissten = \"x\"\n").unwrap();
        let error = Typed::read(&file, environment(&[])).err().unwrap();
        std::fs::remove_file(&file).unwrap();
        assert!(matches!(error, SettingError::UnknownMember { key, .. } if key == "lissten"));
    }
}
