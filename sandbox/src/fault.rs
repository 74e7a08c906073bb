//! Faults on demand: the next calls of one kind are refused or go unanswered.

/// What a merchant asks of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Precreate,
    Query,
    Close,
    Refund,
    QueryRefund,
}

impl Operation {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Precreate => "precreate",
            Self::Query => "query",
            Self::Close => "close",
            Self::Refund => "refund",
            Self::QueryRefund => "query_refund",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        let all = [Self::Precreate, Self::Query, Self::Close, Self::Refund, Self::QueryRefund];
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
}

impl Fault {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::TimeoutBefore => "timeout_before",
            Self::TimeoutAfter => "timeout_after",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Refuse, Self::TimeoutBefore, Self::TimeoutAfter].into_iter().find(|fault| fault.as_str() == word)
    }
}
