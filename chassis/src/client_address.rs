//! Where a request comes from, also behind proxies.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use http::request::Parts;
use ipnet::IpNet;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The proxies whose word about a request's origin is taken. None by default: anybody can write the header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

/// The text is no list of addresses and networks.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is neither an address nor a network such as 10.0.0.0/8")]
pub struct ProxyError(String);

impl FromStr for TrustedProxies {
    type Err = ProxyError;

    /// Reads addresses and networks, separated by commas.
    fn from_str(text: &str) -> Result<Self, ProxyError> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let network =
            |part: &str| part.parse().or_else(|_| part.parse::<IpAddr>().map(IpNet::from)).map_err(|_| ProxyError(part.to_owned()));
        parts.map(network).collect::<Result<_, _>>().map(Self)
    }
}

impl TrustedProxies {
    fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address.to_canonical()))
    }

    /// The address of whoever asked: the last one in the chain that is none of ours. What stands before it in the
    /// header, the client itself may have written.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let values = headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
        let chain: Vec<&str> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
        for said in chain.into_iter().rev() {
            if !self.contains(client) {
                break;
            }
            let Ok(address) = said.parse::<IpAddr>() else { break };
            client = address.to_canonical();
        }
        client
    }
}

/// Where a request comes from: the peer, or what a trusted proxy says; `None` where the server does not tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub Option<IpAddr>);

impl ClientAddress {
    /// The client of a request that passed [`resolve`], else its peer.
    pub fn of(request: &http::Extensions) -> Self {
        let peer = || request.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip().to_canonical());
        request.get::<Self>().copied().unwrap_or_else(|| Self(peer()))
    }

    /// What counts as one client for limits: of IPv6 the first 64 bits, since one customer has all addresses behind them.
    pub fn network(self) -> Option<IpAddr> {
        self.0.map(|address| match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::from([a, b, c, d, 0, 0, 0, 0])
            }
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.extensions))
    }
}

/// The layer that finds out where a request comes from.
pub async fn resolve(State(proxies): State<Arc<TrustedProxies>>, mut request: Request, next: Next) -> Response {
    if let ClientAddress(Some(peer)) = ClientAddress::of(request.extensions()) {
        let client = proxies.client(peer, request.headers());
        request.extensions_mut().insert(ClientAddress(Some(client)));
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn client(proxies: &str, peer: &str, said: &[&str]) -> IpAddr {
        let mut headers = HeaderMap::new();
        for value in said {
            headers.append(FORWARDED_FOR, value.parse().unwrap());
        }
        proxies.parse::<TrustedProxies>().unwrap().client(address(peer), &headers)
    }

    #[test]
    fn without_trusted_proxies_the_header_is_only_a_claim() {
        assert_eq!(client("", "192.0.2.1", &["198.51.100.7"]), address("192.0.2.1"));
        assert_eq!(client("10.0.0.0/8", "192.0.2.1", &["198.51.100.7"]), address("192.0.2.1"));
    }

    #[test]
    fn a_trusted_proxy_tells_the_client() {
        assert_eq!(client("10.0.0.0/8", "10.1.2.3", &["198.51.100.7"]), address("198.51.100.7"));
        assert_eq!(client("127.0.0.1", "::ffff:127.0.0.1", &["2001:db8::1"]), address("2001:db8::1"));
        assert_eq!(client("127.0.0.1", "127.0.0.1", &[]), address("127.0.0.1"));
    }

    #[test]
    fn what_the_client_wrote_before_the_proxies_counts_for_nothing() {
        assert_eq!(client("10.0.0.0/8", "10.0.0.1", &["203.0.113.9, 198.51.100.7", "10.0.0.2"]), address("198.51.100.7"));
        assert_eq!(client("10.0.0.0/8", "10.0.0.1", &["10.9.9.9, 198.51.100.7"]), address("198.51.100.7"));
        assert_eq!(client("10.0.0.0/8", "10.0.0.1", &["198.51.100.7, unknown"]), address("10.0.0.1"));
    }

    #[test]
    fn a_list_that_is_none_is_refused_and_named() {
        assert_eq!("10.0.0.0/8,proxy.local".parse::<TrustedProxies>(), Err(ProxyError("proxy.local".to_owned())));
    }

    #[test]
    fn one_networks_addresses_count_together() {
        let network = |text: &str| ClientAddress(Some(address(text))).network();
        assert_eq!(network("2001:db8:1:2:3::4"), network("2001:db8:1:2::5"));
        assert_ne!(network("2001:db8:1:2::5"), network("2001:db8:1:3::5"));
        assert_eq!(network("::ffff:192.0.2.1"), Some(address("192.0.2.1")));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }
}
