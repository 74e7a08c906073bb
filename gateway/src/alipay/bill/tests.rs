use super::*;
use crate::alipay::tests::{Canned, answering, assert_inconclusive, assert_refused, http_answer, settings, signed_answer};
use crate::alipay::vectors::bill_archive;
use crate::alipay::{AlipaySettings, method};
use crate::http::{HttpAnswer, TransportError};
use crate::{Gateway, StatementLineKind};
use std::sync::Arc;

const URL: &str = "http://dwbillcenter.example.com/downloadBillFile.resource?bizType=trade&token=abc";

fn day() -> NaiveDate {
    "2026-03-05".parse().unwrap()
}

fn found() -> String {
    format!(r#"{{"code":"10000","msg":"Success","bill_download_url":"{}"}}"#, URL.replace('/', "\\/"))
}

fn world(settings: &AlipaySettings, node: &str, file: Result<HttpAnswer, TransportError>) -> (AlipayGateway, Arc<Canned>) {
    let (gateway, canned) = answering(settings, Ok(http_answer(signed_answer(method(OPERATION), node))));
    canned.lay(file);
    (gateway, canned)
}

async fn statement(node: &str, file: Result<HttpAnswer, TransportError>) -> Result<Statement, GatewayError> {
    world(&settings(), node, file).0.download_statement(day()).await
}

#[tokio::test]
async fn a_day_s_lines_are_fetched_from_the_address_that_alipay_names() {
    let (gateway, canned) = world(&settings(), &found(), Ok(http_answer(bill_archive())));
    let statement = gateway.download_statement(day()).await.unwrap();
    assert_eq!((statement.date, statement.lines.len()), (day(), 4));
    let refund = &statement.lines[2];
    assert_eq!(refund.kind, StatementLineKind::Refund { refund_no: "RF-0001".to_owned(), channel_refund_no: None });
    assert_eq!((refund.amount.amount_minor(), refund.fee_minor), (3_000, -18));
    assert_eq!(canned.fetched(), [URL]);
    let body = &canned.sent()[0].body;
    assert_eq!(body, "biz_content=%7B%22bill_type%22%3A%22trade%22%2C%22bill_date%22%3A%222026-03-05%22%7D");
}

#[tokio::test]
async fn a_real_gateway_s_file_is_fetched_encrypted() {
    let settings = AlipaySettings { gateway_url: "https://openapi.alipay.com/gateway.do".to_owned(), ..settings() };
    let (gateway, canned) = world(&settings, &found(), Ok(http_answer(bill_archive())));
    gateway.download_statement(day()).await.unwrap();
    assert_eq!(canned.fetched(), [URL.replace("http:", "https:")]);
}

#[tokio::test]
async fn a_day_without_movements_has_an_empty_statement() {
    let node = r#"{"code":"40004","msg":"Business Failed","sub_code":"isv.NO_BILL_DATA"}"#;
    assert_eq!(statement(node, Ok(http_answer(""))).await.unwrap().lines, []);
}

#[tokio::test]
async fn a_day_that_has_no_bill_yet_is_refused() {
    let node = |code: &str| format!(r#"{{"code":"40004","msg":"Business Failed","sub_code":"{code}"}}"#);
    assert_refused(statement(&node("BILL_NOT_EXIST"), Ok(http_answer(""))).await, "BILL_NOT_EXIST");
    assert_inconclusive(statement(&node("USER_RATE_LIMIT"), Ok(http_answer(""))).await, "USER_RATE_LIMIT");
    assert_inconclusive(statement(r#"{"code":"10000"}"#, Ok(http_answer(""))).await, "no readable bill_download_url");
    let no_url = r#"{"code":"10000","bill_download_url":"nowhere"}"#;
    assert_inconclusive(statement(no_url, Ok(http_answer(""))).await, "no readable bill_download_url");
}

#[tokio::test]
async fn a_file_that_cannot_be_relied_on_is_no_statement() {
    let source = |result: Result<Statement, GatewayError>| match result {
        Err(GatewayError::Unknown { source, .. }) => source,
        other => panic!("{other:?}"),
    };
    let gone = statement(&found(), Ok(HttpAnswer { status: 404, ..http_answer("") })).await;
    assert!(source(gone).to_string().contains("404"));
    let large = statement(&found(), Err(TransportError::TooLarge)).await;
    assert!(source(large).is::<CallError>());
    let page = source(statement(&found(), Ok(http_answer("<html>expired</html>"))).await);
    assert!(matches!(page.downcast_ref(), Some(StatementError::Unreadable(_))));
}
