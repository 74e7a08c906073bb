//! Parameters in the path.

use axum::extract::FromRequestParts;
use axum::extract::rejection::PathRejection;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// The path's parameters read into `T`.
///
/// Errors: 404 if they do not fit: a path that cannot be an id names nothing that exists.
#[derive(Clone, Copy, Debug, Default)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match <axum::extract::Path<T> as FromRequestParts<S>>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(PathRejection::FailedToDeserializePathParams(rejection)) if rejection.status().is_client_error() => {
                Err(Problem::not_found())
            }
            // The route has other parameters than the handler: a defect of ours, not of the request.
            Err(rejection) => Err(Problem::internal(&rejection)),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use http::{Request, StatusCode};
    use tower::ServiceExt;

    use super::*;

    async fn status(path: &str) -> StatusCode {
        let router = Router::new()
            .route("/orders/{id}", get(|Path(id): Path<u64>| async move { id.to_string() }))
            .route("/none", get(|Path(_): Path<u64>| async {}));
        router.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap().status()
    }

    #[tokio::test]
    async fn a_path_that_cannot_be_an_id_names_nothing() {
        assert_eq!(status("/orders/7").await, StatusCode::OK);
        assert_eq!(status("/orders/seven").await, StatusCode::NOT_FOUND);
        assert_eq!(status("/orders/18446744073709551616").await, StatusCode::NOT_FOUND);
        assert_eq!(status("/orders/%FF").await, StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn a_route_without_the_parameter_is_our_failure() {
        assert_eq!(status("/none").await, StatusCode::INTERNAL_SERVER_ERROR);
    }
}
