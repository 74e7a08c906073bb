use chassis::problem::{Code, Problem};
use database::DatabaseError;
use event_store::ReadError;

/// Why a query has no answer although its input was right.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QueryFailure {
    /// The views did not answer.
    #[error("a view could not be read")]
    Views(#[from] DatabaseError),
    /// The log did not answer.
    #[error("the log could not be read")]
    Log(#[from] ReadError),
    /// A row holds what its writer never writes.
    #[error("a view's row cannot be shown: {0}")]
    Row(&'static str),
    /// An event's stored text is no JSON.
    #[error("a stored event cannot be shown")]
    Event(#[source] serde_json::Error),
    /// A code could not be drawn.
    #[error("a code could not be drawn")]
    Code(#[source] qr::QrError),
    /// The process is stopping before an answer in pieces has ended.
    #[error("the process is stopping")]
    Stopping,
}

impl From<QueryFailure> for Problem {
    fn from(failure: QueryFailure) -> Self {
        match &failure {
            QueryFailure::Views(
                DatabaseError::Unavailable(_) | DatabaseError::Busy(_) | DatabaseError::Full(_) | DatabaseError::ReadOnly(_),
            )
            | QueryFailure::Log(ReadError::Unavailable(_)) => Self::caused(Code::StoreUnavailable, &failure),
            QueryFailure::Stopping => Self::new(Code::Busy),
            QueryFailure::Views(_)
            | QueryFailure::Log(ReadError::Damaged { .. })
            | QueryFailure::Row(_)
            | QueryFailure::Event(_)
            | QueryFailure::Code(_) => Self::internal(&failure),
        }
    }
}
