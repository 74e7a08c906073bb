//! Notifications: verified on their raw bytes, compared with our record, decided, durable, kept, and only then answered.

mod assigning;
mod failure;
mod judging;
mod matched;
mod operators;
mod refunds;

use chrono::{DateTime, Utc};
use gateway::{Gateway, News, Notification, NotificationRefusal, NotificationReply, RawNotification, Receipt};
use uuid::Uuid;

use crate::failure::CommandFailure;
use crate::handler::Context;
use crate::inbox::{KeptNotice, NoticeState};
use crate::service::Commands;
use crate::wallet::Wallet;

pub use failure::NoticeFailure;
pub use operators::NoticeAnswer;

/// What was made of a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeVerdict {
    /// It is refused, and why.
    Refused(NotificationRefusal),
    /// What it tells is on the log, or was already.
    Recorded,
    /// It tells nothing that changes anything.
    Nothing,
    /// It could not be believed as it stands, and the channel was asked instead: its answer is on the log.
    SettledByQuery,
    /// It could not be believed as it stands, and the channel did not confirm it.
    Unconfirmed,
}

impl NoticeVerdict {
    /// The word that is kept with the notification.
    pub fn word(self) -> String {
        match self {
            Self::Refused(refusal) => refusal.to_string(),
            Self::Recorded => "recorded".to_owned(),
            Self::Nothing => "nothing".to_owned(),
            Self::SettledByQuery => "settled_by_query".to_owned(),
            Self::Unconfirmed => "unconfirmed".to_owned(),
        }
    }

    fn receipt(self) -> Receipt {
        match self {
            Self::Recorded | Self::Nothing | Self::SettledByQuery => Receipt::Durable,
            Self::Refused(_) | Self::Unconfirmed => Receipt::Refused,
        }
    }

    /// What goes back to the wallet. WeChat Pay has other kinds of notifications too; they are kept, and sending them again
    /// helps nobody.
    fn receipt_to(self, wallet: Wallet) -> Receipt {
        match (self, wallet) {
            (Self::Refused(NotificationRefusal::UnknownType), Wallet::Wechat | Wallet::WechatV2) => Receipt::Durable,
            _ => self.receipt(),
        }
    }

    /// Whether an operator is to look at the notification. What never proved genuine needs none.
    fn state(self, is_authentic: bool) -> NoticeState {
        match self.receipt() {
            Receipt::Refused if is_authentic => NoticeState::Open,
            Receipt::Refused | Receipt::Durable => NoticeState::Settled,
        }
    }
}

/// What becomes of a notification that does not prove genuine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unverified {
    /// It is kept, as far as there is room.
    Keep,
    /// It is only counted: whoever sends it has sent many.
    Drop,
}

/// The word that is kept with a notification that the channel is asked about.
const ASKING: &str = "asking";
/// The word that is kept with a notification that nothing could be decided of, or not yet.
const UNDECIDED: &str = "undecided";

/// What a notification says, by its channel's adapter.
type Read = Result<Notification, NotificationRefusal>;

impl Commands {
    /// Takes a notification of Alipay's; see [`Commands::take_notice`].
    pub async fn take_alipay_notice(
        &self,
        raw: RawNotification,
        unverified: Unverified,
        correlation_id: Uuid,
    ) -> Result<(NoticeVerdict, NotificationReply), CommandFailure> {
        self.take_notice(Wallet::Alipay, raw, unverified, correlation_id).await
    }

    /// Takes a notification of a wallet's; answers what was made of it and what goes back. Errors: it could not be made
    /// durable; the channel must send it again. A genuine one is kept all the same, as far as it can be.
    pub async fn take_notice(
        &self,
        wallet: Wallet,
        raw: RawNotification,
        unverified: Unverified,
        correlation_id: Uuid,
    ) -> Result<(NoticeVerdict, NotificationReply), CommandFailure> {
        let gateway = self.gateway_of(wallet)?;
        let (read, kept) = read_with_its_key(wallet, gateway, raw, self.now()).await;
        let context = Context::of_channel(wallet.as_str(), correlation_id);
        let verdict = self.judge(wallet, &context, &read, kept.received_at, Some(&kept)).await;
        let word = verdict.as_ref().map_or_else(|_| UNDECIDED.to_owned(), |verdict| verdict.word());
        let pay_no = kept.out_trade_no.clone().unwrap_or_default();
        tracing::info!(notice.verdict = %word, pay.no = %pay_no, "a notification was judged");
        metrics::counter!("paystream_notices_total", "wallet" => wallet.as_str(), "verdict" => word.clone()).increment(1);
        if kept.is_authentic || unverified == Unverified::Keep {
            let state = verdict.as_ref().map_or(NoticeState::Open, |verdict| verdict.state(kept.is_authentic));
            let is_kept = self.keep(&kept, &word, state).await;
            // Where nothing could be decided, that is what the answer says.
            if verdict.is_ok() {
                is_kept?;
            }
        }
        let verdict = verdict?;
        Ok((verdict, gateway.reply(verdict.receipt_to(wallet))))
    }

    async fn keep(&self, notice: &KeptNotice, verdict: &str, state: NoticeState) -> Result<(), CommandFailure> {
        let notice = KeptNotice { verdict: verdict.to_owned(), state, ..notice.clone() };
        self.ports.inbox.keep(notice).await.map_err(CommandFailure::Inbox)
    }
}

/// Reads a notification that came at `received_at`. The channel is asked for a key that nobody here knows yet: a genuine
/// notification is not to be refused because a certificate is new.
async fn read_with_its_key(wallet: Wallet, gateway: &dyn Gateway, raw: RawNotification, received_at: DateTime<Utc>) -> (Read, KeptNotice) {
    let (first, kept) = read(wallet, gateway, raw, received_at);
    if first != Err(NotificationRefusal::UnknownSerial) {
        return (first, kept);
    }
    let raw = RawNotification { headers: kept.headers, body: kept.body };
    gateway.fetch_key(&raw).await;
    read(wallet, gateway, raw, received_at)
}

/// Reads a notification that came at `received_at`, and what of it is kept.
fn read(wallet: Wallet, gateway: &dyn Gateway, raw: RawNotification, received_at: DateTime<Utc>) -> (Read, KeptNotice) {
    let read = gateway.read_notification(&raw, received_at);
    let notification = read.as_ref().ok();
    let kept = KeptNotice {
        wallet: wallet.as_str(),
        is_authentic: read.as_ref().map_or_else(|refusal| refusal.is_authentic(), |_| true),
        notify_id: notification.map(|notification| notification.notify_id.clone()),
        out_trade_no: notification.map(|notification| notification.out_trade_no.clone()),
        trade_no: notification.map(|notification| notification.trade_no.clone()),
        amount: notification.map(|notification| notification.amount),
        news: notification.map(|notification| news_word(&notification.news)),
        refunded: notification.and_then(|notification| match &notification.news {
            News::Refunded { total, .. } => Some(*total),
            News::Refund { amount, .. } => Some(*amount),
            _ => None,
        }),
        verdict: String::new(),
        state: NoticeState::Open,
        headers: raw.headers,
        body: raw.body,
        received_at,
    };
    (read, kept)
}

fn news_word(news: &News) -> &'static str {
    match news {
        News::Paid { is_final: false, .. } => "paid",
        News::Paid { is_final: true, .. } => "finished",
        News::AwaitingBuyer => "awaiting_buyer",
        News::ClosedUnpaid => "closed",
        News::Refunded { .. } => "refunded",
        News::Refund { .. } => "refund",
        News::Unclear => "unclear",
    }
}

#[cfg(test)]
mod tests;
