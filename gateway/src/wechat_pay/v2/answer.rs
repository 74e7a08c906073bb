//! Answers to calls: three layers, of which each counts only if the one above it holds.

use domain::{Currency, Money};

use super::config::WechatPayV2Config;
use super::sign::SignatureError;
use super::xml::{self, Members, XmlError};

/// The word of both layers for success.
pub(super) const SUCCESS: &str = "SUCCESS";

/// The word of both layers for a failure.
pub(super) const FAIL: &str = "FAIL";

/// The longest word of the channel's that is passed on, in characters.
const WORD_LIMIT: usize = 96;

/// The members of a verified answer for us. What it says of the business is not looked at yet.
#[derive(Debug)]
pub(super) struct Answer {
    members: Members,
}

/// Why an answer says nothing that counts: what became of the call is then unknown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AnswerError {
    /// Not a flat message: cut off, a page for humans, or one that could be read in two ways.
    #[error("the answer is not readable")]
    Unreadable(#[source] XmlError),
    /// The layer of communication failed. Such an answer is never signed, so it proves nothing, not even that the call was
    /// not done. The text helps whoever looks for a wrong configuration.
    #[error("an answer without a signature says: {said}")]
    NotTaken {
        /// The channel's text, as far as it can be shown.
        said: String,
    },
    /// An answer that would count is not signed by the channel.
    #[error("the answer is not the channel's")]
    Signature(#[source] SignatureError),
    /// Signed, and for another application or merchant.
    #[error("the answer is for another merchant or application")]
    NotOurs,
}

impl Answer {
    /// Reads and verifies an answer.
    pub(super) fn read(body: &[u8], config: &WechatPayV2Config) -> Result<Self, AnswerError> {
        let answer = Self { members: xml::read(body, xml::ROOT).map_err(AnswerError::Unreadable)? };
        if answer.text("return_code") != Some(SUCCESS) {
            return Err(AnswerError::NotTaken { said: answer.said("return_msg") });
        }
        config.signer.verify(&answer.members).map_err(AnswerError::Signature)?;
        // Some answers name neither; the key that signed them is ours alone. A payment may have been asked for in the name of
        // another of our applications than the one that asks about it.
        let is_ours = answer.text("appid").is_none_or(|app_id| config.is_our_app(app_id))
            && answer.text("mch_id").is_none_or(|mch_id| mch_id == config.mch_id);
        if is_ours { Ok(answer) } else { Err(AnswerError::NotOurs) }
    }

    /// A member's text; an empty one counts as absent.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        text(&self.members, name)
    }

    /// A member's amount in fen; `None` also for a text that is no amount.
    pub(super) fn amount(&self, name: &str) -> Option<Money> {
        fen(self.text(name)?)
    }

    /// Whether the layer of business says that it was done.
    pub(super) fn is_done(&self) -> bool {
        self.text("result_code") == Some(SUCCESS)
    }

    /// The word that says why it was not done. It can be logged and stored.
    pub(super) fn code_word(&self) -> String {
        let is_word = |text: &&str| text.len() <= WORD_LIMIT && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        self.text("err_code").filter(is_word).unwrap_or("unreadable_code").to_owned()
    }

    /// The names of all members, for what is numbered.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.members.keys().map(String::as_str)
    }

    fn said(&self, name: &str) -> String {
        let is_shown = |character: &char| !character.is_control();
        self.text(name).unwrap_or("nothing").chars().filter(is_shown).take(WORD_LIMIT).collect()
    }
}

/// A member's text; an empty one counts as absent.
pub(super) fn text<'a>(members: &'a Members, name: &str) -> Option<&'a str> {
    members.get(name).map(String::as_str).filter(|text| !text.is_empty())
}

/// An amount in fen: digits and nothing else.
pub(super) fn fen(text: &str) -> Option<Money> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    let amount_minor = text.parse().ok().filter(|_| is_number)?;
    Money::new(amount_minor, Currency::Cny).ok()
}

#[cfg(test)]
mod tests;
