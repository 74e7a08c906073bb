use chassis::identity::{Identity, Role};
use domain::BuyerId;

use crate::streams;

/// Who sends a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A buyer, by the token's subject.
    Buyer(BuyerId),
    /// Another business system, by the token's subject.
    Service(String),
    /// An operator.
    Operator(String),
    /// Whoever holds the unguessable link of an order's checkout page: may pay it and look at it, and nothing else.
    CheckoutLink,
}

impl Caller {
    /// The caller in one of the roles that a route allows, the first that the token has; `None` where it has none.
    pub fn of(identity: &Identity, allowed: &[Role]) -> Option<Self> {
        let role = allowed.iter().copied().find(|role| identity.has(*role))?;
        match role {
            Role::Buyer => BuyerId::parse(&identity.subject).ok().map(Self::Buyer),
            Role::Service => Some(Self::Service(identity.subject.clone())),
            Role::Operator => Some(Self::Operator(identity.subject.clone())),
            Role::Auditor => None,
        }
    }

    /// The word in an event's metadata.
    pub fn actor(&self) -> String {
        match self {
            Self::Buyer(buyer_id) => format!("buyer:{buyer_id}"),
            Self::Service(subject) => format!("service:{subject}"),
            Self::Operator(subject) => format!("operator:{subject}"),
            Self::CheckoutLink => "checkout-link".to_owned(),
        }
    }

    /// Whether the caller may see and command an order of `buyer_id` that `service` made.
    pub fn may_command(&self, buyer_id: &BuyerId, service: Option<&str>) -> bool {
        match self {
            Self::Buyer(caller) => caller == buyer_id,
            Self::Service(caller) => service == Some(caller),
            Self::Operator(_) | Self::CheckoutLink => true,
        }
    }
}

/// A caller's `Idempotency-Key`, scoped to subject and route, with the content that came with it. Only hashes are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerKey {
    /// Hash of subject, route and key.
    pub key_hash: String,
    /// Hash of the request's content.
    pub request_hash: String,
}

impl CallerKey {
    /// The most characters that a key has.
    pub const MAX_LEN: usize = 255;

    /// The key `key` that `subject` sent to `route` (method and path) with `content`.
    pub fn new(subject: &str, route: &str, key: &str, content: &str) -> Self {
        Self { key_hash: streams::hash(&["caller", subject, route, key]), request_hash: streams::hash(&[content]) }
    }
}
