mod tls;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::*;
use crate::wechat_pay::v2::WechatPayV2Settings;
use crate::wechat_pay::v2::tests::settings;

const ANSWER_LIMIT: usize = 64 * 1024;

/// A server that answers every request with the same bytes.
struct Server {
    url: String,
    connections: Arc<AtomicUsize>,
    requests: UnboundedReceiver<String>,
}

async fn serving(answer: Vec<u8>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/sandbox/wechat", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let (sender, requests) = unbounded_channel();
    let count = connections.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(serve(stream, answer.clone(), sender.clone()));
        }
    });
    Server { url, connections, requests }
}

async fn serve(mut stream: TcpStream, answer: Vec<u8>, sender: UnboundedSender<String>) {
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

async fn next_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let length = stream.read(&mut chunk).await.ok()?;
        bytes.extend_from_slice(chunk.get(..length).filter(|chunk| !chunk.is_empty())?);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let length = head.split("content-length: ").nth(1)?.lines().next()?.parse::<usize>().ok()?;
            if body.len() >= length {
                return Some(text);
            }
        }
    }
}

fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nDate: Thu, 05 Mar 2026 06:08:09 GMT\r\n\r\n{body}", body.len()).into_bytes()
}

fn transport(url: &str, timeout_ms: u64) -> HttpTransport {
    let settings = WechatPayV2Settings { base_url: url.to_owned(), timeout_ms: Some(timeout_ms), ..settings() };
    HttpTransport::new(&WechatPayV2Config::new(&settings).unwrap()).unwrap()
}

fn call(path: &'static str) -> Call {
    Call { path, body: "<xml><sign>secret</sign></xml>".to_owned(), answer_limit: ANSWER_LIMIT }
}

#[tokio::test]
async fn a_call_is_posted_behind_the_configured_address() {
    for slash in ["", "/"] {
        let mut server = serving(ok("<xml/>")).await;
        let answer = transport(&format!("{}{slash}", server.url), 5_000).send(call("/pay/orderquery")).await.unwrap();
        assert_eq!(answer, HttpAnswer { status: 200, date: Some("Thu, 05 Mar 2026 06:08:09 GMT".to_owned()), body: b"<xml/>".to_vec() });
        let sent = server.requests.recv().await.unwrap();
        assert!(sent.starts_with("POST /sandbox/wechat/pay/orderquery HTTP/1.1\r\n"), "{sent}");
        assert!(sent.contains("content-type: text/xml; charset=utf-8\r\n"), "{sent}");
        assert!(sent.ends_with("\r\n\r\n<xml><sign>secret</sign></xml>"), "{sent}");
    }
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let server = serving(ok("<xml/>")).await;
    let transport = transport(&server.url, 5_000);
    for path in ["/pay/orderquery", REFUND_PATH, BILL_PATH] {
        transport.send(call(path)).await.unwrap();
    }
    assert_eq!(server.connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let mut server =
        serving(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec()).await;
    assert_eq!(transport(&server.url, 5_000).send(call("/pay/orderquery")).await.unwrap().status, 302);
    assert!(server.requests.recv().await.is_some() && server.requests.try_recv().is_err());
}

#[tokio::test]
async fn an_answer_beyond_the_call_s_limit_is_given_up() {
    let fits = serving(ok(&"x".repeat(ANSWER_LIMIT))).await;
    assert_eq!(transport(&fits.url, 20_000).send(call("/pay/orderquery")).await.unwrap().body.len(), ANSWER_LIMIT);
    let announced = serving(ok(&"x".repeat(10 * ANSWER_LIMIT))).await;
    assert!(matches!(transport(&announced.url, 20_000).send(call("/pay/orderquery")).await, Err(TransportError::TooLarge)));
    let endless = [b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec(), vec![b'x'; 2 * ANSWER_LIMIT]].concat();
    let endless = serving(endless).await;
    assert!(matches!(transport(&endless.url, 20_000).send(call("/pay/orderquery")).await, Err(TransportError::TooLarge)));
}

#[tokio::test]
async fn no_answer_in_time_is_an_error_that_shows_no_request() {
    let silent = serving(Vec::new()).await;
    let error = transport(&silent.url, 100).send(call("/pay/orderquery")).await.unwrap_err();
    let TransportError::NoAnswer(cause) = &error else { panic!("{error:?}") };
    assert!(cause.is_timeout(), "{cause:?}");
    let shown = format!("{error} {error:?} {cause}");
    assert!(!shown.contains("secret") && !shown.contains("orderquery"), "{shown}");
}

#[tokio::test]
async fn a_broken_or_refused_connection_is_no_answer() {
    let cut = serving(b"HTTP/1.1 200 OK\r\nX: 1\r\nContent-Length: 100\r\n\r\n<xml>".to_vec()).await;
    assert!(matches!(transport(&cut.url, 5_000).send(call("/pay/orderquery")).await, Err(TransportError::NoAnswer(_))));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    assert!(matches!(transport(&nobody, 5_000).send(call("/pay/orderquery")).await, Err(TransportError::NoAnswer(_))));
}
