//! Whether the process is alive, and whether it may take traffic.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use http::header::DATE;
use http::{HeaderMap, StatusCode};
use serde::Serialize;

use crate::clock::Clock;
use crate::extract::Json;

/// How long one check may take.
pub const CHECK_TIME_LIMIT: Duration = Duration::from_secs(2);

/// How long an answer is given again without asking anew.
pub const ANSWER_LIFE: TimeDelta = TimeDelta::milliseconds(900);

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// All is well.
    Ready,
    /// Traffic may come, but somebody should look. The text is public.
    Warning(String),
    /// No traffic please. The text is public: what is missing, not how it is reached.
    Missing(String),
}

/// One thing that the process needs before it may take traffic.
#[async_trait]
pub trait Check: Send + Sync {
    /// Looks now. Given up after [`CHECK_TIME_LIMIT`], which counts as missing.
    async fn check(&self) -> Finding;
}

/// The checks of a process by name, and their last answer.
pub struct Readiness {
    checks: Vec<(String, Arc<dyn Check>)>,
    clock: Arc<dyn Clock>,
    last: Mutex<Option<(DateTime<Utc>, Report)>>,
    is_looking: AtomicBool,
}

/// What `/readyz` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// `ready` or `not_ready`.
    pub status: &'static str,
    /// What is missing; empty if and only if the process is ready.
    pub missing: Vec<Reason>,
    /// What should be looked at.
    pub warnings: Vec<Reason>,
}

/// One check's complaint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// The check's name.
    pub name: String,
    /// What it says.
    pub reason: String,
}

impl Report {
    fn new(missing: Vec<Reason>, warnings: Vec<Reason>) -> Self {
        Self { status: if missing.is_empty() { "ready" } else { "not_ready" }, missing, warnings }
    }

    /// True if the process may take traffic.
    pub fn is_ready(&self) -> bool {
        self.missing.is_empty()
    }
}

impl Readiness {
    /// No checks yet; `clock` tells how old an answer is.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { checks: Vec::new(), clock, last: Mutex::new(None), is_looking: AtomicBool::new(false) }
    }

    /// Adds a check under a name that operators will read.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, check: Arc<dyn Check>) -> Self {
        self.checks.push((name.into(), check));
        self
    }

    /// The answer now: at most [`ANSWER_LIFE`] old, or the last one while another request is looking.
    pub async fn report(&self) -> Report {
        let now = self.clock.now();
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((at, report)) = &last
            && (TimeDelta::zero()..ANSWER_LIFE).contains(&(now - *at))
        {
            return report.clone();
        }
        // Only one request looks at a time: a check that hangs must not gather a crowd.
        if self.is_looking.swap(true, Ordering::AcqRel) {
            return last.map_or_else(not_looked_yet, |(_, report)| report);
        }
        let looking = Looking(&self.is_looking);
        let report = self.look().await;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, report.clone()));
        drop(looking);
        report
    }

    async fn look(&self) -> Report {
        let findings = join_all(self.checks.iter().map(|(name, check)| async move {
            let finding = tokio::time::timeout(CHECK_TIME_LIMIT, check.check()).await;
            (name, finding.unwrap_or_else(|_| Finding::Missing("no answer in time".to_owned())))
        }));
        let (mut missing, mut warnings) = (Vec::new(), Vec::new());
        for (name, finding) in findings.await {
            match finding {
                Finding::Ready => {}
                Finding::Warning(reason) => warnings.push(Reason { name: name.clone(), reason }),
                Finding::Missing(reason) => missing.push(Reason { name: name.clone(), reason }),
            }
        }
        Report::new(missing, warnings)
    }
}

fn not_looked_yet() -> Report {
    Report::new(vec![Reason { name: "readiness".to_owned(), reason: "the first look is still going on".to_owned() }], Vec::new())
}

/// Ends the looking also if the request that looks goes away.
struct Looking<'a>(&'a AtomicBool);

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// `GET /healthz` (200 while the process runs) and `GET /readyz` (200, or 503 naming what is missing).
///
/// The `Date` of `/healthz` is the process's own time, which tests move; see [`time_of`].
pub fn routes(readiness: Arc<Readiness>) -> Router {
    let clock = Arc::clone(&readiness.clock);
    let healthz = move || async move { ([(DATE, date(clock.now()))], Json(serde_json::json!({ "status": "alive" }))) };
    let readyz = move || async move { ready(&readiness).await };
    Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz))
}

/// A time as HTTP's `Date` holds it, in whole seconds.
fn date(at: DateTime<Utc>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// The time of the process that gave this answer of `/healthz`, in whole seconds. `None` if it tells none.
pub fn time_of(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    let text = headers.get(DATE)?.to_str().ok()?;
    DateTime::parse_from_rfc2822(text).ok().map(|at| at.to_utc())
}

async fn ready(readiness: &Readiness) -> Response {
    let report = readiness.report().await;
    let status = if report.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(report)).into_response()
}

#[cfg(test)]
mod tests;
