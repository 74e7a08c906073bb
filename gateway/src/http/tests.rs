use super::server::{ok, ok_with, serving};
use super::*;

async fn sent(origin: &str, limit: usize) -> Result<HttpAnswer, TransportError> {
    let url = Url::parse(origin).unwrap();
    let client = client(&url, Duration::from_secs(20)).build().unwrap();
    answer(client.get(url).send().await, limit).await
}

#[tokio::test]
async fn an_answer_may_have_as_many_bytes_as_are_allowed_and_no_more() {
    let server = serving(ok("12345")).await;
    assert_eq!(sent(&server.origin, 5).await.unwrap().body, b"12345");
    assert!(matches!(sent(&server.origin, 4).await, Err(TransportError::TooLarge)));
}

#[tokio::test]
async fn an_answer_may_name_no_time_or_one_that_is_no_text() {
    let date = |headers: &'static str| async move { sent(&serving(ok_with(headers, "")).await.origin, 0).await.unwrap().date };
    assert_eq!(date("Date: some day\r\n").await.as_deref(), Some("some day"));
    assert_eq!((date("").await, date("Date: \u{5348}\r\n").await), (None, None));
}

#[tokio::test]
async fn a_client_for_tls_never_speaks_in_the_clear() {
    let mut server = serving(ok("")).await;
    let secured = Url::parse("https://127.0.0.1").unwrap();
    let client = client(&secured, Duration::from_secs(20)).tls_certs_only([]).build().unwrap();
    assert!(client.get(&server.origin).send().await.is_err());
    assert!(server.requests.try_recv().is_err());
}
