use std::fmt;

use async_nats::{ConnectOptions, ServerAddr};
use chassis::secret::Secret;

/// Where NATS is: `nats://user:password@host:port`, or several of one cluster separated by commas; `tls://` where the
/// connection is to be encrypted. A lone user name is a token. The credentials of the first address are those of all.
///
/// Neither `Debug` nor `Display` shows the credentials.
#[derive(Clone)]
pub struct NatsUrl {
    servers: Vec<ServerAddr>,
    credentials: Credentials,
    shown: String,
}

#[derive(Clone)]
enum Credentials {
    None,
    Token(Secret<String>),
    Password { user: String, password: Secret<String> },
}

/// Why an address of NATS cannot be read. Its text repeats nothing of the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NatsUrlError {
    /// It begins otherwise.
    #[error("an address begins neither with nats:// nor with tls://")]
    Scheme,
    /// It has no host, a wrong port, or more behind it.
    #[error("an address is not nats://<user>:<password>@<host>:<port>")]
    Unreadable,
    /// An address after the first one has others than the first.
    #[error("the addresses of one cluster have one user, told in the first of them")]
    Credentials,
}

impl NatsUrl {
    /// Reads one address, or several separated by commas.
    pub fn parse(text: &str) -> Result<Self, NatsUrlError> {
        let mut servers = Vec::new();
        let mut shown = Vec::new();
        let mut credentials = Credentials::None;
        for (number, part) in text.split(',').map(str::trim).enumerate() {
            let (scheme, rest) = part.split_once("://").ok_or(NatsUrlError::Scheme)?;
            if !matches!(scheme, "nats" | "tls") {
                return Err(NatsUrlError::Scheme);
            }
            // The password may hold an @; a host never does.
            let (user_info, host) = rest.rsplit_once('@').map_or((None, rest), |(user, host)| (Some(user), host));
            let mask = match user_info.map(credentials_of).transpose()? {
                None => String::new(),
                Some(_) if number > 0 => return Err(NatsUrlError::Credentials),
                Some(found) => {
                    credentials = found;
                    credentials.shown()
                }
            };
            let host = host.trim_end_matches('/');
            if host.is_empty() || host.contains(['/', '?', '#']) {
                return Err(NatsUrlError::Unreadable);
            }
            // Without the credentials, so that whatever the client tells of an address tells none.
            let server: ServerAddr = format!("{scheme}://{host}").parse().map_err(|_| NatsUrlError::Unreadable)?;
            if server.host().is_empty() {
                return Err(NatsUrlError::Unreadable);
            }
            servers.push(server);
            shown.push(format!("{scheme}://{mask}{host}"));
        }
        Ok(Self { servers, credentials, shown: shown.join(",") })
    }

    pub(super) fn servers(&self) -> Vec<ServerAddr> {
        self.servers.clone()
    }

    pub(super) fn with_credentials(&self, options: ConnectOptions) -> ConnectOptions {
        match &self.credentials {
            Credentials::None => options,
            Credentials::Token(token) => options.token(token.expose().clone()),
            Credentials::Password { user, password } => options.user_and_password(user.clone(), password.expose().clone()),
        }
    }
}

fn credentials_of(user_info: &str) -> Result<Credentials, NatsUrlError> {
    let (user, password) = user_info.split_once(':').map_or((user_info, None), |(user, password)| (user, Some(password)));
    let user = decoded(user)?;
    Ok(match password {
        None => Credentials::Token(user.into()),
        Some(password) => Credentials::Password { user, password: decoded(password)?.into() },
    })
}

/// Takes the percent signs of a URL back.
fn decoded(text: &str) -> Result<String, NatsUrlError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = (first == b'%').then(|| after.get(..2).and_then(|pair| std::str::from_utf8(pair).ok()));
        match hex {
            None => {
                bytes.push(first);
                rest = after;
            }
            Some(pair) => {
                let pair = pair.filter(|pair| pair.bytes().all(|byte| byte.is_ascii_hexdigit()));
                bytes.push(pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()).ok_or(NatsUrlError::Unreadable)?);
                rest = &after[2..];
            }
        }
    }
    String::from_utf8(bytes).map_err(|_| NatsUrlError::Unreadable)
}

impl Credentials {
    fn shown(&self) -> String {
        match self {
            Self::None => String::new(),
            Self::Token(_) => "***@".to_owned(),
            Self::Password { user, .. } => format!("{user}:***@"),
        }
    }
}

impl fmt::Display for NatsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shown.fmt(f)
    }
}

impl fmt::Debug for NatsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NatsUrl({})", self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_and_several_addresses_are_read() {
        for (text, servers) in [
            ("nats://127.0.0.1:4222", 1),
            ("tls://broker.example", 1),
            ("nats://[::1]:4222", 1),
            ("nats://relay:p%40ss@one:4222, nats://two:4222,nats://three:4222/", 3),
        ] {
            assert_eq!(NatsUrl::parse(text).unwrap().servers().len(), servers, "{text}");
        }
    }

    #[test]
    fn the_password_is_read_and_never_shown() {
        let url = NatsUrl::parse("nats://relay:p%40s:s@one:4222").unwrap();
        assert_eq!(
            (url.to_string().as_str(), format!("{url:?}").as_str()),
            ("nats://relay:***@one:4222", "NatsUrl(nats://relay:***@one:4222)")
        );
        let Credentials::Password { user, password } = url.credentials else { panic!("no password") };
        assert_eq!((user.as_str(), password.expose().as_str()), ("relay", "p@s:s"));
        let url = NatsUrl::parse("nats://s3cret@one").unwrap();
        assert_eq!(url.to_string(), "nats://***@one");
        assert!(matches!(url.credentials, Credentials::Token(token) if token.expose() == "s3cret"));
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_it() {
        for (text, error) in [
            ("http://one:4222", NatsUrlError::Scheme),
            ("one:4222", NatsUrlError::Scheme),
            ("nats://", NatsUrlError::Unreadable),
            ("nats://one:notaport", NatsUrlError::Unreadable),
            ("nats://one:4222/stream", NatsUrlError::Unreadable),
            ("nats://u:%zz@one:4222", NatsUrlError::Unreadable),
            ("nats://u:%4@one:4222", NatsUrlError::Unreadable),
            ("nats://one:4222,nats://u:p@two:4222", NatsUrlError::Credentials),
            ("nats://one:4222,", NatsUrlError::Scheme),
        ] {
            assert_eq!(NatsUrl::parse(text).unwrap_err(), error, "{text}");
        }
    }
}
