use chassis::problem::{Code, Problem, field};
use domain::operations::OperationRejection;
use domain::unknown_capture::{UnassignCause, UnknownCaptureRejection};

use crate::failure::CommandFailure;
use crate::handler::ExecuteError;

/// Why an operator's act on a notification had no effect.
#[derive(Debug, thiserror::Error)]
pub enum NoticeFailure {
    /// There is no such notification.
    #[error("there is no such notification")]
    NotFound,
    /// An operator has ended it, in another way.
    #[error("the notification is ended already")]
    Ended,
    /// It tells of no money that matched no pay record.
    #[error("the notification tells of no unmatched money")]
    NotUnmatched,
    /// The pay record does not exist.
    #[error("there is no such pay record")]
    UnknownPayRecord,
    /// The pay record is paid through another wallet, or through none.
    #[error("the pay record is another wallet's")]
    OtherWallet,
    /// The channel, asked now, does not say that it holds the money.
    #[error("the channel does not say that it holds the money")]
    Unconfirmed,
    /// The channel says that the money went back.
    #[error("the money went back")]
    WentBack,
    /// Its text cannot be unsealed any more.
    #[error("the notification's text cannot be unsealed")]
    Sealed,
    /// The operator's key came with other content before.
    #[error("the idempotency key was used with other content")]
    KeyReused,
    /// A command failed.
    #[error(transparent)]
    Command(#[from] CommandFailure),
}

impl From<database::DatabaseError> for NoticeFailure {
    fn from(error: database::DatabaseError) -> Self {
        Self::Command(CommandFailure::Inbox(error))
    }
}

impl<R: Into<Self>> From<ExecuteError<R>> for NoticeFailure {
    fn from(error: ExecuteError<R>) -> Self {
        match error {
            ExecuteError::Rejected(rejection) => rejection.into(),
            ExecuteError::Contended(stream_id) => Self::Command(CommandFailure::Contended(stream_id)),
            ExecuteError::Append(error) => Self::Command(CommandFailure::Append(error)),
            ExecuteError::Read(error) => Self::Command(CommandFailure::Read(error)),
            ExecuteError::Stored(error) => Self::Command(CommandFailure::Stored(error)),
            ExecuteError::Stale => Self::Command(CommandFailure::Stale),
        }
    }
}

impl From<UnknownCaptureRejection> for NoticeFailure {
    fn from(rejection: UnknownCaptureRejection) -> Self {
        match rejection {
            UnknownCaptureRejection::Unknown => Self::NotUnmatched,
            UnknownCaptureRejection::Settled => Self::Ended,
            UnknownCaptureRejection::RefundUntold => Self::Command(rejection.into()),
            UnknownCaptureRejection::KeyReused => Self::KeyReused,
        }
    }
}

impl From<UnassignCause> for NoticeFailure {
    fn from(cause: UnassignCause) -> Self {
        match cause {
            UnassignCause::WentBack => Self::WentBack,
            UnassignCause::NotHeld => Self::Unconfirmed,
            UnassignCause::NoPayRecord | UnassignCause::Refused => Self::UnknownPayRecord,
        }
    }
}

impl From<OperationRejection> for NoticeFailure {
    fn from(rejection: OperationRejection) -> Self {
        match rejection {
            OperationRejection::KeyReused => Self::KeyReused,
        }
    }
}

/// The one place where these failures become what a client sees.
impl From<NoticeFailure> for Problem {
    fn from(failure: NoticeFailure) -> Self {
        let conflict = |detail: &str, detail_zh: &str| Self::new(Code::NotPayable).detail(detail).detail_zh(detail_zh);
        match failure {
            NoticeFailure::NotFound => Self::not_found(),
            NoticeFailure::KeyReused => Self::new(Code::IdempotencyKeyReused),
            NoticeFailure::UnknownPayRecord => Self::invalid("pay_no", field::UNKNOWN_VALUE, "There is no such pay record."),
            NoticeFailure::Ended => conflict("An operator has ended this notification already.", "该通知已由操作员处理完毕。"),
            NoticeFailure::NotUnmatched => {
                conflict("This notification tells of no money that matched no pay record.", "该通知不涉及无法匹配的款项。")
            }
            NoticeFailure::OtherWallet => conflict("The pay record is not paid through this wallet.", "该支付单不属于此支付渠道。"),
            NoticeFailure::Unconfirmed => {
                conflict("The channel, asked just now, does not say that it holds this money.", "经查询，渠道未确认收到该笔款项。")
            }
            NoticeFailure::WentBack => {
                conflict("The channel says that this money went back, or a part of it.", "渠道显示该笔款项已全部或部分退回。")
            }
            NoticeFailure::Sealed => conflict("The notification's text can no longer be unsealed.", "该通知的原文已无法解封。"),
            NoticeFailure::Command(failure) => failure.into(),
        }
    }
}
