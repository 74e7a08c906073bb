use super::super::tests::{NUMBER, REFUND_NO, assert_open, assert_refused, failure, native, refund_request, success, unknown_because};
use super::super::transport::HttpAnswer;
use crate::{Gateway, GatewayError, RefundState};

/// An answer about the refund with this state.
fn told(status: &str) -> String {
    format!(
        concat!(
            r#"{{"refund_id":"50000000382019052709732678859","out_refund_no":"{}","transaction_id":"4200","out_trade_no":"{}","#,
            r#""channel":"ORIGINAL","success_time":"2026-12-01T14:10:00+08:00","create_time":"2026-12-01T14:09:00+08:00","status":"{}","#,
            r#""amount":{{"total":19900,"refund":3960,"payer_total":19900,"payer_refund":3960,"currency":"CNY"}}}}"#
        ),
        REFUND_NO, NUMBER, status
    )
}

async fn refunded(answer: HttpAnswer) -> Result<RefundState, GatewayError> {
    native([answer]).0.refund(&refund_request()).await
}

async fn asked(answer: HttpAnswer) -> Result<RefundState, GatewayError> {
    native([answer]).0.query_refund(NUMBER, REFUND_NO).await
}

#[tokio::test]
async fn each_state_of_a_refund_is_what_it_is() {
    let at = Some("2026-12-01T06:10:00Z".parse().unwrap());
    for (word, expected) in [
        ("SUCCESS", RefundState::Succeeded { refunded_at: at }),
        ("PROCESSING", RefundState::Processing),
        ("CLOSED", RefundState::Failed { code: "CLOSED".to_owned() }),
        ("ABNORMAL", RefundState::NeedsOperator { code: "ABNORMAL".to_owned() }),
        ("SOMETHING_NEW", RefundState::Unrecognised("SOMETHING_NEW".to_owned())),
    ] {
        assert_eq!(refunded(success(200, &told(word))).await.unwrap(), expected, "{word}");
        assert_eq!(asked(success(200, &told(word))).await.unwrap(), expected, "{word}");
    }
}

#[tokio::test]
async fn a_refund_goes_to_its_path_with_its_number() {
    let (gateway, canned) = native([success(200, &told("PROCESSING")), success(200, &told("SUCCESS"))]);
    gateway.refund(&refund_request()).await.unwrap();
    assert!(canned.last().body.contains(&format!(r#""out_refund_no":"{REFUND_NO}""#)));
    gateway.query_refund(NUMBER, REFUND_NO).await.unwrap();
    let query = format!("GET /sandbox/wechat/v3/refund/domestic/refunds/{REFUND_NO}");
    assert_eq!(canned.paths(), ["POST /sandbox/wechat/v3/refund/domestic/refunds", query.as_str()]);
}

#[tokio::test]
async fn an_answer_about_another_refund_or_sum_counts_for_nothing() {
    for (from, to) in [(REFUND_NO, "723100000000000101R02"), (&format!("\"{NUMBER}\""), "\"723100000000000102\"")] {
        let body = told("SUCCESS").replace(from, to);
        for result in [refunded(success(200, &body)).await, asked(success(200, &body)).await] {
            let (cause, is_open) = unknown_because(result);
            assert!(!is_open && cause.contains("another payment"), "{cause}");
        }
    }
    let (cause, _) = unknown_because(refunded(success(200, &told("SUCCESS").replace(r#""refund":3960"#, r#""refund":3961"#))).await);
    assert!(cause.contains("another payment"), "{cause}");
    assert_open(refunded(success(200, &told("SUCCESS").replace("CNY", "USD"))).await, "amount");
    assert_open(refunded(success(200, &told("SUCCESS").replace(r#""refund":3960,"#, ""))).await, "amount");
    assert_open(asked(success(200, &told("SUCCESS").replace(r#""status":"SUCCESS","#, ""))).await, "status");
}

#[tokio::test]
async fn an_error_is_no_end_of_a_refund() {
    for (status, code) in [(403, "NOT_ENOUGH"), (403, "USER_ACCOUNT_ABNORMAL"), (400, "INVALID_REQUEST"), (403, "SOMETHING_NEW")] {
        assert_eq!(refunded(failure(status, code)).await.unwrap(), RefundState::NeedsOperator { code: code.to_owned() }, "{code}");
    }
    for (status, code) in [(500, "SYSTEM_ERROR"), (429, "FREQUENCY_LIMITED")] {
        assert_open(refunded(failure(status, code)).await, code);
        assert_open(asked(failure(status, code)).await, code);
    }
    for (status, code) in [(400, "PARAM_ERROR"), (401, "SIGN_ERROR"), (403, "NO_AUTH")] {
        assert_refused(refunded(failure(status, code)).await, code);
    }
    assert_eq!(asked(failure(404, "RESOURCE_NOT_EXISTS")).await.unwrap(), RefundState::NotFound);
    assert_open(asked(failure(403, "SOMETHING_NEW")).await, "SOMETHING_NEW");
}

#[tokio::test]
async fn an_unproven_answer_leaves_a_refund_open() {
    let unsigned = HttpAnswer { headers: Vec::new(), ..success(200, &told("SUCCESS")) };
    let (cause, is_open) = unknown_because(refunded(unsigned).await);
    assert!(!is_open && cause.contains("not proven"), "{cause}");
    let (cause, _) = unknown_because(asked(success(200, "{")).await);
    assert!(cause.contains("cannot be read"), "{cause}");
}

#[tokio::test]
async fn what_breaks_a_rule_is_not_sent() {
    let (gateway, canned) = native([]);
    let mut request = refund_request();
    request.refund_no = "a/b".to_owned();
    assert_refused(gateway.refund(&request).await, "paystream.invalid_out_refund_no");
    assert_refused(gateway.query_refund(NUMBER, "a/b").await, "paystream.invalid_out_refund_no");
    assert_refused(gateway.query_refund("../..", REFUND_NO).await, "paystream.invalid_out_trade_no");
    assert!(canned.paths().is_empty());
}

#[tokio::test]
async fn a_refund_of_somebody_elses_is_found_with_its_sum() {
    let find = async |answer| native([answer]).0.find_refund(NUMBER, REFUND_NO).await;
    let found = find(success(200, &told("SUCCESS"))).await.unwrap().unwrap();
    assert_eq!(found.amount.amount_minor(), 3_960);
    assert!(matches!(found.state, RefundState::Succeeded { refunded_at: Some(_) }));
    assert_eq!(find(failure(404, "RESOURCE_NOT_EXISTS")).await.unwrap(), None);
    let sumless = told("SUCCESS").replace(r#""refund":3960,"#, "");
    assert_open(find(success(200, &sumless)).await, "amount");
    let other = told("SUCCESS").replace(&format!("\"{NUMBER}\""), "\"723100000000000102\"");
    let (cause, is_open) = unknown_because(find(success(200, &other)).await);
    assert!(!is_open && cause.contains("another payment"), "{cause}");
}
