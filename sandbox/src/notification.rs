//! Notifications as they are kept: the signed message, where it goes, and how far its delivery is.

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::NotifyScale;
use crate::{alipay, wechat};

/// By whose rules a notification is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Alipay,
    WechatV3,
    WechatV2,
}

impl Protocol {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Alipay => "alipay",
            Self::WechatV3 => "wechat_v3",
            Self::WechatV2 => "wechat_v2",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Alipay, Self::WechatV3, Self::WechatV2].into_iter().find(|protocol| protocol.as_str() == word)
    }

    /// The waits between two deliveries.
    fn ladder(self) -> &'static [TimeDelta] {
        match self {
            Self::Alipay => &alipay::NOTIFY_LADDER,
            Self::WechatV3 | Self::WechatV2 => &wechat::NOTIFY_LADDER,
        }
    }

    /// How many deliveries the channel tries.
    pub(crate) fn attempts(self) -> u32 {
        u32::try_from(self.ladder().len()).unwrap_or(u32::MAX).saturating_add(1)
    }
}

/// Who signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signer {
    /// The channel, with its own key.
    Channel,
    /// Somebody who has another key.
    Forger,
}

/// A signed message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) notify_id: String,
    pub(crate) content_type: String,
    pub(crate) body: String,
}

/// How far a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeliveryStatus {
    /// It will be sent when it is due.
    Pending,
    /// The merchant acknowledged it.
    Delivered,
    /// The ladder is at its end.
    GivenUp,
    /// It is never sent: nobody asked for it, or it was told to be lost.
    Withheld,
}

impl DeliveryStatus {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::GivenUp => "given_up",
            Self::Withheld => "withheld",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Pending, Self::Delivered, Self::GivenUp, Self::Withheld].into_iter().find(|status| status.as_str() == word)
    }
}

/// A notification to be kept and, if `url` says where and it is not withheld, sent.
#[derive(Clone, Debug)]
pub(crate) struct NewNotification {
    pub(crate) message: Message,
    pub(crate) protocol: Protocol,
    /// Whether the channel signed it.
    pub(crate) is_genuine: bool,
    /// Whether the first delivery carries a signature that is wrong on purpose, as a test of the merchant.
    pub(crate) is_probe: bool,
    pub(crate) url: Option<String>,
    /// How many times it is sent at once on the first delivery.
    pub(crate) copies: u32,
    /// How many deliveries are tried at most.
    pub(crate) attempts_allowed: u32,
    /// When the first delivery is due; none if it is withheld.
    pub(crate) first_due_at: Option<DateTime<Utc>>,
}

/// A notification that will be sent, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    pub(crate) notification_id: i64,
    pub(crate) next_due_at: DateTime<Utc>,
}

/// A notification with all that its next delivery needs.
#[derive(Clone, Debug)]
pub(crate) struct Due {
    pub(crate) protocol: Protocol,
    pub(crate) is_genuine: bool,
    pub(crate) is_probe: bool,
    pub(crate) url: String,
    pub(crate) content_type: String,
    pub(crate) body: String,
    pub(crate) copies: u32,
    pub(crate) attempts: u32,
    pub(crate) attempts_allowed: u32,
    pub(crate) first_due_at: DateTime<Utc>,
}

/// What is shown of a delivery.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) notify_id: String,
    pub(crate) protocol: Protocol,
    pub(crate) is_genuine: bool,
    pub(crate) status: DeliveryStatus,
    pub(crate) attempts: u32,
    pub(crate) next_due_at: Option<DateTime<Utc>>,
    pub(crate) last_outcome: Option<String>,
    pub(crate) body: String,
}

/// What became of one more delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attempted {
    pub(crate) status: DeliveryStatus,
    pub(crate) attempts: u32,
    pub(crate) next_due_at: Option<DateTime<Utc>>,
    pub(crate) outcome: String,
}

impl Due {
    /// What is recorded after a delivery with this outcome, under its channel's ladder of waits.
    ///
    /// Each delivery is due at its own distance from the first, not from when the one before happened to be sent: a
    /// clock that jumps past the whole ladder leaves nothing to come, as a day of silence would.
    pub(crate) fn attempted(&self, acknowledged: bool, outcome: String, scale: NotifyScale) -> Attempted {
        let ladder = self.protocol.ladder();
        let attempts = self.attempts + 1;
        let waits = ladder.get(..attempts as usize).filter(|_| attempts < self.attempts_allowed);
        let (status, next_due_at) = match (acknowledged, waits) {
            (true, _) => (DeliveryStatus::Delivered, None),
            (false, Some(waits)) => {
                (DeliveryStatus::Pending, Some(waits.iter().fold(self.first_due_at, |due_at, wait| due_at + scale.apply(*wait))))
            }
            (false, None) => (DeliveryStatus::GivenUp, None),
        };
        Attempted { status, attempts, next_due_at, outcome }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trade::tests::at;

    fn due(attempts: u32, attempts_allowed: u32) -> Due {
        Due {
            protocol: Protocol::Alipay,
            is_genuine: true,
            is_probe: false,
            url: String::new(),
            content_type: String::new(),
            body: String::new(),
            copies: 1,
            attempts,
            attempts_allowed,
            first_due_at: at(0),
        }
    }

    fn failed(due: &Due, scale: &str) -> Attempted {
        due.attempted(false, "HTTP 500".to_owned(), scale.parse().unwrap())
    }

    #[test]
    fn eight_deliveries_follow_the_ladder_from_the_first() {
        let minutes = [4, 14, 24, 84, 204, 564, 1_464];
        for (attempts, minutes) in (0..).zip(minutes) {
            let next = failed(&due(attempts, 8), "1");
            assert_eq!((next.status, next.attempts), (DeliveryStatus::Pending, attempts + 1));
            assert_eq!(next.next_due_at, Some(at(minutes * 60)));
        }
        let last = failed(&due(7, 8), "1");
        assert_eq!((last.status, last.attempts, last.next_due_at), (DeliveryStatus::GivenUp, 8, None));
    }

    #[test]
    fn wechat_pays_ladder_ends_after_a_day_and_four_minutes() {
        let wechat = |attempts| Due { protocol: Protocol::WechatV3, ..due(attempts, Protocol::WechatV3.attempts()) };
        let seconds: Vec<_> = (0..15).map(|attempts| (failed(&wechat(attempts), "1").next_due_at.unwrap() - at(0)).num_seconds()).collect();
        assert_eq!(seconds[..5], [15, 30, 60, 240, 840]);
        assert_eq!(seconds[14], 24 * 3_600 + 4 * 60);
        assert_eq!(failed(&wechat(15), "1").status, DeliveryStatus::GivenUp);
    }

    #[test]
    fn the_ladder_is_scaled() {
        assert_eq!(failed(&due(3, 8), "0.001").next_due_at, Some(at(0) + TimeDelta::milliseconds(84 * 60)));
        assert_eq!(failed(&due(0, 8), "0").next_due_at, Some(at(0)));
    }

    #[test]
    fn an_acknowledged_notification_is_not_repeated() {
        let done = due(0, 8).attempted(true, "success".to_owned(), NotifyScale::REAL);
        assert_eq!((done.status, done.next_due_at), (DeliveryStatus::Delivered, None));
    }

    #[test]
    fn a_single_delivery_is_given_up_when_it_fails() {
        assert_eq!(failed(&due(0, 1), "1").status, DeliveryStatus::GivenUp);
    }
}
