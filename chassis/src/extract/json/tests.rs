use axum::body::{Body, Bytes};
use http::{Request, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::*;
use crate::extract::{BODY_TIME_LIMIT, RawBody};

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    title: String,
    #[serde(default)]
    items: Vec<Item>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    quantity: u32,
    kind: Option<Kind>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Course,
}

fn request(media_type: Option<&str>, body: impl Into<Body>) -> axum::extract::Request {
    let builder = Request::post("/orders");
    let builder = match media_type {
        Some(media_type) => builder.header(CONTENT_TYPE, media_type),
        None => builder,
    };
    builder.body(body.into()).unwrap()
}

async fn read(body: impl Into<Body>) -> Result<Order, Problem> {
    Json::from_request(request(Some("application/json"), body), &()).await.map(|Json(order)| order)
}

async fn refused(body: &'static str) -> (String, &'static str) {
    let problem = read(body).await.unwrap_err();
    assert_eq!((problem.code, problem.errors.len()), (Code::Invalid, 1), "{body}");
    (problem.errors[0].field.clone(), problem.errors[0].code)
}

/// A body of `size` bytes that is valid but for its size.
fn padded(size: usize) -> String {
    let text = r#"{"title":"a"}"#;
    format!("{}{}", text, " ".repeat(size - text.len()))
}

#[tokio::test]
async fn a_body_is_read_into_its_type() {
    let order = read(r#"{"title":"a","items":[{"quantity":2,"kind":"course"}]}"#).await.unwrap();
    assert_eq!(order, Order { title: "a".to_owned(), items: vec![Item { quantity: 2, kind: Some(Kind::Course) }] });
}

#[tokio::test]
async fn json_with_or_without_a_character_set_is_taken() {
    for media_type in ["application/json; charset=utf-8", "APPLICATION/JSON;charset=\"UTF-8\"", "application/vnd.x+json"] {
        let read = Json::<Order>::from_request(request(Some(media_type), r#"{"title":"a"}"#), &()).await;
        assert!(read.is_ok(), "{media_type}");
    }
}

#[tokio::test]
async fn another_media_type_is_refused() {
    for media_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/json; charset=gbk")] {
        let problem = Json::<Order>::from_request(request(media_type, r#"{"title":"a"}"#), &()).await.unwrap_err();
        assert_eq!(problem.code, Code::UnsupportedMediaType, "{media_type:?}");
    }
}

#[tokio::test]
async fn what_is_not_json_is_unreadable() {
    for body in [&b"{"[..], b"", b"[1,]", b"{'title':1}", b"{\"title\":\"\xff\"}", b"{} {}", b"\xef\xbb\xbf{}", b"{\"title\":1e999}"] {
        let problem = read(Bytes::from_static(body)).await.unwrap_err();
        assert_eq!(problem.code, Code::UnreadableJson, "{}", String::from_utf8_lossy(body));
    }
}

#[tokio::test]
async fn a_body_nested_without_end_is_unreadable_and_harmless() {
    let problem = read("[".repeat(100_000)).await.unwrap_err();
    assert_eq!(problem.code, Code::UnreadableJson);
}

#[tokio::test]
async fn a_missing_member_is_named() {
    assert_eq!(refused("{}").await, ("title".to_owned(), field::REQUIRED));
    assert_eq!(refused(r#"{"title":"a","items":[{}]}"#).await, ("items[0].quantity".to_owned(), field::REQUIRED));
}

#[tokio::test]
async fn an_unknown_member_is_named() {
    assert_eq!(refused(r#"{"title":"a","buyer":"b"}"#).await, ("buyer".to_owned(), field::UNKNOWN_FIELD));
    let nested = r#"{"title":"a","items":[{"quantity":1},{"quantity":1,"price":1}]}"#;
    assert_eq!(refused(nested).await, ("items[1].price".to_owned(), field::UNKNOWN_FIELD));
}

#[tokio::test]
async fn a_repeated_member_is_named_even_if_nobody_reads_it() {
    assert_eq!(refused(r#"{"title":"a","title":"b"}"#).await, ("title".to_owned(), field::DUPLICATE_FIELD));
    let nested = r#"{"x":[0,{"y":{"z":1,"\u007a":2}}]}"#;
    assert_eq!(refused(nested).await, ("x[1].y.z".to_owned(), field::DUPLICATE_FIELD));
}

#[tokio::test]
async fn a_value_of_another_type_or_range_is_named() {
    assert_eq!(refused(r#"{"title":7}"#).await, ("title".to_owned(), field::WRONG_TYPE));
    assert_eq!(refused(r#"{"title":"a","items":[[]]}"#).await, ("items[0]".to_owned(), field::WRONG_TYPE));
    assert_eq!(refused(r#"{"title":"a","items":[{"quantity":-1}]}"#).await, ("items[0].quantity".to_owned(), field::OUT_OF_RANGE));
    assert_eq!(refused(r#"{"title":"a","items":[{"quantity":1.5}]}"#).await, ("items[0].quantity".to_owned(), field::WRONG_TYPE));
    let unknown = r#"{"title":"a","items":[{"quantity":1,"kind":"odd"}]}"#;
    assert_eq!(refused(unknown).await, ("items[0].kind".to_owned(), field::UNKNOWN_VALUE));
}

#[tokio::test]
async fn a_body_that_is_no_object_is_refused() {
    for body in ["[]", r#"["a",[]]"#, "null", "7", r#""title""#] {
        assert_eq!(refused(body).await, (String::new(), field::WRONG_TYPE), "{body}");
    }
}

#[tokio::test]
async fn a_quoted_input_is_cut_short() {
    let problem = read(format!(r#"{{"title":"a","items":"{}"}}"#, "x".repeat(10_000))).await.unwrap_err();
    assert_eq!(problem.errors[0].message.chars().count(), 200);
}

#[tokio::test]
async fn the_body_may_be_as_large_as_the_limit_and_no_larger() {
    assert!(read(padded(BODY_LIMIT)).await.is_ok());
    assert_eq!(read(padded(BODY_LIMIT + 1)).await.unwrap_err().code, Code::PayloadTooLarge);
}

#[tokio::test]
async fn a_body_that_does_not_announce_its_size_is_limited_too() {
    let chunks = (0..5).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![b' '; BODY_LIMIT / 4])));
    let problem = read(Body::from_stream(futures_util::stream::iter(chunks))).await.unwrap_err();
    assert_eq!(problem.code, Code::PayloadTooLarge);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_a_bad_request() {
    let broken = futures_util::stream::iter([Err::<Bytes, _>(std::io::Error::other("reset"))]);
    assert_eq!(read(Body::from_stream(broken)).await.unwrap_err().code, Code::BadRequest);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_given_up() {
    let started = tokio::time::Instant::now();
    let silent = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
    assert_eq!(read(Body::from_stream(silent)).await.unwrap_err().code, Code::RequestTimeout);
    assert!(started.elapsed() >= BODY_TIME_LIMIT);
}

#[tokio::test]
async fn an_optional_body_may_be_absent_but_not_wrong() {
    let read = |media_type, body: &'static str| OptionalJson::<Order>::from_request(request(media_type, body), &());
    assert!(read(None, "").await.unwrap().0.is_none());
    assert!(read(Some("application/json"), "").await.unwrap().0.is_none());
    assert!(read(Some("application/json"), r#"{"title":"a"}"#).await.unwrap().0.is_some());
    assert_eq!(read(Some("application/json"), "{").await.unwrap_err().code, Code::UnreadableJson);
    assert_eq!(read(Some("application/json"), "{}").await.unwrap_err().code, Code::Invalid);
    assert_eq!(read(None, r#"{"title":"a"}"#).await.unwrap_err().code, Code::UnsupportedMediaType);
}

#[tokio::test]
async fn a_raw_body_comes_as_it_is_up_to_its_own_limit() {
    let RawBody(bytes) = RawBody::<4>::from_request(request(None, "\u{0}abc"), &()).await.unwrap();
    assert_eq!(bytes, "\u{0}abc");
    let problem = RawBody::<4>::from_request(request(None, "abcde"), &()).await.unwrap_err();
    assert_eq!(problem.code, Code::PayloadTooLarge);
}

#[test]
fn a_tag_is_split_from_the_rest_of_its_object() {
    let (tag, rest) = split_tag(json!({"source": "cart", "x": 1}), "source").unwrap();
    assert_eq!((tag.as_str(), rest), ("cart", json!({"x": 1})));
    for (value, code) in [(json!([]), field::WRONG_TYPE), (json!({"source": 1}), field::WRONG_TYPE), (json!({}), field::REQUIRED)] {
        assert_eq!(split_tag(value, "source").unwrap_err().errors[0].code, code);
    }
}

#[test]
fn an_answer_says_that_it_is_json() {
    let response = Json(json!({"a": 1})).into_response();
    assert_eq!((response.status(), &response.headers()[CONTENT_TYPE]), (StatusCode::OK, &HeaderValue::from_static("application/json")));
}

#[test]
fn an_answer_that_cannot_be_written_is_our_failure() {
    let unwritable = std::collections::BTreeMap::from([(vec![1_u8], 1)]);
    assert_eq!(Json(unwritable).into_response().status(), StatusCode::INTERNAL_SERVER_ERROR);
}
