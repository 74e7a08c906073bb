//! The server that runs with the same configuration, as subcommands find it.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use chassis::clock::{Clock, SystemClock};
use chassis::health::time_of;
use chrono::TimeDelta;

use crate::settings::Settings;

/// How long a server may take to say that it is there. It runs on this machine.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// Servers tell their time in whole seconds: what differs by less was not moved.
const ROUNDING: TimeDelta = TimeDelta::seconds(5);

/// The time of the server that listens where this configuration says, else this machine's. What a subcommand makes is good
/// for a server whose clock tests have moved. Beside a live channel nothing moves the clock, and nobody is asked.
pub(crate) async fn clock(settings: &Settings) -> Arc<SystemClock> {
    let clock = Arc::new(SystemClock::default());
    if !settings.is_live() {
        follow(&clock, &format!("http://{}", reachable(settings.listen))).await;
    }
    clock
}

/// Sets `clock` to the time of the server at `url`, if one answers.
pub(crate) async fn follow(clock: &SystemClock, url: &str) {
    let Ok(client) = reqwest::Client::builder().timeout(ANSWER_LIMIT).no_proxy().build() else { return };
    let Ok(answer) = client.get(format!("{url}/healthz")).send().await else { return };
    let Some(theirs) = time_of(answer.headers()) else { return };
    let ahead = theirs - clock.now();
    if ahead.abs() > ROUNDING {
        clock.advance(ahead.num_milliseconds());
    }
}

/// An address to ask at, for one that may stand for all of the machine's.
pub(crate) fn reachable(listen: SocketAddr) -> SocketAddr {
    match listen {
        SocketAddr::V4(any) if any.ip().is_unspecified() => (Ipv4Addr::LOCALHOST, any.port()).into(),
        SocketAddr::V6(any) if any.ip().is_unspecified() => (Ipv6Addr::LOCALHOST, any.port()).into(),
        one => one,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_stands_for_all_is_asked_at_this_machine() {
        for (listen, asked) in [("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "[::1]:80"), ("10.0.0.1:80", "10.0.0.1:80")] {
            assert_eq!(reachable(listen.parse().unwrap()), asked.parse().unwrap());
        }
    }

    #[tokio::test]
    async fn without_a_server_the_machines_time_is_taken() {
        let clock = SystemClock::default();
        // Nothing listens on the port that belongs to no service.
        follow(&clock, "http://127.0.0.1:0").await;
        assert_eq!(clock.offset_ms(), 0);
    }
}
