//! Serving HTTP within limits until told to end.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::Response;
use futures_util::StreamExt;
use http::header::{CONTENT_TYPE, EXPECT};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tower::ServiceExt;

use super::Shutdown;
use crate::problem::Chain;

mod leftover;
mod progress;

use leftover::Leftover;
use progress::{Noted, Progress};

/// How long what runs may go on after the word, unless told otherwise. A stop takes at most 5 s, and the rest of it needs
/// some time too.
pub const DRAIN_LIMIT: Duration = Duration::from_secs(4);

/// How long the rest of a half-sent request is waited for after the word.
const HALF_REQUEST_LIMIT: Duration = Duration::from_millis(500);

/// How many connections are served at once; further ones wait to be accepted.
const CONNECTION_LIMIT: usize = 8192;

/// How long a client may take to send a request's head, and how long an idle connection is kept.
const HEAD_TIME_LIMIT: Duration = Duration::from_secs(30);

/// The largest head of a request, in bytes.
const HEAD_LIMIT: usize = 32 * 1024;

/// The most headers of a request.
const HEADER_COUNT_LIMIT: usize = 100;

/// How long to wait before accepting again after the system refused, for instance for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Serves `router` on `listener` until `shutdown`, then takes no more connections than those that wait already, ends streams of
/// server-sent events, lets running requests finish for at most `drain_limit` and cuts the rest. Answers how many connections were cut, without
/// those that never sent a whole request: they lose nothing, and are hardly waited for.
///
/// Requests carry `ConnectInfo<SocketAddr>` (the peer's address) and [`Shutdown`] as extensions.
pub async fn serve(listener: TcpListener, router: Router, shutdown: Shutdown, drain_limit: Duration) -> usize {
    let limit = Arc::new(Semaphore::new(CONNECTION_LIMIT));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        tokio::select! {
            () = shutdown.triggered() => break,
            accepted = accept(&listener, &limit) => match accepted {
                Ok((stream, peer, permit)) => {
                    connections.spawn(serve_connection(stream, peer, router.clone(), shutdown.clone(), permit));
                }
                // That one client went away before it was served.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    tracing::warn!(error = %Chain(&error), "no connection could be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    for (stream, peer) in waiting(listener) {
        // Beyond the limit they were not to be served now, and later there is nobody.
        let Ok(permit) = Arc::clone(&limit).try_acquire_owned() else { break };
        connections.spawn(serve_connection(stream, peer, router.clone(), shutdown.clone(), permit));
    }
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(drain_limit, drained).await.is_ok() {
        return 0;
    }
    let cut = connections.len();
    tracing::warn!(connections.cut = cut, "some requests did not end in time");
    connections.shutdown().await;
    cut
}

async fn accept(listener: &TcpListener, limit: &Arc<Semaphore>) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(limit).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, permit))
}

/// Closes the listener and answers the connections that waited to be accepted. The system has told their clients that they
/// are connected: closed with the listener, a request that is on its way would be lost instead of refused.
fn waiting(listener: TcpListener) -> Vec<(TcpStream, SocketAddr)> {
    let mut waiting = Vec::new();
    let listener = match listener.into_std() {
        Ok(listener) => listener,
        Err(error) => {
            tracing::warn!(error = %Chain(&error), "connections that waited were not served");
            return waiting;
        }
    };
    // It does not block: after the last one it answers that there is none.
    while let Ok((stream, peer)) = listener.accept() {
        let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
        waiting.extend(stream.ok().map(|stream| (stream, peer)));
    }
    waiting
}

async fn serve_connection(stream: TcpStream, peer: SocketAddr, router: Router, shutdown: Shutdown, _permit: OwnedSemaphorePermit) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(error = %Chain(&error), "a connection stays slow");
    }
    let (word, progress) = (shutdown.clone(), Progress::default());
    let noting = progress.clone();
    let service = service_fn(move |request: http::Request<Incoming>| {
        let (router, shutdown, progress) = (router.clone(), shutdown.clone(), noting.clone());
        progress.come();
        async move {
            // Who waits to be told to go on has not sent the body that a refusal would leave.
            let waits = request.headers().contains_key(EXPECT);
            let mut request = request.map(|body| {
                if waits {
                    Body::new(Noted::new(body, progress.clone()))
                } else {
                    Body::new(Noted::new(Leftover::new(body), progress.clone()))
                }
            });
            request.extensions_mut().insert(ConnectInfo(peer));
            request.extensions_mut().insert(shutdown.clone());
            let Ok(response) = router.oneshot(request).await;
            progress.whole();
            Ok::<_, Infallible>(end_events_with(response, shutdown))
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_LIMIT)
        .max_header_size(HEAD_LIMIT)
        .max_buf_size(2 * HEAD_LIMIT)
        .max_headers(HEADER_COUNT_LIMIT);
    let mut connection = std::pin::pin!(http.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = word.triggered() => {
            // Told to end before it has read anything, a connection closes at once, and the request that is on its way is
            // lost. So a first request is waited for, as long as for the rest of one.
            let first = tokio::time::timeout(HALF_REQUEST_LIMIT, async {
                tokio::select! {
                    ended = connection.as_mut() => Some(ended),
                    () = progress.first_request() => None,
                }
            });
            match first.await {
                Err(_) => return,
                Ok(Some(ended)) => ended,
                Ok(None) => {
                    connection.as_mut().graceful_shutdown();
                    tokio::select! {
                        ended = connection.as_mut() => ended,
                        () = without_request(&progress) => return,
                    }
                }
            }
        }
    };
    if let Err(error) = ended {
        // Clients go away and send nonsense all day; nothing of ours is wrong.
        tracing::debug!(error = %Chain(&error), "a connection ended early");
    }
}

/// Ends, after a moment for what is still on its way, where no whole request has come; else never.
async fn without_request(progress: &Progress) {
    tokio::time::sleep(HALF_REQUEST_LIMIT).await;
    if progress.is_whole() {
        std::future::pending::<()>().await;
    }
}

/// Streams of server-sent events never end by themselves: the word ends them, and clients ask another process.
fn end_events_with(response: Response, shutdown: Shutdown) -> Response {
    let is_events = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    if !is_events {
        return response;
    }
    response.map(|body| Body::from_stream(body.into_data_stream().take_until(async move { shutdown.triggered().await })))
}

#[cfg(test)]
mod tests;
