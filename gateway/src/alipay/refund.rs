//! Refunds: what is sent, and what the answers say.
//!
//! Source: Alipay's open platform, pages of `alipay.trade.refund` and `alipay.trade.fastpay.refund.query`.

use super::answer::Answer;
use super::outcome::Outcome;
use super::{AlipayGateway, CallError, accepted, content, is_about, lacks, refused, unknown};
use crate::{GatewayError, Operation, RefundFound, RefundRequest, RefundState, beijing};

impl AlipayGateway {
    pub(super) async fn give_back(&self, request: &RefundRequest) -> Result<RefundState, GatewayError> {
        let operation = Operation::Refund;
        let content = content::refund(request).map_err(|broken| refused(operation, broken.code()))?;
        let called = self.call(operation, None, content).await;
        match called {
            Ok((Outcome::RefundFailed(_) | Outcome::RefundNeedsOperator(_), answer)) if !is_about(&answer, &request.out_trade_no) => {
                Err(unknown(operation, CallError::OtherPayment))
            }
            Ok((Outcome::RefundFailed(code), _)) => Ok(RefundState::Failed { code }),
            Ok((Outcome::RefundNeedsOperator(code), _)) => Ok(RefundState::NeedsOperator { code }),
            called => refunded(&accepted(operation, called, &request.out_trade_no)?, request),
        }
    }

    pub(super) async fn ask_about_refund(&self, out_trade_no: &str, refund_no: &str) -> Result<RefundState, GatewayError> {
        let told = self.refund_told(out_trade_no, refund_no).await?;
        told.map_or(Ok(RefundState::NotFound), |answer| refund_state(&answer))
    }

    pub(super) async fn refund_found(&self, out_trade_no: &str, refund_no: &str) -> Result<Option<RefundFound>, GatewayError> {
        let Some(answer) = self.refund_told(out_trade_no, refund_no).await? else { return Ok(None) };
        let state = match refund_state(&answer)? {
            RefundState::NotFound => return Ok(None),
            state => state,
        };
        let amount = answer.amount("refund_amount").filter(|amount| !amount.is_zero());
        let amount = amount.ok_or_else(|| lacks(Operation::QueryRefund, "refund_amount"))?;
        Ok(Some(RefundFound { amount, state }))
    }

    /// The answer to a question about a refund; `None` where there is none of this number.
    async fn refund_told(&self, out_trade_no: &str, refund_no: &str) -> Result<Option<Answer>, GatewayError> {
        let operation = Operation::QueryRefund;
        let content = content::refund_query(out_trade_no, refund_no).map_err(|broken| refused(operation, broken.code()))?;
        let called = self.call(operation, None, content).await;
        match called {
            Ok((Outcome::Absent | Outcome::Accepted, answer)) if !is_about_refund(&answer, out_trade_no, refund_no) => {
                Err(unknown(operation, CallError::OtherPayment))
            }
            Ok((Outcome::Absent, _)) => Ok(None),
            // Not received, or failed, or another number was asked for: Alipay's advice is to ask for the refund again.
            Ok((Outcome::Accepted, answer)) if answer.text("refund_status").is_none() => Ok(None),
            called => accepted(operation, called, out_trade_no).map(Some),
        }
    }
}

/// What the answer to an accepted refund says. `refund_fee` is the sum of all refunds of the payment so far.
fn refunded(answer: &Answer, request: &RefundRequest) -> Result<RefundState, GatewayError> {
    // `N` also meets the repeat of a refund that was made; only a query tells.
    if answer.text("fund_change") != Some("Y") {
        return Ok(RefundState::Processing);
    }
    // The answer does not repeat the refund's number, so a smaller sum is all that shows it to be about an earlier one.
    if answer.amount("refund_fee").is_some_and(|sum| sum.amount_minor() < request.amount.amount_minor()) {
        return Err(lacks(Operation::Refund, "refund_fee"));
    }
    Ok(RefundState::Succeeded { refunded_at: refunded_at(answer) })
}

fn refund_state(answer: &Answer) -> Result<RefundState, GatewayError> {
    match answer.text("refund_status") {
        // A genuine answer about an earlier refund of the same payment may not stand for this one.
        Some("REFUND_SUCCESS") if answer.text("out_request_no").is_none() => Err(lacks(Operation::QueryRefund, "out_request_no")),
        Some("REFUND_SUCCESS") => Ok(RefundState::Succeeded { refunded_at: refunded_at(answer) }),
        Some(other) => Ok(RefundState::Unrecognised(other.to_owned())),
        None => Ok(RefundState::NotFound),
    }
}

fn refunded_at(answer: &Answer) -> Option<chrono::DateTime<chrono::Utc>> {
    answer.text("gmt_refund_pay").and_then(beijing::parse_spaced)
}

/// Whether an answer names no other payment and no other refund.
fn is_about_refund(answer: &Answer, out_trade_no: &str, refund_no: &str) -> bool {
    is_about(answer, out_trade_no) && answer.text("out_request_no").is_none_or(|other| other == refund_no)
}

#[cfg(test)]
mod tests;
