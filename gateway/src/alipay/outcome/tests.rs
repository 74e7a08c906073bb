use super::*;
use crate::Operation::{Close, Precreate, Query, QueryRefund, Refund};
use crate::alipay::keys::{AlipayKeys, ApplicationKey};
use crate::alipay::tests::{key_text, signed_answer};

const ALL: [Operation; 5] = [Precreate, Query, Close, Refund, QueryRefund];

fn keys() -> AlipayKeys {
    let application = ApplicationKey::read(&key_text("alipay_app_private_pkcs8.pem")).unwrap();
    AlipayKeys::read([key_text("alipay_platform_public.pem").as_str()], &application).unwrap()
}

fn outcome(operation: Operation, node: &str) -> Outcome {
    Outcome::of(operation, &Answer::read(signed_answer("a", node).as_bytes(), "a", &keys(), chrono::DateTime::UNIX_EPOCH).unwrap())
}

fn business(operation: Operation, sub_code: &str) -> Outcome {
    outcome(operation, &format!(r#"{{"code":"40004","sub_code":"{sub_code}"}}"#))
}

fn code(operation: Operation, code: &str) -> Outcome {
    outcome(operation, &format!(r#"{{"code":"{code}"}}"#))
}

#[test]
fn an_accepted_call_is_accepted() {
    for operation in ALL {
        assert_eq!(code(operation, "10000"), Outcome::Accepted);
    }
}

#[test]
fn what_is_out_of_service_is_unavailable() {
    for operation in ALL {
        assert_eq!(code(operation, "20000"), Outcome::Unavailable("20000".to_owned()));
        for sub_code in ["isp.unknow-error", "aop.unknow-error"] {
            let whole = outcome(operation, &format!(r#"{{"code":"20000","sub_code":"{sub_code}"}}"#));
            assert_eq!(whole, Outcome::Unavailable(sub_code.to_owned()));
            assert_eq!(business(operation, sub_code), Outcome::Unavailable(sub_code.to_owned()), "{sub_code}");
        }
    }
}

#[test]
fn a_call_too_many_and_one_payments_trouble_leave_it_open() {
    for operation in ALL {
        assert_eq!(code(operation, "40005"), Outcome::Open("40005".to_owned()));
        let limited = outcome(operation, r#"{"code":"40005","sub_code":"isv.app-call-limited"}"#);
        assert_eq!(limited, Outcome::Open("isv.app-call-limited".to_owned()));
        for sub_code in ["ACQ.SYSTEM_ERROR", "AQC.SYSTEM_ERROR", "SYSTEM_ERROR"] {
            assert_eq!(business(operation, sub_code), Outcome::Open(sub_code.to_owned()), "{sub_code}");
        }
    }
}

#[test]
fn a_wrong_call_is_refused() {
    for operation in ALL {
        for word in ["20001", "40001", "40002", "40003", "40006"] {
            assert_eq!(code(operation, word), Outcome::Refused(word.to_owned()));
        }
        let signature = outcome(operation, r#"{"code":"40002","sub_code":"isv.invalid-signature"}"#);
        assert_eq!(signature, Outcome::Refused("isv.invalid-signature".to_owned()));
    }
}

#[test]
fn an_unknown_or_missing_code_leaves_it_open() {
    for operation in ALL {
        for word in ["10003", "50000", "40007"] {
            assert_eq!(code(operation, word), Outcome::Open(word.to_owned()));
        }
        assert_eq!(outcome(operation, "{}"), Outcome::Open("unreadable_code".to_owned()));
        assert_eq!(code(operation, "40004"), Outcome::Open("40004".to_owned()));
    }
}

#[test]
fn an_absent_payment_is_absent_only_where_one_was_asked_for() {
    for sub_code in ["ACQ.TRADE_NOT_EXIST", "TRADE_NOT_EXIST", "AQC.TRADE_NOT_EXIST"] {
        assert_eq!(business(Query, sub_code), Outcome::Absent);
        assert_eq!(business(Close, sub_code), Outcome::Absent);
        assert_eq!(business(QueryRefund, sub_code), Outcome::Absent);
        assert_eq!(business(Refund, sub_code), Outcome::RefundNeedsOperator(sub_code.to_owned()));
        assert_eq!(business(Precreate, sub_code), Outcome::Open(sub_code.to_owned()));
    }
}

#[test]
fn a_state_forbids_a_close_and_leaves_the_rest_open() {
    for name in ["TRADE_STATUS_ERROR", "REASON_TRADE_STATUS_INVALID", "REASON_ILLEGAL_STATUS", "TRADE_HAS_SUCCESS", "TRADE_HAS_FINISHED"] {
        let sub_code = format!("ACQ.{name}");
        assert_eq!(business(Close, &sub_code), Outcome::StateForbids);
        assert_eq!(business(Precreate, &sub_code), Outcome::Open(sub_code.clone()));
        assert_eq!(business(Query, &sub_code), Outcome::Open(sub_code.clone()));
        assert_eq!(business(QueryRefund, &sub_code), Outcome::Open(sub_code.clone()));
    }
    assert_eq!(business(Close, "ACQ.TRADE_HAS_CLOSE"), Outcome::StateForbids);
    assert_eq!(business(Query, "ACQ.TRADE_HAS_CLOSE"), Outcome::Open("ACQ.TRADE_HAS_CLOSE".to_owned()));
    assert_eq!(business(Precreate, "ACQ.TRADE_HAS_CLOSE"), Outcome::Refused("ACQ.TRADE_HAS_CLOSE".to_owned()));
}

#[test]
fn a_second_code_for_a_number_leaves_open_what_became_of_the_first() {
    let sub_code = "ACQ.APPLY_PC_MERCHANT_CODE_ERROR";
    assert_eq!(business(Precreate, sub_code), Outcome::Open(sub_code.to_owned()));
}

#[test]
fn every_other_business_failure_is_a_refusal() {
    for name in [
        "INVALID_PARAMETER",
        "ACCESS_FORBIDDEN",
        "PARTNER_ERROR",
        "CONTEXT_INCONSISTENT",
        "BUYER_SELLER_EQUAL",
        "EXIST_FORBIDDEN_WORD",
        "TOTAL_FEE_EXCEED",
        "BEYOND_PAY_RESTRICTION",
        "BEYOND_PER_RECEIPT_DAY_RESTRICTION",
        "MERCHANT_PERM_RECEIPT_SUSPEND_LIMIT",
        "NOW_TIME_AFTER_EXPIRE_TIME_ERROR",
        "SOMETHING_NEW",
    ] {
        for operation in [Precreate, Query, Close, QueryRefund] {
            let sub_code = format!("ACQ.{name}");
            assert_eq!(business(operation, &sub_code), Outcome::Refused(sub_code.clone()));
        }
    }
}

#[test]
fn a_refund_that_would_meet_the_same_answer_again_has_failed() {
    for name in ["REASON_TRADE_REFUND_FEE_ERR", "REFUND_AMT_NOT_EQUAL_TOTAL", "REFUND_FEE_ERROR"] {
        for sub_code in [format!("ACQ.{name}"), name.to_owned()] {
            assert_eq!(business(Refund, &sub_code), Outcome::RefundFailed(sub_code.clone()));
        }
    }
}

#[test]
fn every_other_refusal_of_a_refund_needs_a_person() {
    for name in [
        "SELLER_BALANCE_NOT_ENOUGH",
        "DISCORDANT_REPEAT_REQUEST",
        "TRADE_HAS_FINISHED",
        "TRADE_HAS_CLOSE",
        "TRADE_STATUS_ERROR",
        "REASON_TRADE_STATUS_INVALID",
        "REASON_ILLEGAL_STATUS",
        "TRADE_NOT_ALLOW_REFUND",
        "NOT_ALLOW_PARTIAL_REFUND",
        "ONLINE_TRADE_VOUCHER_NOT_ALLOW_REFUND",
        "REASON_TRADE_BEEN_FREEZEN",
        "USER_NOT_MATCH_ERR",
        "REFUNDALLOC_UNAUTH_LIMIT",
        "INVALID_PARAMETER",
        "ACCESS_FORBIDDEN",
        "PARTNER_ERROR",
        "SOMETHING_NEW",
    ] {
        let sub_code = format!("ACQ.{name}");
        assert_eq!(business(Refund, &sub_code), Outcome::RefundNeedsOperator(sub_code.clone()));
    }
}
