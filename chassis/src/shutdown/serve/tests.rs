use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Bytes;
use axum::extract::Extension;
use axum::routing::{get, post};
use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::leftover::DISCARD_LIMIT;
use super::*;

/// How long a test waits for what must come; never reached where all is well.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the handlers of the served router share with the test.
struct Handlers {
    arrived: Notify,
    go_on: Notify,
    was_cut: AtomicBool,
    /// One for each body that is being read.
    reading: Semaphore,
}

impl Handlers {
    fn new() -> Self {
        Self { arrived: Notify::new(), go_on: Notify::new(), was_cut: AtomicBool::new(false), reading: Semaphore::new(0) }
    }
}

struct Server {
    address: SocketAddr,
    shutdown: Shutdown,
    handlers: Arc<Handlers>,
    served: JoinHandle<usize>,
}

/// Notes if it is dropped before its request has finished, as whatever a cut request held is.
struct Held {
    handlers: Arc<Handlers>,
    has_finished: bool,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.handlers.was_cut.store(!self.has_finished, Ordering::Relaxed);
    }
}

async fn slow(handlers: Arc<Handlers>) -> &'static str {
    let mut held = Held { handlers: Arc::clone(&handlers), has_finished: false };
    handlers.arrived.notify_one();
    handlers.go_on.notified().await;
    held.has_finished = true;
    "finished"
}

async fn read(handlers: Arc<Handlers>, body: Body) -> &'static str {
    handlers.reading.add_permits(1);
    axum::body::to_bytes(body, 1_000).await.unwrap();
    slow(handlers).await
}

fn events() -> Response {
    let one_and_no_more =
        futures_util::stream::iter([Ok::<_, Infallible>(Bytes::from("data: 1\n\n"))]).chain(futures_util::stream::pending());
    Response::builder().header(CONTENT_TYPE, "text/event-stream").body(Body::from_stream(one_and_no_more)).unwrap()
}

async fn start(drain_limit: Duration) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (shutdown, handlers) = (Shutdown::new(), Arc::new(Handlers::new()));
    let (for_slow, for_read) = (Arc::clone(&handlers), Arc::clone(&handlers));
    let router = Router::new()
        .route("/peer", get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.ip().to_string() }))
        .route("/word", get(|Extension(word): Extension<Shutdown>| async move { word.is_triggered().to_string() }))
        .route("/events", get(|| async { events() }))
        .route("/refuse", post(|| async { StatusCode::PAYLOAD_TOO_LARGE }))
        .route("/read", post(move |body: Body| read(for_read, body)))
        .route("/slow", get(move || slow(for_slow)));
    let served = tokio::spawn(serve(listener, router, shutdown.clone(), drain_limit));
    Server { address, shutdown, handlers, served }
}

impl Server {
    async fn send(&self, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    async fn get(&self, path: &str) -> TcpStream {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await
    }
}

/// Everything that comes until the connection ends.
async fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the connection ends");
    // A connection that was cut may be reset; what came before it counts.
    drop(read);
    String::from_utf8(bytes).unwrap()
}

async fn read_until(stream: &mut TcpStream, end: &str) {
    let mut bytes = Vec::new();
    while !String::from_utf8_lossy(&bytes).contains(end) {
        let byte = tokio::time::timeout(PATIENCE, stream.read_u8()).await.expect("the text comes").unwrap();
        bytes.push(byte);
    }
}

#[tokio::test]
async fn a_request_knows_its_peer_and_the_word() {
    let server = start(PATIENCE).await;
    let answer = rest(server.send("GET /peer HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("127.0.0.1"), "{answer}");
    let answer = rest(server.send("GET /word HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await).await;
    assert!(answer.ends_with("false"), "{answer}");
}

#[tokio::test]
async fn after_the_word_a_running_request_is_finished_and_no_other_is_taken() {
    let server = start(PATIENCE).await;
    let running = server.get("/slow").await;
    server.handlers.arrived.notified().await;
    server.shutdown.trigger();
    let refused = async {
        while TcpStream::connect(server.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, refused).await.expect("the port is closed");
    server.handlers.go_on.notify_one();
    assert!(rest(running).await.ends_with("finished"));
    assert_eq!(server.served.await.unwrap(), 0);
    assert!(!server.handlers.was_cut.load(Ordering::Relaxed));
}

#[tokio::test]
async fn whoever_was_connected_before_the_word_is_answered() {
    let server = start(PATIENCE).await;
    // The server shares this thread, so that it accepts none of them before the word.
    let waiting: Vec<_> = (0..20)
        .map(|_| {
            let mut stream = std::net::TcpStream::connect(server.address).unwrap();
            io::Write::write_all(&mut stream, b"GET /peer HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
            stream.set_nonblocking(true).unwrap();
            TcpStream::from_std(stream).unwrap()
        })
        .collect();
    server.shutdown.trigger();
    for stream in waiting {
        let answer = rest(stream).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("127.0.0.1"), "{answer}");
    }
    assert_eq!(server.served.await.unwrap(), 0);
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_the_end() {
    let server = start(PATIENCE).await;
    let mut used = server.get("/peer").await;
    read_until(&mut used, "127.0.0.1").await;
    let fresh = TcpStream::connect(server.address).await.unwrap();
    server.shutdown.trigger();
    assert_eq!(tokio::time::timeout(PATIENCE / 2, server.served).await.expect("the server ends").unwrap(), 0);
    assert_eq!((rest(used).await, rest(fresh).await), (String::new(), String::new()));
}

#[tokio::test]
async fn a_half_sent_request_is_not_waited_for() {
    let server = start(PATIENCE).await;
    let head = server.send("POST /read HTTP/1.1\r\nhost").await;
    let body = server.send("POST /read HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf").await;
    let mut second = server.get("/peer").await;
    read_until(&mut second, "127.0.0.1").await;
    second.write_all(b"POST /read HTTP/1.1\r\nho").await.unwrap();
    let mut begun = server.get("/peer").await;
    read_until(&mut begun, "127.0.0.1").await;
    begun.write_all(b"POST /read HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf").await.unwrap();
    server.handlers.reading.acquire_many(2).await.unwrap().forget();
    server.shutdown.trigger();
    assert_eq!(tokio::time::timeout(PATIENCE / 2, server.served).await.expect("the server ends").unwrap(), 0);
    for stream in [head, body, second, begun] {
        assert_eq!(rest(stream).await, "");
    }
}

#[tokio::test]
async fn the_rest_of_a_request_that_comes_at_once_is_waited_for() {
    let server = start(PATIENCE).await;
    let mut sending = server.send("POST /read HTTP/1.1\r\nhost: x\r\ncontent-length: 8\r\n\r\nhalf").await;
    server.handlers.reading.acquire().await.unwrap().forget();
    server.shutdown.trigger();
    sending.write_all(b"half").await.unwrap();
    server.handlers.arrived.notified().await;
    server.handlers.go_on.notify_one();
    assert!(rest(sending).await.ends_with("finished"));
    assert_eq!(server.served.await.unwrap(), 0);
}

#[tokio::test]
async fn the_word_ends_a_stream_of_events_properly() {
    let server = start(PATIENCE).await;
    let mut watching = server.get("/events").await;
    read_until(&mut watching, "data: 1").await;
    server.shutdown.trigger();
    let end = rest(watching).await;
    assert!(end.ends_with("0\r\n\r\n"), "{end:?}");
    assert_eq!(server.served.await.unwrap(), 0);
}

#[tokio::test]
async fn what_does_not_end_in_time_is_cut() {
    let server = start(Duration::from_millis(50)).await;
    let running = server.get("/slow").await;
    server.handlers.arrived.notified().await;
    server.shutdown.trigger();
    assert_eq!(tokio::time::timeout(PATIENCE, server.served).await.expect("the server ends").unwrap(), 1);
    assert!(server.handlers.was_cut.load(Ordering::Relaxed));
    assert_eq!(rest(running).await, "");
}

#[tokio::test]
async fn a_head_without_measure_is_refused() {
    let server = start(PATIENCE).await;
    let large = format!("GET /peer HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(4 * HEAD_LIMIT));
    let many = format!("GET /peer HTTP/1.1\r\nhost: x\r\n{}\r\n", "x: y\r\n".repeat(HEADER_COUNT_LIMIT));
    for head in [large, many] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        // The server may stop reading before all is written.
        drop(stream.write_all(head.as_bytes()).await);
        let answer = rest(stream).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
    let answer = rest(server.send("nonsense\r\n\r\n").await).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

#[tokio::test]
async fn who_sends_a_large_body_in_vain_gets_the_answer_all_the_same() {
    let server = start(PATIENCE).await;
    let size = 10 * 1024 * 1024;
    let mut sending = server.send(&format!("POST /refuse HTTP/1.1\r\nhost: x\r\ncontent-length: {size}\r\n\r\n")).await;
    sending.write_all(&vec![b' '; size]).await.unwrap();
    read_until(&mut sending, "HTTP/1.1 413").await;
    // The connection is as good as before.
    sending.write_all(b"GET /peer HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    assert!(rest(sending).await.ends_with("127.0.0.1"));
}

#[tokio::test]
async fn a_body_without_measure_is_not_read_to_its_end() {
    let server = start(PATIENCE).await;
    let mut sending = server.send("POST /refuse HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n").await;
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    let sent = async {
        let mut sent = 0;
        while sending.write_all(chunk.as_bytes()).await.is_ok() {
            sent += 0x10000;
        }
        sent
    };
    let sent = tokio::time::timeout(PATIENCE, sent).await.expect("the server closes the connection");
    assert!(sent >= DISCARD_LIMIT, "{sent}");
}

#[tokio::test]
async fn who_waits_to_be_told_to_send_is_refused_before_sending() {
    let server = start(PATIENCE).await;
    let head = "POST /refuse HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 1000\r\n\r\n";
    let answer = rest(server.send(head).await).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}
