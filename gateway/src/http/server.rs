//! A server for tests that answers every request with the same bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

pub(crate) struct Server {
    /// Its address, with nothing behind the port.
    pub(crate) origin: String,
    connections: Arc<AtomicUsize>,
    pub(crate) requests: UnboundedReceiver<String>,
}

impl Server {
    /// How many connections were made to it so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

/// A server that answers with `answer`; with nothing ever, if that is empty.
pub(crate) async fn serving(answer: Vec<u8>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let (sender, requests) = unbounded_channel();
    let count = connections.clone();
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(serve(stream, answer.clone(), sender.clone()));
        }
    });
    Server { origin, connections, requests }
}

/// An address at which nobody listens.
pub(crate) async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

async fn serve(mut stream: TcpStream, answer: Arc<Vec<u8>>, sender: UnboundedSender<String>) {
    while let Some(request) = next_request(&mut stream).await {
        // The test may have seen enough.
        let _ = sender.send(request);
        if answer.is_empty() {
            std::future::pending::<()>().await;
        }
        if stream.write_all(&answer).await.is_err() || !answer.starts_with(b"HTTP/1.1 200 OK\r\nContent-Length") {
            return;
        }
    }
}

/// The next request, whole; `None` once the other side is done.
pub(crate) async fn next_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let length = stream.read(&mut chunk).await.ok()?;
        bytes.extend_from_slice(chunk.get(..length).filter(|chunk| !chunk.is_empty())?);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok()).unwrap_or(0);
            if body.len() >= length {
                return Some(text);
            }
        }
    }
}

/// An answer of the status 200 with these headers, each with its line's end.
pub(crate) fn ok_with(headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len()).into_bytes()
}

pub(crate) fn ok(body: &str) -> Vec<u8> {
    ok_with("Date: Thu, 05 Mar 2026 06:08:09 GMT\r\n", body)
}
