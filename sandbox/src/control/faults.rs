//! `/sandbox/faults`: the next calls of one kind fail.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use chassis::extract::Json;
use chassis::problem::{Problem, field};
use serde::{Deserialize, Serialize};

use super::problem;
use crate::Sandbox;
use crate::fault::{Fault, Operation};
use crate::trade::Wallet;

/// The most calls that one fault may hit.
const MOST_CALLS: u32 = 10_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    operation: String,
    channel: Option<String>,
    fault: String,
    count: u32,
}

#[derive(Debug, Serialize)]
pub(super) struct Added {
    operation: &'static str,
    channel: Option<&'static str>,
    fault: &'static str,
    count: u32,
}

/// Adds a fault for the next `count` calls; earlier ones of the same operation come first. Without a channel it hits any.
pub(super) async fn add(State(sandbox): State<Arc<Sandbox>>, Json(asked): Json<Asked>) -> Result<(StatusCode, Json<Added>), Problem> {
    let unknown = |field: &str, message: &str| Problem::invalid(field, field::UNKNOWN_VALUE, message);
    let operation = Operation::parse(&asked.operation)
        .ok_or_else(|| unknown("operation", "must be precreate, query, close, refund, query_refund or download_statement"))?;
    let fault = Fault::parse(&asked.fault).ok_or_else(|| unknown("fault", "must be refuse, timeout_before or timeout_after; for wechat also system_error, rate_limited, sign_test, and for its refunds slow, closed, abnormal, notice_late"))?;
    let wallet = match &asked.channel {
        None => None,
        Some(word) => Some(Wallet::parse(word).ok_or_else(|| unknown("channel", "must be alipay, wechat or one of their channels"))?),
    };
    if !fault.fits(wallet, operation) {
        return Err(unknown("fault", "is known for wechat only, or only for its refunds"));
    }
    if !(1..=MOST_CALLS).contains(&asked.count) {
        return Err(Problem::invalid("count", field::OUT_OF_RANGE, "must be from 1 to 10000"));
    }
    sandbox.add_fault(wallet, operation, fault, asked.count).await.map_err(|error| problem(&error))?;
    let added = Added { operation: operation.as_str(), channel: wallet.map(Wallet::as_str), fault: fault.as_str(), count: asked.count };
    Ok((StatusCode::CREATED, Json(added)))
}
