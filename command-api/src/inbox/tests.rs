use chassis::seal::KeyRing;
use database::Area;
use database::testing::TestDatabase;

use super::*;

fn notice(is_authentic: bool, notify_id: Option<&str>, verdict: &str, body: &[u8]) -> KeptNotice {
    KeptNotice {
        wallet: "alipay",
        is_authentic,
        notify_id: notify_id.map(str::to_owned),
        out_trade_no: Some("723198234567890123401".to_owned()),
        verdict: verdict.to_owned(),
        headers: vec![("content-type".to_owned(), b"text/plain".to_vec())],
        body: body.to_vec(),
        received_at: DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
    }
}

async fn inbox(place: &TestDatabase, quota_bytes: i64) -> (Database, SqlInbox) {
    let database = place.open(Area::State).await.unwrap();
    let alone = Migration { version: 1, ..INBOX_MIGRATION };
    database.migrate(&[alone]).await.unwrap();
    let keys: KeyRing = KeyRing::new_text().expose().parse().unwrap();
    (database.clone(), SqlInbox::new(database, Arc::new(keys), quota_bytes))
}

async fn suite(place: &TestDatabase) {
    let (database, inbox) = inbox(place, 8 * 1024).await;
    for _ in 0..3 {
        inbox.keep(notice(true, Some("n1"), "recorded", b"the same")).await.unwrap();
    }
    inbox.keep(notice(true, Some("n1"), "amount_mismatch", b"the same")).await.unwrap();
    inbox.keep(notice(true, None, "bad_charset", b"unreadable")).await.unwrap();
    let sql = "select verdict, times_seen from notice_inbox where is_authentic = 1 order by notice_inbox_id";
    let kept: Vec<(String, i64)> = database.fetch_all(sql, values![]).await.unwrap();
    let expected = [("recorded", 3), ("amount_mismatch", 1), ("bad_charset", 1)].map(|(verdict, times)| (verdict.to_owned(), times));
    assert_eq!(kept, expected, "repeats are counted, other verdicts kept");

    for _ in 0..1_000 {
        inbox.keep(notice(false, None, "bad_signature", &[b'x'; 200])).await.unwrap();
    }
    let sql = "select count(*), cast(coalesce(sum(byte_count), 0) as bigint) from notice_inbox where is_authentic = 0";
    let (count, bytes): (i64, i64) = database.fetch_one(sql, values![]).await.unwrap();
    let slack = bytes / count * PRUNE_EVERY;
    assert!(count > 0 && bytes <= 8 * 1024 + slack, "{count} unverified notices take {bytes} bytes");
    let (authentic,): (i64,) = database.fetch_one("select count(*) from notice_inbox where is_authentic = 1", values![]).await.unwrap();
    assert_eq!(authentic, 3, "rubbish never drives out what proved genuine");
    let sealed: Vec<(Vec<u8>,)> = database.fetch_all("select sealed from notice_inbox", values![]).await.unwrap();
    assert!(sealed.iter().all(|(sealed,)| !sealed.windows(8).any(|window| window == b"the same")), "bodies are sealed");
}

#[tokio::test]
async fn genuine_notices_stay_and_rubbish_is_a_ring_on_sqlite() {
    suite(&TestDatabase::sqlite()).await;
}

#[tokio::test]
async fn genuine_notices_stay_and_rubbish_is_a_ring_on_postgres() {
    suite(&TestDatabase::postgres().await).await;
}
