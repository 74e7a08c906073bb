use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

use super::Server;
use crate::appending::raise;

/// How often other processes' appends are looked for.
///
/// The client's subscriptions would tell of them sooner, but one that the server ends in order makes the client turn in circles
/// without ever waiting, which takes a thread from the whole process and cannot be ended.
const POLL: Duration = Duration::from_millis(100);

/// The same while the log cannot be read.
const POLL_IN_TROUBLE: Duration = Duration::from_secs(1);

/// Hears of appends by any process. Those of this one are told at once by whoever did them.
pub(super) struct Wake {
    closing: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Wake {
    /// Starts the polling task. It ends when [`Wake::shutdown`] is called or this is dropped.
    pub(super) fn start(server: Arc<Server>) -> Self {
        let closing = watch::Sender::new(false);
        let mut closed = closing.subscribe();
        let task = tokio::spawn(async move {
            tokio::select! {
                _ = closed.changed() => {}
                () = poll(&server) => {}
            }
        });
        Self { closing, task: Mutex::new(Some(task)) }
    }

    pub(super) async fn shutdown(&self) {
        self.closing.send_replace(true);
        if let Some(task) = self.task.lock().await.take()
            && let Err(error) = task.await
        {
            tracing::error!(error = %error, "the log's poll did not end in order");
        }
    }
}

async fn poll(server: &Server) {
    let mut pause = POLL;
    loop {
        tokio::time::sleep(pause).await;
        match server.last_event().await {
            Ok(last) => {
                raise(&server.appended, last.map(|event| event.position).unwrap_or_default());
                pause = POLL;
            }
            Err(error) => {
                tracing::debug!(error = %error, "the log's head cannot be read; the poll goes on");
                pause = POLL_IN_TROUBLE;
            }
        }
    }
}
