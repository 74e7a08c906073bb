use encoding_rs::GBK;
use proptest::prelude::*;

use super::*;

const HEADER: &str = "支付宝交易号,商户订单号,业务类型,商品名称,完成时间,订单金额（元）,商家实收（元）,退款批次号/请求号,服务费（元）";
const PAID: &str = "2026030522001\t,7231\t,交易,课程,2026-03-05 14:08:31,199.00,198.00, ,-1.19";
const BACK: &str = "2026030522001\t,7231\t,退款,课程,2026-03-05 15:00:00,-30.00,-30.00,7231R01\t,0.18";

fn file(lines: &[&str]) -> Vec<u8> {
    let text: String = lines.iter().flat_map(|line| [*line, "\r\n"]).collect();
    GBK.encode(&text).0.into_owned()
}

fn read_lines(lines: &[&str]) -> Result<Vec<StatementLine>, StatementError> {
    let rows = read(file(lines).as_slice())?.expect("a file with lines");
    rows.iter().map(Row::line).collect()
}

#[test]
fn payments_and_refunds_are_told_in_the_port_s_words() {
    let lines = read_lines(&["#支付宝业务明细查询", HEADER, PAID, BACK, "#列表结束"]).unwrap();
    let line = |kind, fen, fee_minor, at: &str| StatementLine {
        kind,
        out_trade_no: "7231".to_owned(),
        trade_no: "2026030522001".to_owned(),
        amount: Money::new(fen, Currency::Cny).unwrap(),
        fee_minor,
        at: Some(at.parse().unwrap()),
    };
    let refund = StatementLineKind::Refund { refund_no: "7231R01".to_owned(), channel_refund_no: None };
    let expected =
        [line(StatementLineKind::Payment, 19_900, 119, "2026-03-05T06:08:31Z"), line(refund, 3_000, -18, "2026-03-05T07:00:00Z")];
    assert_eq!(lines, expected);
}

#[test]
fn a_refund_without_a_number_has_that_of_its_payment() {
    let lines = read_lines(&[HEADER, &BACK.replace("7231R01\t", " ")]).unwrap();
    assert!(matches!(&lines[0].kind, StatementLineKind::Refund { refund_no, .. } if refund_no == "7231"));
}

#[test]
fn columns_are_found_by_name_in_both_character_sets() {
    let turned = "服务费(元),商户订单号,业务类型,完成时间,订单金额(元),商家实收(元),退款批次号/请求号, 支付宝交易号 ,备注";
    let row = "-0.01,7231,交易,2026-03-05 14:08:31,1.00,1.00,,2026,";
    let gbk = read_lines(&[turned, row]).unwrap();
    assert_eq!((gbk[0].fee_minor, gbk[0].amount.amount_minor(), gbk[0].trade_no.as_str()), (1, 100, "2026"));
    let utf8 = format!("\u{feff}{turned}\n{row}\n");
    let rows = read(utf8.as_bytes()).unwrap().unwrap();
    assert_eq!(rows.iter().map(Row::line).collect::<Result<Vec<_>, _>>().unwrap(), gbk);
}

#[test]
fn another_file_of_the_archive_has_no_lines() {
    for other in [&["#汇总", "门店编号,门店名称,订单金额（元）", "合计,,257.89"][..], &[], &["#"]] {
        assert_eq!(read(file(other).as_slice()), Ok(None), "{other:?}");
    }
    let comments = vec!["#"; PREFACE_LIMIT + 1];
    assert_eq!(read(file(&comments).as_slice()), Ok(None));
}

#[test]
fn a_file_that_is_not_what_it_should_be_is_refused_with_the_place() {
    let bad = |row: &str, column| assert_eq!(read_lines(&[HEADER, PAID, row]), Err(StatementError::BadCell { line: 3, column }), "{row}");
    bad(&PAID.replace("199.00", "1e2"), "订单金额(元)");
    bad(&PAID.replace("199.00", ""), "订单金额(元)");
    bad(&PAID.replace("-1.19", "--1"), "服务费(元)");
    bad(&PAID.replace("199.00", "-199.00"), "订单金额(元)");
    bad(&BACK.replace("-30.00", "30.00"), "订单金额(元)");
    bad(&PAID.replace("交易", "转账"), "业务类型");
    for row in ["1,2", &format!("{PAID},more")] {
        assert!(matches!(read_lines(&[HEADER, row]), Err(StatementError::Unreadable(_))), "{row}");
    }
    let lacking = HEADER.replace("服务费", "费");
    assert_eq!(read_lines(&[&lacking, PAID]), Err(StatementError::NoColumn("服务费(元)")));
}

#[test]
fn a_file_that_lacks_lines_it_counts_is_refused() {
    let counted = ["#交易合计：1笔，商家实收共199.00元", "#退款合计：1笔，商家实收退款共-30.00元"];
    assert_eq!(read_lines(&[HEADER, PAID, BACK, counted[0], counted[1]]).map(|lines| lines.len()), Ok(2));
    for lines in [[HEADER, PAID, counted[0], counted[1]], [HEADER, BACK, counted[0], counted[1]]] {
        assert_eq!(read_lines(&lines), Err(StatementError::SumsDiffer));
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        let _ = read(bytes.as_slice());
        let whole = [file(&[HEADER, PAID]), bytes].concat();
        let _ = read(whole.as_slice());
    }
}
