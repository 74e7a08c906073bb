//! Synchronous answers: the node of the method that was called, taken out of the body byte by byte, verified, then read.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use domain::{Currency, Money};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::charset::{self, Charset};
use super::keys::{AlipayKeys, Untrusted};

/// The code of a call that came too soon after others.
pub(super) const ASKED_TOO_OFTEN: &str = "40005";

/// The members of a verified node.
#[derive(Debug)]
pub(super) struct Answer {
    members: BTreeMap<String, Option<String>>,
}

/// Why an answer says nothing that counts: what became of the call is then unknown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AnswerError {
    /// Not JSON of the expected shape: cut off, a page for humans, or members that stand twice.
    #[error("the answer is not readable")]
    Unreadable,
    /// The node of another method, or none.
    #[error("the answer has no node of the method that was called")]
    NoNode,
    /// The gateway's own error, which is often not signed. The code helps whoever looks for a wrong configuration.
    #[error("an answer without a signature says {code}")]
    Unauthenticated {
        /// The sub_code or, where there is none, the code.
        code: String,
    },
    /// The gateway says, without a signature, that it is asked too often: it works, and did nothing.
    #[error("an answer without a signature says that the gateway is asked too often: {code}")]
    AskedTooOften {
        /// The sub_code or, where there is none, the code.
        code: String,
    },
    /// An answer that would count has no signature.
    #[error("the answer is not signed")]
    Unsigned,
    /// The signature is not Alipay's, or its certificate does not count.
    #[error("the answer is not Alipay's")]
    Untrusted(#[source] Untrusted),
}

/// A node as it stands in the body, and the signature beside it.
#[derive(Debug)]
pub(super) struct Signed<'a> {
    /// The node's exact bytes, which are what is signed.
    pub(super) content: &'a [u8],
    charset: Charset,
    sign: Option<String>,
    /// The certificate under which it is said to be signed.
    pub(super) serial: Option<String>,
}

impl<'a> Signed<'a> {
    /// Finds the node of `method` and its signature. Nothing is believed yet.
    pub(super) fn find(body: &'a [u8], method: &str) -> Result<Self, AnswerError> {
        let (text, charset) = match str::from_utf8(body) {
            Ok(text) => (text.into(), Charset::Utf8),
            // Seen in the field although UTF-8 was asked for.
            Err(_) => (charset::masked(body).map(String::into_boxed_str).ok_or(AnswerError::Unreadable)?, Charset::Gbk),
        };
        let top: Unique<&RawValue> = serde_json::from_str(&text).map_err(|_| AnswerError::Unreadable)?;
        let node = format!("{}_response", method.replace('.', "_"));
        let Some(node) = top.0.get(&node) else {
            let error = top.0.get("error_response").and_then(|node| Answer::parse(node.get()));
            return Err(error.map_or(AnswerError::NoNode, |answer| answer.unauthenticated()));
        };
        // Texts of answers are the same length as their bytes, so the place of the node is the same in both.
        let start = node.get().as_ptr().addr() - text.as_ptr().addr();
        let content = body.get(start..start + node.get().len()).ok_or(AnswerError::Unreadable)?;
        let beside = |name: &str| -> Result<Option<String>, AnswerError> {
            let text = top.0.get(name).map(|text| serde_json::from_str::<String>(text.get())).transpose();
            Ok(text.map_err(|_| AnswerError::Unreadable)?.filter(|text| !text.is_empty()))
        };
        Ok(Self { content, charset, sign: beside("sign")?, serial: beside("alipay_cert_sn")? })
    }

    /// Whether Alipay signed the node; `None` where nobody did.
    pub(super) fn verified(&self, keys: &AlipayKeys, now: DateTime<Utc>) -> Option<Result<(), Untrusted>> {
        self.sign.as_ref().map(|sign| keys.verify(self.content, sign.as_bytes(), self.serial.as_deref(), now))
    }

    /// The node's members, whoever wrote them.
    pub(super) fn members(&self) -> Option<Answer> {
        Answer::parse(&self.charset.decode(self.content)?)
    }
}

impl Answer {
    /// Verifies an answer to `method` that came at `now`, and reads it. An error of the gateway itself is not believed unless
    /// it is signed.
    pub(super) fn read(body: &[u8], method: &str, keys: &AlipayKeys, now: DateTime<Utc>) -> Result<Self, AnswerError> {
        let signed = Signed::find(body, method)?;
        if let Some(verified) = signed.verified(keys, now) {
            verified.map_err(AnswerError::Untrusted)?;
            return signed.members().ok_or(AnswerError::Unreadable);
        }
        let answer = signed.members().ok_or(AnswerError::Unreadable)?;
        match answer.text("code") {
            // Only these two say what became of a payment.
            None | Some("10000" | "40004") => Err(AnswerError::Unsigned),
            Some(_) => Err(answer.unauthenticated()),
        }
    }

    /// What an error of the gateway says that is not signed.
    fn unauthenticated(&self) -> AnswerError {
        let code = self.code_word();
        if self.text("code") == Some(ASKED_TOO_OFTEN) { AnswerError::AskedTooOften { code } } else { AnswerError::Unauthenticated { code } }
    }

    fn parse(text: &str) -> Option<Self> {
        let members: Unique<&RawValue> = serde_json::from_str(text).ok()?;
        let text_of = |value: &RawValue| match value.get().as_bytes().first() {
            Some(b'"') => serde_json::from_str(value.get()).ok(),
            // A number where a text is documented: its digits as they stand, never through a float.
            Some(b'-' | b'0'..=b'9') => Some(value.get().to_owned()),
            _ => None,
        };
        Some(Self { members: members.0.into_iter().map(|(name, value)| (name, text_of(value))).collect() })
    }

    /// A member's text; an empty one, a list, an object, `true`, `false` and `null` count as absent.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.members.get(name)?.as_deref().filter(|text| !text.is_empty())
    }

    /// A member's amount in yuan; `None` also for a text that is no amount.
    pub(super) fn amount(&self, name: &str) -> Option<Money> {
        Money::parse_major(self.text(name)?, Currency::Cny).ok()
    }

    /// The word that says what went wrong: the sub_code, else the code, else nothing. It can be logged and stored.
    pub(super) fn code_word(&self) -> String {
        let is_word = |text: &&str| {
            text.len() <= CODE_LIMIT && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
        };
        [self.text("sub_code"), self.text("code")].into_iter().flatten().find(is_word).unwrap_or("unreadable_code").to_owned()
    }
}

/// The longest code that is passed on, in characters.
const CODE_LIMIT: usize = 96;

/// A JSON object in which no name stands twice.
struct Unique<V>(BTreeMap<String, V>);

impl<'de: 'a, 'a> Deserialize<'de> for Unique<&'a RawValue> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(UniqueVisitor)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Unique<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object in which no name stands twice")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a name stands twice"));
            }
        }
        Ok(Unique(members))
    }
}

#[cfg(test)]
mod tests;
