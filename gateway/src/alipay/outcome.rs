//! What a verified answer means for the call that it answers.
//!
//! Source: the tables of result codes of Alipay's `gateway.do` protocol.

use super::answer::{ASKED_TOO_OFTEN, Answer};
use crate::Operation;

/// The business failures, without their prefix, that say where the payment stands.
const STATES: [&str; 6] = [
    "TRADE_STATUS_ERROR",
    "REASON_TRADE_STATUS_INVALID",
    "REASON_ILLEGAL_STATUS",
    "TRADE_HAS_SUCCESS",
    "TRADE_HAS_FINISHED",
    "TRADE_HAS_CLOSE",
];

/// The business failures of a refund, without their prefix, that would meet every repeat: more than is left of the payment,
/// or a part of it without a number.
const FINAL_FOR_REFUNDS: [&str; 3] = ["REASON_TRADE_REFUND_FEE_ERR", "REFUND_AMT_NOT_EQUAL_TOTAL", "REFUND_FEE_ERROR"];

/// What a verified answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The call was accepted; the other members say more.
    Accepted,
    /// Alipay does not know the payment.
    Absent,
    /// The payment's state forbids it.
    StateForbids,
    /// Understood and refused, with Alipay's word for why.
    Refused(String),
    /// The refund is refused for good, with Alipay's word for why.
    RefundFailed(String),
    /// The refund is not made, and a person must act before it can be, with Alipay's word for why.
    RefundNeedsOperator(String),
    /// Alipay as a whole could not do its work now: nobody knows what became of the call.
    Unavailable(String),
    /// Alipay works, and what it says leaves open what became of the call.
    Open(String),
}

impl Outcome {
    /// Reads the codes of an answer to `operation`.
    pub(super) fn of(operation: Operation, answer: &Answer) -> Self {
        let word = answer.code_word();
        match answer.text("code") {
            Some("10000") => Self::Accepted,
            // Out of service: no other call would fare better now.
            Some("20000") => Self::Unavailable(word),
            // Asked too often: it works, and the same call may succeed a moment later.
            Some(ASKED_TOO_OFTEN) => Self::Open(word),
            // A wrong member, key, application or contract: the same call would be refused again.
            Some("20001" | "40001" | "40002" | "40003" | "40006") => Self::Refused(word),
            Some("40004") => Self::of_business(operation, answer.text("sub_code").unwrap_or_default(), word),
            // 10003 among them: it says that a payment waits for its buyer, which answers none of our questions.
            _ => Self::Open(word),
        }
    }

    /// Some pages list codes without their prefix or with a misspelt one, so it does not take part.
    fn of_business(operation: Operation, sub_code: &str, word: String) -> Self {
        let name = sub_code.split_once('.').map_or(sub_code, |(_, name)| name);
        let is_about_state = STATES.contains(&name);
        match (name, operation) {
            // The trouble of this payment alone: others go on beside it.
            ("SYSTEM_ERROR", _) => Self::Open(word),
            // The gateway's own word for being out of service.
            (name, _) if name.contains("unknow") => Self::Unavailable(word),
            ("TRADE_NOT_EXIST", Operation::Query | Operation::Close | Operation::QueryRefund) => Self::Absent,
            // Nothing is said.
            ("", _) => Self::Open(word),
            (name, Operation::Refund) if FINAL_FOR_REFUNDS.contains(&name) => Self::RefundFailed(word),
            // The contract, the balance, the payment's state, the number used with another amount, or a word that is not
            // listed: only a listed word is taken for the last one, so a person looks at all the others.
            (_, Operation::Refund) => Self::RefundNeedsOperator(word),
            (_, Operation::Close) if is_about_state => Self::StateForbids,
            // The number was closed before it could be paid, so it can never be: the next number may.
            ("TRADE_HAS_CLOSE", Operation::Precreate) => Self::Refused(word),
            // The number has a past that only a query tells.
            (_, Operation::Precreate | Operation::Query | Operation::QueryRefund) if is_about_state => Self::Open(word),
            // Not what was asked, or the number's first code was lost on the way to us.
            ("TRADE_NOT_EXIST" | "APPLY_PC_MERCHANT_CODE_ERROR", _) => Self::Open(word),
            // Any other business failure was understood and not done. Taking one that is not listed for a refusal is safe
            // here: no refusal says that money came or did not come.
            _ => Self::Refused(word),
        }
    }
}

#[cfg(test)]
mod tests;
