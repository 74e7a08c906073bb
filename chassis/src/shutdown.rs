//! Ending a process: stop taking work, let what runs finish, cut what does not.

use std::convert::Infallible;
use std::io;

use axum::extract::FromRequestParts;
use http::request::Parts;
use tokio::sync::watch;

mod serve;

pub use serve::{DRAIN_LIMIT, serve};

/// The word that the process is to end. Clones share it; once given it stays given.
///
/// As an extractor: the word of the server that took the request.
#[derive(Clone, Debug)]
pub struct Shutdown {
    word: watch::Sender<bool>,
}

impl Shutdown {
    /// A word not yet given.
    pub fn new() -> Self {
        Self { word: watch::Sender::new(false) }
    }

    /// Gives the word.
    pub fn trigger(&self) {
        self.word.send_replace(true);
    }

    /// True once the word was given.
    pub fn is_triggered(&self) -> bool {
        *self.word.borrow()
    }

    /// Ends when the word is given, at once if it was.
    pub async fn triggered(&self) {
        let mut word = self.word.subscribe();
        // The sender cannot be gone: this is one.
        if word.wait_for(|given| *given).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Gives the word when the process gets SIGINT (Ctrl-C) or SIGTERM. Errors: the signals cannot be listened to.
    #[cfg(unix)]
    pub fn trigger_on_signals(&self) -> io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let shutdown = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            // The word first: whatever becomes of the line, the process ends.
            shutdown.trigger();
            tracing::info!("asked to stop, draining");
        });
        Ok(())
    }

    /// Gives the word when the process gets Ctrl-C.
    #[cfg(not(unix))]
    pub fn trigger_on_signals(&self) -> io::Result<()> {
        let shutdown = self.clone();
        tokio::spawn(async move {
            if let Err(error) = tokio::signal::ctrl_c().await {
                tracing::error!(error = %crate::problem::Chain(&error), "Ctrl-C cannot be listened to");
                return;
            }
            // The word first: whatever becomes of the line, the process ends.
            shutdown.trigger();
            tracing::info!("asked to stop, draining");
        });
        Ok(())
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Shutdown {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn the_word_reaches_every_clone_and_stays_given() {
        let shutdown = Shutdown::new();
        let clone = shutdown.clone();
        assert!(!clone.is_triggered());
        assert!(clone.triggered().now_or_never().is_none());
        let waiting = tokio::spawn(async move { clone.triggered().await });
        shutdown.trigger();
        waiting.await.unwrap();
        assert!(shutdown.is_triggered());
        shutdown.triggered().await;
    }

    #[tokio::test]
    async fn outside_of_a_server_a_request_never_hears_the_word() {
        let mut parts = http::Request::new(()).into_parts().0;
        let Ok(shutdown) = Shutdown::from_request_parts(&mut parts, &()).await;
        assert!(!shutdown.is_triggered());
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn the_signals_to_stop_give_the_word() {
        for signal in ["-INT", "-TERM"] {
            let shutdown = Shutdown::new();
            shutdown.trigger_on_signals().unwrap();
            let own_id = std::process::id().to_string();
            assert!(std::process::Command::new("kill").args([signal, &own_id]).status().unwrap().success());
            tokio::time::timeout(std::time::Duration::from_secs(10), shutdown.triggered()).await.expect(signal);
        }
    }
}
