//! Metrics in the format of Prometheus.

use std::sync::OnceLock;
use std::time::Duration;

use ::http::header::CONTENT_TYPE;
use axum::Router;
use axum::routing::get;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::http::{REQUEST_SECONDS, describe};
use crate::shutdown::Shutdown;

/// Upper bounds of the histogram of durations, in seconds.
const SECONDS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// How often samples are folded while nobody reads them.
const UPKEEP: Duration = Duration::from_secs(5);

static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();

/// What the process has counted so far; the first call begins the counting.
pub fn metrics_handle() -> &'static PrometheusHandle {
    HANDLE.get_or_init(|| {
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
            .expect("the list of bounds is not empty");
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        // Somebody else's recorder stays: this one then has nothing to show, which is not worth a process.
        if ::metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!(metric = REQUEST_SECONDS, "metrics go to another recorder, /metrics stays empty");
        }
        describe();
        handle
    })
}

/// `GET /metrics`.
pub fn metrics_routes() -> Router {
    let handle = metrics_handle();
    Router::new().route("/metrics", get(move || async { ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], handle.render()) }))
}

/// Folds samples until the process ends, so that they take no memory while nobody reads `/metrics`.
pub async fn metrics_upkeep(shutdown: Shutdown) {
    let mut ticks = tokio::time::interval(UPKEEP);
    loop {
        tokio::select! {
            () = shutdown.triggered() => return,
            _ = ticks.tick() => metrics_handle().run_upkeep(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn upkeep_goes_on_until_the_process_ends() {
        let shutdown = Shutdown::new();
        let upkeep = metrics_upkeep(shutdown.clone());
        let mut upkeep = std::pin::pin!(upkeep);
        assert!(tokio::time::timeout(UPKEEP * 10, upkeep.as_mut()).await.is_err());
        shutdown.trigger();
        upkeep.await;
    }
}
