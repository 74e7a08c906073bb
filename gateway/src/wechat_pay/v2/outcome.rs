//! What a verified answer means for the call that it answers.
//!
//! Source: the tables of error codes on the pages of API v2.

use super::answer::Answer;
use crate::Operation;

/// The channel could not do its work on this one call now, or was asked too often: the same call may succeed later.
const AGAIN: [&str; 6] =
    ["SYSTEMERROR", "BIZERR_NEED_RETRY", "INVALID_REQ_TOO_MUCH", "FREQUENCY_LIMITED", "FREQUENCY_LIMIT", "RATELIMIT_EXCEEDED"];

/// What a verified answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The call was accepted; the other members say more.
    Accepted,
    /// The channel does not know the payment or the refund.
    Absent,
    /// The payment is already closed.
    Closed,
    /// The payment's state forbids it.
    StateForbids,
    /// Understood and refused, with the channel's word for why.
    Refused(String),
    /// The refund is not made, and a person must act before it can be, with the channel's word for why.
    RefundNeedsOperator(String),
    /// The channel works, and what it says leaves open what became of the call.
    Open(String),
}

impl Outcome {
    /// Reads the codes of an answer to `operation`.
    pub(super) fn of(operation: Operation, answer: &Answer) -> Self {
        if answer.is_done() {
            return Self::Accepted;
        }
        let word = answer.code_word();
        // Neither success nor a reason: nothing is said.
        if answer.text("result_code") != Some(super::answer::FAIL) || answer.text("err_code").is_none() {
            return Self::Open(word);
        }
        match (word.as_str(), operation) {
            (code, _) if AGAIN.contains(&code) => Self::Open(word),
            ("ORDERNOTEXIST", Operation::Query | Operation::Close | Operation::QueryRefund)
            | ("REFUNDNOTEXIST", Operation::QueryRefund) => Self::Absent,
            ("ORDERCLOSED", Operation::Close) => Self::Closed,
            ("ORDERPAID", Operation::Close) => Self::StateForbids,
            // The number has a past that only a query tells.
            ("ORDERPAID", _) => Self::Open(word),
            // The contract, the balance, the payment's age or state, the buyer's account, or a word that is not listed: a
            // person looks, and then the same number may be asked for again.
            (_, Operation::Refund) => Self::RefundNeedsOperator(word),
            // Any other failure was understood and not done, a number that was closed or used with other content among
            // them. Taking one that is not listed for a refusal is safe here: no refusal says that money came or did not.
            _ => Self::Refused(word),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wechat_pay::v2::tests::{settings, signed_message};
    use crate::wechat_pay::v2::{WechatPayV2Config, xml};

    const OPERATIONS: [Operation; 5] =
        [Operation::Precreate, Operation::Query, Operation::Close, Operation::Refund, Operation::QueryRefund];

    fn outcomes(result_code: &str, err_code: &str) -> [Outcome; 5] {
        let members = [("return_code", "SUCCESS"), ("result_code", result_code), ("err_code", err_code)];
        let body = signed_message(&settings(), &members);
        assert!(xml::read(body.as_bytes(), xml::ROOT).is_ok());
        let answer = Answer::read(body.as_bytes(), &WechatPayV2Config::new(&settings()).unwrap()).unwrap();
        OPERATIONS.map(|operation| Outcome::of(operation, &answer))
    }

    #[test]
    fn each_code_means_what_its_page_says_for_each_call() {
        let open = |code: &str| Outcome::Open(code.to_owned());
        let refused = |code: &str| Outcome::Refused(code.to_owned());
        let person = |code: &str| Outcome::RefundNeedsOperator(code.to_owned());
        assert_eq!(outcomes("SUCCESS", ""), [const { Outcome::Accepted }; 5]);
        for code in AGAIN {
            assert_eq!(outcomes("FAIL", code), OPERATIONS.map(|_| open(code)), "{code}");
        }
        let code = "ORDERNOTEXIST";
        assert_eq!(outcomes("FAIL", code), [refused(code), Outcome::Absent, Outcome::Absent, person(code), Outcome::Absent]);
        let code = "REFUNDNOTEXIST";
        assert_eq!(outcomes("FAIL", code), [refused(code), refused(code), refused(code), person(code), Outcome::Absent]);
        let code = "ORDERCLOSED";
        assert_eq!(outcomes("FAIL", code), [refused(code), refused(code), Outcome::Closed, person(code), refused(code)]);
        let code = "ORDERPAID";
        assert_eq!(outcomes("FAIL", code), [open(code), open(code), Outcome::StateForbids, open(code), open(code)]);
        for code in ["NOTENOUGH", "TRADE_OVERDUE", "TOMORROW"] {
            assert_eq!(outcomes("FAIL", code), [refused(code), refused(code), refused(code), person(code), refused(code)], "{code}");
        }
    }

    #[test]
    fn neither_success_nor_a_reason_says_nothing() {
        for (result_code, err_code) in [("FAIL", ""), ("", "ORDERCLOSED"), ("TOMORROW", "ORDERPAID"), ("", "")] {
            assert!(outcomes(result_code, err_code).iter().all(|outcome| matches!(outcome, Outcome::Open(_))), "{result_code} {err_code}");
        }
    }
}
