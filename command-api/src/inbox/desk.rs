//! The inbox as operators work on it.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use database::DatabaseError;
use domain::{Money, PayNo};
use gateway::RawNotification;

use super::KeptNotice;

/// The verdict of money that no pay record asked for.
pub(crate) const UNMATCHED: &str = "unknown_order";

/// Whether an operator is to look at a kept notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeState {
    /// It is genuine, and what it tells is not done with: unmatched money, or what could not be judged or was refused.
    Open,
    /// Nothing is to be done about it.
    Settled,
}

impl NoticeState {
    /// The contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Settled => "settled",
        }
    }

    /// Reads the contract's word; `None` for any other.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Open, Self::Settled].into_iter().find(|state| state.as_str() == word)
    }
}

/// What an operator did with a kept notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeAction {
    /// Its money belongs to this pay record.
    Assigned(PayNo),
    /// It needs nothing any more.
    Dismissed,
    /// It was judged once more.
    Rejudged,
}

impl NoticeAction {
    /// The contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Assigned(_) => "assigned",
            Self::Dismissed => "dismissed",
            Self::Rejudged => "rejudged",
        }
    }

    /// Whether nothing is to be done any more, whatever the verdict.
    pub fn settles(self) -> bool {
        matches!(self, Self::Assigned(_) | Self::Dismissed)
    }

    /// The pay record that the money was assigned to.
    pub fn pay_no(self) -> Option<PayNo> {
        if let Self::Assigned(pay_no) = self { Some(pay_no) } else { None }
    }

    pub(super) fn read(word: &str, pay_no: Option<&str>) -> Option<Self> {
        match word {
            "assigned" => pay_no.and_then(|pay_no| pay_no.parse().ok()).map(Self::Assigned),
            "dismissed" => Some(Self::Dismissed),
            "rejudged" => Some(Self::Rejudged),
            _ => None,
        }
    }
}

/// An operator's act on a kept notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorAct {
    /// What was done.
    pub action: NoticeAction,
    /// By whom, as the log names actors.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Why, in the operator's words.
    pub reason: String,
}

/// A kept notification without its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredNotice {
    /// Its number, which rises.
    pub notice_id: i64,
    /// The wallet that it names.
    pub wallet: String,
    /// Whether its signature held when it was judged last.
    pub is_authentic: bool,
    /// Our number in it, where it is genuine and could be read.
    pub out_trade_no: Option<String>,
    /// The channel's number in it, likewise.
    pub trade_no: Option<String>,
    /// The payment's amount in it, likewise.
    pub amount: Option<Money>,
    /// What it tells, in a word of ours, likewise.
    pub news: Option<String>,
    /// One word for what was made of it.
    pub verdict: String,
    /// Whether an operator is to look at it.
    pub state: NoticeState,
    /// How often it came.
    pub times_seen: u64,
    /// When it came first.
    pub first_received_at: DateTime<Utc>,
    /// When it came last.
    pub last_received_at: DateTime<Utc>,
    /// What an operator did with it last.
    pub act: Option<OperatorAct>,
}

impl StoredNotice {
    /// Whether an operator has ended it.
    pub fn is_ended(&self) -> bool {
        self.act.as_ref().is_some_and(|act| act.action.settles())
    }

    /// Whether an operator dismissed it before what it tells proved to be money that matches nothing.
    pub(super) fn is_dismissed_too_soon(&self, judged: &KeptNotice) -> bool {
        let is_dismissed = self.act.as_ref().is_some_and(|act| act.action == NoticeAction::Dismissed);
        is_dismissed && self.verdict != UNMATCHED && judged.verdict == UNMATCHED && judged.state == NoticeState::Open
    }
}

/// Money that no pay record asked for, by the channel's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unmatched<'n> {
    /// The wallet that took it.
    pub wallet: &'n str,
    /// The channel's own number.
    pub trade_no: &'n str,
}

/// Which kept notifications are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoticeFilter {
    /// Only those of this verdict.
    pub verdict: Option<String>,
    /// Only those in this state.
    pub state: Option<NoticeState>,
}

/// How many notifications a clean-up dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CleanedUp {
    /// Because they were kept long enough.
    pub by_age: u64,
    /// Because the unverified ones took more than their quota.
    pub by_quota: u64,
}

/// What operators do with kept notifications.
#[async_trait]
pub trait NoticeDesk: Send + Sync {
    /// At most `limit` kept notifications with smaller numbers than `before`, the newest first.
    async fn page(&self, filter: &NoticeFilter, before: Option<i64>, limit: u32) -> Result<Vec<StoredNotice>, DatabaseError>;

    /// One of them.
    async fn find(&self, notice_id: i64) -> Result<Option<StoredNotice>, DatabaseError>;

    /// Its text, as far as it was kept and can be unsealed.
    async fn raw(&self, notice_id: i64) -> Result<Option<RawNotification>, DatabaseError>;

    /// Writes down what was made of a notification that was judged once more, as it stood `before`. One that an operator has
    /// ended stays ended, one that became something else meanwhile is not opened again, and one that proved genuine once
    /// stays with those that are kept.
    async fn judged(&self, before: &StoredNotice, judged: &KeptNotice, act: &OperatorAct) -> Result<(), DatabaseError>;

    /// Writes down that an operator has ended a notification, if one is named, and with it all that are open and tell of the
    /// same unmatched `money`.
    async fn end(&self, notice_id: Option<i64>, act: &OperatorAct, money: Option<Unmatched<'_>>) -> Result<(), DatabaseError>;

    /// Drops what was kept long enough, up to a limit, and of unverified ones what is over the quota, the oldest first.
    async fn clean_up(&self, now: DateTime<Utc>) -> Result<CleanedUp, DatabaseError>;
}
