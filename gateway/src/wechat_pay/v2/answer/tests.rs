use proptest::prelude::*;

use super::*;
use crate::wechat_pay::v2::tests::{answer_text, settings};

fn read(body: &[u8]) -> Result<Answer, AnswerError> {
    Answer::read(body, &WechatPayV2Config::new(&settings()).unwrap())
}

#[test]
fn a_verified_answer_tells_its_members() {
    let answer = read(answer_text(&[("total_fee", "19900"), ("empty", "")]).as_bytes()).unwrap();
    assert!(answer.is_done());
    assert_eq!((answer.text("total_fee"), answer.text("empty"), answer.text("none")), (Some("19900"), None, None));
    assert_eq!(answer.amount("total_fee").map(Money::amount_minor), Some(19900));
    assert_eq!(answer.code_word(), "unreadable_code");
}

#[test]
fn each_layer_fails_in_its_own_way() {
    let error = |body: &str| read(body.as_bytes()).unwrap_err();
    assert_eq!(error("<xml>"), AnswerError::Unreadable(XmlError::Malformed));
    assert_eq!(error("<!DOCTYPE xml><xml/>"), AnswerError::Unreadable(XmlError::Unsafe));
    assert_eq!(error("<xml/>"), AnswerError::NotTaken { said: "nothing".to_owned() });
    let long = format!("<xml><return_code>FAIL</return_code><return_msg>{}\n</return_msg></xml>", "错".repeat(200));
    assert_eq!(error(&long), AnswerError::NotTaken { said: "错".repeat(96) });
    assert_eq!(error("<xml><return_code>SUCCESS</return_code></xml>"), AnswerError::Signature(SignatureError::Missing));
    let forged = answer_text(&[("a", "1")]).replace("[1]", "[2]");
    assert_eq!(error(&forged), AnswerError::Signature(SignatureError::Forged));
}

#[test]
fn fen_are_digits_and_nothing_else() {
    assert_eq!(["0", "1", "10000000000"].map(|text| fen(text).map(Money::amount_minor)), [Some(0), Some(1), Some(10_000_000_000)]);
    for text in ["", "00", "01", "+1", "-1", "1.00", "1e2", " 1", "1 ", "１", "10000000001", "99999999999999999999"] {
        assert_eq!(fen(text), None, "{text:?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(read(&bytes).is_err());
    }
}
