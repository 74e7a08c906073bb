//! What the process needs before it may take traffic.

use std::sync::Arc;

use async_trait::async_trait;
use chassis::health::{Check, Finding};
use chassis::problem::Chain;
use chrono::TimeDelta;
use database::{Database, DatabaseError};
use gateway::alipay::AlipayGateway;

use crate::stores::Log;

/// A clock that differs by this much from the channel's is worth a look: its times are compared with ours.
const CLOCK_SKEW_WARNING: TimeDelta = TimeDelta::seconds(60);

/// The log can be written.
pub(crate) struct LogCheck(pub(crate) Log);

/// A database can be used.
pub(crate) struct DatabaseCheck(pub(crate) Database);

/// The channel's clock and ours agree.
pub(crate) struct SkewCheck(pub(crate) Arc<AlipayGateway>);

#[async_trait]
impl Check for LogCheck {
    async fn check(&self) -> Finding {
        finding(self.0.ping().await)
    }
}

#[async_trait]
impl Check for DatabaseCheck {
    async fn check(&self) -> Finding {
        finding(self.0.ping().await)
    }
}

#[async_trait]
impl Check for SkewCheck {
    async fn check(&self) -> Finding {
        match self.0.clock_skew() {
            Some(skew) if skew.abs() > CLOCK_SKEW_WARNING => {
                Finding::Warning(format!("this machine's clock is {} s from the channel's", skew.num_seconds()))
            }
            _ => Finding::Ready,
        }
    }
}

fn finding(pinged: Result<(), DatabaseError>) -> Finding {
    match pinged {
        Ok(()) => Finding::Ready,
        Err(error) => {
            tracing::warn!(error = %Chain(&error), "a store is not ready");
            Finding::Missing(error.to_string())
        }
    }
}
