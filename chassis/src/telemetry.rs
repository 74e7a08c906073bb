//! What a process tells of itself: logs, and metrics for Prometheus.

mod http;
mod log;
mod metrics;

pub use self::http::{REQUEST_SECONDS, REQUESTS, observe, tell_order, tell_pay_no};
pub use self::log::{LogFormat, TelemetryError, check_filter, init_logs};
pub use self::metrics::{metrics_handle, metrics_routes, metrics_upkeep};
