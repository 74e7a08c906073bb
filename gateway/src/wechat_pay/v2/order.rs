//! Payments: asked for, asked about, and ended.
//!
//! Source: WeChat Pay's pages of unifiedorder, orderquery and closeorder.

use domain::Currency;
use reqwest::Url;

use super::answer::Answer;
use super::outcome::Outcome;
use super::product::Product;
use super::request;
use super::{Asked, CallError, WechatPayV2Gateway};
use crate::{Capture, Closed, GatewayError, Operation, PrecreateRequest, Precreated, TradeState, beijing};

const ORDER_PATH: &str = "/pay/unifiedorder";
pub(super) const QUERY_PATH: &str = "/pay/orderquery";
const CLOSE_PATH: &str = "/pay/closeorder";

/// The longest of what a channel prepares, in characters.
const PREPARED_LIMIT: usize = 1024;

impl WechatPayV2Gateway {
    pub(super) async fn prepare(&self, request: &PrecreateRequest) -> Result<Precreated, GatewayError> {
        let asked = self.asked(Operation::Precreate);
        let answer = self.order(request).await?;
        match self.product {
            Product::Native => {
                let code_url = self.prepared(&answer, "code_url")?;
                // A code that is shown needs no more.
                Ok(match self.prepared(&answer, "prepay_id") {
                    Ok(prepay_id) => Precreated::CodeAndPrepay { code_url, prepay_id },
                    Err(_) => Precreated::Code { code_url },
                })
            }
            Product::Jsapi | Product::App => Ok(Precreated::Prepay { prepay_id: self.prepared(&answer, "prepay_id")? }),
            Product::H5 => {
                let url = self.prepared(&answer, "mweb_url")?;
                // A browser is sent there, so it must not be a script.
                let is_page = Url::parse(&url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
                if is_page { Ok(Precreated::Link { url }) } else { Err(asked.lacks("mweb_url")) }
            }
        }
    }

    /// What the channel prepared, by the member that holds it.
    fn prepared(&self, answer: &Answer, member: &str) -> Result<String, GatewayError> {
        let text = answer.text(member).filter(|text| text.len() <= PREPARED_LIMIT && text.bytes().all(|byte| byte.is_ascii_graphic()));
        text.map(str::to_owned).ok_or_else(|| self.asked(Operation::Precreate).lacks(member))
    }

    /// Asks for a payment; the answer is that of one of our product.
    async fn order(&self, request: &PrecreateRequest) -> Result<Answer, GatewayError> {
        let asked = self.asked(Operation::Precreate);
        if request.channel != self.channel() {
            return Err(asked.refused("paystream.other_channel".to_owned()));
        }
        let merchant = &self.merchant;
        let members = request::unified_order(self.product, request, &merchant.config).map_err(|broken| asked.unsendable(broken))?;
        merchant.young.note(&request.out_trade_no, merchant.clock.now());
        let called = merchant.call(asked.operation, ORDER_PATH, merchant.app_id(self.product), &members).await;
        let answer = asked.accepted(called)?;
        // The answer does not repeat the number; another product would be about another payment for certain.
        match answer.text("trade_type") {
            Some(trade_type) if trade_type != self.product.trade_type() => Err(asked.unknown(CallError::OtherPayment)),
            _ => Ok(answer),
        }
    }

    pub(super) async fn ask(&self, out_trade_no: &str) -> Result<TradeState, GatewayError> {
        let asked = self.asked(Operation::Query);
        let members = request::numbered(out_trade_no).map_err(|broken| asked.unsendable(broken))?;
        let called = self.merchant.call(asked.operation, QUERY_PATH, self.merchant.app_id(self.product), &members).await;
        if let Ok((Outcome::Absent, answer)) = &called {
            return if is_about(answer, out_trade_no) { Ok(TradeState::NotFound) } else { Err(asked.unknown(CallError::OtherPayment)) };
        }
        let answer = asked.accepted(called)?;
        match answer.text("out_trade_no") {
            None => Err(asked.lacks("out_trade_no")),
            Some(number) if number != out_trade_no => Err(asked.unknown(CallError::OtherPayment)),
            Some(_) => trade_state(asked, &answer),
        }
    }

    pub(super) async fn end(&self, out_trade_no: &str) -> Result<Closed, GatewayError> {
        let asked = self.asked(Operation::Close);
        let members = request::numbered(out_trade_no).map_err(|broken| asked.unsendable(broken))?;
        let merchant = &self.merchant;
        let called = merchant.call(asked.operation, CLOSE_PATH, merchant.app_id(self.product), &members).await;
        match called {
            Ok((_, answer)) if !is_about(&answer, out_trade_no) => Err(asked.unknown(CallError::OtherPayment)),
            Ok((Outcome::Accepted | Outcome::Closed, _)) => Ok(Closed::Done),
            Ok((Outcome::Absent, _)) => Ok(Closed::NotFound),
            Ok((Outcome::StateForbids, _)) => Ok(Closed::StateForbids),
            // The channel has no word of its own for "too early", so it is known by when the payment was asked for.
            Ok((Outcome::Refused(_), _)) if merchant.young.holds(out_trade_no, merchant.clock.now()) => Ok(Closed::TooEarly),
            called => asked.accepted(called).map(|_| Closed::Done),
        }
    }
}

/// Whether an answer names no other payment. One that says "not done" names none at all.
fn is_about(answer: &Answer, out_trade_no: &str) -> bool {
    answer.text("out_trade_no").is_none_or(|other| other == out_trade_no)
}

/// What a query's answer says of the payment.
fn trade_state(asked: Asked, answer: &Answer) -> Result<TradeState, GatewayError> {
    let word = answer.text("trade_state").ok_or_else(|| asked.lacks("trade_state"))?;
    match word {
        // `REFUND`: some refund exists, perhaps of a part; what became of it is asked by its own number.
        "SUCCESS" | "REFUND" => Ok(TradeState::Paid(Capture { has_refunds: word == "REFUND", ..capture(asked, answer)? })),
        // Also after failed attempts, and after the payment's time is over: it stays so until it is closed.
        "NOTPAY" | "USERPAYING" | "ACCEPT" => Ok(TradeState::AwaitingBuyer { trade_no: answer.text("transaction_id").map(str::to_owned) }),
        "CLOSED" => Ok(TradeState::ClosedUnpaid),
        // `REVOKED` and `PAYERROR` among them, which only payments have that a shop's scanner began.
        other => Ok(TradeState::Unrecognised(other.chars().filter(|character| !character.is_control()).take(32).collect())),
    }
}

fn capture(asked: Asked, answer: &Answer) -> Result<Capture, GatewayError> {
    if answer.text("fee_type").is_some_and(|code| Currency::parse(code).is_err()) {
        return Err(asked.lacks("fee_type"));
    }
    Ok(Capture {
        trade_no: answer.text("transaction_id").ok_or_else(|| asked.lacks("transaction_id"))?.to_owned(),
        amount: answer.amount("total_fee").ok_or_else(|| asked.lacks("total_fee"))?,
        paid_at: answer.text("time_end").and_then(beijing::parse_compact),
        is_final: false,
        has_refunds: false,
    })
}

#[cfg(test)]
mod tests;
