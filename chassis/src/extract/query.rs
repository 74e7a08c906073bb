//! Query strings.

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::de::DeserializeOwned;

use super::shape;
use crate::problem::Problem;

/// The query string read into `T`.
///
/// Errors: 422 `invalid` naming the parameter if it is repeated, does not fit its type, or is unknown and `T`
/// derives `Deserialize` with `deny_unknown_fields`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let pairs = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        serde_path_to_error::deserialize(serde_urlencoded::Deserializer::new(pairs))
            .map(Self)
            .map_err(|error| shape::field_error(error.path(), &error.inner().to_string()).into())
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::Request;
    use serde::Deserialize;

    use super::*;
    use crate::problem::{Code, FieldError, field};

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Page {
        limit: Option<u32>,
        status: Option<Status>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Status {
        Paid,
    }

    async fn read(query: &str) -> Result<Page, Problem> {
        let request = Request::get(format!("/orders{query}")).body(Body::empty()).unwrap();
        Query::from_request_parts(&mut request.into_parts().0, &()).await.map(|Query(page)| page)
    }

    async fn refused(query: &str) -> FieldError {
        let problem = read(query).await.unwrap_err();
        assert_eq!((problem.code, problem.errors.len()), (Code::Invalid, 1));
        problem.errors[0].clone()
    }

    #[tokio::test]
    async fn a_query_is_read_into_its_type() {
        assert_eq!(read("?limit=3&status=paid").await.unwrap(), Page { limit: Some(3), status: Some(Status::Paid) });
        assert_eq!(read("").await.unwrap(), Page { limit: None, status: None });
    }

    #[tokio::test]
    async fn a_parameter_of_another_type_is_named() {
        for query in ["?limit=many", "?limit=", "?limit=-1", "?limit=4294967296"] {
            assert_eq!(refused(query).await.field, "limit", "{query}");
        }
    }

    #[tokio::test]
    async fn a_value_that_does_not_exist_is_named() {
        let error = refused("?status=odd").await;
        assert_eq!((error.field.as_str(), error.code), ("status", field::UNKNOWN_VALUE));
    }

    #[tokio::test]
    async fn an_unknown_or_repeated_parameter_is_refused_by_name() {
        let error = refused("?colour=red").await;
        assert_eq!((error.field.as_str(), error.code), ("colour", field::UNKNOWN_FIELD));
        let error = refused("?limit=1&limit=2").await;
        assert_eq!((error.field.as_str(), error.code), ("limit", field::DUPLICATE_FIELD));
    }
}
