use std::io::Write;

use proptest::prelude::*;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::*;

const LINES: &str = "支付宝交易号,商户订单号,业务类型,完成时间,订单金额（元）,商家实收（元）,退款批次号/请求号,服务费（元）\n\
                     2026,7231,交易,2026-03-05 14:08:31,1.00,1.00,,-0.01\n";

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        writer.start_file(*name, SimpleFileOptions::default().compression_method(CompressionMethod::Deflated)).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn the_file_with_the_lines_is_found_by_its_content() {
    let sums = "门店编号,订单金额（元）\n合计,1.00\n";
    for files in [[("a.csv", LINES), ("b.csv", sums)], [("a.csv", sums), ("b.csv", LINES)]] {
        let files = files.map(|(name, text)| (name, text.as_bytes()));
        assert_eq!(read(&archive(&files)).unwrap().len(), 1);
    }
    assert_eq!(read(&archive(&[("a.csv", sums.as_bytes())])), Err(StatementError::NoColumn("支付宝交易号")));
    assert_eq!(read(&archive(&[])), Err(StatementError::NoColumn("支付宝交易号")));
}

#[test]
fn a_bill_in_two_files_is_read_whole() {
    let files = [("1.csv", LINES.as_bytes()), ("2.csv", LINES.as_bytes())];
    assert_eq!(read(&archive(&files)).unwrap().len(), 2);
}

#[test]
fn what_unpacks_to_more_than_the_limit_is_not_unpacked() {
    let zeros = vec![b'0'; 1_000_000];
    let bomb = archive(&[("a.csv", &zeros)]);
    assert!(bomb.len() < 10_000);
    assert_eq!(read_within(&bomb, 100_000), Err(StatementError::TooLarge));
    // The limit is for all files together.
    let half = vec![b'0'; 60_000];
    assert_eq!(read_within(&archive(&[("a.csv", &half), ("b.csv", &half)]), 100_000), Err(StatementError::TooLarge));
    let many: Vec<(String, &[u8])> = (0..=ENTRY_LIMIT).map(|place| (format!("{place}.csv"), &b""[..])).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|(name, content)| (name.as_str(), *content)).collect();
    assert_eq!(read(&archive(&many)), Err(StatementError::TooLarge));
}

#[test]
fn a_damaged_archive_is_none() {
    let good = archive(&[("a.csv", LINES.repeat(20).as_bytes())]);
    assert!(matches!(read(b"<html>"), Err(StatementError::Unreadable(_))));
    assert!(matches!(read(&good[..good.len() - 30]), Err(StatementError::Unreadable(_))));
    let mut changed = good;
    changed[60] ^= 0xff;
    assert!(matches!(read(&changed), Err(StatementError::Unreadable(_))));
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..128), place in 0_usize..400, value: u8) {
        let _ = read(&bytes);
        let mut changed = archive(&[("a.csv", LINES.as_bytes())]);
        if let Some(byte) = changed.get_mut(place) {
            *byte = value;
        }
        let _ = read_within(&changed, 1_000_000);
    }
}
