use serde_json::{Value, json};

use super::*;
use crate::trade::tests::at;

fn good() -> Value {
    json!({
        "out_trade_no": "723100000000000001",
        "total_amount": "199.00",
        "subject": "编程课程",
        "product_code": "QR_CODE_OFFLINE",
    })
}

fn with(member: &str, value: Value) -> Result<Trade, Refusal> {
    let mut content = good();
    content[member] = value;
    asked(content::read(&content.to_string()).unwrap(), &SCANNED, at(0))
}

fn refused(member: &str, value: Value) -> &'static str {
    with(member, value).unwrap_err().sub_code
}

#[test]
fn a_good_content_asks_for_a_code_of_two_hours() {
    let trade = with("goods_detail", json!([{"goods_id": "g-1"}])).unwrap();
    assert_eq!(
        (trade.out_trade_no.as_str(), trade.amount.amount_minor(), trade.subject.as_str()),
        ("723100000000000001", 19_900, "编程课程")
    );
    assert_eq!((trade.status, trade.trade_no), (TradeStatus::Coded, None));
    assert_eq!((trade.code_expires_at, trade.expires_at, trade.life), (at(7_200), None, TimeDelta::hours(3)));
}

#[test]
fn amounts_are_read_from_texts_and_from_numbers() {
    for (value, minor) in
        [(json!("0.01"), 1), (json!("88.8"), 8_880), (json!(88.88), 8_888), (json!(5), 500), (json!("100000000.00"), 10_000_000_000)]
    {
        assert_eq!(with("total_amount", value).unwrap().amount.amount_minor(), minor);
    }
    for value in [
        json!("0.00"),
        json!(0),
        json!("-1.00"),
        json!("1.001"),
        json!("1e2"),
        json!("100000000.01"),
        json!("１.００"),
        json!(""),
        Value::Null,
    ] {
        assert_eq!(refused("total_amount", value.clone()), "ACQ.INVALID_PARAMETER", "{value}");
    }
}

#[test]
fn each_member_that_is_missing_or_not_allowed_is_refused() {
    for (member, value) in [
        ("out_trade_no", json!("")),
        ("out_trade_no", json!("a b")),
        ("out_trade_no", json!("a/b")),
        ("out_trade_no", json!("书")),
        ("out_trade_no", json!("a".repeat(65))),
        ("subject", json!(" ")),
        ("subject", json!("a&b")),
        ("subject", json!("a=b")),
        ("subject", json!("a/b")),
        ("subject", json!("书".repeat(257))),
        ("product_code", Value::Null),
        ("product_code", json!("FAST_INSTANT_TRADE_PAY")),
        ("body", json!("b".repeat(129))),
        ("passback_params", json!("p".repeat(513))),
    ] {
        assert_eq!(refused(member, value.clone()), "ACQ.INVALID_PARAMETER", "{member} {value}");
    }
    assert!(with("subject", json!("书".repeat(256))).is_ok());
    assert!(with("out_trade_no", json!("a_B-9".repeat(12))).is_ok());
    assert!(with("product_code", json!("FACE_TO_FACE_PAYMENT")).is_ok());
}

#[test]
fn an_absolute_expiry_ends_the_code_and_wins_over_a_relative_one() {
    let mut content = good();
    content["time_expire"] = json!(beijing::text(at(1_800)));
    content["timeout_express"] = json!("90m");
    let trade = asked(content::read(&content.to_string()).unwrap(), &SCANNED, at(0)).unwrap();
    assert_eq!((trade.expires_at, trade.code_expires_at), (Some(at(1_800)), at(1_800)));
    let late = with("time_expire", json!(beijing::text(at(86_400)))).unwrap();
    assert_eq!((late.expires_at, late.code_expires_at), (Some(at(86_400)), at(7_200)));
}

#[test]
fn an_expiry_lies_one_minute_to_fifteen_days_ahead() {
    let of = |seconds| with("time_expire", json!(beijing::text(at(seconds))));
    assert_eq!(of(-1).unwrap_err().sub_code, "ACQ.NOW_TIME_AFTER_EXPIRE_TIME_ERROR");
    assert_eq!(of(0).unwrap_err().sub_code, "ACQ.NOW_TIME_AFTER_EXPIRE_TIME_ERROR");
    assert_eq!(of(59).unwrap_err().sub_code, "ACQ.INVALID_PARAMETER");
    assert!(of(60).is_ok() && of(15 * 86_400).is_ok());
    assert_eq!(of(15 * 86_400 + 1).unwrap_err().sub_code, "ACQ.INVALID_PARAMETER");
    assert_eq!(refused("time_expire", json!("2026-03-05T14:08:09Z")), "ACQ.INVALID_PARAMETER");
}

#[test]
fn a_relative_expiry_runs_from_the_scan() {
    for (text, life) in
        [("1m", TimeDelta::minutes(1)), ("90m", TimeDelta::minutes(90)), ("12h", TimeDelta::hours(12)), ("15d", TimeDelta::days(15))]
    {
        let trade = with("timeout_express", json!(text)).unwrap();
        assert_eq!((trade.life, trade.expires_at), (life, None), "{text}");
    }
    for text in ["0m", "16d", "1.5h", "m", "90", "90s", "1h30m", "-1m", "999999m", "1mm"] {
        assert_eq!(refused("timeout_express", json!(text)), "ACQ.INVALID_PARAMETER", "{text}");
    }
    // at(0) is 14:08:09 in Beijing.
    assert_eq!(with("timeout_express", json!("1c")).unwrap().expires_at, Some(at(35_511)));
}

#[test]
fn a_page_is_another_product_with_another_time() {
    let content = |product: &str| {
        let mut content = good();
        content["product_code"] = json!(product);
        content::read(&content.to_string()).unwrap()
    };
    let trade = asked(content("FAST_INSTANT_TRADE_PAY"), &PAGE, at(0)).unwrap();
    assert_eq!((trade.product_code.as_str(), trade.life), ("FAST_INSTANT_TRADE_PAY", TimeDelta::days(15)));
    for (product, code) in [(&PAGE, "QR_CODE_OFFLINE"), (&PAGE, "QUICK_WAP_WAY"), (&SCANNED, "FAST_INSTANT_TRADE_PAY")] {
        assert_eq!(asked(content(code), product, at(0)).unwrap_err().sub_code, "ACQ.INVALID_PARAMETER", "{code}");
    }
}
