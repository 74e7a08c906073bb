use chassis::problem::{Code, Problem, field};
use domain::operations::OperationRejection;
use followers::ParkingDeskError;

use crate::failure::CommandFailure;
use crate::handler::ExecuteError;
use crate::text::UnfitText;

/// Why nothing came of an operator's wish about a parked message, or nothing that is known.
#[derive(Debug, thiserror::Error)]
pub enum ParkedFailure {
    /// Whoever wishes something must say why, in words that can be recorded.
    #[error("a reason must be said")]
    Reason(#[from] UnfitText),
    /// A word names no state of a parked message.
    #[error("the state is not one")]
    State(#[from] followers::UnknownParkedState),
    /// The message, or the tables that hold it.
    #[error(transparent)]
    Desk(#[from] ParkingDeskError),
    /// The operator's key came with other content before.
    #[error("the idempotency key was used with other content")]
    KeyReused,
    /// What came of the wish cannot be read back.
    #[error("what came of the wish is not known")]
    Untold,
    /// The log refused or did not answer.
    #[error(transparent)]
    Log(#[from] CommandFailure),
}

impl From<ExecuteError<OperationRejection>> for ParkedFailure {
    fn from(error: ExecuteError<OperationRejection>) -> Self {
        match error {
            ExecuteError::Rejected(rejection) => rejection.into(),
            ExecuteError::Contended(stream_id) => Self::Log(CommandFailure::Contended(stream_id)),
            ExecuteError::Append(error) => Self::Log(CommandFailure::Append(error)),
            ExecuteError::Read(error) => Self::Log(CommandFailure::Read(error)),
            ExecuteError::Stored(error) => Self::Log(CommandFailure::Stored(error)),
            ExecuteError::Stale => Self::Log(CommandFailure::Stale),
        }
    }
}

impl From<OperationRejection> for ParkedFailure {
    fn from(rejection: OperationRejection) -> Self {
        match rejection {
            OperationRejection::KeyReused => Self::KeyReused,
        }
    }
}

/// The one place where these failures become what a client sees.
impl From<ParkedFailure> for Problem {
    fn from(failure: ParkedFailure) -> Self {
        match failure {
            ParkedFailure::Reason(unfit) => unfit.problem("reason"),
            ParkedFailure::State(error) => Self::invalid("state", field::UNKNOWN_VALUE, error.to_string()),
            ParkedFailure::Desk(ParkingDeskError::Unknown) => Self::not_found(),
            ParkedFailure::Desk(ParkingDeskError::Skipped) => {
                Self::invalid("id", field::INVALID, "An operator has skipped this message: that is for good.")
            }
            ParkedFailure::Desk(ParkingDeskError::Changed | ParkingDeskError::Overtaken) => Self::new(Code::Busy),
            ParkedFailure::Desk(error @ ParkingDeskError::Database(_)) => Self::caused(Code::StoreUnavailable, &error),
            ParkedFailure::Desk(error @ ParkingDeskError::Damaged(_)) => Self::internal(&error),
            ParkedFailure::KeyReused => Self::new(Code::IdempotencyKeyReused),
            ParkedFailure::Untold => Self::internal(&failure),
            ParkedFailure::Log(failure) => failure.into(),
        }
    }
}
