use domain::Channel;

use super::*;
use crate::Gateway;
use crate::wechat_pay::v2::WechatPayV2Settings;
use crate::wechat_pay::v2::tests::{
    APP_ID, MCH_ID, NUMBER, World, answer_text, assert_inconclusive, assert_refused, fen, settings, unknown_because,
};

const REFUND_NO: &str = "7231000000000001R01";

fn request() -> RefundRequest {
    RefundRequest {
        out_trade_no: NUMBER.to_owned(),
        refund_no: REFUND_NO.to_owned(),
        amount: fen(3960),
        total: fen(19900),
        reason: Some("商品已售完\n".to_owned()),
        notify_url: Some("https://pay.example.com/notify/wechat/v2/refund".to_owned()),
    }
}

async fn refunded(answer: &[(&str, &str)]) -> Result<RefundState, GatewayError> {
    World::answering(answer_text(answer)).native().refund(&request()).await
}

async fn queried(answer: &[(&str, &str)]) -> Result<RefundState, GatewayError> {
    World::answering(answer_text(answer)).native().query_refund(NUMBER, REFUND_NO).await
}

/// A refund query's answer about our refund, in this state.
async fn state_of(word: &str, more: &[(&str, &str)]) -> Result<RefundState, GatewayError> {
    let ours = [("out_trade_no", NUMBER), ("refund_count", "1"), ("out_refund_no_0", REFUND_NO), ("refund_status_0", word)];
    queried(&[&ours[..], more].concat()).await
}

#[tokio::test]
async fn an_accepted_refund_is_on_its_way_and_no_more() {
    let ours = [("out_trade_no", NUMBER), ("out_refund_no", REFUND_NO), ("refund_id", "500"), ("refund_fee", "3960")];
    assert_eq!(refunded(&ours).await.unwrap(), RefundState::Processing);
    assert_eq!(refunded(&[]).await.unwrap(), RefundState::Processing);
}

#[tokio::test]
async fn a_refund_sends_what_is_recorded() {
    let world = World::answering("");
    world.native().refund(&request()).await.unwrap_err();
    let (path, members) = world.canned.call();
    assert_eq!(path, REFUND_PATH);
    for (name, expected) in [
        ("appid", APP_ID),
        ("mch_id", MCH_ID),
        ("out_trade_no", NUMBER),
        ("out_refund_no", REFUND_NO),
        ("total_fee", "19900"),
        ("refund_fee", "3960"),
        ("refund_fee_type", "CNY"),
        ("refund_desc", "商品已售完"),
        ("notify_url", "https://pay.example.com/notify/wechat/v2/refund"),
    ] {
        assert_eq!(members.get(name).map(String::as_str), Some(expected), "{name}");
    }
}

#[tokio::test]
async fn without_a_certificate_wechat_pay_is_not_asked_to_give_back() {
    let world = World::new(&WechatPayV2Settings { base_url: "https://api.mch.weixin.qq.com".to_owned(), ..settings() });
    let expected = RefundState::NeedsOperator { code: "paystream.no_client_certificate".to_owned() };
    assert_eq!(world.native().refund(&request()).await.unwrap(), expected);
    assert!(world.canned.sent().is_empty());
}

#[tokio::test]
async fn a_refund_that_breaks_a_rule_is_not_even_asked() {
    let world = World::new(&settings());
    let refused = |change: fn(&mut RefundRequest)| {
        let mut request = request();
        change(&mut request);
        let gateway = world.native();
        async move { gateway.refund(&request).await }
    };
    assert_refused(refused(|request| request.refund_no = "a b".to_owned()).await, "paystream.invalid_out_refund_no");
    assert_refused(refused(|request| request.amount = fen(19901)).await, "paystream.invalid_refund_fee");
    assert_refused(refused(|request| request.amount = fen(0)).await, "paystream.invalid_refund_fee");
    assert_refused(refused(|request| request.notify_url = Some("x".to_owned())).await, "paystream.invalid_notify_url");
    assert_refused(world.native().query_refund(NUMBER, "").await, "paystream.invalid_out_refund_no");
    assert!(world.canned.sent().is_empty());
}

#[tokio::test]
async fn an_unknown_outcome_is_asked_again_and_everything_else_needs_a_person() {
    for code in ["SYSTEMERROR", "BIZERR_NEED_RETRY", "INVALID_REQ_TOO_MUCH", "FREQUENCY_LIMITED"] {
        assert_inconclusive(refunded(&[("err_code", code)]).await, code);
    }
    for code in [
        "NOTENOUGH",
        "TRADE_OVERDUE",
        "USER_ACCOUNT_ABNORMAL",
        "ERROR",
        "INVALID_TRANSACTIONID",
        "PARAM_ERROR",
        "ORDERNOTEXIST",
        "TOMORROW",
    ] {
        assert_eq!(refunded(&[("err_code", code)]).await.unwrap(), RefundState::NeedsOperator { code: code.to_owned() });
    }
}

#[tokio::test]
async fn an_answer_about_another_refund_or_sum_is_no_success() {
    for other in [("out_trade_no", "723100000000000102"), ("out_refund_no", "7231000000000001R02")] {
        assert_eq!(unknown_because(refunded(&[other]).await), "the answer is about another payment");
    }
    for sum in ["3961", "39.60", "x"] {
        let expected = RefundState::NeedsOperator { code: "paystream.other_refund_fee".to_owned() };
        assert_eq!(refunded(&[("refund_fee", sum)]).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn a_refund_query_tells_every_state() {
    let at = Some("2026-03-06T08:24:13Z".parse().unwrap());
    let succeeded = state_of("SUCCESS", &[("refund_success_time_0", "2026-03-06 16:24:13")]).await.unwrap();
    assert_eq!(succeeded, RefundState::Succeeded { refunded_at: at });
    assert_eq!(state_of("SUCCESS", &[]).await.unwrap(), RefundState::Succeeded { refunded_at: None });
    assert_eq!(state_of("PROCESSING", &[]).await.unwrap(), RefundState::Processing);
    assert_eq!(state_of("REFUNDCLOSE", &[]).await.unwrap(), RefundState::Failed { code: "REFUNDCLOSE".to_owned() });
    assert_eq!(state_of("CHANGE", &[]).await.unwrap(), RefundState::NeedsOperator { code: "CHANGE".to_owned() });
    assert_eq!(state_of("TOMORROW", &[]).await.unwrap(), RefundState::Unrecognised("TOMORROW".to_owned()));
    assert_inconclusive(state_of("", &[]).await, "no readable refund_status");
    assert_eq!(queried(&[("err_code", "REFUNDNOTEXIST")]).await.unwrap(), RefundState::NotFound);
    assert_eq!(queried(&[("err_code", "ORDERNOTEXIST")]).await.unwrap(), RefundState::NotFound);
    assert_inconclusive(queried(&[("err_code", "SYSTEMERROR")]).await, "SYSTEMERROR");
    assert_refused(queried(&[("err_code", "NOAUTH")]).await, "NOAUTH");
}

#[tokio::test]
async fn our_refund_is_found_among_several_by_its_number() {
    let others =
        [("out_refund_no_0", "R1"), ("refund_status_0", "SUCCESS"), ("out_refund_no_11", REFUND_NO), ("refund_status_11", "PROCESSING")];
    assert_eq!(queried(&others).await.unwrap(), RefundState::Processing);
    assert_inconclusive(queried(&others[..2]).await, "no readable out_refund_no");
    let twice =
        [("out_refund_no_0", REFUND_NO), ("refund_status_0", "SUCCESS"), ("out_refund_no_1", REFUND_NO), ("refund_status_1", "CHANGE")];
    assert_inconclusive(queried(&twice).await, "no readable out_refund_no");
    let other_payment = [("out_trade_no", "723100000000000102"), ("out_refund_no_0", REFUND_NO), ("refund_status_0", "SUCCESS")];
    assert_eq!(unknown_because(queried(&other_payment).await), "the answer is about another payment");
}

#[tokio::test]
async fn a_refund_query_names_the_refund_alone() {
    let world = World::answering("");
    world.gateway(Channel::WechatJsapiV2).query_refund(NUMBER, REFUND_NO).await.unwrap_err();
    let (path, members) = world.canned.call();
    assert_eq!((path, members.contains_key("out_trade_no")), (REFUND_QUERY_PATH, false));
    assert_eq!(members.get("out_refund_no").map(String::as_str), Some(REFUND_NO));
}

#[tokio::test]
async fn a_refund_of_somebody_elses_is_found_with_its_sum() {
    let find = async |answer: &[(&str, &str)]| World::answering(answer_text(answer)).native().find_refund(NUMBER, REFUND_NO).await;
    let theirs = [("out_trade_no", NUMBER), ("out_refund_no_0", "R1"), ("out_refund_no_1", REFUND_NO), ("refund_status_1", "PROCESSING")];
    let found = find(&[&theirs[..], &[("refund_fee_1", "3960"), ("refund_fee_0", "1")]].concat()).await.unwrap();
    assert_eq!(found, Some(RefundFound { amount: fen(3960), state: RefundState::Processing }));
    assert_inconclusive(find(&theirs).await, "no readable refund_fee");
    assert_inconclusive(find(&[&theirs[1..], &[("refund_fee_1", "3960")]].concat()).await, "no readable out_trade_no");
    assert_eq!(find(&[("err_code", "REFUNDNOTEXIST")]).await.unwrap(), None);
}
