//! Tables that an earlier program filled are brought forward with their rows.

use database::testing::TestDatabase;
use database::{Area, Database, values};
use event_store::LogReader;

use super::*;
use crate::rebuild::rebuild;
use crate::testing::*;
use crate::{Checksum, View, all, checksum};

/// As the program of the first step left them: one order that is paid, and a request for a refund that had no table yet.
async fn earlier(place: &TestDatabase, story: &Story) -> Database {
    let views = place.open(Area::Views).await.unwrap();
    views.migrate(&MIGRATIONS[..1]).await.unwrap();
    // An order that is not in the story.
    let order = order_id(77).to_string();
    let head = story.log.head().await.unwrap().as_i64();
    for sql in [
        "insert into order_view (order_id, buyer_id, order_type, out_business_id, source, title, client, amount, currency, status, \
         payment_status, shipping_status, items_json, created_at, expires_at, updated_at, revision, position) \
         values ($1, 'alice', 'course', '7', 'product', 'Rust', 'web', 1, 'CNY', 'paid', 'paid', 'none', '[]', $2, $2, $2, 9, 9)",
        "insert into pay_record_view (pay_no, order_id, buyer_id, channel, amount, currency, subject, status, expires_at, issued_at, \
         closing_cause, updated_at, revision, position) \
         values ('earlier', $1, 'alice', 'alipay_qr', 1, 'CNY', 'Rust', 'closing', $2, $2, 'code_expired', $2, 9, 9)",
        "insert into course_selection_view (selection_id, buyer_id, course_id, title, charge, price_amount, currency, price_version, \
         status, order_id, opened_at, selected_at, revision, position) \
         values ('earlier', 'alice', 'c', 'Rust', 'paid', 1, 'CNY', 1, 'active', $1, $2, $2, 0, 9)",
    ] {
        views.execute(sql, values![&order, at(1)]).await.unwrap();
    }
    let sql = "insert into follower_checkpoint (name, generation, position) values ($1, 1, $2)";
    views.execute(sql, values!["pay_records", head]).await.unwrap();
    views
}

async fn count(views: &Database, sql: &'static str) -> i64 {
    views.fetch_one::<(i64,)>(sql, values![]).await.unwrap().0
}

#[tokio::test]
async fn rows_stay_and_new_words_are_taken() {
    for place in [TestDatabase::sqlite(), TestDatabase::postgres().await] {
        let story = Story::new();
        let views = earlier(&place, &story).await;
        views.migrate(MIGRATIONS).await.unwrap();
        assert_eq!(
            count(&views, "select count(*) from order_view where refunded_amount + discount_amount = 0 and coupon_id is null").await,
            1
        );
        assert_eq!(count(&views, "select count(*) from pay_record_view where closing_cause = 'code_expired'").await, 1);
        assert_eq!(count(&views, "select count(*) from course_selection_view where status = 'active'").await, 1);
        views.execute("update pay_record_view set closing_cause = 'order_paid'", values![]).await.unwrap();
        views.execute("update course_selection_view set status = 'ended'", values![]).await.unwrap();
        for wrong in ["update pay_record_view set closing_cause = 'rain'", "update course_selection_view set status = 'over'"] {
            assert!(views.execute(wrong, values![]).await.is_err(), "{wrong}");
        }
    }
}

#[tokio::test]
async fn refunds_that_were_requested_before_they_had_a_table_come_into_it() {
    for place in [TestDatabase::sqlite(), TestDatabase::postgres().await] {
        let story = Story::new();
        story.everything().await;
        let views = earlier(&place, &story).await;
        views.migrate(MIGRATIONS).await.unwrap();
        for follower in all(&views, &story.reader(), &still()) {
            if follower.name() == "pay_records" {
                while !follower.run_once().await.unwrap().caught_up {}
            }
        }
        assert_eq!(count(&views, "select count(*) from refund_view").await, 3, "{:?}", views.backend());
    }
}

#[tokio::test]
async fn tables_that_a_rebuild_has_exchanged_are_brought_forward_too() {
    for place in [TestDatabase::sqlite(), TestDatabase::postgres().await] {
        let story = Story::new();
        story.everything().await;
        let views = earlier(&place, &story).await;
        for table in ["order_view", "pay_record_view", "course_selection_view"] {
            exchange(&views, table).await;
        }
        views.migrate(MIGRATIONS).await.unwrap();
        for follower in all(&views, &story.reader(), &still()) {
            while !follower.run_once().await.unwrap().caught_up {}
        }
        let clock = chassis::clock::ManualClock::new(at(0));
        let mut before: Vec<Checksum> = Vec::new();
        for view in View::ALL {
            before.push(checksum(view, &views).await.unwrap());
        }
        for (view, before) in View::ALL.into_iter().zip(before) {
            rebuild(view, &views, &story.reader(), &clock).await.unwrap();
            assert_eq!(checksum(view, &views).await.unwrap(), before, "{view}, {:?}", views.backend());
        }
    }
}

/// Exchanges a table with its twin, empty as it is, as a rebuild does.
async fn exchange(views: &Database, table: &str) {
    let statements: [&'static str; 3] = match table {
        "order_view" => crate::orders::TABLE.exchange,
        "pay_record_view" => crate::pay_records::TABLE.exchange,
        _ => crate::course_selections::TABLE.exchange,
    };
    for statement in statements {
        views.execute(statement, values![]).await.unwrap();
    }
}
