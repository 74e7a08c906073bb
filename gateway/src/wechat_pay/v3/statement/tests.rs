use std::io::Write as _;

use chrono::NaiveDate;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::super::tests::{assert_open, assert_refused, failure, native, success, unknown_because};
use super::super::transport::HttpAnswer;
use super::*;
use crate::Gateway;

fn date() -> NaiveDate {
    "2026-11-30".parse().unwrap()
}

fn bill() -> Vec<u8> {
    bill::tests::file()
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn digit(value: u8) -> char {
    char::from_digit(value.into(), 16).unwrap()
}

fn hash(bytes: &[u8]) -> String {
    digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref().iter().flat_map(|byte| [byte >> 4, byte & 15].map(digit)).collect()
}

fn announced(url: &str, hash: &str) -> HttpAnswer {
    success(200, &format!(r#"{{"hash_type":"SHA1","hash_value":"{hash}","download_url":"{url}"}}"#))
}

/// The file itself, which nobody signs.
fn unsigned(body: Vec<u8>) -> HttpAnswer {
    HttpAnswer { status: 200, headers: Vec::new(), body }
}

const URL: &str = "http://127.0.0.1:9/sandbox/wechat/v3/billdownload/file?token=6XIv5T_uto-p%7C";

#[tokio::test]
async fn a_statement_is_fetched_from_where_the_answer_says_and_read() {
    let (gateway, canned) = native([announced(URL, &hash(&bill())), unsigned(packed(&bill()))]);
    let statement = gateway.download_statement(date()).await.unwrap();
    assert_eq!((statement.date, statement.lines.len()), (date(), 3));
    let asked = "GET /sandbox/wechat/v3/bill/tradebill?bill_date=2026-11-30&bill_type=ALL&tar_type=GZIP";
    assert_eq!(canned.paths(), [asked, "GET /sandbox/wechat/v3/billdownload/file?token=6XIv5T_uto-p%7C"]);
    assert!(canned.last().authorization.contains("signature="));
}

#[tokio::test]
async fn an_account_s_movements_come_as_they_are() {
    let file = b"x".to_vec();
    let (gateway, canned) =
        native([announced(URL, &hash(&file).to_uppercase()), unsigned(file.clone()), failure(400, "NO_STATEMENT_EXIST")]);
    assert_eq!(gateway.download_fund_flow(date(), FundAccount::Basic).await.unwrap(), Some(file));
    assert!(canned.paths()[0].ends_with("/fundflowbill?bill_date=2026-11-30&account_type=BASIC&tar_type=GZIP"));
    assert_eq!(gateway.download_fund_flow(date(), FundAccount::Fees).await.unwrap(), None);
    assert!(canned.paths()[2].contains("account_type=FEES"));
    assert_eq!(FundAccount::Operation.as_str(), "OPERATION");
}

#[tokio::test]
async fn a_day_without_movements_is_empty_and_one_that_is_not_ready_is_refused() {
    let asked = |answer| async { native([answer]).0.download_statement(date()).await };
    assert_eq!(asked(failure(400, "NO_STATEMENT_EXIST")).await.unwrap(), Statement { date: date(), lines: Vec::new() });
    assert_refused(asked(failure(400, "STATEMENT_CREATING")).await, "STATEMENT_CREATING");
    assert_refused(asked(failure(400, "INVALID_REQUEST")).await, "INVALID_REQUEST");
    assert_open(asked(failure(500, "SYSTEM_ERROR")).await, "SYSTEM_ERROR");
}

#[tokio::test]
async fn a_signed_request_goes_to_wechat_pay_alone() {
    for url in [
        "https://evil.example.com/v3/billdownload/file?token=x",
        "http://api.mch.weixin.qq.com/v3/billdownload/file",
        "https://api.mch.weixin.qq.com.evil.example.com/",
        "https://evilmch.weixin.qq.com@evil.example.com/",
        "https://user@api.mch.weixin.qq.com/",
        "http://127.0.0.1:10/",
        "https://127.0.0.1:9/",
        "file:///etc/passwd",
        "x",
    ] {
        let (gateway, canned) = native([announced(url, &hash(b""))]);
        assert_open(gateway.download_statement(date()).await, "download_url");
        assert_eq!(canned.paths().len(), 1, "{url}");
    }
    let url = "https://api.mch.weixin.qq.com/v3/billdownload/file?token=x";
    let (gateway, canned) = native([announced(url, &hash(&bill())), unsigned(bill())]);
    assert!(gateway.download_statement(date()).await.is_ok());
    assert_eq!(canned.last().url.as_str(), url);
}

#[tokio::test]
async fn a_file_that_is_not_the_announced_one_counts_for_nothing() {
    let fetched = |hash: String, answer| async move { native([announced(URL, &hash), answer]).0.download_statement(date()).await };
    let cause = |result| unknown_because(result).0;
    let damaged = bill()[..bill().len() - 2].to_vec();
    assert!(cause(fetched(hash(&bill()), unsigned(damaged)).await).contains("not the one"));
    assert!(cause(fetched(hash(&packed(&bill())), unsigned(packed(&bill()))).await).contains("not the one"));
    assert!(cause(fetched("zz".to_owned(), unsigned(bill())).await).contains("not the one"));
    let cut = packed(&bill())[..40].to_vec();
    assert!(cause(fetched(hash(&bill()), unsigned(cut)).await).contains("unpacked"));
    let page = HttpAnswer { status: 403, headers: Vec::new(), body: b"<html>".to_vec() };
    assert!(cause(fetched(hash(&bill()), page).await).contains("http_403"));
    assert!(unpacked(&bill(), "MD5", &hash(&bill())).is_err());
}

#[test]
fn hexadecimal_is_read_strictly() {
    assert_eq!(hex("00fFa0"), Some(vec![0, 255, 160]));
    for text in ["0", "0g", "+1", "０", "0x"] {
        assert_eq!(hex(text), None, "{text}");
    }
}
