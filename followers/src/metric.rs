//! What a follower tells the metrics.

use std::time::Duration;

use chrono::{DateTime, Utc};
use metrics::{counter, describe_counter, describe_gauge, gauge};

use crate::Lag;

const LAG_EVENTS: &str = "paystream_follower_lag_events";
const LAG_SECONDS: &str = "paystream_follower_lag_seconds";
const FAILURES: &str = "paystream_follower_errors_total";
const APPLIED: &str = "paystream_follower_events_total";
const UNKNOWN: &str = "paystream_follower_unknown_events_total";
const PARKED: &str = "paystream_follower_parked_messages";

/// Gives the metrics their descriptions, and this follower's their first values.
pub(crate) fn describe(follower: &'static str) {
    describe_gauge!(LAG_EVENTS, "events that a follower has not taken yet");
    describe_gauge!(LAG_SECONDS, "age of the oldest event that a follower has not taken yet");
    describe_counter!(FAILURES, "runs of a follower that failed");
    describe_counter!(APPLIED, "events that a follower has taken");
    describe_counter!(UNKNOWN, "events of unknown types that a follower has passed over");
    describe_gauge!(PARKED, "messages that a consumer could not take, those that wait behind them, and skipped ones");
    counter!(FAILURES, "follower" => follower).increment(0);
    counter!(UNKNOWN, "follower" => follower).increment(0);
}

pub(crate) fn count_applied(follower: &'static str, events: usize) {
    counter!(APPLIED, "follower" => follower).increment(u64::try_from(events).unwrap_or(u64::MAX));
}

pub(crate) fn count_unknown(follower: &'static str, events: u64) {
    counter!(UNKNOWN, "follower" => follower).increment(events);
}

pub(crate) fn show_parked(follower: &'static str, messages: u64) {
    gauge!(PARKED, "follower" => follower).set(u32::try_from(messages).unwrap_or(u32::MAX));
}

pub(crate) fn count_failure(follower: &'static str) {
    counter!(FAILURES, "follower" => follower).increment(1);
}

pub(crate) fn show_lag(follower: &'static str, lag: Lag, now: DateTime<Utc>) {
    let events = u32::try_from(lag.events).unwrap_or(u32::MAX);
    let age = lag.since.and_then(|since| (now - since).to_std().ok()).unwrap_or(Duration::ZERO);
    gauge!(LAG_EVENTS, "follower" => follower).set(events);
    gauge!(LAG_SECONDS, "follower" => follower).set(age);
}
