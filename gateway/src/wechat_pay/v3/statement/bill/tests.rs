use domain::{Currency, Money};
use proptest::prelude::*;

use super::*;

const HEADER: &str = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注";

const SUMMARY: &str = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额";

fn payment(number: &str, yuan: &str, fee: &str) -> String {
    format!(
        "`2026-11-30 14:08:31,`wx2421b1c4370ec43b,`1900000109,`0,`,`42{number},`{number},`oUpF8,`NATIVE,`SUCCESS,`CMC,`CNY,`{yuan},`0.00,`0,`0,`0.00,`0.00,`,`,`书\\ 和,笔,`,`{fee},`0.60%,`{yuan},`0.00,`"
    )
}

fn refund(number: &str, yuan: &str, state: &str) -> String {
    format!(
        "`2026-11-30 15:00:00,`wx2421b1c4370ec43b,`1900000109,`0,`,`42{number},`{number},`oUpF8,`NATIVE,`REFUND,`CMC,`CNY,`0.00,`0.00,`50{number},`{number}R01,`{yuan},`0.00,`ORIGINAL,`{state},`x,`,`-0.24000,`0.60%,`0.00,`{yuan},`"
    )
}

fn summary(count: usize, amount: &str, refunds: &str) -> String {
    format!("`{count},`0.00,`{refunds},`0.00,`0.00,`{amount},`{refunds}")
}

fn bill(rows: &[String], sums: &str) -> Vec<u8> {
    let lines: Vec<&str> = [HEADER].into_iter().chain(rows.iter().map(String::as_str)).chain([SUMMARY, sums]).collect();
    format!("\u{feff}{}\r\n", lines.join("\r\n")).into_bytes()
}

fn rows() -> Vec<String> {
    vec![
        payment("723100000000000101", "199.00", "1.19400"),
        payment("723100000000000201", "0.01", "0.00000"),
        refund("723100000000000101", "39.60", "SUCCESS"),
    ]
}

/// A file with two payments and a refund.
pub(in super::super) fn file() -> Vec<u8> {
    bill(&rows(), &summary(3, "199.01", "39.60"))
}

fn date() -> NaiveDate {
    "2026-11-30".parse().unwrap()
}

fn refused(file: &[u8]) -> StatementError {
    read(file, date()).unwrap_err()
}

fn fen(amount_minor: i64) -> Money {
    Money::new(amount_minor, Currency::Cny).unwrap()
}

#[test]
fn payments_and_refunds_are_read() {
    let statement = read(&file(), date()).unwrap();
    let payment = StatementLine {
        kind: StatementLineKind::Payment,
        out_trade_no: "723100000000000101".to_owned(),
        trade_no: "42723100000000000101".to_owned(),
        amount: fen(19_900),
        fee_minor: 119,
        at: Some("2026-11-30T06:08:31Z".parse().unwrap()),
    };
    let kind = StatementLineKind::Refund {
        refund_no: "723100000000000101R01".to_owned(),
        channel_refund_no: Some("50723100000000000101".to_owned()),
    };
    let at = Some("2026-11-30T07:00:00Z".parse().unwrap());
    let refund = StatementLine { kind, amount: fen(3_960), fee_minor: -24, at, ..payment.clone() };
    assert_eq!((statement.lines.len(), statement.date), (3, date()));
    assert_eq!((&statement.lines[0], &statement.lines[2]), (&payment, &refund));
}

#[test]
fn columns_are_found_wherever_they_stand() {
    let turned = |line: &str, between: &str| {
        let bare = line.strip_prefix('`').unwrap_or(line);
        let mut cells: Vec<&str> = bare.split(between).collect();
        cells.rotate_left(3);
        format!("{}{}", if between == "," { "" } else { "`" }, cells.join(between))
    };
    let rows: Vec<String> = rows().iter().map(|row| turned(row, BETWEEN)).collect();
    let text = String::from_utf8(bill(&rows, &summary(3, "199.01", "39.60"))).unwrap().replace(HEADER, &turned(HEADER, ","));
    assert_eq!(read(text.as_bytes(), date()), read(&file(), date()));
}

#[test]
fn what_moved_no_money_has_no_line() {
    for state in ["FAIL", "CHANGE"] {
        let file = bill(&[refund("723100000000000101", "39.60", state)], &summary(1, "0.00", "39.60"));
        assert_eq!(read(&file, date()).unwrap().lines, [], "{state}");
    }
    let revoked = payment("723100000000000101", "199.00", "0.00").replace("SUCCESS", "REVOKED");
    assert_eq!(read(&bill(&[revoked], &summary(1, "199.00", "0.00")), date()).unwrap().lines, []);
    let processing = bill(&[refund("723100000000000101", "39.60", "PROCESSING")], &summary(1, "0.00", "39.60"));
    assert_eq!(read(&processing, date()).unwrap().lines.len(), 1);
    assert_eq!(read(&bill(&[], &summary(0, "0.00", "0.00")), date()).unwrap().lines, []);
}

#[test]
fn a_refund_made_on_the_website_goes_by_the_channel_s_number() {
    let row = refund("723100000000000101", "39.60", "SUCCESS").replace("`723100000000000101R01", "`");
    let statement = read(&bill(&[row], &summary(1, "0.00", "39.60")), date()).unwrap();
    let number = "50723100000000000101".to_owned();
    assert_eq!(statement.lines[0].kind, StatementLineKind::Refund { refund_no: number.clone(), channel_refund_no: Some(number) });
}

#[test]
fn sums_that_differ_and_files_that_are_cut_are_refused() {
    for sums in [summary(2, "199.01", "39.60"), summary(3, "199.02", "39.60"), summary(3, "199.01", "39.61")] {
        assert_eq!(refused(&bill(&rows(), &sums)), StatementError::SumsDiffer);
    }
    let text = String::from_utf8(file()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    for length in 1..lines.len() {
        let cut = lines[..length].join("\r\n");
        assert!(matches!(refused(cut.as_bytes()), StatementError::Unreadable(_)), "{length}");
    }
    assert!(matches!(refused(b""), StatementError::Unreadable(_)));
    assert!(matches!(refused(b"\xff"), StatementError::Unreadable(_)));
    assert!(matches!(refused(format!("{text}`1\r\n").as_bytes()), StatementError::Unreadable(_)));
}

#[test]
fn a_column_or_cell_that_is_not_there_is_named() {
    let text = String::from_utf8(file()).unwrap();
    assert_eq!(refused(text.replace("手续费,费率", "费,费率").as_bytes()), StatementError::NoColumn("手续费"));
    assert_eq!(refused(text.replace("总交易单数", "总").as_bytes()), StatementError::NoColumn("总交易单数"));
    let bad = |from: &str, to: &str| refused(text.replacen(from, to, 1).as_bytes());
    let cell = |line, column| StatementError::BadCell { line, column };
    assert_eq!(bad("`199.00,`0.00,`\r\n", "`x,`0.00,`\r\n"), cell(2, "订单金额"));
    assert_eq!(bad("`CNY", "`USD"), cell(2, "货币种类"));
    assert_eq!(bad("`SUCCESS", "`SOMETHING_NEW"), cell(2, "交易状态"));
    assert_eq!(bad("`1.19400", "`1.1940001"), cell(2, "手续费"));
    assert_eq!(bad("2026-11-30 14:08:31", "2026-11-31 14:08:31"), cell(2, "交易时间"));
    assert_eq!(bad("`42723100000000000101", "`"), cell(2, "微信订单号"));
    assert_eq!(bad("ORIGINAL,`SUCCESS", "ORIGINAL,`SOMETHING_NEW"), cell(4, "退款状态"));
    assert_eq!(bad("`wx2421b1c4370ec43b,", ""), cell(2, "订单金额"));
}

#[test]
fn fees_are_rounded_to_the_nearest_fen() {
    for (text, fen) in [
        ("0.00000", 0),
        ("1.19400", 119),
        ("1.19500", 120),
        ("-0.24000", -24),
        ("0.00499", 0),
        ("0.00500", 1),
        ("-0.00500", -1),
        ("12", 1200),
        ("0.1", 10),
    ] {
        assert_eq!(fee(text), Some(fen), "{text}");
    }
    for text in ["", "-", ".5", "1.123456", "1,00", "+1", "12345678901", "1.-1"] {
        assert_eq!(fee(text), None, "{text}");
    }
    assert_eq!(
        (yuan("123456789012345.67"), yuan("1.2"), yuan("1234567890123456.00"), yuan("-1.00")),
        (Some(12_345_678_901_234_567), None, None, None)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(read(&bytes, date()).is_err());
    }

    #[test]
    fn a_changed_character_never_adds_a_payment_unseen(place in 0_usize..4000, replacement in "[0-9`,.\n]") {
        let text = String::from_utf8(file()).unwrap();
        let place = text.floor_char_boundary(place.min(text.len() - 1));
        let end = text.ceil_char_boundary(place + 1);
        let changed = format!("{}{replacement}{}", &text[..place], &text[end..]);
        if let Ok(statement) = read(changed.as_bytes(), date()) {
            prop_assert_eq!(statement.lines.iter().map(|line| line.amount.amount_minor()).sum::<i64>(), 19_900 + 1 + 3_960);
        }
    }
}
