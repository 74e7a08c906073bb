use super::*;
use crate::alipay::tests::settings;
use crate::http::server::{nobody, ok, serving};

fn transport(origin: &str, timeout_ms: u64) -> HttpTransport {
    let mut settings = settings();
    settings.gateway_url = format!("{origin}/sandbox/alipay/gateway.do");
    settings.timeout_ms = Some(timeout_ms);
    HttpTransport::new(&AlipayConfig::new(&settings).unwrap()).unwrap()
}

fn request() -> Request {
    Request { query: "charset=utf-8&sign=secret%2Bsign".to_owned(), body: "biz_content=%7B%7D".to_owned() }
}

#[tokio::test]
async fn a_request_is_posted_as_it_was_signed() {
    let mut server = serving(ok("{}")).await;
    let answer = transport(&server.origin, 5_000).send(request()).await.unwrap();
    assert_eq!(answer, HttpAnswer { status: 200, date: Some("Thu, 05 Mar 2026 06:08:09 GMT".to_owned()), body: b"{}".to_vec() });
    let sent = server.requests.recv().await.unwrap();
    assert!(sent.starts_with("POST /sandbox/alipay/gateway.do?charset=utf-8&sign=secret%2Bsign HTTP/1.1\r\n"), "{sent}");
    assert!(sent.contains("content-type: application/x-www-form-urlencoded;charset=utf-8\r\n"), "{sent}");
    assert!(sent.ends_with("\r\n\r\nbiz_content=%7B%7D"), "{sent}");
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let server = serving(ok("{}")).await;
    let transport = transport(&server.origin, 5_000);
    for _ in 0..3 {
        transport.send(request()).await.unwrap();
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let mut server =
        serving(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec()).await;
    let answer = transport(&server.origin, 5_000).send(request()).await.unwrap();
    assert_eq!(answer.status, 302);
    assert!(server.requests.recv().await.is_some());
    assert!(server.requests.try_recv().is_err());
}

#[tokio::test]
async fn an_answer_beyond_the_limit_is_given_up() {
    let fits = serving(ok(&"x".repeat(ANSWER_LIMIT))).await;
    assert_eq!(transport(&fits.origin, 20_000).send(request()).await.unwrap().body.len(), ANSWER_LIMIT);
    let announced = serving(ok(&"x".repeat(10 * ANSWER_LIMIT))).await;
    assert!(matches!(transport(&announced.origin, 20_000).send(request()).await, Err(TransportError::TooLarge)));
    let endless = [b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec(), vec![b'x'; 2 * ANSWER_LIMIT]].concat();
    let endless = serving(endless).await;
    assert!(matches!(transport(&endless.origin, 20_000).send(request()).await, Err(TransportError::TooLarge)));
}

#[tokio::test]
async fn no_answer_in_time_is_an_error_that_shows_no_request() {
    let silent = serving(Vec::new()).await;
    let error = transport(&silent.origin, 100).send(request()).await.unwrap_err();
    let TransportError::NoAnswer(cause) = &error else { panic!("{error:?}") };
    assert!(cause.is_timeout(), "{cause:?}");
    let shown = format!("{error} {error:?} {cause}");
    assert!(!shown.contains("secret") && !shown.contains("gateway.do"), "{shown}");
}

#[tokio::test]
async fn a_broken_or_refused_connection_is_no_answer() {
    let cut = serving(b"HTTP/1.1 200 OK\r\nX: 1\r\nContent-Length: 100\r\n\r\n{\"a\"".to_vec()).await;
    assert!(matches!(transport(&cut.origin, 5_000).send(request()).await, Err(TransportError::NoAnswer(_))));
    let garbage = serving(b"garbage".to_vec()).await;
    assert!(matches!(transport(&garbage.origin, 5_000).send(request()).await, Err(TransportError::NoAnswer(_))));
    let nobody = nobody().await;
    assert!(matches!(transport(&nobody, 5_000).send(request()).await, Err(TransportError::NoAnswer(_))));
}
