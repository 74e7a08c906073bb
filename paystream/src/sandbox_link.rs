//! A sandbox in another process: its credentials at the start, and its clock from then on.

use std::sync::Arc;
use std::time::Duration;

use chassis::clock::SystemClock;
use chassis::shutdown::Shutdown;
use sandbox::Credentials;
use serde::Deserialize;

use crate::chosen::Trouble;

const CALL_TIME_LIMIT: Duration = Duration::from_secs(2);
/// How soon a move of the sandbox's clock is known here.
const CLOCK_INTERVAL: Duration = Duration::from_millis(200);
/// How long the sandbox's process is waited for at the start.
const START_TRIES: u32 = 50;

#[derive(Deserialize)]
struct ClockAnswer {
    offset_ms: i64,
}

/// A sandbox in another process.
#[derive(Clone)]
pub(crate) struct SandboxLink {
    client: reqwest::Client,
    url: String,
}

impl SandboxLink {
    /// The sandbox at `url`.
    pub(crate) fn new(url: &str) -> Result<Self, Trouble> {
        let client = reqwest::Client::builder().timeout(CALL_TIME_LIMIT).build();
        let client = client.map_err(|source| Trouble::SandboxLink { url: url.to_owned(), source })?;
        Ok(Self { client, url: url.to_owned() })
    }

    /// What a merchant of it holds. Waits a while for its process to come up.
    pub(crate) async fn credentials(&self) -> Result<Credentials, Trouble> {
        let mut tries = 0;
        loop {
            match self.get("credentials").await {
                Ok(credentials) => return Ok(credentials),
                Err(_) if tries < START_TRIES => tries += 1,
                Err(source) => return Err(Trouble::SandboxLink { url: self.url.clone(), source }),
            }
            tokio::time::sleep(CLOCK_INTERVAL).await;
        }
    }

    /// Whether it answers now.
    pub(crate) async fn answers(&self) -> Result<(), Trouble> {
        let answered: Result<ClockAnswer, _> = self.get("clock").await;
        answered.map(drop).map_err(|source| Trouble::SandboxLink { url: self.url.clone(), source })
    }

    /// Sets `clock` to run as far ahead as the sandbox's does.
    pub(crate) async fn follow_clock_once(&self, clock: &SystemClock) -> Result<(), reqwest::Error> {
        let answer: ClockAnswer = self.get("clock").await?;
        clock.set_offset_ms(answer.offset_ms);
        Ok(())
    }

    /// Follows the sandbox's clock until `shutdown`.
    pub(crate) async fn follow_clock(self, clock: Arc<SystemClock>, shutdown: Shutdown) {
        let mut answered = true;
        loop {
            tokio::select! {
                () = shutdown.triggered() => return,
                () = tokio::time::sleep(CLOCK_INTERVAL) => {}
            }
            let outcome = self.follow_clock_once(&clock).await;
            if let Err(error) = &outcome
                && answered
            {
                tracing::warn!(error = error as &dyn std::error::Error, "the sandbox does not tell its time");
            }
            answered = outcome.is_ok();
        }
    }

    async fn get<T: for<'de> Deserialize<'de>>(&self, what: &str) -> Result<T, reqwest::Error> {
        self.client.get(format!("{}/sandbox/{what}", self.url)).send().await?.error_for_status()?.json().await
    }
}
