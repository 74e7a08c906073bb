//! How often one caller may use the routes that cost work: commands and drawn codes.

use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::client_address::ClientAddress;
use crate::clock::Clock;
use crate::identity::{Identity, Role, TokenVerifier, bearer};
use crate::problem::Problem;
use crate::rate_limit::RateLimiter;

/// A limit: so many at once, then so many in each second. Written `1000/500`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many may come at once.
    pub burst: u32,
    /// How many may come in each second from then on.
    pub per_second: u32,
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let number = |part: &str| part.parse().ok().filter(|number| *number > 0).ok_or(RateError);
        let (burst, per_second) = text.split_once('/').ok_or(RateError)?;
        Ok(Self { burst: number(burst)?, per_second: number(per_second)? })
    }
}

/// The text is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("two whole numbers above 0: how many at once, and how many in each second, for instance 1000/500")]
pub struct RateError;

/// Limits of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdmissionConfig {
    /// Of one buyer, or of whoever holds one link.
    pub buyer: Rate,
    /// Of one other business system, operator or auditor: they speak for many.
    pub system: Rate,
    /// Of one address, whoever asks from there: a school's learners may share one. This machine itself has no limit.
    pub address: Rate,
}

impl Default for AdmissionConfig {
    /// Far above what people do by hand, so that only a machine that runs away is held up.
    fn default() -> Self {
        Self {
            buyer: Rate { burst: 1000, per_second: 500 },
            system: Rate { burst: 5000, per_second: 2500 },
            address: Rate { burst: 5000, per_second: 2500 },
        }
    }
}

/// Counts callers of one process.
pub struct Admission {
    verifier: Arc<TokenVerifier>,
    clock: Arc<dyn Clock>,
    buyers: RateLimiter,
    systems: RateLimiter,
    addresses: RateLimiter,
}

impl Admission {
    /// Counts by the subjects of tokens that `verifier` accepts.
    pub fn new(config: &AdmissionConfig, verifier: Arc<TokenVerifier>, clock: Arc<dyn Clock>) -> Self {
        let limiter = |rate: Rate| RateLimiter::per_second(rate.burst, rate.per_second);
        Self { verifier, clock, buyers: limiter(config.buyer), systems: limiter(config.system), addresses: limiter(config.address) }
    }

    /// Counts a request. Answers who asks, if a good token says so, so that nobody has to look at it again.
    fn count(&self, request: &Request) -> Result<Option<Identity>, Problem> {
        let now = self.clock.now();
        let address = ClientAddress::of(request.extensions());
        if let Some(network) = address.network().filter(|address| !address.is_loopback()) {
            self.addresses.check(network, now)?;
        }
        let token = bearer(request.headers()).unwrap_or_default();
        let identity = token.and_then(|token| self.verifier.verify(token).ok());
        match &identity {
            Some(identity) if [Role::Service, Role::Operator, Role::Auditor].iter().any(|role| identity.has(*role)) => {
                self.systems.check(&identity.subject, now)?;
            }
            Some(identity) => self.buyers.check(&identity.subject, now)?,
            // Without a token the link is what lets somebody in. A bad token costs its address.
            None => self.buyers.check(request.uri().path(), now)?,
        }
        Ok(identity)
    }
}

/// The layer that counts, and refuses with 429 whoever asks too often.
pub async fn admit(State(admission): State<Arc<Admission>>, mut request: Request, next: Next) -> Response {
    match admission.count(&request) {
        Ok(identity) => {
            if let Some(identity) = identity {
                request.extensions_mut().insert(identity);
            }
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::extract::ConnectInfo;
    use axum::routing::post;
    use chrono::{DateTime, TimeDelta};
    use http::header::{AUTHORIZATION, RETRY_AFTER};
    use std::net::SocketAddr;
    use tower::ServiceExt;

    use super::*;
    use crate::clock::ManualClock;
    use crate::identity::{SigningKey, TokenIssuer};

    struct World {
        clock: Arc<ManualClock>,
        issuer: TokenIssuer,
        router: Router,
    }

    fn world() -> World {
        let clock = Arc::new(ManualClock::new(DateTime::UNIX_EPOCH));
        let issuer = TokenIssuer::new(SigningKey::generate().unwrap(), "us", "api", Arc::clone(&clock) as _);
        let verifier = Arc::new(TokenVerifier::new([issuer.key().verifying_key()], "us", "api", Arc::clone(&clock) as _));
        let rate = |burst| Rate { burst, per_second: 1 };
        let config = AdmissionConfig { buyer: rate(2), system: rate(3), address: rate(5) };
        let admission = Arc::new(Admission::new(&config, Arc::clone(&verifier), Arc::clone(&clock) as _));
        let router = Router::new()
            .route("/orders", post(|identity: Identity| async move { identity.subject }))
            .route("/links/{token}", post(|| async {}))
            .route_layer(axum::middleware::from_fn_with_state(admission, admit))
            .with_state(verifier);
        World { clock, issuer, router }
    }

    impl World {
        async fn ask(&self, path: &str, who: Option<(&str, Role)>, from: &str) -> Response {
            let peer = ConnectInfo(SocketAddr::new(from.parse().unwrap(), 5000));
            let mut request = http::Request::post(path).extension(peer);
            if let Some((subject, role)) = who {
                let token = self.issuer.issue(subject, &[role]).token;
                request = request.header(AUTHORIZATION, format!("Bearer {}", token.expose()));
            }
            self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
        }

        async fn statuses(&self, count: usize, who: Option<(&str, Role)>, from: &str) -> Vec<u16> {
            let path = if who.is_some() { "/orders" } else { "/links/x" };
            let mut statuses = Vec::new();
            for _ in 0..count {
                statuses.push(self.ask(path, who, from).await.status().as_u16());
            }
            statuses
        }
    }

    #[tokio::test]
    async fn a_caller_has_a_burst_and_then_a_rate() {
        let world = world();
        assert_eq!(world.statuses(3, Some(("a", Role::Buyer)), "127.0.0.1").await, [200, 200, 429]);
        assert_eq!(world.statuses(1, Some(("b", Role::Buyer)), "127.0.0.1").await, [200]);
        let refused = world.ask("/orders", Some(("a", Role::Buyer)), "127.0.0.1").await;
        assert_eq!(refused.headers()[RETRY_AFTER], "1");
        world.clock.advance(TimeDelta::seconds(1));
        assert_eq!(world.statuses(2, Some(("a", Role::Buyer)), "127.0.0.1").await, [200, 429]);
    }

    #[tokio::test]
    async fn another_system_has_more_and_a_link_as_much_as_a_buyer() {
        let world = world();
        assert_eq!(world.statuses(4, Some(("erp", Role::Service)), "127.0.0.1").await, [200, 200, 200, 429]);
        assert_eq!(world.statuses(3, None, "127.0.0.1").await, [200, 200, 429]);
    }

    #[tokio::test]
    async fn an_address_is_counted_whoever_asks_from_it() {
        let world = world();
        for subject in ["a", "b", "c", "d", "e"] {
            assert_eq!(world.statuses(1, Some((subject, Role::Buyer)), "192.0.2.1").await, [200]);
        }
        assert_eq!(world.statuses(1, Some(("f", Role::Buyer)), "192.0.2.1").await, [429]);
        assert_eq!(world.statuses(1, Some(("f", Role::Buyer)), "192.0.2.2").await, [200]);
    }

    #[test]
    fn a_rate_is_two_numbers() {
        assert_eq!("10/5".parse(), Ok(Rate { burst: 10, per_second: 5 }));
        for text in ["", "10", "10/", "/5", "0/5", "10/0", "10/5/1", "-1/5"] {
            assert_eq!(text.parse::<Rate>(), Err(RateError), "{text}");
        }
    }
}
