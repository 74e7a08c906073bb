//! A trade as a channel keeps it: what is true of it, and what may happen to it at a given time.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{Channel, Money};

use crate::wechat::Prepay;

/// The wallet whose side is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wallet {
    Alipay,
    Wechat,
}

impl Wallet {
    /// Every wallet that is played.
    pub(crate) const ALL: [Self; 2] = [Self::Alipay, Self::Wechat];

    /// The word it is stored and shown by.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Alipay => "alipay",
            Self::Wechat => "wechat",
        }
    }

    /// Reads a wallet's own word, or that of one of its channels (`alipay_qr`).
    pub(crate) fn parse(word: &str) -> Option<Self> {
        match word {
            "alipay" => return Some(Self::Alipay),
            "wechat" => return Some(Self::Wechat),
            _ => {}
        }
        match Channel::parse(word)? {
            Channel::AlipayQr | Channel::AlipayWap | Channel::AlipayPage => Some(Self::Alipay),
            Channel::WechatNative
            | Channel::WechatH5
            | Channel::WechatJsapi
            | Channel::WechatApp
            | Channel::WechatMiniProgram
            | Channel::WechatNativeV2
            | Channel::WechatH5V2
            | Channel::WechatJsapiV2
            | Channel::WechatAppV2 => Some(Self::Wechat),
            Channel::Aggregate | Channel::CashOnDelivery | Channel::None => None,
        }
    }
}

/// What is recorded of a trade; time may have moved on since, see [`Trade::standing`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TradeStatus {
    /// The merchant has a code; no buyer has come.
    Coded,
    /// A buyer has come and not paid.
    AwaitingBuyer,
    /// Never paid, and never will be.
    Closed,
    /// Paid.
    Paid,
}

impl TradeStatus {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Coded => "coded",
            Self::AwaitingBuyer => "awaiting_buyer",
            Self::Closed => "closed",
            Self::Paid => "paid",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Coded, Self::AwaitingBuyer, Self::Closed, Self::Paid].into_iter().find(|status| status.as_str() == word)
    }
}

/// What a trade is at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The code may be scanned.
    Coded,
    /// Nobody scanned the code in time.
    CodeExpired,
    /// The buyer may pay.
    AwaitingBuyer,
    /// Closed by the merchant, or the buyer's time is over.
    Closed,
    /// Paid, and not wholly given back.
    Paid,
    /// Paid, and wholly given back.
    Refunded,
}

impl Standing {
    /// The word that the control routes show.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Coded => "coded",
            Self::CodeExpired => "code_expired",
            Self::AwaitingBuyer => "awaiting_buyer",
            Self::Closed => "closed",
            Self::Paid => "paid",
            Self::Refunded => "refunded",
        }
    }
}

#[expect(clippy::struct_field_names, reason = "trade_no is the channels' own word for their number")]
/// One trade. Each change gives a new value; the store takes it only if nobody changed the old one meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trade {
    pub(crate) wallet: Wallet,
    /// The merchant's number.
    pub(crate) out_trade_no: String,
    /// The channel's number; none before a buyer came.
    pub(crate) trade_no: Option<String>,
    pub(crate) status: TradeStatus,
    /// How many changes there were.
    pub(crate) revision: i64,
    /// What the merchant asked for.
    pub(crate) amount: Money,
    /// What was paid, if it was.
    pub(crate) paid_amount: Option<Money>,
    /// What went back of it so far.
    pub(crate) refunded: Money,
    /// The channel's word for the product that was asked for.
    pub(crate) product_code: String,
    pub(crate) subject: String,
    pub(crate) body: Option<String>,
    pub(crate) passback_params: Option<String>,
    /// The character set that the merchant speaks, by the wallet's word.
    pub(crate) charset: String,
    pub(crate) notify_url: Option<String>,
    /// Where the buyer's browser goes after the payment.
    pub(crate) return_url: Option<String>,
    pub(crate) coded_at: DateTime<Utc>,
    /// From here on the code cannot be scanned any more.
    pub(crate) code_expires_at: DateTime<Utc>,
    /// From here on the buyer cannot pay any more. Without it the time runs from the scan, for `life`.
    pub(crate) expires_at: Option<DateTime<Utc>>,
    pub(crate) life: TimeDelta,
    pub(crate) scanned_at: Option<DateTime<Utc>>,
    pub(crate) paid_at: Option<DateTime<Utc>>,
    pub(crate) closed_at: Option<DateTime<Utc>>,
    /// When something last went back.
    pub(crate) refunded_at: Option<DateTime<Utc>>,
    /// What WeChat Pay keeps beside that; none for other wallets' trades.
    pub(crate) wechat: Option<Prepay>,
}

/// Why a trade cannot be scanned or paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unpayable {
    AlreadyPaid,
    Closed,
    CodeExpired,
}

/// Why a trade cannot be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Uncloseable {
    /// Nobody scanned the code, so the channel has no trade of that number.
    NoTrade,
    /// It is paid, or closed already.
    NotAwaitingBuyer,
}

impl Trade {
    /// What the trade is at `now`: what is recorded, and what time alone has made of it.
    pub(crate) fn standing(&self, now: DateTime<Utc>) -> Standing {
        match self.status {
            TradeStatus::Coded if now < self.code_expires_at => Standing::Coded,
            TradeStatus::Coded => Standing::CodeExpired,
            TradeStatus::AwaitingBuyer if self.expires_at.is_none_or(|expires_at| now < expires_at) => Standing::AwaitingBuyer,
            TradeStatus::AwaitingBuyer | TradeStatus::Closed => Standing::Closed,
            TradeStatus::Paid if self.paid_amount.is_some_and(|paid| paid == self.refunded) => Standing::Refunded,
            TradeStatus::Paid => Standing::Paid,
        }
    }

    /// The trade once a buyer has come; the same trade if one has before. `trade_no` is the channel's number for a new one.
    pub(crate) fn scanned(&self, now: DateTime<Utc>, trade_no: impl FnOnce() -> String) -> Result<Self, Unpayable> {
        match self.standing(now) {
            Standing::Coded => Ok(Self {
                status: TradeStatus::AwaitingBuyer,
                trade_no: Some(trade_no()),
                scanned_at: Some(now),
                expires_at: Some(self.expires_at.unwrap_or(now + self.life)),
                ..self.clone()
            }),
            Standing::AwaitingBuyer => Ok(self.clone()),
            Standing::CodeExpired => Err(Unpayable::CodeExpired),
            Standing::Closed => Err(Unpayable::Closed),
            Standing::Paid | Standing::Refunded => Err(Unpayable::AlreadyPaid),
        }
    }

    /// The trade once `amount` is paid; the buyer scans first where none has come.
    pub(crate) fn paid(&self, now: DateTime<Utc>, trade_no: impl FnOnce() -> String, amount: Money) -> Result<Self, Unpayable> {
        let scanned = self.scanned(now, trade_no)?;
        Ok(Self { status: TradeStatus::Paid, paid_amount: Some(amount), paid_at: Some(now), ..scanned })
    }

    /// The trade once the merchant has closed it.
    pub(crate) fn closed(&self, now: DateTime<Utc>) -> Result<Self, Uncloseable> {
        match self.standing(now) {
            Standing::AwaitingBuyer => Ok(Self { status: TradeStatus::Closed, closed_at: Some(now), ..self.clone() }),
            Standing::Coded | Standing::CodeExpired => Err(Uncloseable::NoTrade),
            Standing::Closed | Standing::Paid | Standing::Refunded => Err(Uncloseable::NotAwaitingBuyer),
        }
    }

    /// What the channel says the trade's sum is: what was paid, else what was asked for.
    pub(crate) fn total_amount(&self) -> Money {
        self.paid_amount.unwrap_or(self.amount)
    }

    /// When it was closed, by the merchant, by time alone, or because all of it went back.
    pub(crate) fn ended_at(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self.standing(now) {
            Standing::Closed => self.closed_at.or(self.expires_at),
            Standing::Refunded => self.refunded_at,
            _ => None,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use domain::Currency;

    use super::*;

    pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_772_690_889 + seconds, 0).unwrap()
    }

    pub(crate) fn coded() -> Trade {
        Trade {
            wallet: Wallet::Alipay,
            out_trade_no: "723100000000000001".to_owned(),
            trade_no: None,
            status: TradeStatus::Coded,
            revision: 0,
            amount: Money::new(19_900, Currency::Cny).unwrap(),
            paid_amount: None,
            refunded: Money::zero(Currency::Cny),
            product_code: "QR_CODE_OFFLINE".to_owned(),
            subject: "course".to_owned(),
            body: None,
            passback_params: None,
            charset: "utf-8".to_owned(),
            notify_url: None,
            return_url: None,
            coded_at: at(0),
            code_expires_at: at(7_200),
            expires_at: None,
            life: TimeDelta::hours(3),
            scanned_at: None,
            paid_at: None,
            closed_at: None,
            refunded_at: None,
            wechat: None,
        }
    }

    pub(crate) fn number() -> String {
        "2026030522001477031400012345".to_owned()
    }

    fn scanned() -> Trade {
        coded().scanned(at(60), number).unwrap()
    }

    fn paid() -> Trade {
        scanned().paid(at(90), number, coded().amount).unwrap()
    }

    #[test]
    fn a_scan_makes_the_trade_and_starts_the_buyers_time() {
        let trade = scanned();
        assert_eq!((trade.status, trade.trade_no.as_deref()), (TradeStatus::AwaitingBuyer, Some("2026030522001477031400012345")));
        assert_eq!((trade.scanned_at, trade.expires_at), (Some(at(60)), Some(at(60 + 10_800))));
    }

    #[test]
    fn a_second_scan_finds_the_same_trade() {
        assert_eq!(scanned().scanned(at(80), || "another".to_owned()), Ok(scanned()));
    }

    #[test]
    fn the_merchants_own_expiry_is_not_moved_by_the_scan() {
        let trade = Trade { expires_at: Some(at(120)), ..coded() }.scanned(at(60), number).unwrap();
        assert_eq!(trade.expires_at, Some(at(120)));
    }

    #[test]
    fn a_code_can_be_scanned_until_the_second_it_expires() {
        let last = at(7_200) - TimeDelta::milliseconds(1);
        assert!(coded().scanned(last, number).is_ok());
        assert_eq!(coded().scanned(at(7_200), number), Err(Unpayable::CodeExpired));
        assert_eq!(coded().standing(at(7_200)), Standing::CodeExpired);
    }

    #[test]
    fn a_coded_trade_can_be_paid_at_once() {
        let trade = coded().paid(at(5), number, coded().amount).unwrap();
        assert_eq!((trade.status, trade.scanned_at, trade.paid_at), (TradeStatus::Paid, Some(at(5)), Some(at(5))));
        assert_eq!(trade.paid_amount, Some(trade.amount));
    }

    #[test]
    fn a_trade_whose_time_is_over_is_closed_and_cannot_be_paid() {
        let over = at(60 + 10_800);
        assert_eq!(scanned().standing(over - TimeDelta::milliseconds(1)), Standing::AwaitingBuyer);
        assert_eq!(scanned().standing(over), Standing::Closed);
        assert_eq!(scanned().ended_at(over), Some(over));
        assert_eq!(scanned().paid(over, number, coded().amount), Err(Unpayable::Closed));
    }

    #[test]
    fn a_paid_trade_cannot_be_paid_again_and_never_expires() {
        assert_eq!(paid().paid(at(95), number, coded().amount), Err(Unpayable::AlreadyPaid));
        assert_eq!(paid().standing(at(1_000_000)), Standing::Paid);
        assert_eq!(paid().ended_at(at(1_000_000)), None);
    }

    #[test]
    fn only_a_trade_that_awaits_its_buyer_can_be_closed() {
        let closed = scanned().closed(at(70)).unwrap();
        assert_eq!((closed.standing(at(71)), closed.ended_at(at(71))), (Standing::Closed, Some(at(70))));
        assert_eq!(closed.paid(at(72), number, coded().amount), Err(Unpayable::Closed));
        assert_eq!(coded().closed(at(70)), Err(Uncloseable::NoTrade));
        assert_eq!(coded().closed(at(8_000)), Err(Uncloseable::NoTrade));
        assert_eq!(paid().closed(at(95)), Err(Uncloseable::NotAwaitingBuyer));
        assert_eq!(closed.closed(at(75)), Err(Uncloseable::NotAwaitingBuyer));
        assert_eq!(scanned().closed(at(60 + 10_800)), Err(Uncloseable::NotAwaitingBuyer));
    }

    #[test]
    fn a_wallet_is_known_by_its_word_and_by_its_channels() {
        for word in ["alipay", "alipay_qr", "alipay_wap", "alipay_page"] {
            assert_eq!(Wallet::parse(word), Some(Wallet::Alipay), "{word}");
        }
        for word in ["wechat", "wechat_native", "wechat_h5", "wechat_mini_program", "wechat_jsapi_v2"] {
            assert_eq!(Wallet::parse(word), Some(Wallet::Wechat), "{word}");
        }
        for word in ["", "aggregate", "cash_on_delivery", "Alipay"] {
            assert_eq!(Wallet::parse(word), None, "{word}");
        }
    }
}
