//! Ids. Each is made only by `new` or `parse`, and is text in JSON: an order's number does not fit a JavaScript number.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The text is not an id of the kind that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {kind}")]
pub struct InvalidId {
    /// What was expected, for instance `order id`.
    pub kind: &'static str,
}

macro_rules! text_in_json {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}

/// A snowflake: 41 bits of milliseconds since [`SnowflakeSequence::EPOCH_MS`], 10 bits of worker, 12 bits of sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OrderId(i64);

impl OrderId {
    /// Reads the decimal number. Errors: `InvalidId` unless it is the plain decimal text of a positive 63-bit number.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        parse_snowflake(text).map(Self).ok_or(InvalidId { kind: "order id" })
    }

    /// The number itself.
    pub fn as_i64(self) -> i64 {
        self.0
    }
}

/// Plain decimal only: `+1`, `01` and blanks would be second spellings of one id.
fn parse_snowflake(text: &str) -> Option<i64> {
    let plain = !text.is_empty() && !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for OrderId {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::parse(text)
    }
}
text_in_json!(OrderId);
crate::schema::text_schema!(OrderId, "^[1-9][0-9]{0,18}$");

/// The number of one course selection, a snowflake as [`OrderId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SelectionId(i64);

impl SelectionId {
    /// Reads the decimal number. Errors: `InvalidId` as for [`OrderId::parse`].
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        parse_snowflake(text).map(Self).ok_or(InvalidId { kind: "selection id" })
    }
}

impl fmt::Display for SelectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for SelectionId {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::parse(text)
    }
}
text_in_json!(SelectionId);
crate::schema::text_schema!(SelectionId, "^[1-9][0-9]{0,18}$");

/// The number of one attempt to pay: its order's number and two digits. It goes to the channel as `out_trade_no`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PayNo {
    order_id: OrderId,
    attempt: u8,
}

impl PayNo {
    /// An order has at most this many attempts; two digits hold no more.
    pub const MAX_ATTEMPT: u8 = 99;

    /// Attempt number `attempt` (from 1) of the order. Errors: `InvalidId` outside 1 to [`Self::MAX_ATTEMPT`].
    pub fn new(order_id: OrderId, attempt: u8) -> Result<Self, InvalidId> {
        if (1..=Self::MAX_ATTEMPT).contains(&attempt) { Ok(Self { order_id, attempt }) } else { Err(InvalidId { kind: "pay number" }) }
    }

    /// The order that the attempt belongs to.
    pub fn order_id(self) -> OrderId {
        self.order_id
    }

    /// Which attempt of its order it is, from 1.
    pub fn attempt(self) -> u8 {
        self.attempt
    }
}

impl fmt::Display for PayNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:02}", self.order_id, self.attempt)
    }
}

impl FromStr for PayNo {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = InvalidId { kind: "pay number" };
        let (order, attempt) = text.split_at_checked(text.len().saturating_sub(2)).ok_or(invalid)?;
        let attempt = attempt.bytes().all(|byte| byte.is_ascii_digit()).then(|| attempt.parse().ok()).flatten();
        Self::new(OrderId::parse(order).map_err(|_| invalid)?, attempt.ok_or(invalid)?)
    }
}
text_in_json!(PayNo);
crate::schema::text_schema!(PayNo, "^[1-9][0-9]{2,20}$");

/// The number of one refund: its order's number, `R` and two digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RefundNo {
    order_id: OrderId,
    number: u8,
}

impl RefundNo {
    /// An order has at most this many refunds; two digits hold no more.
    pub const MAX_NUMBER: u8 = 99;

    /// Refund number `number` (from 1) of the order. Errors: `InvalidId` outside 1 to [`Self::MAX_NUMBER`].
    pub fn new(order_id: OrderId, number: u8) -> Result<Self, InvalidId> {
        if (1..=Self::MAX_NUMBER).contains(&number) { Ok(Self { order_id, number }) } else { Err(InvalidId { kind: "refund number" }) }
    }

    /// The order that the refund belongs to.
    pub fn order_id(self) -> OrderId {
        self.order_id
    }
}

impl fmt::Display for RefundNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}R{:02}", self.order_id, self.number)
    }
}

impl FromStr for RefundNo {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = InvalidId { kind: "refund number" };
        let (order, number) = text.split_once('R').ok_or(invalid)?;
        let two_digits = number.len() == 2 && number.bytes().all(|byte| byte.is_ascii_digit());
        let number = two_digits.then(|| number.parse().ok()).flatten().ok_or(invalid)?;
        Self::new(OrderId::parse(order).map_err(|_| invalid)?, number)
    }
}
text_in_json!(RefundNo);
crate::schema::text_schema!(RefundNo, "^[1-9][0-9]{0,18}R[0-9]{2}$");

macro_rules! word_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Reads the id. Errors: `InvalidId` unless it is 1 to 128 visible ASCII characters.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                let valid = (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
                if valid { Ok(Self(text.to_owned())) } else { Err(InvalidId { kind: $kind }) }
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::parse(text)
            }
        }
        text_in_json!($name);
        crate::schema::text_schema!($name, "^[!-~]{1,128}$");
    };
}

word_id!(
    /// Who buys: the `sub` of a buyer's token.
    BuyerId,
    "buyer id"
);
word_id!(
    /// Something in the catalogue that is sold: a course, goods, study material, tutoring.
    ProductId,
    "product id"
);
word_id!(
    /// A buyer's coupon.
    CouponId,
    "coupon id"
);
word_id!(
    /// One variant of a product that has stock of its own.
    SkuId,
    "sku id"
);

/// Makes snowflakes for one worker. Two sequences never share a worker number at the same time.
///
/// The clock may stand still or go back: the sequence then counts on from the latest millisecond that it has used, so
/// an id never repeats and never falls behind one that was given out before.
#[derive(Debug)]
pub struct SnowflakeSequence {
    worker: u16,
    last_ms: i64,
    next_in_ms: u16,
}

/// A worker number is 10 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a snowflake worker is a number from 0 to {}", SnowflakeSequence::MAX_WORKER)]
pub struct InvalidWorker;

impl SnowflakeSequence {
    /// 2024-01-01T00:00:00Z in Unix milliseconds; 41 bits last until 2093.
    pub const EPOCH_MS: i64 = 1_704_067_200_000;
    /// The largest worker number.
    pub const MAX_WORKER: u16 = 1023;
    const PER_MS: u16 = 4096;

    /// A sequence for `worker` that gives no id of `used_until` or earlier, the time up to which the worker's earlier
    /// holder may have given ids out. Errors: `InvalidWorker`.
    pub fn new(worker: u16, used_until: DateTime<Utc>) -> Result<Self, InvalidWorker> {
        if worker > Self::MAX_WORKER {
            return Err(InvalidWorker);
        }
        Ok(Self { worker, last_ms: used_until.timestamp_millis(), next_in_ms: Self::PER_MS })
    }

    /// The next order id.
    pub fn next_order_id(&mut self, now: DateTime<Utc>) -> OrderId {
        OrderId(self.next(now))
    }

    /// The next course selection's id.
    pub fn next_selection_id(&mut self, now: DateTime<Utc>) -> SelectionId {
        SelectionId(self.next(now))
    }

    /// The latest millisecond of which an id was given out, as Unix time. A lease must reach at least as far.
    pub fn last_ms(&self) -> i64 {
        self.last_ms
    }

    fn next(&mut self, now: DateTime<Utc>) -> i64 {
        let now_ms = now.timestamp_millis().max(Self::EPOCH_MS + 1);
        if now_ms > self.last_ms {
            self.last_ms = now_ms;
            self.next_in_ms = 0;
        } else if self.next_in_ms == Self::PER_MS {
            self.last_ms += 1;
            self.next_in_ms = 0;
        }
        let id = ((self.last_ms - Self::EPOCH_MS) << 22) | (i64::from(self.worker) << 12) | i64::from(self.next_in_ms);
        self.next_in_ms += 1;
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at_ms(ms: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(SnowflakeSequence::EPOCH_MS + ms).unwrap()
    }

    #[test]
    fn an_id_is_text_in_json_and_keeps_every_digit() {
        let id = OrderId::parse("7231982345678901234").unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"7231982345678901234\"");
        assert_eq!(serde_json::from_str::<OrderId>("\"7231982345678901234\"").unwrap(), id);
        assert!(serde_json::from_str::<OrderId>("7231982345678901234").is_err());
    }

    #[test]
    fn second_spellings_of_an_order_id_are_refused() {
        for text in ["", "0", "01", "+1", "-1", " 1", "1 ", "9223372036854775808", "１"] {
            assert!(OrderId::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_pay_number_names_its_order_and_attempt() {
        let pay_no: PayNo = "723198234567890123401".parse().unwrap();
        assert_eq!(pay_no.order_id().to_string(), "7231982345678901234");
        assert_eq!((pay_no.attempt(), pay_no.to_string().as_str()), (1, "723198234567890123401"));
        for text in ["", "1", "01", "100", "1é", "7231982345678901234+1", "72319823456789012340199999"] {
            assert!(text.parse::<PayNo>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_pay_number_fits_the_channels_32_characters() {
        let longest = PayNo::new(OrderId::parse(&i64::MAX.to_string()).unwrap(), 99).unwrap();
        assert!(longest.to_string().len() <= 32);
    }

    #[test]
    fn a_refund_number_reads_back() {
        let refund_no: RefundNo = "7231982345678901234R02".parse().unwrap();
        assert_eq!(refund_no.to_string(), "7231982345678901234R02");
        assert!("7231982345678901234R2".parse::<RefundNo>().is_err());
        assert!("7231982345678901234R00".parse::<RefundNo>().is_err());
    }

    #[test]
    fn a_restarted_worker_gives_no_id_that_its_earlier_holder_may_have_given() {
        let mut before = SnowflakeSequence::new(3, at_ms(0)).unwrap();
        let last = (0..10_000).map(|_| before.next_order_id(at_ms(5))).last().unwrap();
        let mut after = SnowflakeSequence::new(3, at_ms(before.last_ms() - SnowflakeSequence::EPOCH_MS)).unwrap();
        assert!(after.next_order_id(at_ms(1)) > last);
    }

    #[test]
    fn a_worker_number_of_11_bits_is_refused() {
        assert!(SnowflakeSequence::new(1024, at_ms(0)).is_err());
    }

    proptest! {
        #[test]
        fn ids_rise_however_the_clock_moves(moves in prop::collection::vec(0_i64..50, 1..300)) {
            let mut sequence = SnowflakeSequence::new(1, at_ms(0)).unwrap();
            let ids: Vec<OrderId> = moves.iter().map(|&ms| sequence.next_order_id(at_ms(ms))).collect();
            prop_assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        }

        #[test]
        fn workers_never_share_an_id(moves in prop::collection::vec(0_i64..3, 1..200)) {
            let mut one = SnowflakeSequence::new(1, at_ms(0)).unwrap();
            let mut two = SnowflakeSequence::new(2, at_ms(0)).unwrap();
            let ones: std::collections::HashSet<_> = moves.iter().map(|&ms| one.next_order_id(at_ms(ms))).collect();
            prop_assert!(moves.iter().all(|&ms| !ones.contains(&two.next_order_id(at_ms(ms)))));
        }
    }
}
