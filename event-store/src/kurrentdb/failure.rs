use kurrentdb::Error;
use tokio::task::JoinError;

/// Codes of gRPC by which a server says that it has not done what was asked.
const NOT_DONE: [i32; 2] = [
    3, // invalid argument
    9, // failed precondition
];

/// What goes wrong beneath this adapter.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("KurrentDB did not answer in time")]
    Late,
    #[error("KurrentDB did not do it")]
    Client(#[source] Error),
    #[error("the client of KurrentDB broke down")]
    Broken(#[source] JoinError),
    #[error("the client of KurrentDB cannot be made: {0}")]
    Unmade(String),
    #[error("KurrentDB says that the events are written, but they do not stand where they belong: was their stream deleted?")]
    Unfound,
    #[error("the log is shut down")]
    ShutDown,
}

impl Failure {
    /// Whether nothing of an append was written. All else leaves it open.
    pub(super) fn wrote_nothing(&self) -> bool {
        match self {
            Self::Unmade(_) | Self::ShutDown => true,
            // The call never left, or the server refused it before it looked at the stream.
            Self::Client(error) => match error {
                Error::ConnectionClosed
                | Error::GrpcConnectionError(_)
                | Error::NotLeaderException(_)
                | Error::AccessDenied
                | Error::ResourceNotFound
                | Error::ResourceDeleted
                | Error::UnsupportedFeature
                | Error::InitializationError(_) => true,
                Error::Grpc { code, .. } => NOT_DONE.contains(&i32::from(*code)),
                _ => false,
            },
            Self::Late | Self::Broken(_) | Self::Unfound => false,
        }
    }

    /// Whether the client's own task has ended. It never begins again.
    pub(super) fn ended_client(&self) -> bool {
        matches!(self, Self::Client(Error::ConnectionClosed | Error::GrpcConnectionError(_)))
    }

    /// Whether the node that the client talks to failed.
    pub(super) fn is_of_node(&self) -> bool {
        matches!(self, Self::Client(Error::ServerError(_)))
    }

    /// Whether there is no such stream.
    pub(super) fn is_no_stream(&self) -> bool {
        matches!(self, Self::Client(Error::ResourceNotFound))
    }
}
