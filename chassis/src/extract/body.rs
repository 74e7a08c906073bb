//! Reading a request's body within limits of size and time.

use std::error::Error;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequest, Request};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::problem::{Code, Problem};

/// The largest body that a command may have, in bytes.
pub const BODY_LIMIT: usize = 256 * 1024;

/// How long a body may take to arrive as a whole.
pub const BODY_TIME_LIMIT: Duration = Duration::from_secs(10);

/// The body exactly as it came, of any media type, at most `LIMIT` bytes.
///
/// Errors: 413 above the limit, 408 if it takes longer than [`BODY_TIME_LIMIT`], 400 if the connection breaks.
#[derive(Clone, Debug)]
pub struct RawBody<const LIMIT: usize = BODY_LIMIT>(pub Bytes);

impl<S: Send + Sync, const LIMIT: usize> FromRequest<S> for RawBody<LIMIT> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        read(request.into_body(), LIMIT).await.map(Self)
    }
}

/// Reads a whole body of at most `limit` bytes.
pub(super) async fn read(body: Body, limit: usize) -> Result<Bytes, Problem> {
    let too_large = || Problem::new(Code::PayloadTooLarge).with("limit_bytes", limit);
    // An announced size is believed where it refuses, so that nothing of such a body is read.
    if body.size_hint().lower() > u64::try_from(limit).unwrap_or(u64::MAX) {
        return Err(too_large());
    }
    match tokio::time::timeout(BODY_TIME_LIMIT, Limited::new(body, limit).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if is_length_limit(error.as_ref()) => Err(too_large()),
        Ok(Err(_)) => Err(Problem::new(Code::BadRequest).detail("The request's body broke off.")),
        Err(_) => Err(Problem::new(Code::RequestTimeout)),
    }
}

fn is_length_limit(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}
