//! `/sandbox/clock`: the one clock of sandbox and Paystream, moved ahead by tests.

use std::sync::Arc;

use axum::extract::State;
use chassis::extract::Json;
use chassis::problem::{Problem, field};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::problem;
use crate::Sandbox;

/// The farthest that one call may move the clock: a year and a day.
const LONGEST_ADVANCE_MS: i64 = 366 * 24 * 3600 * 1000;
/// The farthest that the clock may run ahead of the machine's at all: a hundred years.
const LONGEST_OFFSET_MS: i64 = 100 * LONGEST_ADVANCE_MS;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Advance {
    advance_ms: i64,
}

#[derive(Debug, Serialize)]
pub(super) struct Shown {
    offset_ms: i64,
    now: DateTime<Utc>,
}

fn shown(sandbox: &Sandbox) -> Json<Shown> {
    Json(Shown { offset_ms: sandbox.clock_offset_ms(), now: sandbox.now() })
}

/// Shows the time, and how far it is ahead of the machine's.
pub(super) async fn show(State(sandbox): State<Arc<Sandbox>>) -> Json<Shown> {
    shown(&sandbox)
}

/// Moves the clock ahead; it never goes back.
pub(super) async fn advance(
    State(sandbox): State<Arc<Sandbox>>,
    Json(Advance { advance_ms }): Json<Advance>,
) -> Result<Json<Shown>, Problem> {
    let out_of_range = || Problem::invalid("advance_ms", field::OUT_OF_RANGE, "must be from 0 to 31622400000 milliseconds, a year in all");
    if !(0..=LONGEST_ADVANCE_MS).contains(&advance_ms) {
        return Err(out_of_range());
    }
    let moved = sandbox.advance_clock(advance_ms, LONGEST_OFFSET_MS).await.map_err(|error| problem(&error))?;
    if moved { Ok(shown(&sandbox)) } else { Err(out_of_range()) }
}
