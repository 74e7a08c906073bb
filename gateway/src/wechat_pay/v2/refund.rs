//! Refunds: what is sent, and what the answers say.
//!
//! Source: WeChat Pay's pages of refund and refundquery.

use super::answer::Answer;
use super::outcome::Outcome;
use super::request;
use super::transport::REFUND_PATH;
use super::{Asked, CallError, WechatPayV2Gateway};
use crate::{GatewayError, Operation, RefundFound, RefundRequest, RefundState, beijing};

const REFUND_QUERY_PATH: &str = "/pay/refundquery";

/// The most refunds of one payment.
const REFUND_LIMIT: usize = 50;

impl WechatPayV2Gateway {
    pub(super) async fn give_back(&self, request: &RefundRequest) -> Result<RefundState, GatewayError> {
        let asked = self.asked(Operation::Refund);
        let members = request::refund(request).map_err(|broken| asked.unsendable(broken))?;
        if !self.merchant.config.can_refund() {
            // Without the certificate the channel would say no more than that something is wrong.
            return Ok(RefundState::NeedsOperator { code: "paystream.no_client_certificate".to_owned() });
        }
        let called = self.merchant.call(asked.operation, REFUND_PATH, self.merchant.app_id(self.product), &members).await;
        let is_about = |answer: &Answer| {
            let is = |name: &str, expected: &str| answer.text(name).is_none_or(|text| text == expected);
            is("out_trade_no", &request.out_trade_no) && is("out_refund_no", &request.refund_no)
        };
        match called {
            Ok((_, answer)) if !is_about(&answer) => Err(asked.unknown(CallError::OtherPayment)),
            Ok((Outcome::RefundNeedsOperator(code), _)) => Ok(RefundState::NeedsOperator { code }),
            called => {
                let answer = asked.accepted(called)?;
                // The number was used before, for another sum: only a person can say which of the two is meant.
                if answer.text("refund_fee").is_some() && answer.amount("refund_fee") != Some(request.amount) {
                    return Ok(RefundState::NeedsOperator { code: "paystream.other_refund_fee".to_owned() });
                }
                // Accepted is all that it says; the money may still be refused by the buyer's bank.
                Ok(RefundState::Processing)
            }
        }
    }

    pub(super) async fn ask_about_refund(&self, out_trade_no: &str, refund_no: &str) -> Result<RefundState, GatewayError> {
        let asked = self.asked(Operation::QueryRefund);
        match self.refunds_told(out_trade_no, refund_no).await? {
            Some(answer) => state_in(asked, &answer, place_of(asked, &answer, refund_no)?),
            None => Ok(RefundState::NotFound),
        }
    }

    pub(super) async fn refund_found(&self, out_trade_no: &str, refund_no: &str) -> Result<Option<RefundFound>, GatewayError> {
        let asked = self.asked(Operation::QueryRefund);
        let Some(answer) = self.refunds_told(out_trade_no, refund_no).await? else { return Ok(None) };
        // Which payment it is of is said once for all places, and here nothing but the answer binds the refund to it.
        if answer.text("out_trade_no") != Some(out_trade_no) {
            return Err(asked.lacks("out_trade_no"));
        }
        let place = place_of(asked, &answer, refund_no)?;
        let amount = answer.amount(&format!("refund_fee_{place}")).filter(|amount| !amount.is_zero());
        let amount = amount.ok_or_else(|| asked.lacks("refund_fee"))?;
        Ok(Some(RefundFound { amount, state: state_in(asked, &answer, place)? }))
    }

    /// The answer to a question about a refund; `None` where there is none of this number.
    async fn refunds_told(&self, out_trade_no: &str, refund_no: &str) -> Result<Option<Answer>, GatewayError> {
        let asked = self.asked(Operation::QueryRefund);
        let members = request::refund_query(out_trade_no, refund_no).map_err(|broken| asked.unsendable(broken))?;
        let called = self.merchant.call(asked.operation, REFUND_QUERY_PATH, self.merchant.app_id(self.product), &members).await;
        match called {
            Ok((_, answer)) if answer.text("out_trade_no").is_some_and(|other| other != out_trade_no) => {
                Err(asked.unknown(CallError::OtherPayment))
            }
            Ok((Outcome::Absent, _)) => Ok(None),
            called => asked.accepted(called).map(Some),
        }
    }
}

/// Where the answer tells of the refund with this number. An answer tells of several, each member with its place.
fn place_of<'a>(asked: Asked, answer: &'a Answer, refund_no: &str) -> Result<&'a str, GatewayError> {
    let places = answer.names().filter_map(|name| name.strip_prefix("out_refund_no_")).take(REFUND_LIMIT);
    let mut ours = places.filter(|place| answer.text(&format!("out_refund_no_{place}")) == Some(refund_no));
    let place = ours.next().ok_or_else(|| asked.lacks("out_refund_no"))?;
    if ours.next().is_some() {
        return Err(asked.lacks("out_refund_no"));
    }
    Ok(place)
}

fn state_in(asked: Asked, answer: &Answer, place: &str) -> Result<RefundState, GatewayError> {
    let member = |name: &str| answer.text(&format!("{name}_{place}"));
    let word = member("refund_status").ok_or_else(|| asked.lacks("refund_status"))?;
    Ok(state(word, member("refund_success_time")))
}

/// What became of a refund, by the channel's word for it.
pub(super) fn state(word: &str, success_time: Option<&str>) -> RefundState {
    match word {
        "SUCCESS" => RefundState::Succeeded { refunded_at: success_time.and_then(beijing::parse_spaced) },
        "PROCESSING" => RefundState::Processing,
        "REFUNDCLOSE" => RefundState::Failed { code: word.to_owned() },
        // The buyer's bank did not take it: the money is given back by another way.
        "CHANGE" => RefundState::NeedsOperator { code: word.to_owned() },
        other => RefundState::Unrecognised(other.chars().filter(|character| !character.is_control()).take(32).collect()),
    }
}

#[cfg(test)]
mod tests;
