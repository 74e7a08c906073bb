use domain::{Currency, Money};

use crate::alipay::form::Form;
use crate::alipay::method;
use crate::alipay::tests::{
    NUMBER, answering, assert_inconclusive, assert_refused, failed, found, http_answer, settings, signed_answer, unknown_because, with_node,
};
use crate::http::TransportError;
use crate::{Gateway, GatewayError, Operation, RefundRequest, RefundState};

const REFUND_NO: &str = "7231000000000001R01";

fn fen(amount_minor: i64) -> Money {
    Money::new(amount_minor, Currency::Cny).unwrap()
}

fn request() -> RefundRequest {
    RefundRequest {
        out_trade_no: NUMBER.to_owned(),
        refund_no: REFUND_NO.to_owned(),
        amount: fen(3_000),
        total: fen(19_900),
        reason: Some("正常退款".to_owned()),
        notify_url: None,
    }
}

async fn refunded(node: &str) -> Result<RefundState, GatewayError> {
    with_node(Operation::Refund, node).refund(&request()).await
}

async fn queried(node: &str) -> Result<RefundState, GatewayError> {
    with_node(Operation::QueryRefund, node).query_refund(NUMBER, REFUND_NO).await
}

fn succeeded(at: Option<&str>) -> RefundState {
    RefundState::Succeeded { refunded_at: at.map(|at| at.parse().unwrap()) }
}

/// What a call sent as its content.
async fn sent(operation: Operation, request: &RefundRequest) -> serde_json::Value {
    let (gateway, canned) = answering(&settings(), Ok(http_answer("")));
    match operation {
        Operation::Refund => drop(gateway.refund(request).await),
        _ => drop(gateway.query_refund(&request.out_trade_no, &request.refund_no).await),
    }
    let sent = canned.sent();
    let [request] = sent.as_slice() else { panic!("{sent:?}") };
    let query = Form::read(request.query.as_bytes()).unwrap();
    assert_eq!(query.get("method"), Some(method(operation).as_bytes()));
    assert_eq!(query.get("notify_url"), None);
    let body = Form::read(request.body.as_bytes()).unwrap();
    serde_json::from_slice(body.get("biz_content").unwrap()).unwrap()
}

#[tokio::test]
async fn a_refund_sends_its_number_its_amount_and_its_reason() {
    let expected = serde_json::json!({
        "out_trade_no": NUMBER, "refund_amount": "30.00", "out_request_no": REFUND_NO, "refund_reason": "正常退款",
    });
    assert_eq!(sent(Operation::Refund, &request()).await, expected);
    let query = serde_json::json!({"out_trade_no": NUMBER, "out_request_no": REFUND_NO, "query_options": ["gmt_refund_pay"]});
    assert_eq!(sent(Operation::QueryRefund, &request()).await, query);
}

#[tokio::test]
async fn a_reason_never_holds_up_a_refund() {
    let reason = |text: &str| RefundRequest { reason: Some(text.to_owned()), ..request() };
    assert_eq!(sent(Operation::Refund, &reason("a&b=c/d\n")).await["refund_reason"], "a＆b＝c／d");
    let long = sent(Operation::Refund, &reason(&"退".repeat(300))).await;
    assert_eq!(long["refund_reason"].as_str().unwrap().chars().count(), 256);
    for without in [reason(" "), RefundRequest { reason: None, ..request() }] {
        assert!(sent(Operation::Refund, &without).await.get("refund_reason").is_none());
    }
}

#[tokio::test]
async fn what_breaks_a_rule_is_not_even_asked() {
    let cases = [
        (RefundRequest { out_trade_no: "a-b".to_owned(), ..request() }, "paystream.invalid_out_trade_no"),
        (RefundRequest { refund_no: String::new(), ..request() }, "paystream.invalid_out_request_no"),
        (RefundRequest { refund_no: "1".repeat(65), ..request() }, "paystream.invalid_out_request_no"),
        (RefundRequest { refund_no: "R 1".to_owned(), ..request() }, "paystream.invalid_out_request_no"),
        (RefundRequest { amount: Money::zero(Currency::Cny), ..request() }, "paystream.invalid_refund_amount"),
        (RefundRequest { amount: fen(19_901), ..request() }, "paystream.invalid_refund_amount"),
    ];
    for (request, code) in cases {
        let (gateway, canned) = answering(&settings(), Ok(http_answer("")));
        assert_refused(gateway.refund(&request).await, code);
        assert!(canned.sent().is_empty());
    }
    let (gateway, canned) = answering(&settings(), Ok(http_answer("")));
    assert_refused(gateway.query_refund("a-b", REFUND_NO).await, "paystream.invalid_out_trade_no");
    assert_refused(gateway.query_refund(NUMBER, "").await, "paystream.invalid_out_request_no");
    assert!(canned.sent().is_empty());
}

#[tokio::test]
async fn the_whole_payment_may_be_given_back() {
    let whole = RefundRequest { amount: fen(19_900), ..request() };
    let node = found(r#","fund_change":"Y","refund_fee":"199.00""#);
    assert_eq!(with_node(Operation::Refund, &node).refund(&whole).await.unwrap(), succeeded(None));
}

#[tokio::test]
async fn money_that_moved_is_a_refund_that_succeeded() {
    let moved = found(r#","fund_change":"Y","refund_fee":"30.00","gmt_refund_pay":"2026-03-06 09:10:11""#);
    assert_eq!(refunded(&moved).await.unwrap(), succeeded(Some("2026-03-06T01:10:11Z")));
    // The sum of all refunds so far may be more than this one.
    assert_eq!(refunded(&found(r#","fund_change":"Y","refund_fee":"80.00""#)).await.unwrap(), succeeded(None));
    assert_eq!(refunded(&found(r#","fund_change":"Y""#)).await.unwrap(), succeeded(None));
}

#[tokio::test]
async fn an_accepted_refund_that_moved_nothing_is_under_way() {
    for members in [r#","fund_change":"N","refund_fee":"30.00""#, r#","refund_fee":"30.00""#, ""] {
        assert_eq!(refunded(&found(members)).await.unwrap(), RefundState::Processing, "{members}");
    }
}

#[tokio::test]
async fn an_answer_about_something_else_is_never_believed() {
    let earlier = found(r#","fund_change":"Y","refund_fee":"29.99""#);
    assert_inconclusive(refunded(&earlier).await, "no readable refund_fee");
    let other = r#"{"code":"10000","out_trade_no":"1","fund_change":"Y","refund_fee":"30.00"}"#;
    assert_eq!(unknown_because(refunded(other).await), "the answer is about another payment");
    assert_inconclusive(refunded(r#"{"code":"10000","fund_change":"Y"}"#).await, "no readable out_trade_no");
    for sub_code in ["ACQ.REFUND_FEE_ERROR", "ACQ.TRADE_HAS_FINISHED"] {
        let node = format!(r#"{{"code":"40004","sub_code":"{sub_code}","out_trade_no":"1"}}"#);
        assert_eq!(unknown_because(refunded(&node).await), "the answer is about another payment", "{sub_code}");
    }
}

#[tokio::test]
async fn a_refusal_keeps_its_word_and_is_final_only_where_that_is_written() {
    let code = |code: &str| code.to_owned();
    for word in ["ACQ.REASON_TRADE_REFUND_FEE_ERR", "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL", "ACQ.REFUND_FEE_ERROR"] {
        assert_eq!(refunded(&failed(word)).await.unwrap(), RefundState::Failed { code: code(word) });
    }
    for word in ["ACQ.SELLER_BALANCE_NOT_ENOUGH", "ACQ.DISCORDANT_REPEAT_REQUEST", "ACQ.TRADE_NOT_EXIST", "ACQ.NEWS"] {
        assert_eq!(refunded(&failed(word)).await.unwrap(), RefundState::NeedsOperator { code: code(word) });
    }
    let key = r#"{"code":"40002","sub_code":"isv.invalid-signature"}"#;
    assert_refused(refunded(key).await, "isv.invalid-signature");
    assert_refused(queried(key).await, "isv.invalid-signature");
    assert_refused(queried(&failed("ACQ.ACCESS_FORBIDDEN")).await, "ACQ.ACCESS_FORBIDDEN");
}

#[tokio::test]
async fn a_query_tells_what_became_of_the_refund() {
    let status = |status: &str, more: &str| found(&format!(r#","out_request_no":"{REFUND_NO}","refund_status":"{status}"{more}"#));
    let at = r#","refund_amount":"30.00","gmt_refund_pay":"2026-03-06 09:10:11""#;
    assert_eq!(queried(&status("REFUND_SUCCESS", at)).await.unwrap(), succeeded(Some("2026-03-06T01:10:11Z")));
    assert_eq!(queried(&status("REFUND_SUCCESS", "")).await.unwrap(), succeeded(None));
    assert_eq!(queried(&status("REFUND_ODD", "")).await.unwrap(), RefundState::Unrecognised("REFUND_ODD".to_owned()));
    for nothing in [r#"{"code":"10000","msg":"Success"}"#.to_owned(), found(""), status("", ""), failed("ACQ.TRADE_NOT_EXIST")] {
        assert_eq!(queried(&nothing).await.unwrap(), RefundState::NotFound, "{nothing}");
    }
}

#[tokio::test]
async fn a_query_s_answer_about_something_else_is_never_believed() {
    let nodes = [
        r#"{"code":"10000","out_trade_no":"1","out_request_no":"7231000000000001R01","refund_status":"REFUND_SUCCESS"}"#.to_owned(),
        r#"{"code":"10000","out_trade_no":"1"}"#.to_owned(),
        found(r#","out_request_no":"7231000000000001R02","refund_status":"REFUND_SUCCESS""#),
        found(r#","out_request_no":"7231000000000001R02""#),
        r#"{"code":"40004","sub_code":"ACQ.TRADE_NOT_EXIST","out_trade_no":"1"}"#.to_owned(),
    ];
    for node in nodes {
        assert_eq!(unknown_because(queried(&node).await), "the answer is about another payment", "{node}");
    }
    let unnumbered = found(r#","refund_status":"REFUND_SUCCESS""#);
    assert_inconclusive(queried(&unnumbered).await, "no readable out_request_no");
    let nameless = format!(r#"{{"code":"10000","out_request_no":"{REFUND_NO}","refund_status":"REFUND_SUCCESS"}}"#);
    assert_inconclusive(queried(&nameless).await, "no readable out_trade_no");
}

#[tokio::test]
async fn whatever_is_no_verified_answer_is_unknown() {
    assert_inconclusive(refunded(&failed("ACQ.SYSTEM_ERROR")).await, "ACQ.SYSTEM_ERROR");
    assert_inconclusive(queried(&failed("ACQ.SYSTEM_ERROR")).await, "ACQ.SYSTEM_ERROR");
    assert_inconclusive(refunded(r#"{"code":"40005"}"#).await, "40005");
    assert_eq!(unknown_because(refunded(r#"{"code":"20000"}"#).await), "Alipay could not do its work: 20000");
    let moved = signed_answer(method(Operation::Refund), &found(r#","fund_change":"Y""#));
    let forged = moved.replace("\"Y\"", "\"y\"");
    let other_method = signed_answer(method(Operation::QueryRefund), &found(r#","fund_change":"Y""#));
    let unsigned = format!(r#"{{"alipay_trade_refund_response":{}}}"#, failed("ACQ.REFUND_FEE_ERROR"));
    for body in [forged, other_method, unsigned, String::new()] {
        let (gateway, _) = answering(&settings(), Ok(http_answer(body.clone())));
        assert_eq!(unknown_because(gateway.refund(&request()).await), "the answer cannot be relied on", "{body}");
    }
    let (gateway, _) = answering(&settings(), Err(TransportError::TooLarge));
    assert_eq!(unknown_because(gateway.query_refund(NUMBER, REFUND_NO).await), "the call failed on its way");
}

#[tokio::test]
async fn a_refund_of_somebody_elses_is_found_with_its_sum() {
    let find = async |node: &str| with_node(Operation::QueryRefund, node).find_refund(NUMBER, REFUND_NO).await;
    let told = |more: &str| found(&format!(r#","out_request_no":"{REFUND_NO}","refund_status":"REFUND_SUCCESS"{more}"#));
    let amount = fen(3_000);
    let expected = Some(crate::RefundFound { amount, state: succeeded(None) });
    assert_eq!(find(&told(r#","refund_amount":"30.00""#)).await.unwrap(), expected);
    assert_inconclusive(find(&told("")).await, "no readable refund_amount");
    assert_eq!(find(&found("")).await.unwrap(), None);
    assert_eq!(find(&failed("ACQ.TRADE_NOT_EXIST")).await.unwrap(), None);
    let other = found(r#","out_request_no":"7231000000000001R02","refund_status":"REFUND_SUCCESS","refund_amount":"30.00""#);
    assert_eq!(unknown_because(find(&other).await), "the answer is about another payment");
}
