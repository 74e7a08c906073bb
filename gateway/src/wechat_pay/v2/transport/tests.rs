mod tls;

use super::*;
use crate::http::server::{nobody, ok, serving};
use crate::wechat_pay::v2::WechatPayV2Settings;
use crate::wechat_pay::v2::tests::settings;

const ANSWER_LIMIT: usize = 64 * 1024;

fn transport(origin: &str, timeout_ms: u64) -> HttpTransport {
    transport_to(format!("{origin}/sandbox/wechat"), timeout_ms)
}

fn transport_to(base_url: String, timeout_ms: u64) -> HttpTransport {
    let settings = WechatPayV2Settings { base_url, timeout_ms: Some(timeout_ms), ..settings() };
    HttpTransport::new(&WechatPayV2Config::new(&settings).unwrap()).unwrap()
}

fn call(path: &'static str) -> Call {
    Call { path, body: "<xml><sign>secret</sign></xml>".to_owned(), answer_limit: ANSWER_LIMIT }
}

#[tokio::test]
async fn a_call_is_posted_behind_the_configured_address() {
    for slash in ["", "/"] {
        let mut server = serving(ok("<xml/>")).await;
        let answer = transport_to(format!("{}/sandbox/wechat{slash}", server.origin), 5_000).send(call("/pay/orderquery")).await.unwrap();
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
    let transport = transport(&server.origin, 5_000);
    for path in ["/pay/orderquery", REFUND_PATH, BILL_PATH] {
        transport.send(call(path)).await.unwrap();
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let mut server =
        serving(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec()).await;
    assert_eq!(transport(&server.origin, 5_000).send(call("/pay/orderquery")).await.unwrap().status, 302);
    assert!(server.requests.recv().await.is_some() && server.requests.try_recv().is_err());
}

#[tokio::test]
async fn an_answer_beyond_the_call_s_limit_is_given_up() {
    let fits = serving(ok(&"x".repeat(ANSWER_LIMIT))).await;
    assert_eq!(transport(&fits.origin, 20_000).send(call("/pay/orderquery")).await.unwrap().body.len(), ANSWER_LIMIT);
    let announced = serving(ok(&"x".repeat(10 * ANSWER_LIMIT))).await;
    assert!(matches!(transport(&announced.origin, 20_000).send(call("/pay/orderquery")).await, Err(TransportError::TooLarge)));
    let endless = [b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec(), vec![b'x'; 2 * ANSWER_LIMIT]].concat();
    let endless = serving(endless).await;
    assert!(matches!(transport(&endless.origin, 20_000).send(call("/pay/orderquery")).await, Err(TransportError::TooLarge)));
}

#[tokio::test]
async fn no_answer_in_time_is_an_error_that_shows_no_request() {
    let silent = serving(Vec::new()).await;
    let error = transport(&silent.origin, 100).send(call("/pay/orderquery")).await.unwrap_err();
    let TransportError::NoAnswer(cause) = &error else { panic!("{error:?}") };
    assert!(cause.is_timeout(), "{cause:?}");
    let shown = format!("{error} {error:?} {cause}");
    assert!(!shown.contains("secret") && !shown.contains("orderquery"), "{shown}");
}

#[tokio::test]
async fn a_broken_or_refused_connection_is_no_answer() {
    let cut = serving(b"HTTP/1.1 200 OK\r\nX: 1\r\nContent-Length: 100\r\n\r\n<xml>".to_vec()).await;
    assert!(matches!(transport(&cut.origin, 5_000).send(call("/pay/orderquery")).await, Err(TransportError::NoAnswer(_))));
    let nobody = nobody().await;
    assert!(matches!(transport(&nobody, 5_000).send(call("/pay/orderquery")).await, Err(TransportError::NoAnswer(_))));
}
