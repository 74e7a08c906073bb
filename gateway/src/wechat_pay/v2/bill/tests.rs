use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::Gateway;
use crate::wechat_pay::v2::tests::{World, assert_inconclusive, assert_refused};

const HEADER: &str = "交易时间,微信订单号,商户订单号,交易状态,货币种类,微信退款单号,商户退款单号,退款状态,手续费,订单金额,申请退款金额";
const ROW: &str = "`2026-03-05 14:08:31,`420,`SO1,`SUCCESS,`CNY,`0,`0,`,`1.19000,`199.00,`0.00";
const SUMS: &str = "总交易单数,订单总金额,申请退款总金额\r\n`1,`199.00,`0.00";

fn file() -> Vec<u8> {
    format!("\u{FEFF}{HEADER}\r\n{ROW}\r\n{SUMS}\r\n").into_bytes()
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn day() -> NaiveDate {
    "2026-03-05".parse().unwrap()
}

async fn fetched(answer: Vec<u8>) -> Result<Statement, GatewayError> {
    World::answering(answer).native().download_statement(day()).await
}

#[track_caller]
fn because(result: Result<Statement, GatewayError>) -> StatementError {
    match result {
        Err(GatewayError::Unknown { source, .. }) => source.downcast_ref::<StatementError>().unwrap().clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_day_s_lines_are_fetched_packed_or_not() {
    for answer in [file(), packed(&file())] {
        let statement = fetched(answer).await.unwrap();
        assert_eq!((statement.date, statement.lines.len()), (day(), 1));
        assert_eq!((statement.lines[0].amount.amount_minor(), statement.lines[0].fee_minor), (19900, 119));
    }
}

#[tokio::test]
async fn a_bill_is_asked_for_by_its_day() {
    let world = World::answering(file());
    world.native().download_statement(day()).await.unwrap();
    let (path, members) = world.canned.call();
    assert_eq!(path, BILL_PATH);
    for (name, expected) in [("bill_date", "20260305"), ("bill_type", "ALL"), ("tar_type", "GZIP")] {
        assert_eq!(members.get(name).map(String::as_str), Some(expected));
    }
    assert_eq!(world.merchant.config.signer.verify(&members), Ok(()));
}

#[tokio::test]
async fn what_is_no_bill_is_refused_or_unknown() {
    let failure = |member: &str| format!("<xml><return_code>FAIL</return_code>{member}</xml>").into_bytes();
    assert_refused(fetched(failure("<return_msg>No Bill Exist</return_msg><error_code>20002</error_code>")).await, "20002");
    assert_inconclusive(fetched(failure("<error_code>20100</error_code>")).await, "FAIL 20100");
    assert_inconclusive(fetched(failure("<return_msg>签名错误</return_msg>")).await, "FAIL 签名错误");
    assert_inconclusive(fetched(failure("")).await, "FAIL nothing");
    for answer in [Vec::new(), b"<html>".to_vec(), b"\xFF".to_vec(), file()[..file().len() - 30].to_vec()] {
        assert!(matches!(because(fetched(answer).await), StatementError::Unreadable(_) | StatementError::NoColumn(_)));
    }
}

#[tokio::test]
async fn a_damaged_or_changed_file_is_no_bill() {
    let whole = packed(&file());
    assert!(matches!(because(fetched(whole[..whole.len() - 9].to_vec()).await), StatementError::Unreadable(_)));
    let mut flipped = whole.clone();
    let last = flipped.len() - 5;
    flipped[last] ^= 1;
    assert!(matches!(because(fetched(flipped).await), StatementError::Unreadable(_)));
    let text = String::from_utf8(file()).unwrap();
    assert_eq!(because(fetched(text.replacen("199.00", "198.00", 1).into_bytes()).await), StatementError::SumsDiffer);
    assert_eq!(because(fetched(text.replace(&format!("{ROW}\r\n"), "").into_bytes()).await), StatementError::SumsDiffer);
}

#[test]
fn a_small_file_cannot_become_a_large_one() {
    let bomb = packed(&vec![b'0'; 1_000_000]);
    assert!(bomb.len() < 10_000);
    assert_eq!(unpacked(&bomb, 999_999), Err(StatementError::TooLarge));
    assert_eq!(unpacked(&bomb, 1_000_000).map(|bytes| bytes.len()), Ok(1_000_000));
    assert_eq!(unpacked(b"1234", 3), Err(StatementError::TooLarge));
}
