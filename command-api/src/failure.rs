use chassis::problem::{Code, Problem};
use domain::SkuId;
use domain::course_selection::CourseSelectionRejection;
use domain::idempotency::IdempotencyRejection;
use domain::order::OrderRejection;
use domain::pay_record::PayRecordRejection;
use domain::stored::StoredFormError;
use domain::unknown_capture::UnknownCaptureRejection;
use event_store::{AppendError, ReadError, StreamId};
use gateway::GatewayError;
use storefront::StorefrontError;
use storefront::order_ids::OrderIdError;

use crate::handler::ExecuteError;

/// Why a command did not do what was wished.
#[derive(Debug, thiserror::Error)]
pub enum CommandFailure {
    /// There is no such thing, or it is somebody else's.
    #[error("there is no such thing")]
    NotFound,
    /// A member of the request is not allowed.
    #[error("{field}: {message}")]
    Invalid {
        /// The member's path.
        field: &'static str,
        /// The word for why.
        code: &'static str,
        /// Why, for people.
        message: String,
    },
    /// A course is ordered only through a selection of it.
    #[error("a course is ordered through its selection")]
    SelectionRequired,
    /// The same is being worked on, and its outcome is not known yet.
    #[error("the same is being worked on")]
    InProgress,
    /// The caller's key came with other content before.
    #[error("the idempotency key was used with other content")]
    KeyReused,
    /// The business key belongs to an order with other content.
    #[error("the business id belongs to an order with other content")]
    BusinessIdConflict,
    /// There is not so much of a SKU.
    #[error("only {available} of {sku_id} are available")]
    InsufficientStock {
        /// The SKU.
        sku_id: SkuId,
        /// What may still be held.
        available: u64,
    },
    /// One buyer may not have so many of a SKU.
    #[error("one buyer may have {limit} of {sku_id}")]
    BuyerLimitExceeded {
        /// The SKU.
        sku_id: SkuId,
        /// What one buyer may have.
        limit: u32,
    },
    /// The order's stock is sold, or held in another quantity.
    #[error("the order's stock stands otherwise")]
    StockTaken,
    /// The channel is not configured, or not one that this route takes.
    #[error("the channel is not configured")]
    ChannelNotConfigured,
    /// The channel refused the attempt; the record is failed.
    #[error("the channel refused: {code}")]
    ChannelRefused {
        /// The channel's word.
        code: String,
    },
    /// The channel did not answer, or has not answered for a while.
    #[error("the channel does not answer")]
    ChannelUnavailable,
    /// The order moved on: the caller's `If-Match` is stale.
    #[error("the order has another revision than expected")]
    Stale,
    /// A rule of the order refuses.
    #[error(transparent)]
    Order(OrderRejection),
    /// Others write to the same stream faster than this command can.
    #[error("{0} moved at every try")]
    Contended(StreamId),
    /// The log did not write.
    #[error("the log could not be written")]
    Append(#[source] AppendError),
    /// The log did not answer.
    #[error("the log could not be read")]
    Read(#[source] ReadError),
    /// What is stored cannot be understood.
    #[error("a stored event cannot be read")]
    Stored(#[source] StoredFormError),
    /// The shop's state did not answer.
    #[error("the shop's state failed")]
    Storefront(#[from] StorefrontError),
    /// No number could be had.
    #[error("no order number could be had")]
    OrderId(#[from] OrderIdError),
    /// The notification could not be kept.
    #[error("the notification could not be kept")]
    Inbox(#[source] database::DatabaseError),
    /// Something that the rules exclude.
    #[error("{0}")]
    Broken(&'static str),
}

impl From<OrderRejection> for CommandFailure {
    fn from(rejection: OrderRejection) -> Self {
        match rejection {
            OrderRejection::Unknown | OrderRejection::UnknownPayRecord | OrderRejection::UnknownRefund => Self::NotFound,
            other => Self::Order(other),
        }
    }
}

macro_rules! broken {
    ($rejection:ty, $text:literal) => {
        impl From<$rejection> for CommandFailure {
            fn from(_: $rejection) -> Self {
                Self::Broken($text)
            }
        }
    };
}
broken!(IdempotencyRejection, "an idempotency key is neither claimed nor free");
broken!(CourseSelectionRejection, "a course selection's number belongs to another one");
broken!(UnknownCaptureRejection, "an unknown capture was refused");

impl<R: Into<CommandFailure>> From<ExecuteError<R>> for CommandFailure {
    fn from(error: ExecuteError<R>) -> Self {
        match error {
            ExecuteError::Rejected(rejection) => rejection.into(),
            ExecuteError::Contended(stream_id) => Self::Contended(stream_id),
            ExecuteError::Append(error) => Self::Append(error),
            ExecuteError::Read(error) => Self::Read(error),
            ExecuteError::Stored(error) => Self::Stored(error),
            ExecuteError::Stale => Self::Stale,
        }
    }
}

impl From<ReadError> for CommandFailure {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl From<GatewayError> for CommandFailure {
    fn from(error: GatewayError) -> Self {
        match error {
            GatewayError::Refused { code, .. } => Self::ChannelRefused { code },
            GatewayError::Unknown { .. } => Self::ChannelUnavailable,
        }
    }
}

/// The one place where the write side's failures become what a client sees.
impl From<CommandFailure> for Problem {
    fn from(failure: CommandFailure) -> Self {
        match failure {
            CommandFailure::NotFound => Self::not_found(),
            CommandFailure::Invalid { field, code, message } => Self::invalid(field, code, message),
            CommandFailure::SelectionRequired => Self::new(Code::SelectionRequired),
            CommandFailure::InProgress => Self::new(Code::IdempotencyInProgress),
            CommandFailure::KeyReused => Self::new(Code::IdempotencyKeyReused),
            CommandFailure::BusinessIdConflict => Self::new(Code::BusinessIdConflict),
            CommandFailure::InsufficientStock { sku_id, available } => {
                Self::new(Code::InsufficientStock).with("sku_id", sku_id.as_str()).with("available", available)
            }
            CommandFailure::BuyerLimitExceeded { sku_id, limit } => {
                Self::new(Code::BuyerLimitExceeded).with("sku_id", sku_id.as_str()).with("limit", limit)
            }
            CommandFailure::ChannelNotConfigured => Self::new(Code::ChannelNotConfigured),
            CommandFailure::ChannelRefused { code } => Self::new(Code::ChannelRefused).with("channel_code", code),
            CommandFailure::ChannelUnavailable => Self::new(Code::ChannelUnavailable),
            CommandFailure::Stale => Self::new(Code::PreconditionFailed),
            CommandFailure::Order(rejection) => order_problem(rejection),
            CommandFailure::Contended(_) | CommandFailure::Append(AppendError::Busy) => Self::new(Code::Busy),
            CommandFailure::Append(error) => Self::caused(Code::StoreUnavailable, &error),
            CommandFailure::Read(error @ ReadError::Unavailable(_)) => Self::caused(Code::StoreUnavailable, &error),
            CommandFailure::Storefront(error) => Self::caused(Code::StoreUnavailable, &error),
            CommandFailure::OrderId(error) => Self::caused(Code::StoreUnavailable, &error),
            CommandFailure::Inbox(error) => Self::caused(Code::StoreUnavailable, &error),
            failure @ (CommandFailure::Read(_) | CommandFailure::Stored(_) | CommandFailure::StockTaken | CommandFailure::Broken(_)) => {
                Self::internal(&failure)
            }
        }
    }
}

fn order_problem(rejection: OrderRejection) -> Problem {
    match rejection {
        OrderRejection::Unknown | OrderRejection::UnknownPayRecord | OrderRejection::UnknownRefund => Problem::not_found(),
        OrderRejection::RefundExceedsPaid => Problem::new(Code::RefundExceedsPaid),
        OrderRejection::RefundsExhausted => Problem::new(Code::RefundsExhausted),
        OrderRejection::RefundInFlight => Problem::new(Code::RefundInFlight),
        OrderRejection::AlreadyPaid => Problem::new(Code::OrderAlreadyPaid),
        OrderRejection::Ended => Problem::new(Code::OrderClosed),
        OrderRejection::Expiring => Problem::new(Code::OrderExpiring),
        OrderRejection::AttemptsExhausted => Problem::new(Code::AttemptsExhausted),
        OrderRejection::WrongState | OrderRejection::PayRecord(PayRecordRejection::WrongState) => Problem::new(Code::NotPayable),
        rejection @ (OrderRejection::AlreadyCreated
        | OrderRejection::WrongSum
        | OrderRejection::PayRecord(PayRecordRejection::AlreadyIssued | PayRecordRejection::AmountDiffers)) => {
            Problem::internal(&rejection)
        }
    }
}

#[cfg(test)]
mod tests;
