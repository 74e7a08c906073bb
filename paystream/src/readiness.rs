//! What the process needs before it may take traffic.

use std::sync::Arc;

use async_trait::async_trait;
use chassis::health::{Check, Finding};
use chassis::problem::Chain;
use chrono::TimeDelta;
use database::Database;
use event_store::StoreFailure;
use gateway::alipay::AlipayGateway;
use gateway::wechat_pay::{v2, v3};

use crate::stores::Log;

/// A clock that differs by this much from the channel's is worth a look: its times are compared with ours.
pub(crate) const CLOCK_SKEW_WARNING: TimeDelta = TimeDelta::seconds(60);

/// The log can be written.
pub(crate) struct LogCheck(pub(crate) Log);

/// A database can be used.
pub(crate) struct DatabaseCheck(pub(crate) Database);

/// The channel's clock and ours agree.
pub(crate) struct SkewCheck<C>(pub(crate) Arc<C>);

/// A channel that tells its time.
pub(crate) trait TellsTime: Send + Sync {
    /// How far its clock was ahead of ours when it last answered.
    fn skew(&self) -> Option<TimeDelta>;
}

impl TellsTime for AlipayGateway {
    fn skew(&self) -> Option<TimeDelta> {
        self.clock_skew()
    }
}

impl TellsTime for v3::WechatPayClient {
    fn skew(&self) -> Option<TimeDelta> {
        self.clock_skew()
    }
}

impl TellsTime for v2::WechatPayV2 {
    fn skew(&self) -> Option<TimeDelta> {
        self.clock_skew()
    }
}

#[async_trait]
impl Check for LogCheck {
    async fn check(&self) -> Finding {
        let pinged = finding(self.0.ping().await);
        if pinged != Finding::Ready {
            return pinged;
        }
        // A server that answers need not give out the log: its table may be locked.
        match self.0.reader().head().await {
            Ok(_) => Finding::Ready,
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "the log is not ready");
                Finding::Missing(error.to_string())
            }
        }
    }
}

#[async_trait]
impl Check for DatabaseCheck {
    async fn check(&self) -> Finding {
        finding(self.0.ping().await.map_err(Into::into))
    }
}

#[async_trait]
impl<C: TellsTime> Check for SkewCheck<C> {
    async fn check(&self) -> Finding {
        match self.0.skew() {
            Some(skew) if skew.abs() > CLOCK_SKEW_WARNING => Finding::Warning(skew_warning(skew)),
            _ => Finding::Ready,
        }
    }
}

/// A difference of clocks in words.
pub(crate) fn skew_warning(skew: TimeDelta) -> String {
    format!("this machine's clock is {} s from the channel's", skew.num_seconds())
}

fn finding(pinged: Result<(), StoreFailure>) -> Finding {
    match pinged {
        Ok(()) => Finding::Ready,
        Err(error) => {
            tracing::warn!(error = %Chain(&*error), "a store is not ready");
            Finding::Missing(error.to_string())
        }
    }
}
