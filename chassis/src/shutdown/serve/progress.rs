//! How far a connection's request has come: only a whole one is worth waiting for.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::body::{Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use tokio::sync::watch;

/// Whether a first request of a connection has come, and whether its last one has come whole. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    has_come: Arc<watch::Sender<bool>>,
    is_whole: Arc<AtomicBool>,
}

impl Progress {
    /// The head of a request has come.
    pub(super) fn come(&self) {
        self.has_come.send_replace(true);
    }

    /// Ends when the head of a first request has come, at once if it has.
    pub(super) async fn first_request(&self) {
        // The sender cannot be gone: this is one.
        if self.has_come.subscribe().wait_for(|has_come| *has_come).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// A request has come whole, or is answered without its rest.
    pub(super) fn whole(&self) {
        self.is_whole.store(true, Ordering::Relaxed);
    }

    /// The next request has begun, and its body is still to come.
    pub(super) fn begun(&self) {
        self.is_whole.store(false, Ordering::Relaxed);
    }

    /// Whether what the client asked is known.
    pub(super) fn is_whole(&self) -> bool {
        self.is_whole.load(Ordering::Relaxed)
    }
}

/// A request's body that notes when all of it was read.
pub(super) struct Noted<B> {
    body: B,
    progress: Progress,
}

impl<B: HttpBody> Noted<B> {
    pub(super) fn new(body: B, progress: Progress) -> Self {
        if body.is_end_stream() {
            progress.whole();
        } else {
            progress.begun();
        }
        Self { body, progress }
    }
}

impl<B: HttpBody<Data = Bytes> + Unpin> HttpBody for Noted<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if matches!(polled, Poll::Ready(None)) || self.body.is_end_stream() {
            self.progress.whole();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
