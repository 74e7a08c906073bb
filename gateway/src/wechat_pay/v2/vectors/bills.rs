//! Bills.

use std::collections::BTreeMap;

use domain::{Currency, Money};

use super::super::tests::World;
use super::{cases, settings};
use crate::{Gateway, GatewayError, StatementError, StatementLine, StatementLineKind};

/// A row of the case in the port's words.
fn line(row: &BTreeMap<String, String>) -> StatementLine {
    let is_refund = row["交易状态"] == "REFUND";
    let kind = if is_refund {
        StatementLineKind::Refund {
            refund_no: row["商户退款单号"].clone(), channel_refund_no: Some(row["微信退款单号"].clone())
        }
    } else {
        StatementLineKind::Payment
    };
    let (is_back, fee) = row["手续费"].strip_prefix('-').map_or((false, row["手续费"].as_str()), |fee| (true, fee));
    let fee = Money::parse_major(fee.strip_suffix("000").unwrap(), Currency::Cny).unwrap().amount_minor();
    let at = chrono::NaiveDateTime::parse_from_str(&row["交易时间"], "%Y-%m-%d %H:%M:%S").unwrap().and_utc();
    StatementLine {
        kind,
        out_trade_no: row["商户订单号"].clone(),
        trade_no: row["微信订单号"].clone(),
        amount: Money::parse_major(&row[if is_refund { "申请退款金额" } else { "订单金额" }], Currency::Cny).unwrap(),
        fee_minor: if is_back { -fee } else { fee },
        at: Some(at - chrono::TimeDelta::hours(8)),
    }
}

#[tokio::test]
async fn bills_are_read_whole_or_not_at_all() {
    let date = "2026-03-05".parse().unwrap();
    for mut case in cases("bill_parse") {
        let body = case.input.body();
        let world = World::new(&settings());
        world.canned.lay(body.clone());
        let statement = world.native().download_statement(date).await.unwrap();
        let rows: Vec<BTreeMap<String, String>> = serde_json::from_value(case.expect.value("rows").unwrap()).unwrap();
        assert_eq!((statement.date, statement.lines), (date, rows.iter().map(line).collect()), "{}", case.name);
        // What the last line says is compared with the others: a file that says anything else of them is refused.
        let summary = case.expect.texts("summary");
        let text = String::from_utf8(body).unwrap();
        let (start, last) = text.trim_end().rsplit_once('\n').unwrap();
        assert_eq!(last.split(",`").count(), summary.len(), "{}", case.name);
        for column in ["总交易单数", "订单总金额", "申请退款总金额"] {
            let place = start.rsplit_once('\n').unwrap().1.trim_end().split(',').position(|name| name == column).unwrap();
            let mut cells: Vec<&str> = last.trim_start_matches('`').split(",`").collect();
            assert_eq!(cells[place], summary[column], "{}", case.name);
            let other = cells[place].replacen(['1', '2', '3'], "7", 1);
            cells[place] = &other;
            world.canned.lay(format!("{start}\n`{}\r\n", cells.join(",`")));
            match world.native().download_statement(date).await {
                Err(GatewayError::Unknown { source, .. }) => {
                    assert_eq!(source.downcast_ref::<StatementError>(), Some(&StatementError::SumsDiffer), "{column}");
                }
                other => panic!("{column}: {other:?}"),
            }
        }
        case.assert_all_read();
    }
}
