//! Bills of a day, as a merchant fetches them.

use std::io::{Cursor, Read};

use chrono::{DateTime, FixedOffset, NaiveDate, Utc};
use encoding_rs::GBK;
use serde_json::{Value, json};

use crate::world::{Answer, World, json_of, problem_of};

const METHOD: &str = "alipay.data.dataservice.bill.downloadurl.query";
const DAY_MS: i64 = 24 * 3600 * 1000;

fn day(now: DateTime<Utc>) -> NaiveDate {
    now.with_timezone(&FixedOffset::east_opt(8 * 3600).unwrap()).date_naive()
}

async fn ask(world: &World, date: impl ToString) -> Answer {
    world.call(METHOD, &json!({"bill_type": "trade", "bill_date": date.to_string()}), None).await
}

/// The next noon in Beijing, at which nothing of this test falls on two days.
async fn until_noon(world: &World) -> NaiveDate {
    let noon = day(world.now()).succ_opt().unwrap();
    let at = noon.and_hms_opt(4, 0, 0).unwrap().and_utc();
    world.advance((at - world.now()).num_milliseconds()).await;
    noon
}

/// A payment of 199.00 and a refund of 30.00 of it, on the day that is answered.
async fn traded(world: &World) -> NaiveDate {
    let date = until_noon(world).await;
    world.precreate("1001", None).await.done();
    world.precreate("1002", None).await.done();
    world.pay("1001", "never").await;
    world.refund("1001", "R,1", "30.00").await.done();
    date
}

async fn download(world: &World, url: &str) -> (u16, Vec<u8>) {
    let response = world.client.get(url).send().await.unwrap();
    (response.status().as_u16(), response.bytes().await.unwrap().to_vec())
}

#[tokio::test]
async fn a_day_s_bill_is_an_archive_of_lines_and_sums() {
    let world = World::start().await;
    let date = traded(&world).await;
    world.advance(DAY_MS).await;
    let answer = ask(&world, date).await;
    let url = answer.done()["bill_download_url"].as_str().unwrap().to_owned();
    let (status, bytes) = download(&world, &url).await;
    assert_eq!(status, 200);
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut file = |place| {
        let mut entry = archive.by_index(place).unwrap();
        let name = GBK.decode(entry.name_raw()).0.into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (name, GBK.decode(&bytes).0.into_owned())
    };
    let (name, lines) = file(0);
    assert_eq!(name, format!("{}0156_{}_业务明细.csv", world.credentials.seller_id, date.format("%Y%m%d")));
    let trade_no = world.trade("1001").await["trade_no"].as_str().unwrap().to_owned();
    let rows: Vec<Vec<&str>> = lines.lines().filter(|line| line.starts_with(&trade_no)).map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 2, "{lines}");
    let cells = |row: &[&str]| [1, 2, 11, 12, 22].map(|place| row[place].trim().to_owned());
    assert_eq!(cells(&rows[0]), ["1001", "交易", "199.00", "199.00", "-1.19"]);
    assert!(rows[1][2] == "退款" && rows[1][11] == "-30.00", "{lines}");
    assert!(lines.contains("#交易合计：1笔，商家实收共199.00元") && lines.contains("#退款合计：1笔，商家实收退款共-30.00元"), "{lines}");
    let (name, sums) = file(1);
    assert!(name.ends_with("_业务明细(汇总).csv") && sums.contains("合计,,1,1,169.00,169.00,"), "{sums}");
}

#[tokio::test]
async fn a_bill_s_address_is_good_for_half_a_minute_and_for_its_day_alone() {
    let world = World::start().await;
    let date = traded(&world).await;
    world.advance(DAY_MS).await;
    let url = ask(&world, date).await.done()["bill_download_url"].as_str().unwrap().to_owned();
    let other_day = url.replace(&date.to_string(), &date.pred_opt().unwrap().to_string());
    let later = url.replace("expires=1", "expires=2");
    for forged in [&other_day, &later, &url.replace("sign=", "sign=A"), url.split_once('?').unwrap().0] {
        assert_eq!(download(&world, forged).await.0, 403, "{forged}");
    }
    world.advance(31_000).await;
    assert_eq!(download(&world, &url).await.0, 403);
}

#[tokio::test]
async fn a_day_that_is_not_over_or_on_which_nothing_moved_has_no_bill() {
    let world = World::start().await;
    let date = traded(&world).await;
    ask(&world, date).await.assert_refused("BILL_NOT_EXIST");
    ask(&world, date.pred_opt().unwrap().pred_opt().unwrap()).await.assert_refused("NO_BILL_DATA");
    for bad in ["2026-02-30", "20260301", "2026-3-1", "x"] {
        ask(&world, bad).await.assert_refused("INVAILID_ARGUMENTS");
    }
    world.call(METHOD, &json!({"bill_type": "signcustomer", "bill_date": "2026-03-01"}), None).await.assert_refused("INVAILID_ARGUMENTS");
}

#[tokio::test]
async fn what_moved_in_a_day_is_shown_to_testers() {
    let world = World::start().await;
    let date = traded(&world).await;
    let bill = json_of(world.get(&format!("/sandbox/bills/{date}")).await, 200).await;
    let items = bill["items"].as_array().unwrap();
    let shown: Vec<[&Value; 5]> =
        items.iter().map(|item| ["channel", "kind", "out_trade_no", "amount", "fee_amount"].map(|member| &item[member])).collect();
    assert_eq!(shown[0], [&json!("alipay"), &json!("payment"), &json!("1001"), &json!(19_900), &json!(119)]);
    assert_eq!(shown[1], [&json!("alipay"), &json!("refund"), &json!("1001"), &json!(3_000), &json!(-18)]);
    assert_eq!((items.len(), &items[1]["refund_no"]), (2, &json!("R,1")));
    problem_of(world.get("/sandbox/bills/today").await, 422, "invalid").await;
}

#[tokio::test]
async fn a_fault_hits_the_question_for_a_bill() {
    let world = World::start().await;
    let fault = json!({"operation": "download_statement", "channel": "alipay_qr", "fault": "refuse", "count": 1});
    json_of(world.post("/sandbox/faults", fault).await, 201).await;
    ask(&world, "2026-03-01").await.assert_refused("ACQ.ACCESS_FORBIDDEN");
    ask(&world, "2026-03-01").await.assert_refused("NO_BILL_DATA");
}
