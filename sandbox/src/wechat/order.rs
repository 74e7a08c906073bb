//! Orders: asked for once per number, asked for again with the same content, closed, and where they stand.

use chrono::{DateTime, TimeDelta, Utc};
use rsa::sha2::{Digest, Sha256};
use serde::{Deserialize, Serialize};

use super::numbers;
use crate::store::StoreError;
use crate::trade::{Trade, TradeStatus, Wallet};
use crate::{CHANGE_TRIES, Sandbox, SandboxError};

/// How long an order is payable where the merchant names no time, and when an unpaid one closes by itself.
const ORDER_LIFE: TimeDelta = TimeDelta::days(7);

/// The protocol that an order was made by, and the digest that the merchant signs with in the old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Api {
    V3,
    V2Md5,
    V2HmacSha256,
}

#[expect(clippy::struct_field_names, reason = "prepay_id is WeChat Pay's own word")]
/// What WeChat Pay keeps of a trade beside what all wallets do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Prepay {
    pub(super) api: Api,
    /// The newest code's; older codes lead nowhere.
    pub(crate) prepay_id: String,
    /// A digest of all that was asked for, by which a repeat is known.
    pub(super) asked: String,
    /// Who pays or has paid.
    pub(super) openid: String,
}

/// A product of WeChat Pay's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Product {
    Native,
    H5,
    Jsapi,
    App,
}

impl Product {
    /// The member `trade_type`.
    pub(super) fn trade_type(self) -> &'static str {
        match self {
            Self::Native => "NATIVE",
            Self::H5 => "MWEB",
            Self::Jsapi => "JSAPI",
            Self::App => "APP",
        }
    }

    /// How long what the merchant gets may be used.
    pub(super) fn code_life(self) -> TimeDelta {
        match self {
            Self::H5 => TimeDelta::minutes(5),
            Self::Native | Self::Jsapi | Self::App => TimeDelta::hours(2),
        }
    }
}

/// Where an order stands, in WeChat Pay's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TradeState {
    Success,
    Refund,
    NotPay,
    Closed,
}

impl TradeState {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Success => "SUCCESS",
            Self::Refund => "REFUND",
            Self::NotPay => "NOTPAY",
            Self::Closed => "CLOSED",
        }
    }

    /// The member `trade_state_desc`.
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::Success => "支付成功",
            Self::Refund => "订单发生过退款",
            Self::NotPay => "订单未支付",
            Self::Closed => "订单已关闭",
        }
    }
}

/// Where an order stands at `now`. An order whose time is over stays unpaid until it is closed.
pub(crate) fn trade_state(trade: &Trade, now: DateTime<Utc>) -> TradeState {
    match trade.status {
        TradeStatus::Paid if trade.refunded.is_zero() => TradeState::Success,
        TradeStatus::Paid => TradeState::Refund,
        TradeStatus::Closed => TradeState::Closed,
        TradeStatus::Coded | TradeStatus::AwaitingBuyer if now >= trade.coded_at + ORDER_LIFE => TradeState::Closed,
        TradeStatus::Coded | TradeStatus::AwaitingBuyer => TradeState::NotPay,
    }
}

/// A digest of what a merchant asks for.
pub(super) fn digest(text: &str) -> String {
    numbers::hex(&Sha256::digest(text.as_bytes()))
}

/// When an order and its code end; `time_expire` is the merchant's.
pub(super) fn ends(product: Product, time_expire: Option<DateTime<Utc>>, now: DateTime<Utc>) -> (DateTime<Utc>, DateTime<Utc>) {
    let expires_at = time_expire.unwrap_or(now + ORDER_LIFE);
    (expires_at, expires_at.min(now + product.code_life()))
}

/// Why there is no order.
#[derive(Debug)]
pub(super) enum Unplaced {
    Paid,
    Closed,
    /// The number is known with another content.
    OtherContent,
    Failed(SandboxError),
}

impl From<StoreError> for Unplaced {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// Makes an order, or renews the code of one that was asked for with the same content.
pub(super) async fn place(sandbox: &Sandbox, asked: Trade) -> Result<Trade, Unplaced> {
    for _ in 0..CHANGE_TRIES {
        if sandbox.store().insert_trade(&asked).await? {
            tracing::info!(sandbox.out_trade_no = asked.out_trade_no, "the sandbox's WeChat Pay made an order");
            return Ok(asked);
        }
        let Some(known) = sandbox.store().trade(Wallet::Wechat, &asked.out_trade_no).await? else { continue };
        let renewed = renewed(&known, &asked, sandbox.now())?;
        if sandbox.store().replace_trade(&renewed).await? {
            return Ok(renewed);
        }
    }
    Err(Unplaced::Failed(SandboxError::Contended))
}

/// The known order with the code of the one that is asked for now.
fn renewed(known: &Trade, asked: &Trade, now: DateTime<Utc>) -> Result<Trade, Unplaced> {
    let content = |trade: &Trade| trade.wechat.as_ref().map(|prepay| prepay.asked.clone());
    match trade_state(known, now) {
        TradeState::Success | TradeState::Refund => Err(Unplaced::Paid),
        TradeState::Closed => Err(Unplaced::Closed),
        TradeState::NotPay if content(known) != content(asked) => Err(Unplaced::OtherContent),
        TradeState::NotPay => {
            // Without a time of the merchant's the order ends when it would have.
            let expires_at = known.expires_at;
            let code_expires_at = expires_at.map_or(asked.code_expires_at, |expires_at| expires_at.min(asked.code_expires_at));
            Ok(Trade { wechat: asked.wechat.clone(), code_expires_at, ..known.clone() })
        }
    }
}

/// What closing an order came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    Now,
    Already,
}

/// Why an order is not closed.
#[derive(Debug)]
pub(super) enum Unclosed {
    Unknown,
    Paid,
    TooEarly,
    Failed(SandboxError),
}

impl From<StoreError> for Unclosed {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// Closes an unpaid order that is at least `least_age` old.
pub(super) async fn close(sandbox: &Sandbox, out_trade_no: &str, least_age: TimeDelta) -> Result<Closed, Unclosed> {
    for _ in 0..CHANGE_TRIES {
        let known = sandbox.store().trade(Wallet::Wechat, out_trade_no).await?.ok_or(Unclosed::Unknown)?;
        let now = sandbox.now();
        match trade_state(&known, now) {
            TradeState::Success | TradeState::Refund => return Err(Unclosed::Paid),
            TradeState::Closed => return Ok(Closed::Already),
            TradeState::NotPay if now < known.coded_at + least_age => return Err(Unclosed::TooEarly),
            TradeState::NotPay => {}
        }
        let closed = Trade { status: TradeStatus::Closed, closed_at: Some(now), ..known };
        if sandbox.store().replace_trade(&closed).await? {
            tracing::info!(sandbox.out_trade_no = out_trade_no, "the sandbox's WeChat Pay closed an order");
            return Ok(Closed::Now);
        }
    }
    Err(Unclosed::Failed(SandboxError::Contended))
}

/// The order with a number of the merchant's.
pub(super) async fn by_number(sandbox: &Sandbox, out_trade_no: &str) -> Result<Option<Trade>, StoreError> {
    sandbox.store().trade(Wallet::Wechat, out_trade_no).await
}

/// The paid order with a number of WeChat Pay's.
pub(super) async fn by_transaction(sandbox: &Sandbox, transaction_id: &str) -> Result<Option<Trade>, StoreError> {
    let trade = sandbox.store().trade_by_trade_no(Wallet::Wechat, transaction_id).await?;
    Ok(trade.filter(|trade| trade.paid_at.is_some()))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::trade::tests::{at, coded, number};

    pub(in super::super) fn ordered() -> Trade {
        let prepay = Prepay { api: Api::V3, prepay_id: "wx1".to_owned(), asked: digest("a"), openid: "o1".to_owned() };
        Trade { wallet: Wallet::Wechat, product_code: "NATIVE".to_owned(), expires_at: Some(at(86_400)), wechat: Some(prepay), ..coded() }
    }

    fn again(asked: &str) -> Trade {
        let prepay = Prepay { prepay_id: "wx2".to_owned(), asked: digest(asked), ..ordered().wechat.unwrap() };
        Trade { wechat: Some(prepay), code_expires_at: at(9_000), ..ordered() }
    }

    #[test]
    fn a_repeat_has_a_new_code_and_the_same_end() {
        let renewed = renewed(&ordered(), &again("a"), at(1_800)).unwrap();
        assert_eq!(renewed.wechat.unwrap().prepay_id, "wx2");
        assert_eq!((renewed.code_expires_at, renewed.expires_at, renewed.coded_at), (at(9_000), Some(at(86_400)), at(0)));
        let short = Trade { expires_at: Some(at(2_000)), ..ordered() };
        assert_eq!(super::renewed(&short, &again("a"), at(1_800)).unwrap().code_expires_at, at(2_000));
    }

    #[test]
    fn a_number_is_not_given_a_code_for_another_content_or_when_it_has_ended() {
        assert!(matches!(renewed(&ordered(), &again("b"), at(1)), Err(Unplaced::OtherContent)));
        let paid = ordered().paid(at(5), number, ordered().amount).unwrap();
        assert!(matches!(renewed(&paid, &again("a"), at(6)), Err(Unplaced::Paid)));
        let closed = Trade { status: TradeStatus::Closed, ..ordered() };
        assert!(matches!(renewed(&closed, &again("a"), at(6)), Err(Unplaced::Closed)));
        assert!(matches!(renewed(&ordered(), &again("a"), at(7 * 86_400)), Err(Unplaced::Closed)));
    }

    #[test]
    fn an_order_whose_time_is_over_stays_unpaid_until_it_closes() {
        let scanned = ordered().scanned(at(60), number).unwrap();
        for trade in [ordered(), scanned] {
            assert_eq!(trade_state(&trade, at(86_401)), TradeState::NotPay);
            assert!(trade.paid(at(86_401), number, trade.amount).is_err());
            assert_eq!(trade_state(&trade, at(7 * 86_400)), TradeState::Closed);
        }
        let paid = ordered().paid(at(5), number, ordered().amount).unwrap();
        assert_eq!(trade_state(&paid, at(8 * 86_400)), TradeState::Success);
        let part = domain::Money::new(1, domain::Currency::Cny).unwrap();
        assert_eq!(trade_state(&paid.refunded(at(6), part).unwrap(), at(7)), TradeState::Refund);
    }

    #[test]
    fn a_code_ends_by_its_product_or_with_the_order() {
        assert_eq!(ends(Product::H5, None, at(0)), (at(7 * 86_400), at(300)));
        assert_eq!(ends(Product::Native, Some(at(86_400)), at(0)), (at(86_400), at(7_200)));
        assert_eq!(ends(Product::Native, Some(at(90)), at(0)), (at(90), at(90)));
    }
}
