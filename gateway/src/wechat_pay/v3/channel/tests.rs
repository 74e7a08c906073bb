use super::super::keys::MerchantKey;
use super::super::signing::lines;
use super::super::tests::{
    NUMBER, assert_open, assert_refused, client, failure, fen, key_text, native, now, paid_trade, precreate_request, settings, success,
    trade, unknown_because,
};
use super::super::transport::HttpAnswer;
use super::*;

const CODE: &str = r#"{"code_url":"weixin://wxpay/bizpayurl?pr=p4lpSuKzz"}"#;

fn of(channel: Channel, answers: impl IntoIterator<Item = HttpAnswer>) -> WechatPayGateway {
    WechatPayGateway { client: client(&settings(), answers).0, channel }
}

async fn precreated(channel: Channel, answer: HttpAnswer) -> Result<Precreated, GatewayError> {
    of(channel, [answer]).precreate(&precreate_request(channel)).await
}

async fn queried(answer: HttpAnswer) -> Result<TradeState, GatewayError> {
    native([answer]).0.query(NUMBER).await
}

#[tokio::test]
async fn each_product_is_asked_for_at_its_path_and_answers_its_own_kind() {
    let prepay = r#"{"prepay_id":"wx26112221580621e9b071c00d9e093b0000"}"#;
    let link = r#"{"h5_url":"https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=wx2016"}"#;
    let prepaid = Precreated::Prepay { prepay_id: "wx26112221580621e9b071c00d9e093b0000".to_owned() };
    let url = "https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=wx2016".to_owned();
    for (channel, path, answer, expected) in [
        (Channel::WechatNative, "native", CODE, Precreated::Code { code_url: "weixin://wxpay/bizpayurl?pr=p4lpSuKzz".to_owned() }),
        (Channel::WechatH5, "h5", link, Precreated::Link { url }),
        (Channel::WechatJsapi, "jsapi", prepay, prepaid.clone()),
        (Channel::WechatMiniProgram, "jsapi", prepay, prepaid.clone()),
        (Channel::WechatApp, "app", prepay, prepaid.clone()),
    ] {
        let (client, canned, _) = client(&settings(), [success(200, answer)]);
        let gateway = WechatPayGateway { client, channel };
        assert_eq!(gateway.precreate(&precreate_request(channel)).await.unwrap(), expected, "{channel}");
        assert_eq!(canned.paths(), [format!("POST /sandbox/wechat/v3/pay/transactions/{path}")]);
    }
}

#[tokio::test]
async fn the_constructors_name_their_products() {
    let client = || client(&settings(), []).0;
    let made = [
        WechatPayGateway::native(client()),
        WechatPayGateway::h5(client()),
        WechatPayGateway::jsapi(client()),
        WechatPayGateway::app(client()),
        WechatPayGateway::mini_program(client()),
    ];
    let channels = [Channel::WechatNative, Channel::WechatH5, Channel::WechatJsapi, Channel::WechatApp, Channel::WechatMiniProgram];
    assert_eq!(made.map(|gateway| gateway.channel), channels);
}

#[tokio::test]
async fn a_precreate_without_what_it_is_for_leaves_everything_open() {
    for channel in [Channel::WechatNative, Channel::WechatH5, Channel::WechatApp] {
        for body in ["{}", r#"{"code_url":"","h5_url":"","prepay_id":""}"#, r#"{"other":"x"}"#] {
            let (cause, is_open) = unknown_because(precreated(channel, success(200, body)).await);
            assert!(is_open && cause.contains("no readable"), "{cause}");
        }
        for body in ["", "x", "[]", r#"{"code_url":1,"h5_url":1,"prepay_id":1}"#, r#"{"a":1,"a":2}"#] {
            let (cause, is_open) = unknown_because(precreated(channel, success(200, body)).await);
            assert!(!is_open && cause.contains("cannot be read"), "{cause}");
        }
    }
    assert_open(precreated(Channel::WechatNative, success(202, r#"{"code":"USER_PAYING"}"#)).await, "USER_PAYING");
}

#[tokio::test]
async fn a_precreate_is_refused_only_where_wechat_pay_says_so() {
    let asked = |status, code| precreated(Channel::WechatNative, failure(status, code));
    for (status, code) in [(400, "PARAM_ERROR"), (401, "SIGN_ERROR"), (403, "OUT_TRADE_NO_USED"), (400, "ORDER_CLOSED")] {
        assert_refused(asked(status, code).await, code);
    }
    for (status, code) in [(500, "SYSTEM_ERROR"), (429, "FREQUENCY_LIMITED"), (403, "SOMETHING_NEW"), (400, "ORDER_PAID")] {
        assert_open(asked(status, code).await, code);
    }
    let (cause, is_open) = unknown_because(asked(503, "SERVICE_UNAVAILABLE").await);
    assert!(!is_open && cause.contains("SERVICE_UNAVAILABLE"), "{cause}");
    let page = HttpAnswer { status: 403, headers: Vec::new(), body: b"<html>".to_vec() };
    let (cause, is_open) = unknown_because(precreated(Channel::WechatNative, page).await);
    assert!(!is_open && cause.contains("http_403"), "{cause}");
    let (gateway, canned) = native([]);
    assert_refused(gateway.precreate(&precreate_request(Channel::WechatH5)).await, "paystream.invalid_channel");
    assert!(canned.paths().is_empty());
}

#[tokio::test]
async fn each_state_of_a_payment_is_what_it_is() {
    let state = |word: &str| queried(success(200, &trade(&format!(r#","trade_state":"{word}","trade_state_desc":"x""#))));
    let paid = Capture {
        trade_no: "4200002345202603051234567890".to_owned(),
        // What was asked for, not what the buyer paid of it beside a coupon.
        amount: fen(19_900),
        paid_at: Some("2026-12-01T06:08:31Z".parse().unwrap()),
        is_final: false,
        has_refunds: false,
    };
    assert_eq!(queried(success(200, &paid_trade())).await.unwrap(), TradeState::Paid(paid.clone()));
    let refunded = paid_trade().replace("\"SUCCESS\"", "\"REFUND\"");
    assert_eq!(queried(success(200, &refunded)).await.unwrap(), TradeState::Paid(Capture { has_refunds: true, ..paid }));
    assert_eq!(state("NOTPAY").await.unwrap(), TradeState::AwaitingBuyer { trade_no: None });
    assert_eq!(state("USERPAYING").await.unwrap(), TradeState::AwaitingBuyer { trade_no: None });
    assert_eq!(state("CLOSED").await.unwrap(), TradeState::ClosedUnpaid);
    for word in ["REVOKED", "PAYERROR", "ACCEPT", "SOMETHING_NEW"] {
        assert_eq!(state(word).await.unwrap(), TradeState::Unrecognised(word.to_owned()));
    }
    assert_eq!(queried(failure(404, "ORDER_NOT_EXIST")).await.unwrap(), TradeState::NotFound);
    let closed_and_paid = trade(r#","trade_state":"CLOSED","success_time":"2026-12-01T14:08:31+08:00""#);
    assert_open(queried(success(200, &closed_and_paid)).await, "trade_state");
}

#[tokio::test]
async fn a_payment_that_lacks_a_part_is_not_taken_for_paid() {
    for (member, lacking) in [
        (r#""transaction_id":"4200002345202603051234567890","#, "transaction_id"),
        (r#","amount":{"total":19900,"payer_total":100,"currency":"CNY"}"#, "amount"),
        (r#""total":19900,"#, "amount"),
        (r#""trade_state":"SUCCESS","#, "trade_state"),
    ] {
        let body = paid_trade().replace(member, "");
        assert_ne!(body, paid_trade());
        assert_open(queried(success(200, &body)).await, lacking);
    }
    for (from, to, lacking) in
        [("19900", "0", "amount"), ("19900", "-1", "amount"), ("CNY", "USD", "currency"), ("19900", "99999999999999", "amount")]
    {
        assert_open(queried(success(200, &paid_trade().replace(from, to))).await, lacking);
    }
    let (cause, _) = unknown_because(queried(success(200, &paid_trade().replace("19900", "199.00"))).await);
    assert!(cause.contains("cannot be read"), "{cause}");
}

#[tokio::test]
async fn an_answer_about_another_payment_or_merchant_counts_for_nothing() {
    for (from, to, expected) in [
        (NUMBER, "723100000000000102", "another payment"),
        ("1900000109", "1900000110", "another merchant"),
        ("wx2421b1c4370ec43b", "wx2421b1c4370ec43c", "another merchant"),
        (r#""mchid":"1900000109","#, "", "another merchant"),
        (r#""appid":"wx2421b1c4370ec43b","#, "", "another merchant"),
    ] {
        let (cause, is_open) = unknown_because(queried(success(200, &paid_trade().replace(from, to))).await);
        assert!(!is_open && cause.contains(expected), "{cause}");
    }
    let (gateway, canned) = native([]);
    assert_refused(gateway.query("1/2").await, "paystream.invalid_out_trade_no");
    assert!(canned.paths().is_empty());
}

#[tokio::test]
async fn a_query_names_the_merchant_in_its_query_and_a_close_in_its_body() {
    let (gateway, canned) = native([success(200, &paid_trade()), success(204, ""), success(200, &trade(r#","trade_state":"CLOSED""#))]);
    gateway.query(NUMBER).await.unwrap();
    assert_eq!(gateway.close(NUMBER).await.unwrap(), Closed::Done);
    let query = format!("GET /sandbox/wechat/v3/pay/transactions/out-trade-no/{NUMBER}?mchid=1900000109");
    let close = format!("POST /sandbox/wechat/v3/pay/transactions/out-trade-no/{NUMBER}/close");
    assert_eq!(canned.paths(), [query.clone(), close, query]);
}

#[tokio::test]
async fn a_close_is_done_only_if_the_payment_then_is_closed() {
    let closed = |answers: Vec<HttpAnswer>| async move { native(answers).0.close(NUMBER).await };
    let state = |word: &str| success(200, &trade(&format!(r#","trade_state":"{word}""#)));
    let done = || success(204, "");
    assert_eq!(closed(vec![done(), state("CLOSED")]).await.unwrap(), Closed::Done);
    assert_eq!(closed(vec![failure(400, "ORDER_CLOSED"), state("CLOSED")]).await.unwrap(), Closed::Done);
    assert_eq!(closed(vec![done(), success(200, &paid_trade())]).await.unwrap(), Closed::StateForbids);
    // Accepted for a number that nobody knows.
    assert_eq!(closed(vec![done(), failure(404, "ORDER_NOT_EXIST")]).await.unwrap(), Closed::NotFound);
    assert_open(closed(vec![done(), state("NOTPAY")]).await, "trade_state");
    assert_open(closed(vec![done(), state("SOMETHING_NEW")]).await, "trade_state");
    assert_open(closed(vec![done(), failure(500, "SYSTEM_ERROR")]).await, "SYSTEM_ERROR");
    assert_open(closed(vec![done(), failure(401, "SIGN_ERROR")]).await, "SIGN_ERROR");
    for (status, code) in [(400, "ORDER_PAID"), (403, "TRADE_ERROR"), (403, "ORDERPAID")] {
        assert_eq!(closed(vec![failure(status, code)]).await.unwrap(), Closed::StateForbids, "{code}");
    }
    assert_eq!(closed(vec![failure(404, "ORDER_NOT_EXIST")]).await.unwrap(), Closed::NotFound);
    assert_refused(closed(vec![failure(401, "SIGN_ERROR")]).await, "SIGN_ERROR");
    assert_open(closed(vec![failure(403, "SOMETHING_NEW")]).await, "SOMETHING_NEW");
}

#[tokio::test]
async fn errors_name_the_channel_and_what_was_asked() {
    let error = of(Channel::WechatH5, [failure(400, "PARAM_ERROR")]).query(NUMBER).await.unwrap_err();
    assert_eq!(error.to_string(), "wechat_h5 refused query: PARAM_ERROR");
    let error = of(Channel::WechatApp, [success(204, ""), failure(500, "SYSTEM_ERROR")]).close(NUMBER).await.unwrap_err();
    assert_eq!(error.to_string(), "no answer from wechat_app to close");
}

#[test]
fn parameters_are_signed_on_demand_for_the_products_that_have_them() {
    let nonce = "593BEC0C930BF1AFEB40B4A08C8FB242";
    let handed = |channel| of(channel, []).client_parameters(channel, "wx2012", now(), nonce);
    let key = MerchantKey::read(&key_text("wechat_mch_private_pkcs8.pem")).unwrap();
    let timestamp = now().timestamp().to_string();
    for (channel, appid) in [(Channel::WechatJsapi, "wx2421b1c4370ec43b"), (Channel::WechatMiniProgram, "wx00000000000000bb")] {
        let handed = handed(channel).unwrap();
        let names: Vec<&str> = handed.members.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["appId", "timeStamp", "nonceStr", "package", "signType", "paySign"]);
        let sign = key.sign(lines(&[appid, &timestamp, nonce, "prepay_id=wx2012"]).as_bytes()).unwrap();
        assert_eq!((handed.get("appId"), handed.get("paySign")), (Some(appid), Some(sign.as_str())));
    }
    let app = handed(Channel::WechatApp).unwrap();
    let names: Vec<&str> = app.members.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["appid", "partnerid", "prepayid", "package", "noncestr", "timestamp", "sign"]);
    let sign = key.sign(lines(&["wx00000000000000aa", &timestamp, nonce, "wx2012"]).as_bytes()).unwrap();
    assert_eq!((app.get("package"), app.get("sign")), (Some("Sign=WXPay"), Some(sign.as_str())));

    assert_refused(handed(Channel::WechatNative), "paystream.no_client_parameters");
    let (gateway, _) = native([]);
    assert_refused(gateway.client_parameters(Channel::WechatApp, "wx2012", now(), nonce), "paystream.invalid_channel");
    let jsapi = of(Channel::WechatJsapi, []);
    assert_refused(jsapi.client_parameters(Channel::WechatJsapi, "wx\n", now(), nonce), "paystream.invalid_prepay_id");
}

#[test]
fn there_is_no_form_and_replies_are_in_wechat_pay_s_words() {
    let (gateway, _) = native([]);
    let request = FormRequest {
        out_trade_no: NUMBER.to_owned(),
        amount: fen(1),
        subject: "x".to_owned(),
        product_code: String::new(),
        time_expire: now(),
        notify_url: String::new(),
        return_url: String::new(),
    };
    assert_refused(gateway.form(&request), "paystream.no_forms");
    let durable = gateway.reply(Receipt::Durable);
    assert_eq!((durable.status, durable.body), (204, ""));
    let refused = gateway.reply(Receipt::Refused);
    assert_eq!((refused.status, refused.content_type), (500, "application/json"));
    let body: serde_json::Value = serde_json::from_str(refused.body).unwrap();
    assert_eq!((&body["code"], body["message"].is_string()), (&"FAIL".into(), true));
}
