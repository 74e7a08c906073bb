use super::super::tests::{config, settings};
use super::*;
use crate::http::server::{ok_with, serving};

fn ok(body: &str) -> Vec<u8> {
    ok_with("Date: Tue, 01 Dec 2026 06:08:32 GMT\r\nWechatpay-Nonce: n\r\n", body)
}

fn transport(timeout_ms: u64) -> HttpTransport {
    let mut settings = settings();
    settings.timeout_ms = Some(timeout_ms);
    HttpTransport::new(&config(&settings)).unwrap()
}

fn post(url: &str) -> Request {
    Request {
        method: Method::POST,
        url: Url::parse(&format!("{url}/v3/pay?a=%7C&token=secret")).unwrap(),
        authorization: "WECHATPAY2-SHA256-RSA2048 signature=\"secret\"".to_owned(),
        answer_key: Some("PUB_KEY_ID_1".to_owned()),
        body: "{\"a\":1}".to_owned(),
        answer_limit: 1024,
    }
}

#[tokio::test]
async fn a_request_goes_out_as_it_was_signed() {
    let mut server = serving(ok("{}")).await;
    let answer = transport(5_000).send(post(&server.origin)).await.unwrap();
    assert_eq!((answer.status, answer.body.as_slice(), answer.date()), (200, b"{}".as_slice(), Some("Tue, 01 Dec 2026 06:08:32 GMT")));
    assert!(answer.headers.contains(&("wechatpay-nonce".to_owned(), b"n".to_vec())));
    let sent = server.requests.recv().await.unwrap();
    assert!(sent.starts_with("POST /v3/pay?a=%7C&token=secret HTTP/1.1\r\n"), "{sent}");
    for header in [
        "accept: application/json\r\n",
        "content-type: application/json\r\n",
        "authorization: WECHATPAY2-SHA256-RSA2048 signature=\"secret\"\r\n",
        "wechatpay-serial: PUB_KEY_ID_1\r\n",
        "user-agent: paystream/",
    ] {
        assert!(sent.contains(header), "{header}: {sent}");
    }
    assert!(sent.ends_with("\r\n\r\n{\"a\":1}"), "{sent}");
    let get = Request { method: Method::GET, body: String::new(), answer_key: None, ..post(&server.origin) };
    transport(5_000).send(get).await.unwrap();
    let sent = server.requests.recv().await.unwrap();
    assert!(sent.starts_with("GET /v3/pay?") && !sent.contains("content-type") && !sent.contains("wechatpay-serial"), "{sent}");
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let server = serving(ok("{}")).await;
    let transport = transport(5_000);
    for _ in 0..3 {
        transport.send(post(&server.origin)).await.unwrap();
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let mut server =
        serving(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec()).await;
    assert_eq!(transport(5_000).send(post(&server.origin)).await.unwrap().status, 302);
    assert!(server.requests.recv().await.is_some());
    assert!(server.requests.try_recv().is_err());
}

#[tokio::test]
async fn an_answer_beyond_the_limit_is_given_up() {
    let fits = serving(ok(&"x".repeat(1024))).await;
    assert_eq!(transport(20_000).send(post(&fits.origin)).await.unwrap().body.len(), 1024);
    let endless = [b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec(), vec![b'x'; 100_000]].concat();
    for server in [serving(ok(&"x".repeat(1025))).await, serving(endless).await] {
        assert!(matches!(transport(20_000).send(post(&server.origin)).await, Err(TransportError::TooLarge)));
    }
}

#[tokio::test]
async fn no_answer_in_time_is_an_error_that_shows_no_request() {
    let silent = serving(Vec::new()).await;
    let error = transport(100).send(post(&silent.origin)).await.unwrap_err();
    let TransportError::NoAnswer(cause) = &error else { panic!("{error:?}") };
    assert!(cause.is_timeout(), "{cause:?}");
    let shown = format!("{error} {error:?} {cause}");
    assert!(!shown.contains("secret") && !shown.contains("/v3/pay"), "{shown}");
}

#[tokio::test]
async fn a_broken_or_refused_connection_is_no_answer() {
    let cut = serving(b"HTTP/1.1 200 OK\r\nX: 1\r\nContent-Length: 100\r\n\r\n{\"a\"".to_vec()).await;
    assert!(matches!(transport(5_000).send(post(&cut.origin)).await, Err(TransportError::NoAnswer(_))));
    let garbage = serving(b"garbage".to_vec()).await;
    assert!(matches!(transport(5_000).send(post(&garbage.origin)).await, Err(TransportError::NoAnswer(_))));
}
