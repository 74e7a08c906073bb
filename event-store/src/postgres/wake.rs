use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

use crate::appending::raise;
use crate::port::Position;
use crate::tables::LogTables;

/// The channel on which each batch is told to all processes; the text is the head.
const CHANNEL: &str = "paystream_log";

/// How often the head is read behind the notifications, which are lost whenever their connection is.
const POLL: Duration = Duration::from_secs(1);

/// Hears of appends by any process.
pub(super) struct Wake {
    appended: watch::Sender<Position>,
    closing: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Wake {
    /// Starts the listening task. It ends when [`Wake::shutdown`] is called or this is dropped.
    pub(super) fn start(tables: LogTables, pool: PgPool, appended: watch::Sender<Position>) -> Self {
        let closing = watch::Sender::new(false);
        let mut closed = closing.subscribe();
        let heard = appended.clone();
        let task = tokio::spawn(async move {
            tokio::select! {
                _ = closed.changed() => {}
                () = listen(&pool, &heard) => {}
                () = poll(&tables, &heard) => {}
            }
        });
        Self { appended, closing, task: Mutex::new(Some(task)) }
    }

    pub(super) fn appended(&self) -> watch::Receiver<Position> {
        self.appended.subscribe()
    }

    pub(super) async fn shutdown(&self) {
        self.closing.send_replace(true);
        if let Some(task) = self.task.lock().await.take()
            && let Err(error) = task.await
        {
            tracing::error!(error = %error, "the log's listener did not end in order");
        }
    }
}

/// Listens for ever; after a lost connection once more.
async fn listen(pool: &PgPool, appended: &watch::Sender<Position>) {
    loop {
        if let Err(error) = listen_once(pool, appended).await {
            tracing::debug!(error = %error, "the log's listener lost its connection; the poll goes on");
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn listen_once(pool: &PgPool, appended: &watch::Sender<Position>) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    loop {
        let notification = listener.recv().await?;
        if let Some(position) = notification.payload().parse().ok().and_then(Position::new) {
            raise(appended, position);
        }
    }
}

async fn poll(tables: &LogTables, appended: &watch::Sender<Position>) {
    loop {
        tokio::time::sleep(POLL).await;
        match tables.head().await {
            Ok(head) => raise(appended, head),
            Err(error) => tracing::debug!(error = %error, "the log's head cannot be read; the poll goes on"),
        }
    }
}
