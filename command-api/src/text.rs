//! Free texts of callers, such as why an operator does something: what of them can be recorded.

use chassis::problem::{Problem, field};

/// The most characters of a reason.
pub(crate) const MAX_REASON_CHARS: usize = 500;

/// Why a text cannot be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnfitText {
    /// It says nothing.
    #[error("at least one character that is not blank")]
    Blank,
    /// It has more characters than this.
    #[error("at most {0} characters")]
    TooLong(usize),
    /// It has control characters, line breaks among them.
    #[error("no control characters")]
    Control,
}

impl UnfitText {
    /// What a client is told whose `member` it is.
    pub(crate) fn problem(self, member: &str) -> Problem {
        match self {
            Self::Blank => Problem::invalid(member, field::TOO_SHORT, "At least one character that is not blank."),
            Self::TooLong(max_chars) => Problem::invalid(member, field::TOO_LONG, format!("At most {max_chars} characters.")),
            Self::Control => Problem::invalid(member, field::INVALID, "No control characters."),
        }
    }
}

/// Whether a text can be recorded.
pub(crate) fn check(text: &str, max_chars: usize) -> Result<(), UnfitText> {
    if text.trim().is_empty() {
        return Err(UnfitText::Blank);
    }
    if text.chars().count() > max_chars {
        return Err(UnfitText::TooLong(max_chars));
    }
    if text.chars().any(char::is_control) {
        return Err(UnfitText::Control);
    }
    Ok(())
}
