use proptest::prelude::*;

use super::*;
use crate::alipay::keys::ApplicationKey;
use crate::alipay::tests::{key_text, sign_as_alipay, signed_answer};
use crate::alipay::transport::ANSWER_LIMIT;

const QUERY: &str = "alipay.trade.query";

fn keys() -> AlipayKeys {
    let application = ApplicationKey::read(&key_text("alipay_app_private_pkcs8.pem")).unwrap();
    AlipayKeys::read([key_text("alipay_platform_public.pem").as_str()], &application).unwrap()
}

fn read(body: impl AsRef<[u8]>) -> Result<Answer, AnswerError> {
    Answer::read(body.as_ref(), QUERY, &keys(), DateTime::UNIX_EPOCH)
}

fn refused(body: impl AsRef<[u8]>) -> AnswerError {
    read(body).expect_err("the answer is not believed")
}

fn content(body: &str) -> &[u8] {
    Signed::find(body.as_bytes(), QUERY).unwrap().content
}

#[test]
fn a_signed_node_is_read_from_its_exact_bytes() {
    let node = r#"{ "code":"10000" ,"subject":"}{ \"}\" {{\\","u":"\u4e66\ud83c\udf93","s":"a\/b" , "list":[{"a":"}"}] }"#;
    let body = signed_answer(QUERY, node);
    assert_eq!(content(&body), node.as_bytes());
    let answer = read(&body).unwrap();
    assert_eq!(answer.text("subject"), Some("}{ \"}\" {{\\"));
    assert_eq!((answer.text("u"), answer.text("s"), answer.text("list")), (Some("书🎓"), Some("a/b"), None));
}

#[test]
fn other_members_may_stand_around_the_node() {
    let node = r#"{"code":"10000"}"#;
    let sign = sign_as_alipay(node.as_bytes());
    for body in [
        format!(r#"{{"alipay_trade_query_response":{node},"alipay_cert_sn":"1","sign":"{sign}"}}"#),
        format!(r#"{{"alipay_cert_sn":"1","alipay_trade_query_response":{node},"sign":"{sign}"}}"#),
        format!(r#"{{"sign":"{sign}","x":{{"alipay_trade_query_response":{{}}}},"alipay_trade_query_response":{node}}}"#),
        format!(" {{\r\n\t\"alipay_trade_query_response\" : {node} , \"sign\" : \"{}\" }}\n", sign.replace('/', "\\/")),
        // A name is what it says, however it is escaped.
        format!(r#"{{"\u0061lipay_trade_query_response":{node},"sign":"{sign}"}}"#),
    ] {
        assert_eq!(read(&body).unwrap().text("code"), Some("10000"), "{body}");
    }
}

#[test]
fn a_member_that_stands_twice_makes_the_answer_unreadable() {
    let node = r#"{"code":"10000"}"#;
    let sign = sign_as_alipay(node.as_bytes());
    for body in [
        format!(r#"{{"alipay_trade_query_response":{{}},"alipay_trade_query_response":{node},"sign":"{sign}"}}"#),
        format!(r#"{{"alipay_trade_query_response":{node},"sign":"{sign}","sign":"{sign}"}}"#),
        format!(r#"{{"alipay_trade_query_response":{node},"sign":"{sign}","s\u0069gn":"x"}}"#),
        signed_answer(QUERY, r#"{"code":"10000","total_amount":"1.00","total_amount":"2.00"}"#),
    ] {
        assert_eq!(refused(&body), AnswerError::Unreadable, "{body}");
    }
}

#[test]
fn what_is_not_json_of_that_shape_is_unreadable() {
    let good = signed_answer(QUERY, r#"{"code":"10000"}"#);
    let cut = good.get(..good.len() - 1).unwrap().to_owned();
    let sign_number = r#"{"alipay_trade_query_response":{"code":"10000"},"sign":1}"#.to_owned();
    let sign_null = r#"{"alipay_trade_query_response":{"code":"10000"},"sign":null}"#.to_owned();
    for body in [
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        "<html>".to_owned(),
        cut,
        format!("{good}x"),
        format!("\u{feff}{good}"),
        sign_number,
        sign_null,
    ] {
        assert_eq!(refused(&body), AnswerError::Unreadable, "{body}");
    }
    for node in [r#""base64==""#, "1", "[]", "null"] {
        assert_eq!(refused(signed_answer(QUERY, node)), AnswerError::Unreadable, "{node}");
    }
}

#[test]
fn the_node_of_another_method_is_none() {
    assert_eq!(refused(signed_answer("alipay.trade.close", r#"{"code":"10000"}"#)), AnswerError::NoNode);
    assert_eq!(refused("{}"), AnswerError::NoNode);
    assert_eq!(refused(r#"{"error_response":1}"#), AnswerError::NoNode);
}

#[test]
fn the_gateways_own_errors_are_never_believed() {
    let said = |code: &str| AnswerError::Unauthenticated { code: code.to_owned() };
    let error = r#"{"code":"40002","msg":"Invalid Arguments","sub_code":"isv.invalid-app-id"}"#;
    assert_eq!(refused(format!(r#"{{"error_response":{error}}}"#)), said("isv.invalid-app-id"));
    assert_eq!(
        refused(format!(r#"{{"error_response":{error},"sign":"{}"}}"#, sign_as_alipay(error.as_bytes()))),
        said("isv.invalid-app-id")
    );
    assert_eq!(refused(format!(r#"{{"alipay_trade_query_response":{error}}}"#)), said("isv.invalid-app-id"));
    assert_eq!(refused(r#"{"alipay_trade_query_response":{"code":"20000"},"sign":""}"#), said("20000"));
    assert_eq!(refused(r#"{"error_response":{"code":"4 0\n","sub_code":"<script>"}}"#), said("unreadable_code"));
    let limited = r#"{"code":"40005","sub_code":"isv.app-call-limited"}"#;
    for body in [format!(r#"{{"error_response":{limited}}}"#), format!(r#"{{"alipay_trade_query_response":{limited}}}"#)] {
        assert_eq!(refused(body), AnswerError::AskedTooOften { code: "isv.app-call-limited".to_owned() });
    }
}

#[test]
fn a_business_answer_without_a_good_signature_is_never_believed() {
    for code in ["10000", "40004"] {
        let node = format!(r#"{{"code":"{code}","sub_code":"ACQ.TRADE_NOT_EXIST"}}"#);
        assert_eq!(refused(format!(r#"{{"alipay_trade_query_response":{node}}}"#)), AnswerError::Unsigned);
        assert_eq!(refused(format!(r#"{{"alipay_trade_query_response":{node},"sign":""}}"#)), AnswerError::Unsigned);
        assert_eq!(
            refused(format!(r#"{{"alipay_trade_query_response":{node},"sign":"AAAA"}}"#)),
            AnswerError::Untrusted(Untrusted::Forged)
        );
    }
    assert_eq!(refused(r#"{"alipay_trade_query_response":{}}"#), AnswerError::Unsigned);
    let good = signed_answer(QUERY, r#"{"code":"10000"}"#);
    assert_eq!(refused(good.replace(r#""code":"10000""#, r#""code": "10000""#)), AnswerError::Untrusted(Untrusted::Forged));
}

/// An answer in GBK whose text holds characters with `\`, `{`, `}` and `"`-like second bytes.
fn gbk_body(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut node = b"{\"code\":\"20000\",\"sub_msg\":\"\x95\\\x81{\x81}\xcf\xb5\xcd\xb3\"}".to_vec();
    let sign = sign_as_alipay(&node);
    change(&mut node);
    [b"{\"alipay_trade_query_response\":", node.as_slice(), format!(",\"sign\":\"{sign}\"}}").as_bytes()].concat()
}

#[test]
fn an_answer_in_gbk_is_verified_on_its_bytes_and_then_decoded() {
    let answer = read(gbk_body(|_| {})).unwrap();
    assert_eq!(answer.text("code"), Some("20000"));
    assert!(answer.text("sub_msg").unwrap().ends_with("系统"));
    assert_eq!(refused(gbk_body(|node| node[9] = b'1')), AnswerError::Untrusted(Untrusted::Forged));
}

#[test]
fn bytes_of_no_character_set_are_unreadable() {
    assert_eq!(refused(b"{\"alipay_trade_query_response\":{\"code\":\"\xff\"},\"sign\":\"x\"}"), AnswerError::Unreadable);
    assert_eq!(refused(b"\x81"), AnswerError::Unreadable);
}

#[test]
fn numbers_are_read_as_they_stand() {
    let answer =
        read(signed_answer(QUERY, r#"{"code":10000,"total_amount":199.00,"a":4.35,"b":1e2,"c":-1,"d":true,"e":null,"f":"","g":0.1000}"#))
            .unwrap();
    assert_eq!(answer.text("code"), Some("10000"));
    let fen = |name| answer.amount(name).map(Money::amount_minor);
    assert_eq!((fen("total_amount"), fen("a"), fen("b"), fen("c"), fen("g")), (Some(19900), Some(435), None, None, None));
    assert_eq!((answer.text("d"), answer.text("e"), answer.text("f"), answer.text("x")), (None, None, None, None));
}

#[test]
fn a_deep_or_huge_answer_is_read_without_harm() {
    let deep = format!(r#"{{"code":"10000","x":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(read(signed_answer(QUERY, &deep)).unwrap().text("code"), Some("10000"));
    assert_eq!(refused("[".repeat(ANSWER_LIMIT)), AnswerError::Unreadable);
    assert_eq!(refused("{\"a\":".repeat(ANSWER_LIMIT / 5)), AnswerError::Unreadable);
    let many = (0..20_000).map(|number| format!(r#""m{number}":{number}"#)).collect::<Vec<_>>().join(",");
    assert_eq!(refused(format!("{{{many}}}")), AnswerError::NoNode);
    let long = signed_answer(QUERY, &format!(r#"{{"code":"10000","x":"{}"}}"#, "\\u4e66".repeat(ANSWER_LIMIT / 8)));
    assert!(read(long).is_ok());
}

#[test]
fn only_harmless_codes_are_passed_on() {
    let word = |node: &str| read(signed_answer(QUERY, node)).unwrap().code_word();
    assert_eq!(word(r#"{"code":"40004","sub_code":"ACQ.SYSTEM_ERROR"}"#), "ACQ.SYSTEM_ERROR");
    assert_eq!(word(r#"{"code":"40004","sub_code":"系统"}"#), "40004");
    assert_eq!(word(&format!(r#"{{"code":"40004","sub_code":"{}"}}"#, "x".repeat(97))), "40004");
    assert_eq!(word(r#"{"code":"a b"}"#), "unreadable_code");
    assert_eq!(word("{}"), "unreadable_code");
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        let keys = keys();
        prop_assert!(Answer::read(&bytes, QUERY, &keys, DateTime::UNIX_EPOCH).is_err());
    }

    #[test]
    fn no_text_around_a_node_makes_the_reader_panic(
        node in "[{}\\[\\]\":,a\\\\1 ]{0,40}",
        before in "[{}\",: ]{0,6}",
        after in "[{}\",: ]{0,6}",
        gbk in any::<bool>(),
    ) {
        let keys = keys();
        let mut body = format!(r#"{before}{{"alipay_trade_query_response":{node},"sign":"x"}}{after}"#).into_bytes();
        if gbk {
            body.extend([0xca, 0xe9]);
        }
        prop_assert!(Answer::read(&body, QUERY, &keys, DateTime::UNIX_EPOCH).is_err());
    }

    #[test]
    fn the_signed_bytes_are_found_wherever_the_node_stands(subject in any::<String>(), blanks in "[ \t\r\n]{0,4}", is_first in any::<bool>()) {
        let node = serde_json::json!({ "code": "10000", "subject": subject }).to_string();
        let members = [format!("\"alipay_trade_query_response\"{blanks}:{blanks}{node}"), format!("\"sign\":{blanks}\"x\"")];
        let body = if is_first { members.join(",") } else { format!("{},{}", members[1], members[0]) };
        let body = format!("{{{body}}}");
        prop_assert_eq!(content(&body), node.as_bytes());
    }
}
