use chrono::TimeDelta;
use domain::Channel;

use super::*;
use crate::wechat_pay::v2::WechatPayV2Settings;
use crate::wechat_pay::v2::tests::{
    MCH_ID, MOBILE_APP_ID, NUMBER, World, answer_text, assert_inconclusive, assert_refused, fen, order, settings, signed_message,
    unknown_because,
};
use crate::wechat_pay::v2::xml::Members;
use crate::{Gateway, Inconclusive};

const CODE: &str = "weixin://wxpay/bizpayurl?pr=NwY5Mz9";
const PREPAY: &str = "wx201411101639507cbf6ffd8b0779950874";

async fn prepared(channel: Channel, answer: &[(&str, &str)]) -> Result<Precreated, GatewayError> {
    World::answering(answer_text(answer)).gateway(channel).precreate(&order(channel)).await
}

async fn queried(answer: &[(&str, &str)]) -> Result<TradeState, GatewayError> {
    World::answering(answer_text(answer)).native().query(NUMBER).await
}

async fn closed(answer: &[(&str, &str)]) -> Result<Closed, GatewayError> {
    World::answering(answer_text(answer)).native().close(NUMBER).await
}

/// A query's answer with these members after the number.
async fn found(members: &[(&str, &str)]) -> Result<TradeState, GatewayError> {
    queried(&[&[("out_trade_no", NUMBER)][..], members].concat()).await
}

#[tokio::test]
async fn each_product_is_prepared_in_its_own_way() {
    let code = prepared(Channel::WechatNativeV2, &[("trade_type", "NATIVE"), ("prepay_id", PREPAY), ("code_url", CODE)]).await.unwrap();
    assert_eq!(code, Precreated::CodeAndPrepay { code_url: CODE.to_owned(), prepay_id: PREPAY.to_owned() });
    let shown = prepared(Channel::WechatNativeV2, &[("trade_type", "NATIVE"), ("code_url", CODE)]).await.unwrap();
    assert_eq!(shown, Precreated::Code { code_url: CODE.to_owned() });
    let prepay = prepared(Channel::WechatJsapiV2, &[("trade_type", "JSAPI"), ("prepay_id", PREPAY)]).await.unwrap();
    assert_eq!(prepay, Precreated::Prepay { prepay_id: PREPAY.to_owned() });
    let url = "https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=wx2&package=1";
    let link = prepared(Channel::WechatH5V2, &[("trade_type", "MWEB"), ("prepay_id", PREPAY), ("mweb_url", url)]).await.unwrap();
    assert_eq!(link, Precreated::Link { url: url.to_owned() });
}

#[tokio::test]
async fn an_app_pays_in_the_name_of_its_own_application() {
    let common = [("return_code", "SUCCESS"), ("mch_id", MCH_ID), ("result_code", "SUCCESS"), ("prepay_id", PREPAY)];
    let channel = Channel::WechatAppV2;
    let world = World::answering(signed_message(&settings(), &[&common[..], &[("appid", MOBILE_APP_ID)]].concat()));
    let app = world.gateway(channel).precreate(&order(channel)).await.unwrap();
    assert_eq!(app, Precreated::Prepay { prepay_id: PREPAY.to_owned() });
    assert_eq!(world.canned.call().1.get("appid").map(String::as_str), Some(MOBILE_APP_ID));
}

/// What is sent for a channel, without what every call has.
async fn sent(channel: Channel) -> Members {
    let world = World::answering("");
    world.gateway(channel).precreate(&order(channel)).await.unwrap_err();
    let (path, mut members) = world.canned.call();
    assert_eq!(path, ORDER_PATH);
    for common in ["appid", "mch_id", "nonce_str", "sign", "sign_type"] {
        assert!(members.remove(common).is_some(), "{common}");
    }
    members
}

#[tokio::test]
async fn an_order_sends_what_the_pay_record_stores_and_what_its_product_needs() {
    let common = [
        ("body", "Rust 系统编程"),
        ("out_trade_no", NUMBER),
        ("total_fee", "19900"),
        ("fee_type", "CNY"),
        ("time_expire", "20260305143809"),
        ("notify_url", "https://pay.example.com/notify/wechat/v2"),
    ];
    let scene = r#"{"h5_info":{"type":"Wap","wap_url":"https://shop.example.com","wap_name":"课程商城"}}"#;
    let (server, payer) = (("spbill_create_ip", "203.0.113.7"), ("spbill_create_ip", "198.51.100.9"));
    for (channel, own) in [
        (Channel::WechatNativeV2, vec![("trade_type", "NATIVE"), ("product_id", NUMBER), server]),
        (Channel::WechatJsapiV2, vec![("trade_type", "JSAPI"), ("openid", "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"), payer]),
        (Channel::WechatH5V2, vec![("trade_type", "MWEB"), ("scene_info", scene), payer]),
        (Channel::WechatAppV2, vec![("trade_type", "APP"), payer]),
    ] {
        let expected: Members = common.into_iter().chain(own).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        assert_eq!(sent(channel).await, expected, "{channel}");
    }
}

#[tokio::test]
async fn what_breaks_a_rule_of_the_channels_is_not_even_asked() {
    let refused = |channel: Channel, change: fn(&mut PrecreateRequest)| {
        let world = World::new(&settings());
        let mut request = order(channel);
        change(&mut request);
        async move {
            let result = world.gateway(channel).precreate(&request).await;
            assert!(world.canned.sent().is_empty());
            result
        }
    };
    let native = Channel::WechatNativeV2;
    assert_refused(refused(native, |request| request.channel = Channel::WechatNative).await, "paystream.other_channel");
    assert_refused(refused(native, |request| request.out_trade_no = "12345".to_owned()).await, "paystream.invalid_out_trade_no");
    assert_refused(refused(native, |request| request.amount = fen(0)).await, "paystream.invalid_total_fee");
    assert_refused(refused(native, |request| request.notify_url.push_str("?a=1")).await, "paystream.invalid_notify_url");
    assert_refused(refused(Channel::WechatJsapiV2, |request| request.payer_openid = None).await, "paystream.invalid_payer_openid");
    assert_refused(refused(Channel::WechatH5V2, |request| request.payer_client_ip = None).await, "paystream.invalid_payer_client_ip");
    let world = World::new(&settings());
    assert_refused(world.native().query("a b c d").await, "paystream.invalid_out_trade_no");
    assert_refused(world.native().close("").await, "paystream.invalid_out_trade_no");
    assert!(world.canned.sent().is_empty());
}

#[tokio::test]
async fn an_order_s_answer_without_its_result_or_of_another_product_is_unknown() {
    let native = Channel::WechatNativeV2;
    for answer in [&[][..], &[("code_url", "")], &[("code_url", "weixin://a b")], &[("prepay_id", PREPAY)]] {
        assert_inconclusive(prepared(native, answer).await, "no readable code_url");
    }
    let other = [("trade_type", "JSAPI"), ("code_url", CODE)];
    assert_eq!(unknown_because(prepared(native, &other).await), "the answer is about another payment");
    for url in ["javascript:alert(1)", "weixin://wap", "x", "/x"] {
        assert_inconclusive(prepared(Channel::WechatH5V2, &[("mweb_url", url)]).await, "no readable mweb_url");
    }
    assert_inconclusive(prepared(Channel::WechatJsapiV2, &[("code_url", CODE)]).await, "no readable prepay_id");
}

#[tokio::test]
async fn an_order_s_failures_keep_their_word() {
    let failed = |code: &'static str| async move { prepared(Channel::WechatNativeV2, &[("err_code", code)]).await };
    for code in ["SYSTEMERROR", "ORDERPAID", "FREQUENCY_LIMITED"] {
        assert_inconclusive(failed(code).await, code);
    }
    for code in [
        "ORDERCLOSED",
        "OUT_TRADE_NO_USED",
        "SIGNERROR",
        "XML_FORMAT_ERROR",
        "REQUIRE_POST_METHOD",
        "POST_DATA_EMPTY",
        "NOT_UTF8",
        "LACK_PARAMS",
        "APPID_NOT_EXIST",
        "MCHID_NOT_EXIST",
        "APPID_MCHID_NOT_MATCH",
        "NOAUTH",
        "NOTENOUGH",
        "INVALID_REQUEST",
        "A_CODE_OF_TOMORROW",
    ] {
        assert_refused(failed(code).await, code);
    }
    assert_inconclusive(failed("").await, "unreadable_code");
    assert_refused(failed("NO SUCH\nCODE").await, "unreadable_code");
}

const PAID: [(&str, &str); 4] =
    [("transaction_id", "4200002345202603051234567890"), ("total_fee", "19900"), ("fee_type", "CNY"), ("time_end", "20260305140831")];

fn paid(has_refunds: bool) -> TradeState {
    TradeState::Paid(Capture {
        trade_no: "4200002345202603051234567890".to_owned(),
        amount: fen(19900),
        paid_at: Some("2026-03-05T06:08:31Z".parse().unwrap()),
        is_final: false,
        has_refunds,
    })
}

#[tokio::test]
async fn a_query_tells_that_the_payment_was_made() {
    for (state, has_refunds) in [("SUCCESS", false), ("REFUND", true)] {
        let told = Some(paid(has_refunds));
        assert_eq!(found(&[&PAID[..], &[("trade_state", state)]].concat()).await.ok(), told, "{state}");
        assert_eq!(found(&[&PAID[..], &[("trade_state", state), ("cash_fee", "100")]].concat()).await.ok(), told, "{state}");
    }
}

#[tokio::test]
async fn a_query_tells_every_other_state() {
    for waiting in ["NOTPAY", "USERPAYING", "ACCEPT"] {
        assert_eq!(found(&[("trade_state", waiting)]).await.unwrap(), TradeState::AwaitingBuyer { trade_no: None }, "{waiting}");
    }
    assert_eq!(found(&[("trade_state", "CLOSED")]).await.unwrap(), TradeState::ClosedUnpaid);
    for other in ["REVOKED", "PAYERROR", "TOMORROW", "success"] {
        assert_eq!(found(&[("trade_state", other)]).await.unwrap(), TradeState::Unrecognised(other.to_owned()), "{other}");
    }
    assert_eq!(queried(&[("err_code", "ORDERNOTEXIST")]).await.unwrap(), TradeState::NotFound);
}

#[tokio::test]
async fn a_payment_without_what_counts_is_unknown() {
    for (name, value) in [
        ("transaction_id", ""),
        ("total_fee", ""),
        ("total_fee", "199.00"),
        ("total_fee", "-1"),
        ("total_fee", "+1"),
        ("total_fee", "019900"),
        ("total_fee", "1e4"),
        ("total_fee", " 1"),
        ("total_fee", "99999999999999999999"),
        ("fee_type", "USD"),
    ] {
        let members: Vec<_> = PAID.into_iter().map(|(other, old)| (other, if other == name { value } else { old })).collect();
        let result = found(&[&members[..], &[("trade_state", "SUCCESS")]].concat()).await;
        assert_inconclusive(result, &format!("no readable {name}"));
    }
    assert_inconclusive(found(&[]).await, "no readable trade_state");
    let late = PAID.map(|(name, value)| (name, if name == "time_end" { "soon" } else { value }));
    let TradeState::Paid(capture) = found(&[&late[..], &[("trade_state", "SUCCESS")]].concat()).await.unwrap() else { panic!() };
    assert_eq!(capture.paid_at, None);
}

#[tokio::test]
async fn an_answer_about_another_payment_is_never_believed() {
    let other = [("out_trade_no", "723100000000000102"), ("trade_state", "CLOSED")];
    assert_eq!(unknown_because(queried(&other).await), "the answer is about another payment");
    assert_inconclusive(queried(&other[1..]).await, "no readable out_trade_no");
    let absent = [other[0], ("err_code", "ORDERNOTEXIST")];
    assert_eq!(unknown_because(queried(&absent).await), "the answer is about another payment");
    assert_eq!(unknown_because(closed(&absent).await), "the answer is about another payment");
    assert_eq!(unknown_because(closed(&other[..1]).await), "the answer is about another payment");
}

#[tokio::test]
async fn a_query_that_failed_proves_nothing() {
    assert_inconclusive(queried(&[("err_code", "SYSTEMERROR")]).await, "SYSTEMERROR");
    assert_refused(queried(&[("err_code", "INVALID_REQUEST")]).await, "INVALID_REQUEST");
}

#[tokio::test]
async fn a_close_tells_what_it_did() {
    assert_eq!(closed(&[]).await.unwrap(), Closed::Done);
    assert_eq!(closed(&[("err_code", "ORDERCLOSED")]).await.unwrap(), Closed::Done);
    assert_eq!(closed(&[("err_code", "ORDERPAID")]).await.unwrap(), Closed::StateForbids);
    assert_eq!(closed(&[("err_code", "ORDERNOTEXIST")]).await.unwrap(), Closed::NotFound);
    assert_inconclusive(closed(&[("err_code", "SYSTEMERROR")]).await, "SYSTEMERROR");
    assert_refused(closed(&[("err_code", "SIGNERROR")]).await, "SIGNERROR");
}

#[tokio::test]
async fn a_close_that_is_refused_within_five_minutes_came_too_early() {
    let world = World::answering(answer_text(&[("code_url", CODE)]));
    world.native().precreate(&order(Channel::WechatNativeV2)).await.unwrap();
    let closed = |code: Option<&'static str>| {
        world.canned.lay(answer_text(&code.map(|code| ("err_code", code)).into_iter().collect::<Vec<_>>()));
        world.native()
    };
    world.clock.advance(TimeDelta::seconds(299));
    assert_eq!(closed(Some("INVALID_REQUEST")).close(NUMBER).await.unwrap(), Closed::TooEarly);
    assert_eq!(closed(Some("ORDERPAID")).close(NUMBER).await.unwrap(), Closed::StateForbids);
    assert_eq!(closed(None).close(NUMBER).await.unwrap(), Closed::Done, "what the channel did, it did");
    assert_refused(closed(Some("INVALID_REQUEST")).close("723100000000000102").await, "INVALID_REQUEST");
    world.clock.advance(TimeDelta::seconds(1));
    assert_refused(closed(Some("INVALID_REQUEST")).close(NUMBER).await, "INVALID_REQUEST");
}

#[tokio::test]
async fn the_same_order_may_be_asked_for_again_with_the_same_members() {
    let world = World::new(&WechatPayV2Settings { sign_type: "HMAC-SHA256".to_owned(), ..settings() });
    for _ in 0..2 {
        world.canned.lay("");
        let error = world.native().precreate(&order(Channel::WechatNativeV2)).await.unwrap_err();
        assert!(matches!(error, GatewayError::Unknown { source, .. } if !source.is::<Inconclusive>()));
    }
    let mut sent: Vec<_> = world.canned.sent().iter().map(|call| super::super::xml::read(call.body.as_bytes(), "xml").unwrap()).collect();
    let nonces: Vec<_> = sent.iter_mut().map(|members| (members.remove("nonce_str"), members.remove("sign"))).collect();
    assert_ne!(nonces[0], nonces[1]);
    assert_eq!(sent[0], sent[1]);
}
