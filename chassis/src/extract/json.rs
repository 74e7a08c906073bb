//! JSON bodies: strict in, plain out.

use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{BODY_LIMIT, body, media, shape, strict};
use crate::problem::{Code, Problem, field};

/// A JSON body read strictly, or a JSON answer.
///
/// Errors: 415 for another media type, 413 above [`BODY_LIMIT`], 400 `unreadable_json`, 422 `invalid` naming
/// the field for members that are missing, repeated, of another type or unknown. Whether unknown members are
/// seen is up to `T`: it derives `Deserialize` with `deny_unknown_fields`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Json<T>(pub T);

/// Like [`Json`] where the body may be empty, for instance for `{reason?}`.
#[derive(Clone, Copy, Debug, Default)]
pub struct OptionalJson<T>(pub Option<T>);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let is_json = media::is_json(request.headers());
        let bytes = body::read(request.into_body(), BODY_LIMIT).await?;
        if !is_json {
            return Err(Problem::new(Code::UnsupportedMediaType));
        }
        read_json(&bytes).map(Self)
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for OptionalJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let is_json = media::is_json(request.headers());
        let bytes = body::read(request.into_body(), BODY_LIMIT).await?;
        match (bytes.is_empty(), is_json) {
            (true, _) => Ok(Self(None)),
            (false, true) => read_json(&bytes).map(|value| Self(Some(value))),
            (false, false) => Err(Problem::new(Code::UnsupportedMediaType)),
        }
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(bytes) => ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], bytes).into_response(),
            Err(error) => Problem::internal(&error).into_response(),
        }
    }
}

/// Reads bytes as the [`Json`] extractor does, for bodies that are kept or hashed as they came.
///
/// Only an object is a body: serde would also take an array for a struct, member by member.
pub fn read_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    match strict::value(bytes)? {
        value @ Value::Object(_) => from_value(value),
        _ => Err(not_an_object()),
    }
}

fn not_an_object() -> Problem {
    Problem::invalid("", field::WRONG_TYPE, "the body must be an object")
}

/// Gives a value its type, or a 422 that names the field.
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(value).map_err(|error| shape::field_error(error.path(), &error.inner().to_string()).into())
}

/// Takes the text member `tag` out of an object and leaves the rest, for bodies whose shape depends on one member.
///
/// An enum tagged inside would do the same but lose the paths of its fields: read the rest with [`from_value`].
///
/// Errors: 422 if the value is no object or the member is missing or no text.
pub fn split_tag(value: Value, tag: &str) -> Result<(String, Value), Problem> {
    let Value::Object(mut members) = value else {
        return Err(not_an_object());
    };
    match members.remove(tag) {
        Some(Value::String(text)) => Ok((text, Value::Object(members))),
        Some(_) => Err(Problem::invalid(tag, field::WRONG_TYPE, "must be a text")),
        None => Err(Problem::invalid(tag, field::REQUIRED, "is required")),
    }
}

#[cfg(test)]
mod tests;
