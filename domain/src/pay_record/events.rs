use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::ids::{BuyerId, OrderId, PayNo, ProductId, SkuId};
use crate::money::{Currency, MinorUnits, Money};
use crate::order::OrderType;
use crate::product_kind::ProductKind;
use crate::stored::stored_events;

stored_events! {
    /// What may happen to a pay record.
    PayRecordEvent {
        /// The intent to pay through a channel.
        PayRecordIssued = 2,
        /// The channel gave what the buyer pays by, or gave it anew.
        PayRecordPrepared = 2,
        /// The buyer was sent to the channel's own page.
        PayRecordOpened = 1,
        /// The channel refused the attempt.
        PayRecordFailed = 1,
        /// It is to end, and whether it can still be paid is not known yet.
        PayRecordClosing = 1,
        /// It ended unpaid.
        PayRecordClosed = 1,
        /// The money that its order owed has come.
        PaymentConfirmed = 2,
        /// Money has come that nobody owed.
        SurplusPaymentReceived = 1,
        /// Money has come after the order expired.
        LatePaymentReceived = 1,
    }
}

impl PayRecordEvent {
    /// The pay record that the event is about.
    pub fn pay_no(&self) -> PayNo {
        match self {
            Self::PayRecordIssued(event) => event.pay_no,
            Self::PayRecordPrepared(event) => event.pay_no,
            Self::PayRecordOpened(event) => event.pay_no,
            Self::PayRecordFailed(event) => event.pay_no,
            Self::PayRecordClosing(event) => event.pay_no,
            Self::PayRecordClosed(event) => event.pay_no,
            Self::PaymentConfirmed(event) => event.pay_no,
            Self::SurplusPaymentReceived(event) => event.pay_no,
            Self::LatePaymentReceived(event) => event.pay_no,
        }
    }
}

/// Every member of the request to the channel beside number and amount, kept so that a repeat sends the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PaymentRequest {
    /// What the buyer reads in the wallet; holds no `&`, `=` or `/`.
    pub subject: String,
    /// The channel's product code.
    pub product_code: String,
    /// When the channel stops taking money: the order's own expiry, in whole seconds.
    pub time_expire: DateTime<Utc>,
    /// Where the channel sends its notifications.
    pub notify_url: String,
    /// Who pays, where the channel must be told: the wallet's name for them or the address of their device, sealed under
    /// the buyer's own key. Absent where it need not be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer: Option<String>,
}

/// The intent to pay through a channel, recorded before the channel is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PayRecordIssued {
    /// Its number, the channel's `out_trade_no`.
    pub pay_no: PayNo,
    /// The order that it pays.
    pub order_id: OrderId,
    /// The channel.
    pub channel: Channel,
    /// What is asked for, in smallest units.
    pub amount: MinorUnits,
    /// Of this currency.
    pub currency: Currency,
    /// What is sent to the channel; absent where no channel is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<PaymentRequest>,
    /// Whether somebody's scanning our own code began it, by the wallet that scanned; nobody chose it beforehand.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_scan: bool,
    /// When.
    pub issued_at: DateTime<Utc>,
}

/// What a channel gives for the buyer to pay by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum Prepared {
    /// A code to scan, and what a channel is answered with that tells of a scan of a product's own code.
    CodeAndPrepay {
        /// What the QR holds.
        code_url: String,
        /// The channel's number of the same payment.
        prepay_id: String,
    },
    /// A code to scan.
    Code {
        /// What the QR holds.
        code_url: String,
    },
    /// A page of the wallet to which a phone's browser is sent.
    Link {
        /// Its address.
        link_url: String,
    },
    /// What a page inside the wallet, a mini program or an app hands to the wallet once it is signed.
    Prepay {
        /// The channel's number of it.
        prepay_id: String,
    },
}

impl Prepared {
    /// What the QR holds; `None` where there is nothing to scan.
    pub fn code_url(&self) -> Option<&str> {
        match self {
            Self::CodeAndPrepay { code_url, .. } | Self::Code { code_url } => Some(code_url),
            Self::Link { .. } | Self::Prepay { .. } => None,
        }
    }
}

/// The channel gave what the buyer pays by, or gave it anew after it had died.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PayRecordPrepared {
    /// The pay record.
    pub pay_no: PayNo,
    /// What it gave.
    pub prepared: Prepared,
    /// Until when that can be used.
    pub expires_at: DateTime<Utc>,
}

/// The buyer was sent to the channel's own page: from now on the channel must be asked before the record ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PayRecordOpened {
    /// The pay record.
    pub pay_no: PayNo,
    /// When.
    pub opened_at: DateTime<Utc>,
}

/// The channel understood the attempt and refused it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PayRecordFailed {
    /// The pay record.
    pub pay_no: PayNo,
    /// The channel's word for why.
    pub code: String,
}

/// Why a pay record is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClosingCause {
    /// Its order is being cancelled.
    OrderCancelled,
    /// Its order has expired.
    OrderExpired,
    /// The buyer chose another channel.
    ChannelSwitched,
    /// Its code can no longer be scanned.
    CodeExpired,
    /// Its order was paid by another attempt.
    OrderPaid,
}

/// It is to end, and whether it can still be paid is not known yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PayRecordClosing {
    /// The pay record.
    pub pay_no: PayNo,
    /// Why.
    pub cause: ClosingCause,
}

/// How it is known that a pay record cannot be paid any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClosedProof {
    /// The channel closed it for us, or says that it is closed.
    ChannelClosed,
    /// Its code was never shown and its page never opened.
    NeverShown,
    /// The channel does not know it although its code's life and the grace after it are over.
    AbsentAfterGrace,
    /// Nobody ever said; asking goes on although the record counts as ended.
    Unproven,
}

/// It ended unpaid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PayRecordClosed {
    /// The pay record.
    pub pay_no: PayNo,
    /// How that is known.
    pub proof: ClosedProof,
}

/// One line of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OrderItem {
    /// What is sold.
    pub goods_id: ProductId,
    /// What kind of thing it is; absent where another business system named the line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ProductKind>,
    /// Which variant, where it has stock of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku_id: Option<SkuId>,
    /// Its name when it was ordered.
    pub name: String,
    /// How many.
    pub quantity: u32,
    /// The price of one, in smallest units of the order's currency.
    pub unit_price_amount: MinorUnits,
    /// The version of the catalogue's price; absent where another business system named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_version: Option<i64>,
}

/// How we learned of a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CaptureSource {
    /// The channel told us, signed.
    Notification,
    /// We asked the channel.
    Query,
    /// It came under another number, and an operator assigned it; the channel was asked whether it holds it.
    Assigned,
    /// There was nothing to pay.
    NothingToPay,
}

/// The money that the order owed has come. Everything that a consumer needs stands in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PaymentConfirmed {
    /// The pay record that was paid.
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
    /// The channel's own number; the pay number where there was nothing to pay.
    pub trade_no: String,
    /// When the channel says that it was paid; when we learned of it, where the channel names no time.
    pub paid_at: DateTime<Utc>,
    /// The offset from UTC in which the channel wrote that time, for instance `+08:00`; absent where it named none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid_at_offset: Option<String>,
    /// When we learned of it, by our clock.
    pub received_at: DateTime<Utc>,
    /// How we learned of it.
    pub learned_by: CaptureSource,
    /// The order's lines.
    pub items: Vec<OrderItem>,
}

/// Why money that came is not owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SurplusReason {
    /// The order was paid already.
    PaidTwice,
    /// The order had been cancelled.
    AfterCancel,
    /// It is not what was asked for.
    AmountMismatch,
}

/// Money has come that nobody owed. It goes back by refund.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SurplusPaymentReceived {
    /// The pay record that was paid.
    pub pay_no: PayNo,
    /// Its order.
    pub order_id: OrderId,
    /// Why it is not owed.
    pub reason: SurplusReason,
    /// What came, in smallest units, as the channel says.
    pub amount: MinorUnits,
    /// Of this currency.
    pub currency: Currency,
    /// Through which channel.
    pub channel: Channel,
    /// The channel's own number.
    pub trade_no: String,
    /// When the channel says that it was paid; when we learned of it, where the channel names no time.
    pub paid_at: DateTime<Utc>,
    /// The offset from UTC in which the channel wrote that time; absent where it named none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid_at_offset: Option<String>,
    /// When we learned of it, by our clock.
    pub received_at: DateTime<Utc>,
    /// How we learned of it.
    pub learned_by: CaptureSource,
}

/// Money has come after the order expired. Either the order is revived or the money goes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LatePaymentReceived {
    /// The pay record that was paid.
    pub pay_no: PayNo,
    /// Its order.
    pub order_id: OrderId,
    /// What came, in smallest units: what the pay record asked for.
    pub amount: MinorUnits,
    /// Of this currency.
    pub currency: Currency,
    /// Through which channel.
    pub channel: Channel,
    /// The channel's own number.
    pub trade_no: String,
    /// When the channel says that it was paid; when we learned of it, where the channel names no time.
    pub paid_at: DateTime<Utc>,
    /// The offset from UTC in which the channel wrote that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid_at_offset: Option<String>,
    /// When we learned of it, by our clock.
    pub received_at: DateTime<Utc>,
    /// How we learned of it.
    pub learned_by: CaptureSource,
}

impl SurplusPaymentReceived {
    /// What came.
    pub fn money(&self) -> Money {
        self.amount.of(self.currency)
    }
}
