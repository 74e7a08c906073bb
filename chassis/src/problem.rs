//! What a client is told when something is wrong: RFC 9457 problem documents from one list of codes.

use std::error::Error;
use std::fmt;
use std::future::{Ready, ready};

use serde_json::{Map, Value};

mod code;
pub mod field;
mod render;

pub use code::Code;
pub use field::FieldError;
pub use render::{MEDIA_TYPE, localise};

/// One occurrence of something wrong, as the client will be told.
///
/// Make one with [`Problem::new`] and the methods after it, answer it with `IntoResponse`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub code: Code,
    /// What people read about this occurrence, in English; the code's own text where absent.
    pub detail: Option<String>,
    /// The fields of the input that are wrong, in order of the input.
    pub errors: Vec<FieldError>,
    /// When to ask again, in seconds. Temporary problems without it say one second.
    pub retry_after_s: Option<u32>,
    /// Further members of the document, for instance the SKU that is short. They never replace standard ones.
    pub extra: Map<String, Value>,
    detail_zh: Option<Box<str>>,
    token_refused: bool,
}

impl Problem {
    /// A problem with the texts that its code has.
    pub fn new(code: Code) -> Self {
        Self { code, detail: None, errors: Vec::new(), retry_after_s: None, extra: Map::new(), detail_zh: None, token_refused: false }
    }

    /// A 404: there is no such thing, or it is someone else's.
    pub fn not_found() -> Self {
        Self::new(Code::NotFound)
    }

    /// A 422 about one field; `code` is a word of [`field`] where one fits, `message` is English.
    pub fn invalid(field: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Code::Invalid).field(field, code, message)
    }

    /// A failure of ours: logs `error` with its whole chain of sources, once, and tells the client nothing of it.
    pub fn internal(error: &(dyn Error + 'static)) -> Self {
        Self::caused(Code::Internal, error)
    }

    /// Like [`Problem::internal`] with another code, for instance `StoreUnavailable`: logged here, untold there.
    pub fn caused(code: Code, error: &(dyn Error + 'static)) -> Self {
        tracing::error!(problem.code = code.word(), error = %Chain(error), "a request failed");
        Self::new(code)
    }

    /// A 401 for a token that was shown and is not good.
    pub fn token_refused() -> Self {
        Self { token_refused: true, ..Self::new(Code::Unauthenticated) }
    }

    /// Says more about this occurrence, in English. Never the cause of a failure.
    #[must_use]
    pub fn detail(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    /// The detail in Chinese; without it a Chinese reader gets the code's own text.
    #[must_use]
    pub fn detail_zh(self, detail: impl Into<String>) -> Self {
        Self { detail_zh: Some(detail.into().into_boxed_str()), ..self }
    }

    /// Adds what is wrong with one field; `code` is a word of [`field`] where one fits, `message` is English.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        self.errors.push(FieldError { field: field.into(), code, message: message.into() });
        self
    }

    /// When to ask again, in seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after_s: Some(seconds), ..self }
    }

    /// Adds a further member to the document.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.extra.insert(name.into(), value.into());
        self
    }
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

/// A 422 about one field.
impl From<FieldError> for Problem {
    fn from(error: FieldError) -> Self {
        let mut problem = Self::new(Code::Invalid);
        problem.errors.push(error);
        problem
    }
}

/// Fallback for addresses that no route has.
pub fn unknown_route() -> Ready<Problem> {
    ready(Problem::not_found())
}

/// Fallback for routes that exist for other methods.
pub fn unknown_method() -> Ready<Problem> {
    ready(Problem::new(Code::MethodNotAllowed))
}

/// Displays an error and all its sources in one line, for the one place that logs it.
pub struct Chain<'a>(pub &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
