//! Where a log is.

use std::fmt;
use std::path::Path;

use database::DatabaseUrl;

/// What the streams of a log in KurrentDB begin with where nothing else is said.
const DEFAULT_PREFIX: &str = "paystream-";

/// The longest prefix.
const MAX_PREFIX: usize = 64;

const KURRENTDB_SCHEMES: [&str; 8] =
    ["kurrentdb", "kurrentdb+discover", "kurrent", "kurrent+discover", "kdb", "kdb+discover", "esdb", "esdb+discover"];

/// What the client of KurrentDB knows, in lower case. It passes over all else, so what is misspelt would have no effect.
const CLIENT_PARAMETERS: [&str; 12] = [
    "connectionname",
    "defaultdeadline",
    "discoveryinterval",
    "gossiptimeout",
    "keepaliveinterval",
    "keepalivetimeout",
    "maxdiscoverattempts",
    "tls",
    "tlscafile",
    "tlsverifycert",
    "usercertfile",
    "userkeyfile",
];

/// Where a log is: `sqlite:<path>`, `postgres://…` or `kurrentdb://…`. Neither `Debug` nor `Display` shows a password.
#[derive(Clone)]
pub enum LogUrl {
    /// A file, or a Postgres.
    Database(DatabaseUrl),
    /// A KurrentDB.
    KurrentDb(KurrentDbUrl),
}

/// Why an address is not one of a log. None of them repeats the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogUrlError {
    /// It is no address of a log.
    #[error("it is none of sqlite:<path>, postgres://<user>:<password>@<host>/<database> and kurrentdb://<user>:<password>@<host>:<port>")]
    Unknown,
    /// It is one of KurrentDB, which this program has no client for.
    #[error("this program was built without KurrentDB; build it with --features kurrentdb")]
    NotBuilt,
    /// It begins like one of KurrentDB and goes on otherwise.
    #[error("kurrentdb://: {0}")]
    KurrentDb(&'static str),
}

impl LogUrl {
    /// Reads an address.
    pub fn parse(text: &str) -> Result<Self, LogUrlError> {
        Self::parse_for(text, cfg!(feature = "kurrentdb"))
    }

    /// Reads an address for a program that can, or cannot, use KurrentDB.
    fn parse_for(text: &str, has_kurrentdb: bool) -> Result<Self, LogUrlError> {
        let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase()).unwrap_or_default();
        if !KURRENTDB_SCHEMES.contains(&scheme.as_str()) {
            return DatabaseUrl::parse(text).map(Self::Database).map_err(|_| LogUrlError::Unknown);
        }
        if !has_kurrentdb {
            return Err(LogUrlError::NotBuilt);
        }
        KurrentDbUrl::parse(text).map(Self::KurrentDb)
    }

    /// The file's path, for SQLite.
    pub fn sqlite_path(&self) -> Option<&Path> {
        self.database().and_then(DatabaseUrl::sqlite_path)
    }

    /// The database, if it is one.
    pub fn database(&self) -> Option<&DatabaseUrl> {
        match self {
            Self::Database(url) => Some(url),
            Self::KurrentDb(_) => None,
        }
    }
}

impl fmt::Display for LogUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(url) => url.fmt(f),
            Self::KurrentDb(url) => url.fmt(f),
        }
    }
}

impl fmt::Debug for LogUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where a log in KurrentDB is: `kurrentdb://user:password@host:2113?tls=true&streamPrefix=paystream-`, or several hosts separated
/// by commas.
///
/// The parameters are those of the server's clients, and `streamPrefix`, which is ours: what the names of the log's streams begin
/// with in the server. `nodePreference` is always `leader`. Neither `Debug` nor `Display` shows the password.
#[derive(Clone, PartialEq, Eq)]
pub struct KurrentDbUrl {
    scheme: String,
    authority: String,
    parameters: Vec<String>,
    prefix: String,
}

impl KurrentDbUrl {
    fn parse(text: &str) -> Result<Self, LogUrlError> {
        let broken = LogUrlError::KurrentDb;
        let (scheme, rest) = text.split_once("://").ok_or(LogUrlError::Unknown)?;
        let (authority, query) = rest.split_once('?').unwrap_or((rest, ""));
        let authority = authority.trim_end_matches('/');
        let hosts = authority.rsplit_once('@').map_or(authority, |(_, hosts)| hosts);
        if hosts.is_empty() || !authority.bytes().all(|byte| byte.is_ascii_graphic()) || hosts.contains(['/', '#']) {
            return Err(broken("it names no host, or more than user, password and hosts"));
        }
        let mut url = Self {
            scheme: scheme.to_ascii_lowercase(),
            authority: authority.to_owned(),
            parameters: Vec::new(),
            prefix: DEFAULT_PREFIX.to_owned(),
        };
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').ok_or(broken("a parameter has no value"))?;
            match name.to_ascii_lowercase().as_str() {
                "streamprefix" => checked_prefix(value)?.clone_into(&mut url.prefix),
                "nodepreference" if value.eq_ignore_ascii_case("leader") => {}
                "nodepreference" => return Err(broken("nodePreference is leader: elsewhere what was just written cannot be read yet")),
                known if CLIENT_PARAMETERS.contains(&known) => url.parameters.push(parameter.to_owned()),
                _ => return Err(broken("it has a parameter that nobody knows")),
            }
        }
        url.check_with_client()?;
        Ok(url)
    }

    /// The same server with other names of streams. Errors: a prefix that cannot be one.
    pub fn with_prefix(&self, prefix: &str) -> Result<Self, LogUrlError> {
        Ok(Self { prefix: checked_prefix(prefix)?.to_owned(), ..self.clone() })
    }

    /// What the names of the log's streams begin with in the server.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The address as the client wants it, password included.
    #[cfg(feature = "kurrentdb")]
    pub(crate) fn for_client(&self) -> String {
        let mut text = format!("{}://{}?nodePreference=leader", self.scheme, self.authority);
        for parameter in &self.parameters {
            text.push('&');
            text.push_str(parameter);
        }
        text
    }

    #[cfg(feature = "kurrentdb")]
    fn check_with_client(&self) -> Result<(), LogUrlError> {
        // What the client says repeats the address with the password.
        let read = self.for_client().parse::<kurrentdb::ClientSettings>();
        read.map(drop).map_err(|_| LogUrlError::KurrentDb("its hosts or a parameter's value cannot be read"))
    }

    #[cfg(not(feature = "kurrentdb"))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "with the client there is more to check")]
    fn check_with_client(&self) -> Result<(), LogUrlError> {
        Ok(())
    }
}

impl fmt::Display for KurrentDbUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (user, hosts) = self.authority.rsplit_once('@').map_or(("", self.authority.as_str()), |(user, hosts)| (user, hosts));
        let name = user.split_once(':').map_or(user, |(name, _)| name);
        write!(f, "{}://", self.scheme)?;
        if !user.is_empty() {
            write!(f, "{name}:***@")?;
        }
        write!(f, "{hosts} (streams {}…)", self.prefix)
    }
}

impl fmt::Debug for KurrentDbUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A name of the server's own begins with `$`; the rest keeps names whole in addresses and filters.
fn checked_prefix(text: &str) -> Result<&str, LogUrlError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let begins_well = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if begins_well && text.len() <= MAX_PREFIX && text.bytes().all(is_plain) {
        return Ok(text);
    }
    Err(LogUrlError::KurrentDb("streamPrefix is 1 to 64 letters, digits, -, _ and ., the first of them a letter or digit"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kurrentdb(text: &str) -> KurrentDbUrl {
        match LogUrl::parse_for(text, true) {
            Ok(LogUrl::KurrentDb(url)) => url,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn each_store_is_known_by_its_scheme() {
        assert!(LogUrl::parse("sqlite:data/log.db").unwrap().sqlite_path().is_some());
        assert!(LogUrl::parse("postgres://a:b@127.0.0.1/c").unwrap().database().is_some());
        for text in ["kurrentdb://localhost:2113?tls=false", "esdb://localhost", "ESDB+discover://cluster.example:2113", "kdb://a"] {
            assert!(LogUrl::parse_for(text, true).unwrap().database().is_none(), "{text}");
        }
        for text in ["", "log.db", "mysql://a", "http://localhost:2113", "kurrentdb:localhost", "kurrentdbx://localhost"] {
            assert_eq!(LogUrl::parse_for(text, true).err(), Some(LogUrlError::Unknown), "{text}");
        }
    }

    #[test]
    fn a_program_without_the_client_says_so_and_takes_the_others() {
        assert_eq!(LogUrl::parse_for("kurrentdb://localhost:2113?tls=false", false).err(), Some(LogUrlError::NotBuilt));
        assert!(LogUrl::parse_for("sqlite:data/log.db", false).is_ok());
        assert!(LogUrlError::NotBuilt.to_string().contains("--features kurrentdb"));
    }

    #[test]
    fn the_prefix_is_ours_and_the_rest_the_clients() {
        assert_eq!(kurrentdb("kurrentdb://localhost:2113").prefix(), "paystream-");
        let url = kurrentdb("kurrentdb://a:b@one:2113,two:2113,three:2113?tls=true&streamPrefix=shop.1-&nodePreference=Leader");
        assert_eq!(url.prefix(), "shop.1-");
        assert_eq!(url.parameters, ["tls=true"]);
        assert_eq!(url.with_prefix("other-").unwrap().prefix(), "other-");
        assert!(url.with_prefix("$other").is_err());
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for text in [
            "kurrentdb://",
            "kurrentdb://user:secret@",
            "kurrentdb://localhost:2113/path",
            "kurrentdb://localhost:2113?tls",
            "kurrentdb://localhost:2113?tsl=false",
            "kurrentdb://localhost:2113?nodePreference=follower",
            "kurrentdb://localhost:2113?streamPrefix=",
            "kurrentdb://localhost:2113?streamPrefix=$own-",
            "kurrentdb://localhost:2113?streamPrefix=-a",
            "kurrentdb://localhost:2113?streamPrefix=a%20b",
        ] {
            let refused = LogUrl::parse_for(text, true).err();
            assert!(matches!(refused, Some(LogUrlError::KurrentDb(_))), "{text}: {refused:?}");
        }
        #[cfg(feature = "kurrentdb")]
        for text in ["kurrentdb://localhost:99999999", "kurrentdb://localhost:2113?tls=perhaps", "kurrentdb://a?userCertFile=only.pem"] {
            assert!(matches!(LogUrl::parse(text), Err(LogUrlError::KurrentDb(_))), "{text}");
        }
    }

    #[test]
    fn no_password_is_shown() {
        for text in ["kurrentdb://admin:s3cr@et@localhost:2113?tls=false", "esdb://admin:s3cr@et@one:1,two:2"] {
            let url = LogUrl::parse_for(text, true);
            let shown = format!("{url:?} {}", url.as_ref().map(ToString::to_string).unwrap_or_default());
            assert!(!shown.contains("s3cr") && !shown.contains("et@"), "{shown}");
            assert!(shown.contains("admin:***@"), "{shown}");
        }
    }
}
