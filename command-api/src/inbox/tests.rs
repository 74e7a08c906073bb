use std::sync::Arc;

use chassis::seal::KeyRing;
use database::testing::TestDatabase;
use database::{Area, Database, values};
use domain::Currency;
use gateway::NotificationRefusal;

use super::sql::PRUNE_EVERY;
use super::*;

const QUOTA_BYTES: i64 = 8 * 1024;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
}

fn notice(notify_id: &str, verdict: &str, state: NoticeState) -> KeptNotice {
    KeptNotice {
        wallet: "alipay",
        is_authentic: true,
        notify_id: Some(notify_id.to_owned()),
        out_trade_no: Some("723198234567890123401".to_owned()),
        trade_no: Some("trade-1".to_owned()),
        amount: Some(Money::new(100, Currency::Cny).unwrap()),
        news: Some("paid"),
        refunded: None,
        verdict: verdict.to_owned(),
        state,
        headers: vec![("content-type".to_owned(), b"text/plain".to_vec())],
        body: b"the same".to_vec(),
        received_at: at(0),
    }
}

fn rubbish(body: &[u8]) -> KeptNotice {
    KeptNotice {
        is_authentic: false,
        notify_id: None,
        out_trade_no: None,
        trade_no: None,
        amount: None,
        news: None,
        body: body.to_vec(),
        ..notice("", "bad_signature", NoticeState::Settled)
    }
}

fn act(action: NoticeAction, reason: &str) -> OperatorAct {
    OperatorAct { action, by: "operator:olivia".to_owned(), at: at(60), reason: reason.to_owned() }
}

async fn sql_inbox(place: &TestDatabase) -> (Database, SqlInbox) {
    let database = place.open(Area::State).await.unwrap();
    // Alone in their area the steps are counted without those of others.
    let mut version = 0;
    let steps = INBOX_MIGRATIONS.map(|step| {
        version += 1;
        Migration { version, ..step }
    });
    database.migrate(&steps).await.unwrap();
    let keys: KeyRing = KeyRing::new_text().expose().parse().unwrap();
    (database.clone(), SqlInbox::new(database, Arc::new(keys), QUOTA_BYTES))
}

async fn all(desk: &dyn NoticeDesk) -> Vec<StoredNotice> {
    let mut all = desk.page(&NoticeFilter::default(), None, 1_000).await.unwrap();
    all.reverse();
    all
}

async fn verdicts(desk: &dyn NoticeDesk) -> Vec<(String, NoticeState, u64)> {
    all(desk).await.into_iter().map(|notice| (notice.verdict, notice.state, notice.times_seen)).collect()
}

/// What holds for every inbox. Each begins empty.
mod suite {
    use super::*;

    pub(super) async fn repeats(inbox: &dyn NoticeInbox) {
        let desk = inbox.desk().unwrap();
        inbox.keep(notice("n1", "asking", NoticeState::Open)).await.unwrap();
        for (verdict, state) in [("recorded", NoticeState::Settled), ("undecided", NoticeState::Open), ("recorded", NoticeState::Settled)] {
            let later = KeptNotice { received_at: at(7), ..notice("n1", verdict, state) };
            inbox.keep(later).await.unwrap();
        }
        assert_eq!(verdicts(desk).await, [("recorded".to_owned(), NoticeState::Settled, 4)], "a repeat never takes back what is done");
        let kept = all(desk).await.remove(0);
        assert_eq!((kept.first_received_at, kept.last_received_at), (at(0), at(7)));
        assert_eq!(
            (kept.trade_no.as_deref(), kept.amount.map(Money::amount_minor), kept.news.as_deref()),
            (Some("trade-1"), Some(100), Some("paid"))
        );
        // One signed text split in another way has the same id and says other things.
        let other_amount = Some(Money::new(9_900, Currency::Cny).unwrap());
        inbox.keep(KeptNotice { amount: other_amount, ..notice("n1", "unconfirmed", NoticeState::Open) }).await.unwrap();
        inbox.keep(KeptNotice { news: Some("finished"), ..notice("n1", "recorded", NoticeState::Settled) }).await.unwrap();
        for (id, trade_no) in [(None, None), (None, None)] {
            let unread = KeptNotice { notify_id: id, trade_no, amount: None, news: None, ..notice("", "bad_charset", NoticeState::Open) };
            inbox.keep(unread).await.unwrap();
        }
        let words: Vec<_> = verdicts(desk).await.into_iter().map(|(verdict, _, times)| (verdict, times)).collect();
        let expected = [("recorded", 4), ("unconfirmed", 1), ("recorded", 1), ("bad_charset", 2)];
        assert_eq!(words, expected.map(|(verdict, times)| (verdict.to_owned(), times)));
    }

    pub(super) async fn lists(inbox: &dyn NoticeInbox) {
        let desk = inbox.desk().unwrap();
        for number in 0..3 {
            inbox.keep(notice(&format!("open-{number}"), "unknown_order", NoticeState::Open)).await.unwrap();
            inbox.keep(notice(&format!("done-{number}"), "recorded", NoticeState::Settled)).await.unwrap();
        }
        let listed = async |state: Option<NoticeState>, verdict: Option<&str>, before: Option<i64>, limit: u32| {
            let filter = NoticeFilter { state, verdict: verdict.map(str::to_owned) };
            let page = desk.page(&filter, before, limit).await.unwrap();
            page.into_iter().map(|notice| notice.notice_id).collect::<Vec<_>>()
        };
        assert_eq!(listed(None, None, None, 4).await, [6, 5, 4, 3], "the newest first");
        assert_eq!(listed(None, None, Some(3), 4).await, [2, 1]);
        assert_eq!(listed(Some(NoticeState::Open), None, None, 9).await, [5, 3, 1]);
        assert_eq!(listed(Some(NoticeState::Settled), None, Some(6), 1).await, [4]);
        assert_eq!(listed(None, Some("recorded"), None, 9).await, [6, 4, 2]);
        assert_eq!(listed(Some(NoticeState::Open), Some("unknown_order"), Some(5), 9).await, [3, 1]);
        assert_eq!(listed(Some(NoticeState::Open), Some("recorded"), None, 9).await, [0_i64; 0]);
        assert_eq!(desk.find(3).await.unwrap().map(|notice| notice.notice_id), Some(3));
        assert_eq!(desk.find(7).await.unwrap(), None);
    }

    pub(super) async fn texts(inbox: &dyn NoticeInbox) {
        let desk = inbox.desk().unwrap();
        let came = KeptNotice {
            headers: vec![("x".to_owned(), vec![0, 255])],
            body: vec![0, 159, 146, 150],
            ..notice("n1", "recorded", NoticeState::Settled)
        };
        inbox.keep(came.clone()).await.unwrap();
        inbox.keep(rubbish(&vec![b'x'; MAX_UNVERIFIED_BODY + 1])).await.unwrap();
        let raw = desk.raw(1).await.unwrap().unwrap();
        assert_eq!((raw.headers, raw.body), (came.headers, came.body), "byte for byte");
        assert_eq!(desk.raw(2).await.unwrap().unwrap().body.len(), MAX_UNVERIFIED_BODY);
        assert!(desk.raw(3).await.unwrap().is_none());
    }

    pub(super) async fn rejudged(inbox: &dyn NoticeInbox) {
        let desk = inbox.desk().unwrap();
        let rejudged = act(NoticeAction::Rejudged, "the key is there now");
        inbox.keep(rubbish(b"signed by a key that came late")).await.unwrap();
        inbox.keep(notice("n2", "undecided", NoticeState::Open)).await.unwrap();
        desk.judged(&stored(desk, 1).await, &notice("n1", "unknown_order", NoticeState::Open), &rejudged).await.unwrap();
        desk.judged(&stored(desk, 2).await, &notice("n2", "recorded", NoticeState::Settled), &rejudged).await.unwrap();
        let kept = all(desk).await;
        let first = &kept[0];
        assert_eq!((first.is_authentic, first.verdict.as_str(), first.state), (true, "unknown_order", NoticeState::Open));
        assert_eq!((first.trade_no.as_deref(), first.act.as_ref()), (Some("trade-1"), Some(&rejudged)));
        assert_eq!((kept[1].verdict.as_str(), kept[1].state), ("recorded", NoticeState::Settled));
        // Repeats of both are known by what they say.
        inbox.keep(notice("n1", "unknown_order", NoticeState::Open)).await.unwrap();
        inbox.keep(notice("n2", "recorded", NoticeState::Settled)).await.unwrap();
        assert_eq!(all(desk).await.iter().map(|notice| notice.times_seen).collect::<Vec<_>>(), [2, 2]);
        // A key that has gone makes no rubbish of what proved genuine.
        desk.judged(&stored(desk, 2).await, &KeptNotice { state: NoticeState::Open, ..rubbish(b"the same") }, &rejudged).await.unwrap();
        let kept = desk.find(2).await.unwrap().unwrap();
        assert_eq!((kept.is_authentic, kept.verdict.as_str(), kept.trade_no.as_deref()), (true, "bad_signature", Some("trade-1")));
        // The one that was rubbish and whose repeat was kept meanwhile does not take its place.
        inbox.keep(rubbish(b"once more")).await.unwrap();
        let newest = all(desk).await.pop().unwrap().notice_id;
        desk.judged(&stored(desk, newest).await, &notice("n1", "recorded", NoticeState::Settled), &rejudged).await.unwrap();
        assert!(desk.find(newest).await.unwrap().unwrap().is_authentic);
    }

    pub(super) async fn judged_late(inbox: &dyn NoticeInbox) {
        let desk = inbox.desk().unwrap();
        let rejudged = act(NoticeAction::Rejudged, "why not");
        inbox.keep(notice("n1", "undecided", NoticeState::Open)).await.unwrap();
        let before = stored(desk, 1).await;
        // While it is judged once more, it comes again and is done with.
        inbox.keep(notice("n1", "recorded", NoticeState::Settled)).await.unwrap();
        desk.judged(&before, &notice("n1", "unconfirmed", NoticeState::Open), &rejudged).await.unwrap();
        let kept = stored(desk, 1).await;
        assert_eq!((kept.verdict.as_str(), kept.state, kept.act), ("recorded", NoticeState::Settled, None));
        // What was judged later is not opened by who began before.
        inbox.keep(notice("n2", "undecided", NoticeState::Open)).await.unwrap();
        let before = all(desk).await.pop().unwrap();
        desk.judged(&before, &notice("n2", "recorded", NoticeState::Settled), &rejudged).await.unwrap();
        desk.judged(&before, &notice("n2", "unconfirmed", NoticeState::Open), &rejudged).await.unwrap();
        assert_eq!(stored(desk, before.notice_id).await.state, NoticeState::Settled);
    }

    pub(super) async fn dismissed_too_soon(inbox: &dyn NoticeInbox) {
        let desk = inbox.desk().unwrap();
        let dismissed = act(NoticeAction::Dismissed, "nothing came");
        inbox.keep(notice("n1", "unconfirmed", NoticeState::Open)).await.unwrap();
        desk.end(Some(1), &dismissed, None).await.unwrap();
        inbox.keep(notice("n1", "unconfirmed", NoticeState::Open)).await.unwrap();
        assert_eq!(stored(desk, 1).await.state, NoticeState::Settled, "nothing new");
        // The channel confirms the money after all, and it matches nothing.
        inbox.keep(notice("n1", "unknown_order", NoticeState::Open)).await.unwrap();
        let kept = stored(desk, 1).await;
        assert_eq!((kept.verdict.as_str(), kept.state, kept.act, kept.times_seen), ("unknown_order", NoticeState::Open, None, 3));
        // Who knew of the money and dismissed it is not asked again.
        desk.end(Some(1), &dismissed, None).await.unwrap();
        inbox.keep(notice("n1", "unknown_order", NoticeState::Open)).await.unwrap();
        let kept = stored(desk, 1).await;
        assert_eq!((kept.state, kept.act), (NoticeState::Settled, Some(dismissed)));
    }

    async fn stored(desk: &dyn NoticeDesk, notice_id: i64) -> StoredNotice {
        desk.find(notice_id).await.unwrap().unwrap()
    }

    pub(super) async fn ended(inbox: &dyn NoticeInbox) {
        let desk = inbox.desk().unwrap();
        inbox.keep(notice("n1", "unknown_order", NoticeState::Open)).await.unwrap();
        inbox.keep(notice("n2", "unknown_order", NoticeState::Open)).await.unwrap();
        inbox.keep(KeptNotice { trade_no: Some("trade-2".to_owned()), ..notice("n3", "unknown_order", NoticeState::Open) }).await.unwrap();
        inbox.keep(notice("n4", "amount_mismatch", NoticeState::Open)).await.unwrap();
        let assigned = act(NoticeAction::Assigned("723198234567890123401".parse().unwrap()), "the buyer showed it");
        desk.end(Some(1), &assigned, Some(Unmatched { wallet: "alipay", trade_no: "trade-1" })).await.unwrap();
        let dismissed = act(NoticeAction::Dismissed, "another shop's");
        desk.end(Some(4), &dismissed, None).await.unwrap();
        let acts: Vec<_> = all(desk).await.into_iter().map(|notice| (notice.state, notice.act)).collect();
        let (open, settled) = (NoticeState::Open, NoticeState::Settled);
        let expected = [(settled, Some(assigned.clone())), (settled, Some(assigned)), (open, None), (settled, Some(dismissed.clone()))];
        assert_eq!(acts, expected, "with one notification of the same money all that are open end");
        // Neither a repeat nor another judging opens it again.
        inbox.keep(notice("n4", "undecided", NoticeState::Open)).await.unwrap();
        desk.judged(&stored(desk, 4).await, &notice("n4", "unconfirmed", NoticeState::Open), &act(NoticeAction::Rejudged, "again"))
            .await
            .unwrap();
        let kept = desk.find(4).await.unwrap().unwrap();
        assert_eq!((kept.verdict.as_str(), kept.state, kept.act), ("amount_mismatch", NoticeState::Settled, Some(dismissed)));
    }

    pub(super) async fn retention(inbox: &dyn NoticeInbox) {
        let desk = inbox.desk().unwrap();
        inbox.keep(rubbish(b"old")).await.unwrap();
        inbox.keep(notice("done", "recorded", NoticeState::Settled)).await.unwrap();
        inbox.keep(notice("open", "unknown_order", NoticeState::Open)).await.unwrap();
        inbox.keep(KeptNotice { received_at: at(1), ..rubbish(b"younger") }).await.unwrap();
        let dropped = async |now: DateTime<Utc>| desk.clean_up(now).await.unwrap().by_age;
        assert_eq!(dropped(at(0) + UNVERIFIED_RETENTION).await, 0);
        assert_eq!(dropped(at(1) + UNVERIFIED_RETENTION).await, 1);
        assert_eq!(dropped(at(0) + VERIFIED_RETENTION).await, 1, "the younger rubbish");
        assert_eq!(verdicts(desk).await.len(), 2, "what proved genuine outlives it");
        assert_eq!(dropped(at(1) + VERIFIED_RETENTION).await, 1);
        assert_eq!(dropped(at(0) + VERIFIED_RETENTION * 10).await, 0);
        let left = verdicts(desk).await;
        assert_eq!(left, [("unknown_order".to_owned(), NoticeState::Open, 1)], "what an operator is to look at is never dropped");
    }
}

macro_rules! for_every_inbox {
    ($($name:ident: $suite:ident,)+) => {$(
        mod $name {
            use super::*;

            #[tokio::test]
            async fn in_memory() {
                suite::$suite(&MemoryInbox::default()).await;
            }

            #[tokio::test]
            async fn on_sqlite() {
                let place = TestDatabase::sqlite();
                suite::$suite(&sql_inbox(&place).await.1).await;
            }

            #[tokio::test]
            async fn on_postgres() {
                let place = TestDatabase::postgres().await;
                suite::$suite(&sql_inbox(&place).await.1).await;
            }
        }
    )+};
}

for_every_inbox! {
    repeats_are_counted_and_bring_their_verdict: repeats,
    a_page_holds_what_is_asked_for_the_newest_first: lists,
    texts_come_back_as_they_were: texts,
    what_was_judged_once_more_stands_where_it_stood: rejudged,
    what_is_done_with_is_not_opened_by_a_judgement_begun_before: judged_late,
    what_was_dismissed_before_its_money_was_known_is_opened_by_it: dismissed_too_soon,
    what_an_operator_has_ended_stays_ended: ended,
    what_was_kept_long_enough_is_dropped: retention,
}

async fn ring(place: &TestDatabase) {
    let (database, inbox) = sql_inbox(place).await;
    inbox.keep(notice("n1", "recorded", NoticeState::Settled)).await.unwrap();
    for number in 0..1_000 {
        inbox.keep(rubbish(format!("{number:0>200}").as_bytes())).await.unwrap();
    }
    let sql = "select count(*), cast(coalesce(sum(byte_count), 0) as bigint) from notice_inbox where is_authentic = 0";
    let (count, bytes): (i64, i64) = database.fetch_one(sql, values![]).await.unwrap();
    let slack = bytes / count * PRUNE_EVERY;
    assert!(count > 0 && bytes <= QUOTA_BYTES + slack, "{count} unverified notices take {bytes} bytes");
    let cleaned = inbox.clean_up(at(0)).await.unwrap();
    assert!(cleaned.by_quota > 0 && cleaned.by_age == 0, "{cleaned:?}");
    let (left, bytes): (i64, i64) = database.fetch_one(sql, values![]).await.unwrap();
    assert!(bytes <= QUOTA_BYTES && u64::try_from(count - left).unwrap() == cleaned.by_quota, "{left} take {bytes} bytes");
    let newest = all(&inbox).await.pop().unwrap();
    assert_eq!(inbox.raw(newest.notice_id).await.unwrap().unwrap().body, format!("{:0>200}", 999).as_bytes(), "the oldest go first");
    assert_eq!(all(&inbox).await[0].verdict, "recorded", "rubbish never drives out what proved genuine");
    let sealed: Vec<(Vec<u8>,)> = database.fetch_all("select sealed from notice_inbox", values![]).await.unwrap();
    assert!(sealed.iter().all(|(sealed,)| !sealed.windows(8).any(|window| window == b"the same")), "bodies are sealed");
    let other: KeyRing = KeyRing::new_text().expose().parse().unwrap();
    let elsewhere = SqlInbox::new(database, Arc::new(other), QUOTA_BYTES);
    assert!(elsewhere.raw(newest.notice_id).await.unwrap().is_none(), "without the key they stay sealed");
}

#[tokio::test]
async fn rubbish_is_a_ring_on_sqlite() {
    ring(&TestDatabase::sqlite()).await;
}

#[tokio::test]
async fn rubbish_is_a_ring_on_postgres() {
    ring(&TestDatabase::postgres().await).await;
}

#[test]
fn the_word_of_unmatched_money_is_the_refusals() {
    assert_eq!(desk::UNMATCHED, NotificationRefusal::UnknownOrder.to_string());
}

/// Notices that were kept before operators worked on them are open where they were refused although they were genuine.
async fn older_notices(place: &TestDatabase) {
    let database = place.open(Area::State).await.unwrap();
    let [first, second] = INBOX_MIGRATIONS;
    let (first, second) = (Migration { version: 1, ..first }, Migration { version: 2, ..second });
    database.migrate(&[first]).await.unwrap();
    for (is_authentic, verdict) in [(true, "recorded"), (true, "unknown_order"), (false, "bad_signature"), (true, "undecided")] {
        let sql = "insert into notice_inbox (wallet, is_authentic, verdict, sealed, byte_count, times_seen, first_received_at, last_received_at) \
                   values ('alipay', $1, $2, $3, 1, 1, $4, $4)";
        database.execute(sql, values![is_authentic, verdict, vec![0_u8], at(0)]).await.unwrap();
    }
    database.migrate(&[first, second]).await.unwrap();
    let keys: KeyRing = KeyRing::new_text().expose().parse().unwrap();
    let states: Vec<_> = verdicts(&SqlInbox::new(database, Arc::new(keys), QUOTA_BYTES)).await.into_iter().map(|row| row.1).collect();
    assert_eq!(states, [NoticeState::Settled, NoticeState::Open, NoticeState::Settled, NoticeState::Open]);
}

#[tokio::test]
async fn older_notices_are_open_where_they_should_be_on_sqlite() {
    older_notices(&TestDatabase::sqlite()).await;
}

#[tokio::test]
async fn older_notices_are_open_where_they_should_be_on_postgres() {
    older_notices(&TestDatabase::postgres().await).await;
}
