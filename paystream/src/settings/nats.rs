//! The broker, if there is one.

use std::collections::BTreeSet;

use followers::nats::NatsUrl;

use super::{Role, SettingError, invalid, parsed};
use crate::variables::{self, Typed};

/// Where the published events go, and on how many servers of a cluster they lie.
pub(crate) struct NatsSettings {
    pub(crate) url: NatsUrl,
    pub(crate) replicas: usize,
}

/// The broker that `PAYSTREAM_NATS` names; none where it names none.
pub(super) fn broker(typed: &Typed) -> Result<Option<NatsSettings>, SettingError> {
    const EXPECTED: &str = "1, 3 or 5 servers";
    let replicas: usize = parsed(typed, variables::NATS_REPLICAS, EXPECTED)?.unwrap_or(1);
    if !matches!(replicas, 1 | 3 | 5) {
        return Err(invalid(variables::NATS_REPLICAS, EXPECTED));
    }
    match typed.get(variables::NATS) {
        None | Some("none") => Ok(None),
        Some(text) => match NatsUrl::parse(text) {
            Ok(url) => Ok(Some(NatsSettings { url, replicas })),
            Err(error) => Err(invalid(variables::NATS, format!("none, or nats://<user>:<password>@<host>:<port>; {error}"))),
        },
    }
}

/// The relay needs a broker: where there is none it is no part of all roles, and may not be named.
pub(super) fn fit_to_broker(mut roles: BTreeSet<Role>, named: bool, nats: Option<&NatsSettings>) -> Result<BTreeSet<Role>, SettingError> {
    if nats.is_none() && roles.remove(&Role::Relay) && named {
        return Err(invalid(variables::NATS, "the role relay needs a broker, for instance nats://127.0.0.1:4222"));
    }
    Ok(roles)
}
