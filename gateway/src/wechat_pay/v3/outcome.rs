//! What an error answer means for the call that it answers.
//!
//! Source: the tables of error codes of WeChat Pay v3. One code comes with different statuses on different pages, so the
//! code decides where there is one that is known.

use crate::Operation;

/// What says that the same call may fare better later, and that WeChat Pay works.
const OF_THE_MOMENT: [&str; 10] = [
    "SYSTEM_ERROR",
    "SYSTEMERROR",
    "BANK_ERROR",
    "BANKERROR",
    "BIZERR_NEED_RETRY",
    "FREQUENCY_LIMITED",
    "FREQUENCY_LIMIT_EXCEED",
    "RATELIMIT_EXCEEDED",
    "USER_PAYING",
    "USERPAYING",
];

/// What an error answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// WeChat Pay does not know the payment or the refund.
    Absent,
    /// The payment's state forbids it.
    StateForbids,
    /// The payment is closed already.
    AlreadyClosed,
    /// Understood and refused, with WeChat Pay's word for why.
    Refused(String),
    /// The refund is not made, and a person must act before it can be, with WeChat Pay's word for why.
    RefundNeedsOperator(String),
    /// WeChat Pay could not do its work now, or somebody else answered: nobody knows what became of the call.
    Unavailable(String),
    /// WeChat Pay works, and what it says leaves open what became of the call.
    Open(String),
}

impl Outcome {
    /// Reads the status and the code of an error answer to `operation`.
    pub(super) fn of(operation: Operation, status: u16, code: Option<&str>) -> Self {
        let Some(code) = code else {
            // Not WeChat Pay's own words: a proxy's page, an empty body.
            return Self::Unavailable(format!("http_{status}"));
        };
        let word = || code.to_owned();
        match code {
            // A wrong member, key, application or contract: the same call would be refused again.
            "PARAM_ERROR" | "SIGN_ERROR" | "APPID_MCHID_NOT_MATCH" | "MCH_NOT_EXISTS" | "NO_AUTH" | "NOAUTH" => Self::Refused(word()),
            // The trouble of this payment alone, or a call too many: others go on beside it.
            _ if status == 429 || OF_THE_MOMENT.contains(&code) => Self::Open(word()),
            "SERVICE_UNAVAILABLE" => Self::Unavailable(word()),
            _ if status >= 500 => Self::Unavailable(word()),
            code => Self::of_business(operation, code),
        }
    }

    fn of_business(operation: Operation, code: &str) -> Self {
        let word = code.to_owned();
        match (operation, code) {
            (Operation::Query | Operation::Close, "ORDER_NOT_EXIST" | "ORDERNOTEXIST" | "RESOURCE_NOT_EXISTS")
            | (Operation::QueryRefund, "RESOURCE_NOT_EXISTS" | "REFUND_NOT_EXISTS") => Self::Absent,
            (Operation::Close, "ORDER_PAID" | "ORDERPAID" | "TRADE_ERROR") => Self::StateForbids,
            (Operation::Close, "ORDER_CLOSED" | "ORDERCLOSED") => Self::AlreadyClosed,
            // Of another time with other members, closed before it could be paid, or against a rule: the next number may.
            (
                Operation::Precreate,
                "OUT_TRADE_NO_USED" | "ORDER_CLOSED" | "ORDERCLOSED" | "INVALID_REQUEST" | "RULE_LIMIT" | "TRADE_ERROR" | "ACCOUNT_ERROR",
            )
            | (Operation::Query | Operation::QueryRefund, "INVALID_REQUEST")
            | (Operation::DownloadStatement, "STATEMENT_CREATING" | "NO_STATEMENT_EXIST" | "INVALID_REQUEST") => Self::Refused(word),
            // The balance, the payment's state, its age, the buyer's card, the number used with another sum, or a word that
            // is not listed. None says that the number will never give money back, so a person looks at it.
            (Operation::Refund, _) => Self::RefundNeedsOperator(word),
            // A past that only a query tells (ORDER_PAID), or a word that is not listed: nothing is guessed.
            _ => Self::Open(word),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Operation; 6] =
        [Operation::Precreate, Operation::Query, Operation::Close, Operation::Refund, Operation::QueryRefund, Operation::DownloadStatement];

    fn of(operation: Operation, status: u16, code: &str) -> Outcome {
        Outcome::of(operation, status, Some(code))
    }

    #[test]
    fn no_words_of_wechat_pay_s_own_is_no_answer() {
        for operation in ALL {
            for status in [100, 302, 400, 403, 404, 405, 429, 500, 502, 503, 504] {
                let expected = Outcome::Unavailable(format!("http_{status}"));
                assert_eq!(Outcome::of(operation, status, None), expected, "{operation} {status}");
            }
        }
    }

    #[test]
    fn trouble_of_the_moment_leaves_everything_open() {
        for operation in ALL {
            for (status, code) in [
                (500, "SYSTEM_ERROR"),
                (429, "FREQUENCY_LIMITED"),
                (403, "FREQUENCY_LIMITED"),
                (429, "RATELIMIT_EXCEEDED"),
                (429, "SOMETHING_NEW"),
                (202, "USER_PAYING"),
                (500, "BANK_ERROR"),
            ] {
                assert_eq!(of(operation, status, code), Outcome::Open(code.to_owned()), "{operation} {code}");
            }
            for (status, code) in [(503, "SERVICE_UNAVAILABLE"), (500, "SOMETHING_NEW"), (502, "PARAM"), (500, "ORDER_NOT_EXIST")] {
                assert_eq!(of(operation, status, code), Outcome::Unavailable(code.to_owned()), "{operation} {code}");
            }
        }
    }

    #[test]
    fn a_wrong_call_is_refused() {
        for operation in ALL {
            for (status, code) in
                [(400, "PARAM_ERROR"), (401, "SIGN_ERROR"), (400, "APPID_MCHID_NOT_MATCH"), (400, "MCH_NOT_EXISTS"), (403, "NO_AUTH")]
            {
                assert_eq!(of(operation, status, code), Outcome::Refused(code.to_owned()), "{operation} {code}");
            }
        }
    }

    #[test]
    fn not_found_is_said_only_of_what_was_asked_for() {
        assert_eq!(of(Operation::Query, 404, "ORDER_NOT_EXIST"), Outcome::Absent);
        assert_eq!(of(Operation::Query, 404, "ORDERNOTEXIST"), Outcome::Absent);
        assert_eq!(of(Operation::Close, 404, "ORDER_NOT_EXIST"), Outcome::Absent);
        assert_eq!(of(Operation::QueryRefund, 404, "RESOURCE_NOT_EXISTS"), Outcome::Absent);
        assert_eq!(of(Operation::QueryRefund, 404, "ORDER_NOT_EXIST"), Outcome::Open("ORDER_NOT_EXIST".to_owned()));
        assert_eq!(of(Operation::Precreate, 404, "ORDER_NOT_EXIST"), Outcome::Open("ORDER_NOT_EXIST".to_owned()));
        assert_eq!(of(Operation::Refund, 404, "RESOURCE_NOT_EXISTS"), Outcome::RefundNeedsOperator("RESOURCE_NOT_EXISTS".to_owned()));
    }

    #[test]
    fn a_state_is_refused_where_the_next_number_may_and_asked_for_elsewhere() {
        for code in ["OUT_TRADE_NO_USED", "ORDER_CLOSED", "INVALID_REQUEST", "RULE_LIMIT", "TRADE_ERROR"] {
            assert_eq!(of(Operation::Precreate, 403, code), Outcome::Refused(code.to_owned()), "{code}");
        }
        assert_eq!(of(Operation::Precreate, 400, "ORDER_PAID"), Outcome::Open("ORDER_PAID".to_owned()));
        for code in ["ORDER_PAID", "ORDERPAID", "TRADE_ERROR"] {
            assert_eq!(of(Operation::Close, 403, code), Outcome::StateForbids, "{code}");
        }
        assert_eq!(of(Operation::Close, 400, "ORDER_CLOSED"), Outcome::AlreadyClosed);
        assert_eq!(of(Operation::Close, 400, "INVALID_REQUEST"), Outcome::Open("INVALID_REQUEST".to_owned()));
    }

    #[test]
    fn no_refund_is_given_up_for_good_by_an_error() {
        for code in ["NOT_ENOUGH", "USER_ACCOUNT_ABNORMAL", "INVALID_REQUEST", "RULE_LIMIT", "TRADE_OVERDUE", "SOMETHING_NEW"] {
            assert_eq!(of(Operation::Refund, 403, code), Outcome::RefundNeedsOperator(code.to_owned()), "{code}");
        }
    }

    #[test]
    fn a_word_that_is_not_listed_is_never_guessed() {
        for operation in [Operation::Precreate, Operation::Query, Operation::Close, Operation::QueryRefund] {
            assert_eq!(of(operation, 403, "SOMETHING_NEW"), Outcome::Open("SOMETHING_NEW".to_owned()), "{operation}");
        }
    }
}
