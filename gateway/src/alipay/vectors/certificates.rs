//! Serials of certificates, and bills.

use super::super::bill::read_archive;
use super::super::certificate::{Certificate, root_serial};
use super::cases;
use crate::vectors::file;

#[test]
fn serials_of_certificates_are_those_of_every_other_implementation() {
    for mut case in cases("cert_sn") {
        let certificates = Certificate::read_all(&file(&case.input_text("certificate"))).unwrap();
        let serial = if case.input.is("root") { root_serial(&certificates) } else { certificates[0].serial.clone() };
        assert_eq!(serial, case.expected_text("sn"), "{}", case.name);
        case.assert_all_read();
    }
}

#[test]
fn bills_are_read_as_by_every_other_implementation() {
    for mut case in cases("bill_parse") {
        let archive = case.input.body();
        let names: Vec<String> = serde_json::from_value(case.expect.value("entry_names").unwrap()).unwrap();
        let columns: Vec<String> = serde_json::from_value(case.expect.value("columns").unwrap()).unwrap();
        let mut zip = zip::ZipArchive::new(std::io::Cursor::new(&archive)).unwrap();
        let mut name_at = |place| encoding_rs::GBK.decode(zip.by_index(place).unwrap().name_raw()).0.into_owned();
        assert_eq!((0..names.len()).map(&mut name_at).collect::<Vec<_>>(), names, "{}", case.name);
        // We read columns by name and need few of them; that all are there shows that the header was found.
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut zip.by_index(0).unwrap(), &mut bytes).unwrap();
        let text = encoding_rs::GBK.decode(&bytes).0;
        assert!(text.lines().any(|line| line.split(',').eq(columns.iter().map(String::as_str))), "{}", case.name);

        let rows = read_archive(&archive).unwrap();
        let expected = case.expect.value("rows").unwrap();
        let found: Vec<_> = rows
            .iter()
            .map(|row| {
                serde_json::json!({
                    "trade_no": row.trade_no, "out_trade_no": row.out_trade_no, "kind": row.kind, "subject": row.subject,
                    "order_amount_fen": row.amount, "received_fen": row.received, "request_no": row.request_no, "fee_fen": row.fee,
                })
            })
            .collect();
        assert_eq!(serde_json::Value::Array(found), expected, "{}", case.name);
        let sum = |of: fn(&super::super::bill::Row) -> i64| rows.iter().map(of).sum::<i64>();
        assert_eq!(Some(sum(|row| row.received)), case.expect.value("received_total_fen").and_then(|sum| sum.as_i64()));
        assert_eq!(Some(sum(|row| row.fee)), case.expect.value("fee_total_fen").and_then(|sum| sum.as_i64()));
        case.assert_all_read();
    }
}

/// The archive of the vectors' bill.
pub(in crate::alipay) fn bill_archive() -> Vec<u8> {
    cases("bill_parse").swap_remove(0).input.body()
}
