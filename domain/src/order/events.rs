use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::ids::{BuyerId, CouponId, InvalidId, OrderId, PayNo, RefundNo};
use crate::money::{Currency, MinorUnits};
use crate::pay_record::OrderItem;
use crate::stock::StockLine;
use crate::stored::stored_events;

stored_events! {
    /// What may happen to an order, beside what happens to its pay records.
    OrderEvent {
        /// Something is owed.
        OrderCreated = 2,
        /// Its id was given to a reservation whose order will never be made.
        OrderAbandoned = 1,
        /// It is to end unpaid, and the channels are being asked.
        OrderClosing = 1,
        /// It is paid.
        OrderPaid = 1,
        /// It ended unpaid because its time was over.
        OrderExpired = 1,
        /// It ended unpaid because somebody wished so.
        OrderCancelled = 1,
        /// It had expired, and its late payment is taken after all.
        OrderRevived = 1,
        /// Money is to go back.
        RefundRequested = 1,
        /// The channel has taken the refund on, and has not made it yet.
        RefundAccepted = 1,
        /// Money has gone back.
        RefundSucceeded = 2,
        /// The channel says for good that the refund will not be made.
        RefundFailed = 1,
        /// The channel does not make the refund by itself.
        RefundNeedsOperator = 1,
        /// An operator wishes that a refund is asked for once more.
        RefundRetried = 1,
        /// An operator says that the money went back another way.
        RefundSettled = 1,
        /// Money went back on the channel's own side, without a request of ours.
        RefundObserved = 1,
        /// An operator has dealt with money that was not owed.
        SurplusResolved = 1,
        /// A caller's key for one command was used.
        IdempotencyKeyRecorded = 1,
    }
}

/// The kind of business that an order belongs to: `course`, `goods`, … or another business system's own word.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OrderType(String);

impl OrderType {
    /// The kinds that Paystream itself makes; no other business system may use them.
    pub const BUILT_IN: [&'static str; 6] = ["course", "goods", "material", "tutoring", "mixed", "none"];

    /// An order for a course.
    pub fn course() -> Self {
        Self("course".to_owned())
    }

    /// Reads any order type. Errors: `InvalidId` unless it is `[a-z][a-z0-9_]{0,31}`.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let mut bytes = text.bytes();
        let first = bytes.next().is_some_and(|byte| byte.is_ascii_lowercase());
        let rest = bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        if first && rest && text.len() <= 32 { Ok(Self(text.to_owned())) } else { Err(InvalidId { kind: "order type" }) }
    }

    /// Reads another business system's order type. Errors: `InvalidId` also for the built-in ones.
    pub fn parse_foreign(text: &str) -> Result<Self, InvalidId> {
        if Self::BUILT_IN.contains(&text) { Err(InvalidId { kind: "order type" }) } else { Self::parse(text) }
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for OrderType {
    type Error = InvalidId;
    fn try_from(text: String) -> Result<Self, InvalidId> {
        Self::parse(&text)
    }
}

impl From<OrderType> for String {
    fn from(order_type: OrderType) -> Self {
        order_type.0
    }
}

crate::schema::text_schema!(OrderType, "^[a-z][a-z0-9_]{0,31}$");

/// Where the buyer sat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Client {
    /// A desktop browser.
    #[default]
    Web,
    /// A phone app.
    App,
    /// A phone browser.
    H5,
    /// A WeChat mini program.
    MiniProgram,
    /// A WeChat official account.
    OfficialAccount,
}

/// What an order was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderSource {
    /// A course selection.
    CourseSelection,
    /// One product of the catalogue.
    Product,
    /// Another business system.
    Business,
}

/// A coupon that is set against an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AppliedCoupon {
    /// The coupon.
    pub coupon_id: CouponId,
    /// What it takes off, in smallest units of the order's currency.
    pub discount_amount: MinorUnits,
}

/// What an order is to be, resolved whole (lines and prices) before anything is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OrderDraft {
    /// The order's number, fixed before it exists.
    pub order_id: OrderId,
    /// Who buys.
    pub buyer_id: BuyerId,
    /// What kind of business it is.
    pub order_type: OrderType,
    /// Its number in that business; the order's own where there is no other.
    pub out_business_id: String,
    /// What it was made from.
    pub source: OrderSource,
    /// The calling business system's subject, where one called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// What the buyer reads.
    pub title: String,
    /// What else the buyer may read of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its lines.
    pub items: Vec<OrderItem>,
    /// What is owed, in smallest units: the sum of the lines, less what the coupon takes off.
    pub amount: MinorUnits,
    /// Of this currency.
    pub currency: Currency,
    /// Where the buyer sat.
    pub client: Client,
    /// What a coupon takes off its lines' sum; absent where none is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coupon: Option<AppliedCoupon>,
    /// What it holds in stock, lines of the same SKU summed up; absent where it holds nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stock: Vec<StockLine>,
    /// For how many seconds it can be paid, where what it holds may be held only for less than usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_s: Option<u32>,
}

/// Something is owed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OrderCreated {
    /// What it is.
    #[serde(flatten)]
    pub draft: OrderDraft,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Until when it can be paid, in whole seconds.
    pub expires_at: DateTime<Utc>,
}

/// The order's id was given to a reservation whose order will never be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OrderAbandoned {
    /// The id.
    pub order_id: OrderId,
}

/// It is to end unpaid, the channels are being asked, and until they answer it may still be paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OrderClosing {
    /// The order.
    pub order_id: OrderId,
    /// Why.
    pub cause: super::EndCause,
    /// What the one who wished it said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// It is paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OrderPaid {
    /// The order.
    pub order_id: OrderId,
    /// The pay record that paid it.
    pub pay_no: PayNo,
    /// When, as the channel says.
    pub paid_at: DateTime<Utc>,
}

/// It ended unpaid because its time was over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OrderExpired {
    /// The order.
    pub order_id: OrderId,
    /// Whether some channel never said that nobody paid. Asking goes on.
    pub unproven: bool,
}

/// It ended unpaid because somebody wished so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OrderCancelled {
    /// The order.
    pub order_id: OrderId,
    /// What the one who wished it said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether some channel never said that nobody paid. Asking goes on.
    pub unproven: bool,
}

/// It had expired, and its late payment is taken after all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OrderRevived {
    /// The order.
    pub order_id: OrderId,
    /// The pay record whose money came late.
    pub pay_no: PayNo,
}

/// Why money goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefundCause {
    /// The order was paid already.
    PaidTwice,
    /// The order had been cancelled.
    AfterCancel,
    /// It was not what was asked for.
    AmountMismatch,
    /// It came after expiry and the order could not be revived.
    Late,
    /// An operator wished so.
    Operator,
    /// It was made on the channel's own side.
    ChannelSide,
}

/// Money is to go back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RefundRequested {
    /// Its number, the same in every repeat of the request to the channel.
    pub refund_no: RefundNo,
    /// The order.
    pub order_id: OrderId,
    /// The pay record whose money it is.
    pub pay_no: PayNo,
    /// The channel's number of the payment.
    pub trade_no: String,
    /// How much, in smallest units.
    pub amount: MinorUnits,
    /// Of this currency.
    pub currency: Currency,
    /// Why.
    pub cause: RefundCause,
    /// What the operator who wished it said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When; absent in what was stored before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_at: Option<DateTime<Utc>>,
}

/// The channel has taken the refund on, and has not made it yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RefundAccepted {
    /// The refund.
    pub refund_no: RefundNo,
    /// The order.
    pub order_id: OrderId,
    /// The pay record whose money it is.
    pub pay_no: PayNo,
}

/// Money has gone back. Everything that a consumer needs stands in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RefundSucceeded {
    /// The refund.
    pub refund_no: RefundNo,
    /// What went back, in smallest units.
    pub refund_amount: MinorUnits,
    /// When the channel says that it went back; when we learned of it, where the channel names no time.
    pub refunded_at: DateTime<Utc>,
    /// Why it went back.
    pub cause: RefundCause,
    /// Whether nothing is left of the payment that paid the order: what was given for it is taken back. Never true of
    /// money that the order did not owe.
    pub fully_refunded: bool,
    /// The pay record whose money it is.
    pub pay_no: PayNo,
    /// Its order.
    pub order_id: OrderId,
    /// What kind of business the order belongs to.
    pub order_type: OrderType,
    /// The order's number in that business.
    pub out_business_id: String,
    /// Who bought.
    pub buyer_id: BuyerId,
    /// What was paid, in smallest units.
    pub amount: MinorUnits,
    /// Of this currency.
    pub currency: Currency,
    /// Through which channel.
    pub channel: Channel,
    /// The channel's own number of the payment.
    pub trade_no: String,
    /// When the channel says that it was paid.
    pub paid_at: DateTime<Utc>,
    /// The order's lines.
    pub items: Vec<OrderItem>,
}

/// The channel says for good that the refund will not be made. Its sum may be asked for again under another number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RefundFailed {
    /// The refund.
    pub refund_no: RefundNo,
    /// The order.
    pub order_id: OrderId,
    /// The pay record whose money it is.
    pub pay_no: PayNo,
    /// The channel's word for why.
    pub code: String,
}

/// The channel does not make the refund by itself: an operator retries it or settles it another way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RefundNeedsOperator {
    /// The refund.
    pub refund_no: RefundNo,
    /// The order.
    pub order_id: OrderId,
    /// The pay record whose money it is.
    pub pay_no: PayNo,
    /// The channel's word for why.
    pub code: String,
}

/// An operator wishes that a refund is asked for once more, with the same number and sum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RefundRetried {
    /// The refund.
    pub refund_no: RefundNo,
    /// The order.
    pub order_id: OrderId,
    /// The pay record whose money it is.
    pub pay_no: PayNo,
    /// What the operator said.
    pub reason: String,
}

/// An operator says that the money went back another way, for instance by bank transfer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RefundSettled {
    /// The refund.
    pub refund_no: RefundNo,
    /// The order.
    pub order_id: OrderId,
    /// The pay record whose money it is.
    pub pay_no: PayNo,
    /// What the operator said.
    pub reason: String,
}

/// Money went back on the channel's own side, for instance on its website. RefundSucceeded follows in the same append.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RefundObserved {
    /// The number under which it counts here; the channel does not know it.
    pub refund_no: RefundNo,
    /// The order.
    pub order_id: OrderId,
    /// The pay record whose money it is.
    pub pay_no: PayNo,
    /// The channel's number of the payment.
    pub trade_no: String,
    /// How much went back beyond what was known, in smallest units.
    pub amount: MinorUnits,
    /// Of this currency.
    pub currency: Currency,
    /// When we learned of it, by our clock.
    pub observed_at: DateTime<Utc>,
}

/// An operator has dealt with money that was not owed and that no machine gives back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SurplusResolved {
    /// The order.
    pub order_id: OrderId,
    /// The pay record whose money it is.
    pub pay_no: PayNo,
    /// The channel's number of the payment.
    pub trade_no: String,
    /// What the operator said.
    pub reason: String,
}

/// A caller's key for one command was used: a repeat answers what this command answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct IdempotencyKeyRecorded {
    /// Hash of subject, route and key.
    pub key_hash: String,
    /// Hash of the request's content.
    pub request_hash: String,
    /// The pay record that the command was about or made, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pay_no: Option<PayNo>,
    /// The refund that the command made, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund_no: Option<RefundNo>,
}
