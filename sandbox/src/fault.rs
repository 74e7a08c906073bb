//! Faults on demand: the next calls of one kind are refused or go unanswered.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::stream;

use crate::trade::Wallet;

/// What a merchant asks of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Precreate,
    Query,
    Close,
    Refund,
    QueryRefund,
    DownloadStatement,
}

impl Operation {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Precreate => "precreate",
            Self::Query => "query",
            Self::Close => "close",
            Self::Refund => "refund",
            Self::QueryRefund => "query_refund",
            Self::DownloadStatement => "download_statement",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        let all = [Self::Precreate, Self::Query, Self::Close, Self::Refund, Self::QueryRefund, Self::DownloadStatement];
        all.into_iter().find(|operation| operation.as_str() == word)
    }
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The channel says no, signed, and does nothing.
    Refuse,
    /// Nothing is done and nothing is answered.
    TimeoutBefore,
    /// It is done and nothing is answered.
    TimeoutAfter,
    /// WeChat Pay: nothing is done, and the channel says that it failed.
    SystemError,
    /// WeChat Pay: nothing is done, for too much was asked.
    RateLimited,
    /// WeChat Pay: it is done, and the answer's signature is wrong on purpose.
    SignTest,
    /// WeChat Pay: the refund is taken, stays under way for an hour, and succeeds then.
    RefundSlow,
    /// WeChat Pay: the refund is taken and ends without money.
    RefundClosed,
    /// WeChat Pay: the refund is taken, and the buyer's card does not take it.
    RefundAbnormal,
    /// WeChat Pay: the refund's notification comes five minutes after its end, so that others overtake it.
    NoticeLate,
}

impl Fault {
    const ALL: [Self; 10] = [
        Self::Refuse,
        Self::TimeoutBefore,
        Self::TimeoutAfter,
        Self::SystemError,
        Self::RateLimited,
        Self::SignTest,
        Self::RefundSlow,
        Self::RefundClosed,
        Self::RefundAbnormal,
        Self::NoticeLate,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::TimeoutBefore => "timeout_before",
            Self::TimeoutAfter => "timeout_after",
            Self::SystemError => "system_error",
            Self::RateLimited => "rate_limited",
            Self::SignTest => "sign_test",
            Self::RefundSlow => "slow",
            Self::RefundClosed => "closed",
            Self::RefundAbnormal => "abnormal",
            Self::NoticeLate => "notice_late",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.as_str() == word)
    }

    /// Whether `wallet`, or any wallet where none is named, knows this fault of `operation`.
    pub(crate) fn fits(self, wallet: Option<Wallet>, operation: Operation) -> bool {
        match self {
            Self::Refuse | Self::TimeoutBefore | Self::TimeoutAfter => true,
            Self::SystemError | Self::RateLimited | Self::SignTest => wallet == Some(Wallet::Wechat),
            Self::RefundSlow | Self::RefundClosed | Self::RefundAbnormal | Self::NoticeLate => {
                wallet == Some(Wallet::Wechat) && operation == Operation::Refund
            }
        }
    }
}

/// Holds a connection and then breaks it off.
pub(crate) async fn unanswered(hold: Duration) -> Response {
    tokio::time::sleep(hold).await;
    let broken = stream::once(async { Err::<Bytes, _>(io::Error::from(io::ErrorKind::ConnectionAborted)) });
    Response::new(Body::from_stream(broken))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_one_wallet_is_no_fault_of_another() {
        for fault in Fault::ALL {
            assert_eq!(Fault::parse(fault.as_str()), Some(fault));
            assert!(fault.fits(Some(Wallet::Wechat), Operation::Refund), "{fault:?}");
        }
        assert!(Fault::Refuse.fits(None, Operation::Close) && !Fault::SignTest.fits(None, Operation::Close));
        assert!(!Fault::SystemError.fits(Some(Wallet::Alipay), Operation::Refund));
        assert!(!Fault::RefundClosed.fits(Some(Wallet::Wechat), Operation::Query));
    }
}
