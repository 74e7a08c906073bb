use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use domain::Channel;
use domain::order::Attempt;
use gateway::Gateway;

/// A channel that the configuration names.
#[derive(Clone)]
pub struct ConfiguredChannel {
    /// Its adapter.
    pub gateway: Arc<dyn Gateway>,
    /// The channel's product code, sent with every attempt.
    pub product_code: String,
    /// Where the channel sends its notifications.
    pub notify_url: String,
    /// How long a code can be scanned, at the most.
    pub code_life: TimeDelta,
}

impl ConfiguredChannel {
    /// A wish to pay through it.
    pub(crate) fn wish(&self, channel: Channel, now: DateTime<Utc>) -> Attempt {
        Attempt { channel, product_code: self.product_code.clone(), notify_url: self.notify_url.clone(), now }
    }
}

/// The channels that can be paid through.
#[derive(Clone, Default)]
pub struct Channels {
    configured: BTreeMap<Channel, ConfiguredChannel>,
}

impl Channels {
    /// With `channel` beside those that are there.
    #[must_use]
    pub fn with(mut self, channel: Channel, configured: ConfiguredChannel) -> Self {
        self.configured.insert(channel, configured);
        self
    }

    /// The configured channel; `None` where it is not.
    pub fn get(&self, channel: Channel) -> Option<&ConfiguredChannel> {
        self.configured.get(&channel)
    }

    /// Every configured channel.
    pub fn all(&self) -> impl Iterator<Item = Channel> + '_ {
        self.configured.keys().copied()
    }
}
