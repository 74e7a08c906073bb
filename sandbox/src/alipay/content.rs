//! Reading `biz_content`: one JSON object whose members are texts, or numbers where others write texts.

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::answer::Refusal;
use super::request::Turned;

/// A text, or a number exactly as it was written, so that an amount never passes through a float.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scalar(String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let text = raw.get();
        match text.bytes().next() {
            Some(b'"') => serde_json::from_str(text).map(Self).map_err(Error::custom),
            Some(b'-' | b'0'..=b'9') => Ok(Self(text.to_owned())),
            _ => Err(Error::custom("a text is expected")),
        }
    }
}

/// The text of a member; absent and empty are the same.
pub(super) fn text(member: Option<Scalar>) -> Option<String> {
    member.map(|Scalar(text)| text).filter(|text| !text.trim().is_empty())
}

/// Reads the content of a call. Members that the call does not know are passed over.
pub(super) fn read<T: DeserializeOwned>(biz_content: &str) -> Result<T, Turned> {
    serde_json::from_str(biz_content).map_err(|_| Turned::invalid("isv.illegal-json", "业务参数不是合法的 JSON 对象"))
}

/// A member's text that must be given.
pub(super) fn required(member: &str, value: Option<Scalar>, most: usize) -> Result<String, Refusal> {
    optional(member, value, most)?.ok_or_else(|| Refusal::invalid(member, "不能为空"))
}

/// A member's text of at most so many characters, if it is given.
pub(super) fn optional(member: &str, value: Option<Scalar>, most: usize) -> Result<Option<String>, Refusal> {
    match text(value) {
        Some(text) if text.chars().count() > most => Err(Refusal::invalid(member, "过长")),
        text => Ok(text),
    }
}

/// How a call names the trade it is about.
#[derive(Debug, Deserialize)]
pub(super) struct TradeName {
    pub(super) out_trade_no: Option<Scalar>,
    pub(super) trade_no: Option<Scalar>,
}

/// The number by which a trade is looked up; the channel's own wins.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Number {
    Own(String),
    Merchants(String),
}

impl TradeName {
    /// The number to look up; none if neither is given.
    pub(super) fn number(self) -> Option<Number> {
        text(self.trade_no).map(Number::Own).or_else(|| text(self.out_trade_no).map(Number::Merchants))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(content: &str) -> Option<Number> {
        read::<TradeName>(content).unwrap().number()
    }

    #[test]
    fn texts_and_numbers_are_read_as_they_were_written() {
        assert_eq!(number(r#"{"out_trade_no":"a\/1","x":{}}"#), Some(Number::Merchants("a/1".to_owned())));
        assert_eq!(number(r#"{"out_trade_no":12345678901234567890}"#), Some(Number::Merchants("12345678901234567890".to_owned())));
        assert_eq!(number(r#"{"out_trade_no":"a","trade_no":"b"}"#), Some(Number::Own("b".to_owned())));
        assert_eq!(number(r#"{"out_trade_no":" ","trade_no":null}"#), None);
    }

    #[test]
    fn what_is_no_object_of_texts_is_refused() {
        for content in ["", "[]", "1", "{", r#"{"out_trade_no":{}}"#, r#"{"out_trade_no":true}"#, r#"{"trade_no":"a","trade_no":"b"}"#] {
            assert_eq!(read::<TradeName>(content).unwrap_err().sub_code, "isv.illegal-json", "{content}");
        }
    }
}
