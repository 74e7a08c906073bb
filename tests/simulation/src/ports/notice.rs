use chrono::{DateTime, Utc};
use domain::{Currency, Money};
use gateway::{News, Notification, NotificationRefusal, RawNotification};
use serde_json::{Value, json};
use uuid::Uuid;

/// What the simulated channel signs with: a keyed hash does for a signature where nobody looks for the key.
const CHANNEL_KEY: Uuid = Uuid::from_u128(0x5bd1_e995_7f4a_4c15_9e37_79b9_7f4a_7c15);
const FORGERS_KEY: Uuid = Uuid::from_u128(0x0bad_0bad_0bad_4bad_8bad_0bad_0bad_0bad);
const OUR_APP: &str = "app-of-ours";

/// The channel's word for a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TradeWord {
    Awaiting,
    Success,
    Finished,
    Closed,
}

impl TradeWord {
    const ALL: [Self; 4] = [Self::Awaiting, Self::Success, Self::Finished, Self::Closed];

    fn as_str(self) -> &'static str {
        match self {
            Self::Awaiting => "WAIT_BUYER_PAY",
            Self::Success => "TRADE_SUCCESS",
            Self::Finished => "TRADE_FINISHED",
            Self::Closed => "TRADE_CLOSED",
        }
    }

    fn is_paid(self) -> bool {
        matches!(self, Self::Success | Self::Finished)
    }
}

/// What a notification says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) notify_id: String,
    pub(crate) out_trade_no: String,
    pub(crate) trade_no: String,
    pub(crate) amount_minor: i64,
    pub(crate) word: TradeWord,
    pub(crate) paid_at: Option<DateTime<Utc>>,
    /// The sum that went back so far.
    pub(crate) refunded_minor: i64,
    /// The signed text could be read in two ways.
    pub(crate) is_ambiguous: bool,
}

/// What a notification is in truth, which only the simulator knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoticeKind {
    /// The channel's own, and true when it was sent.
    Genuine,
    /// The channel's own, with an amount that is not what it holds.
    WrongAmount,
    /// The channel's own, about a number that nobody gave out.
    Stray,
    /// Not the channel's, or not for us.
    Forged(Forgery),
}

/// How a notification is forged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forgery {
    OtherKey,
    AlteredAmount,
    AlteredNumber,
    Unsigned,
    OtherApp,
    Rubbish,
}

impl Forgery {
    pub(crate) const ALL: [Self; 6] =
        [Self::OtherKey, Self::AlteredAmount, Self::AlteredNumber, Self::Unsigned, Self::OtherApp, Self::Rubbish];
}

/// A notification on its way to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) kind: NoticeKind,
    pub(crate) content: Content,
}

impl Notice {
    /// The bytes that arrive.
    pub(crate) fn raw(&self) -> RawNotification {
        let body = match &self.kind {
            NoticeKind::Genuine | NoticeKind::WrongAmount | NoticeKind::Stray => signed(CHANNEL_KEY, &self.content.text(OUR_APP)),
            NoticeKind::Forged(forgery) => self.forged(*forgery),
        };
        RawNotification { headers: Vec::new(), body: body.into_bytes() }
    }

    fn forged(&self, forgery: Forgery) -> String {
        let text = self.content.text(OUR_APP);
        let genuine = signed(CHANNEL_KEY, &text);
        let signature = genuine.split_once('\n').map_or("", |(signature, _)| signature);
        match forgery {
            Forgery::OtherKey => signed(FORGERS_KEY, &text),
            Forgery::AlteredAmount => {
                let altered = Content { amount_minor: self.content.amount_minor + 1, ..self.content.clone() };
                format!("{signature}\n{}", altered.text(OUR_APP))
            }
            Forgery::AlteredNumber => {
                let altered = Content { trade_no: format!("{}9", self.content.trade_no), ..self.content.clone() };
                format!("{signature}\n{}", altered.text(OUR_APP))
            }
            Forgery::Unsigned => format!("\n{text}"),
            Forgery::OtherApp => signed(CHANNEL_KEY, &self.content.text("app-of-others")),
            Forgery::Rubbish => "rubbish".to_owned(),
        }
    }
}

fn signed(key: Uuid, text: &str) -> String {
    format!("{}\n{text}", Uuid::new_v5(&key, text.as_bytes()))
}

impl Content {
    /// Whether it tells of money that was taken, even where some of it went back since.
    pub(crate) fn tells_of_money(&self) -> bool {
        self.word.is_paid() || self.refunded_minor > 0
    }

    fn text(&self, app_id: &str) -> String {
        json!({
            "app_id": app_id,
            "notify_id": self.notify_id,
            "out_trade_no": self.out_trade_no,
            "trade_no": self.trade_no,
            "amount": self.amount_minor,
            "status": self.word.as_str(),
            "paid_at": self.paid_at.map(|at| at.timestamp_micros()),
            "refunded": self.refunded_minor,
            "ambiguous": self.is_ambiguous,
        })
        .to_string()
    }

    /// Reads a notification as the channel's adapter does: signature first, then the text, then whom it is for.
    pub(crate) fn verified(raw: &RawNotification) -> Result<Notification, NotificationRefusal> {
        let body = std::str::from_utf8(&raw.body).map_err(|_| NotificationRefusal::Malformed)?;
        let (signature, text) = body.split_once('\n').ok_or(NotificationRefusal::Malformed)?;
        if signature.is_empty() {
            return Err(NotificationRefusal::MissingSign);
        }
        if signature != Uuid::new_v5(&CHANNEL_KEY, text.as_bytes()).to_string() {
            return Err(NotificationRefusal::BadSignature);
        }
        Self::read(text)
    }

    /// Reads a notification's text, whoever signed it.
    pub(crate) fn read(text: &str) -> Result<Notification, NotificationRefusal> {
        let content: Value = serde_json::from_str(text).map_err(|_| NotificationRefusal::Malformed)?;
        let word = |member: &str| content[member].as_str().map(str::to_owned).ok_or(NotificationRefusal::Incomplete);
        if word("app_id")? != OUR_APP {
            return Err(NotificationRefusal::AppIdMismatch);
        }
        let money = |member: &str| content[member].as_i64().and_then(|amount| Money::new(amount, Currency::Cny).ok());
        let amount = money("amount").ok_or(NotificationRefusal::BadAmount)?;
        let refunded = money("refunded").filter(|refunded| !refunded.is_zero());
        let status = word("status")?;
        let paid_at = content["paid_at"].as_i64().and_then(DateTime::from_timestamp_micros);
        let trade = TradeWord::ALL.into_iter().find(|trade| trade.as_str() == status).ok_or(NotificationRefusal::UnknownStatus)?;
        Ok(Notification {
            notify_id: word("notify_id")?,
            out_trade_no: word("out_trade_no")?,
            trade_no: word("trade_no")?,
            amount,
            news: match (trade, refunded) {
                (_, Some(total)) => News::Refunded { total, whole: total == amount, refund_no: None },
                (TradeWord::Success, None) => News::Paid { paid_at, is_final: false },
                (TradeWord::Finished, None) => News::Paid { paid_at, is_final: true },
                (TradeWord::Awaiting, None) => News::AwaitingBuyer,
                (TradeWord::Closed, None) => News::ClosedUnpaid,
            },
            query_first: content["ambiguous"].as_bool().unwrap_or(true),
        })
    }
}
