//! Refunds: what is sent, and what the answers say.
//!
//! Source: WeChat Pay v3, `POST /v3/refund/domestic/refunds` and its query.

use super::channel::{Told, WechatPayGateway};
use super::client::{Call, CallError};
use super::outcome::Outcome;
use super::wire::{BadSum, RefundTold, at, filled, sum};
use super::{content, json};
use crate::{GatewayError, Operation, RefundFound, RefundRequest, RefundState};

impl WechatPayGateway {
    pub(super) async fn give_back(&self, request: &RefundRequest) -> Result<RefundState, GatewayError> {
        let operation = Operation::Refund;
        let body = content::refund(request).map_err(|broken| self.refused(operation, broken.code()))?;
        let told = match self.ask(operation, &Call::post("/v3/refund/domestic/refunds".to_owned(), body)).await? {
            Told::Accepted(body) => self.read_refund(operation, &body, &request.out_trade_no, &request.refund_no)?,
            Told::Not(Outcome::RefundNeedsOperator(code)) => return Ok(RefundState::NeedsOperator { code }),
            Told::Not(outcome) => return Err(self.misplaced(operation, &outcome)),
        };
        let amount = told.amount.as_ref();
        let refunded = amount.map_or(Err(BadSum::Amount), |amount| sum(amount.refund, amount.currency.as_deref()));
        match refunded {
            // The number belongs to a refund of another sum: whatever became of that one, this one is not made.
            Ok(refunded) if refunded != request.amount => Err(self.unknown(operation, CallError::OtherPayment)),
            Ok(_) => self.refund_state(operation, &told),
            Err(_) => Err(self.lacks(operation, "amount")),
        }
    }

    pub(super) async fn ask_about_refund(&self, out_trade_no: &str, refund_no: &str) -> Result<RefundState, GatewayError> {
        match self.refund_told(out_trade_no, refund_no).await? {
            Some(told) => self.refund_state(Operation::QueryRefund, &told),
            None => Ok(RefundState::NotFound),
        }
    }

    pub(super) async fn refund_found(&self, out_trade_no: &str, refund_no: &str) -> Result<Option<RefundFound>, GatewayError> {
        let operation = Operation::QueryRefund;
        let Some(told) = self.refund_told(out_trade_no, refund_no).await? else { return Ok(None) };
        let amount = told.amount.as_ref().and_then(|amount| sum(amount.refund, amount.currency.as_deref()).ok());
        let amount = amount.ok_or_else(|| self.lacks(operation, "amount"))?;
        Ok(Some(RefundFound { amount, state: self.refund_state(operation, &told)? }))
    }

    /// The answer to a question about a refund; `None` where there is none of this number.
    async fn refund_told(&self, out_trade_no: &str, refund_no: &str) -> Result<Option<RefundTold>, GatewayError> {
        let operation = Operation::QueryRefund;
        let checked = content::number(out_trade_no).and_then(|()| content::refund_number(refund_no));
        checked.map_err(|broken| self.refused(operation, broken.code()))?;
        match self.ask(operation, &Call::get(format!("/v3/refund/domestic/refunds/{refund_no}"))).await? {
            Told::Accepted(body) => self.read_refund(operation, &body, out_trade_no, refund_no).map(Some),
            Told::Not(Outcome::Absent) => Ok(None),
            Told::Not(outcome) => Err(self.misplaced(operation, &outcome)),
        }
    }

    /// Reads an answer that is about this refund: a genuine one about another can be played back.
    fn read_refund(&self, operation: Operation, body: &[u8], out_trade_no: &str, refund_no: &str) -> Result<RefundTold, GatewayError> {
        let told: RefundTold = json::read(body).map_err(|error| self.unknown(operation, CallError::Unreadable(error)))?;
        let is_about = told.out_trade_no.as_deref() == Some(out_trade_no) && told.out_refund_no.as_deref() == Some(refund_no);
        if is_about { Ok(told) } else { Err(self.unknown(operation, CallError::OtherPayment)) }
    }

    fn refund_state(&self, operation: Operation, told: &RefundTold) -> Result<RefundState, GatewayError> {
        let word = filled(told.status.as_ref()).ok_or_else(|| self.lacks(operation, "status"))?;
        Ok(state(word, told).unwrap_or_else(|| RefundState::Unrecognised(super::word(word))))
    }
}

/// What WeChat Pay's word for a refund says; `None` for one that this version does not know.
pub(super) fn state(word: &str, told: &RefundTold) -> Option<RefundState> {
    match word {
        "SUCCESS" => Some(RefundState::Succeeded { refunded_at: at(told.success_time.as_ref()) }),
        "PROCESSING" => Some(RefundState::Processing),
        // Given up after days without money in the account: this number never gives any back.
        "CLOSED" => Some(RefundState::Failed { code: word.to_owned() }),
        // The card or the account is gone; a person names another one.
        "ABNORMAL" => Some(RefundState::NeedsOperator { code: word.to_owned() }),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
