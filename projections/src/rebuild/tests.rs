use std::sync::atomic::{AtomicBool, Ordering};

use chassis::clock::ManualClock;
use database::Area;
use database::testing::TestDatabase;
use followers::Checkpoint;

use super::*;
use crate::testing::*;
use crate::{Checksum, MIGRATIONS, Projector, all, checksum};

async fn migrated(place: &TestDatabase) -> Database {
    let views = place.open(Area::Views).await.unwrap();
    views.migrate(MIGRATIONS).await.unwrap();
    views
}

async fn follow(views: &Database, story: &Story) {
    for follower in all(views, &story.reader(), &still()) {
        while !follower.run_once().await.unwrap().caught_up {}
    }
}

async fn checksums(views: &Database) -> Vec<Checksum> {
    let mut all = Vec::new();
    for view in View::ALL {
        all.push(checksum(view, views).await.unwrap());
    }
    all
}

async fn rebuilt(view: View, views: &Database, story: &Story) -> Result<Rebuilt, RebuildError> {
    rebuild(view, views, &story.reader(), &ManualClock::new(at(0))).await
}

async fn both() -> [TestDatabase; 2] {
    [TestDatabase::sqlite(), TestDatabase::postgres().await]
}

#[tokio::test]
async fn a_rebuilt_view_has_equal_content_and_can_be_rebuilt_again() {
    let story = Story::new();
    story.everything().await;
    for place in both().await {
        let views = migrated(&place).await;
        follow(&views, &story).await;
        let before = checksums(&views).await;
        for round in 1..=3 {
            for view in [
                View::Orders,
                View::Refunds,
                View::SurplusPayments,
                View::CourseTable,
                View::Points,
                View::Stock,
                View::Coupons,
                View::Entitlements,
            ] {
                rebuilt(view, &views, &story).await.unwrap();
            }
            assert_eq!(checksums(&views).await, before, "{:?}, round {round}", views.backend());
        }
    }
}

#[tokio::test]
async fn a_rebuild_tells_what_it_did() {
    let story = Story::new();
    story.everything().await;
    let place = TestDatabase::sqlite();
    let views = migrated(&place).await;
    let done = rebuilt(View::CourseSelections, &views, &story).await.unwrap();
    assert_eq!(done.rows, [("course_selection_view", 3), ("course_table_view", 1)]);
    assert_eq!((done.events, done.position), (7, story.log.head().await.unwrap()));
    let slow = Rebuilt { events: 500, started_at: at(0), finished_at: at(2), ..done };
    assert_eq!(slow.events_per_second(), 250);
}

#[tokio::test]
async fn a_rebuild_mends_rows_that_were_damaged_or_lost() {
    let story = Story::new();
    story.everything().await;
    for place in both().await {
        let views = migrated(&place).await;
        follow(&views, &story).await;
        let before = checksums(&views).await;
        views.execute("delete from order_view where status = 'paid'", values![]).await.unwrap();
        views.execute("update order_view set amount = 1", values![]).await.unwrap();
        rebuilt(View::Orders, &views, &story).await.unwrap();
        assert_eq!(checksums(&views).await, before, "{:?}", views.backend());
    }
}

#[tokio::test]
async fn a_running_follower_notices_the_rebuild_and_goes_on_behind_it() {
    let story = Story::new();
    story.everything().await;
    for (number, place) in (100..).zip(both().await) {
        let views = migrated(&place).await;
        let followers = all(&views, &story.reader(), &still());
        for follower in &followers {
            while !follower.run_once().await.unwrap().caught_up {}
        }
        for view in [
            View::Orders,
            View::PayRecords,
            View::SurplusPayments,
            View::CourseSelections,
            View::Points,
            View::Stock,
            View::Coupons,
            View::Entitlements,
        ] {
            rebuilt(view, &views, &story).await.unwrap();
        }
        story.paid_course(number).await;
        for follower in &followers {
            // Consumers know nothing by heart.
            if ["course_selections", "points", "entitlements"].contains(&follower.name()) {
                assert!(follower.run_once().await.unwrap().caught_up);
                continue;
            }
            let overtaken = follower.run_once().await;
            assert!(matches!(overtaken, Err(FollowerError::Overtaken)), "{}: {overtaken:?}", follower.name());
            assert!(follower.run_once().await.unwrap().caught_up);
        }
        let other_place = TestDatabase::sqlite();
        let fresh = migrated(&other_place).await;
        follow(&fresh, &story).await;
        assert_eq!(checksums(&views).await, checksums(&fresh).await, "{:?}", views.backend());
    }
}

/// Reads the view over and over: it is never empty, never older than before, and never refuses.
async fn watch_orders(views: Database, over: Arc<AtomicBool>) -> usize {
    let (mut reads, mut newest, mut most) = (0, 0, 0);
    while !over.load(Ordering::Relaxed) {
        let sql = "select max(position), count(*) from order_view";
        let (position, rows): (i64, i64) = views.fetch_one(sql, values![]).await.unwrap();
        assert!(position >= newest && rows >= most, "from {newest}, {most} rows to {position}, {rows} rows");
        (reads, newest, most) = (reads + 1, position, rows);
        tokio::task::yield_now().await;
    }
    reads
}

/// Appends and follows until `over`, as a busy server does.
async fn keep_serving(views: Database, story: Arc<Story>, over: Arc<AtomicBool>) {
    let followers = all(&views, &story.reader(), &still());
    for number in 1000.. {
        if over.load(Ordering::Relaxed) {
            return;
        }
        story.paid_course(number).await;
        for follower in &followers {
            match follower.run_once().await {
                Ok(_) | Err(FollowerError::Overtaken) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_goes_on_beside_reads_and_writes() {
    for place in both().await {
        let story = Arc::new(Story::new());
        for number in 0..40 {
            story.paid_course(number).await;
        }
        let views = migrated(&place).await;
        follow(&views, &story).await;
        let over = Arc::new(AtomicBool::new(false));
        let reader = tokio::spawn(watch_orders(views.clone(), Arc::clone(&over)));
        let serving = tokio::spawn(keep_serving(views.clone(), Arc::clone(&story), Arc::clone(&over)));
        for view in [View::Orders, View::CourseTable, View::PayRecords, View::Orders] {
            rebuilt(view, &views, &story).await.unwrap();
        }
        over.store(true, Ordering::Relaxed);
        let reads = reader.await.unwrap();
        serving.await.unwrap();
        assert!(reads > 0);

        follow(&views, &story).await;
        let other_place = TestDatabase::sqlite();
        let fresh = migrated(&other_place).await;
        follow(&fresh, &story).await;
        assert_eq!(checksums(&views).await, checksums(&fresh).await, "{:?}", views.backend());
    }
}

#[tokio::test]
async fn a_rebuild_never_takes_the_view_back() {
    let story = Story::new();
    story.everything().await;
    for place in both().await {
        let views = migrated(&place).await;
        follow(&views, &story).await;
        let before = Checkpoint::load(&views, Orders::NAME).await.unwrap();
        // The log that the rebuild reads has fewer events than the view has seen, as a lagging replica has.
        let shorter = Story::new();
        shorter.paid_course(1).await;
        let refused = rebuilt(View::Orders, &views, &shorter).await;
        assert!(matches!(refused, Err(RebuildError::CannotCatchUp)), "{refused:?}");
        assert_eq!(Checkpoint::load(&views, Orders::NAME).await.unwrap(), before);
    }
}

#[tokio::test]
async fn a_second_rebuild_ends_the_first() {
    let story = Story::new();
    story.everything().await;
    for place in both().await {
        let views = migrated(&place).await;
        follow(&views, &story).await;
        let before = checksums(&views).await;
        let head = story.log.head().await.unwrap();
        let first = begin::<Orders>(&views).await.unwrap();
        let second = begin::<Orders>(&views).await.unwrap();
        assert!(second > first);
        let ended = exchange::<Orders>(&views, first, head).await;
        assert!(matches!(ended, Err(RebuildError::Overtaken)), "{ended:?}");
        assert_eq!(checksums(&views).await, before, "{:?}", views.backend());
        rebuilt(View::Orders, &views, &story).await.unwrap();
        assert_eq!(checksums(&views).await, before);
    }
}

#[tokio::test]
async fn a_rebuild_that_was_broken_off_leaves_the_view_and_is_begun_anew() {
    let story = Story::new();
    story.everything().await;
    let place = TestDatabase::sqlite();
    let views = migrated(&place).await;
    follow(&views, &story).await;
    let before = checksums(&views).await;
    begin::<PayRecords>(&views).await.unwrap();
    let feed = Arc::new(LogFeed::new(story.reader(), PayRecords::wanted()));
    let effect = Projection::<PayRecords, _>::new(SqlViewStore::<PayRecords>::rebuilding(views.clone()));
    FeedFollower::new(feed, Arc::new(effect)).with_page_events(5).run_once().await.unwrap();
    assert_eq!(checksums(&views).await, before);
    rebuilt(View::PayRecords, &views, &story).await.unwrap();
    assert_eq!(checksums(&views).await, before);
}

#[tokio::test]
async fn an_event_that_cannot_be_read_ends_the_rebuild_and_leaves_the_view() {
    let story = Story::new();
    story.paid_course(1).await;
    let place = TestDatabase::sqlite();
    let views = migrated(&place).await;
    follow(&views, &story).await;
    let before = checksums(&views).await;
    story.append("order-1", [("OrderCreated".to_owned(), 1, "{}".to_owned())]).await;
    let stands = rebuilt(View::Orders, &views, &story).await;
    assert!(matches!(stands, Err(RebuildError::Follower(FollowerError::Effect(_)))), "{stands:?}");
    assert_eq!(checksums(&views).await, before);
}

#[tokio::test]
async fn a_view_that_was_never_followed_can_be_rebuilt() {
    let story = Story::new();
    story.everything().await;
    for place in both().await {
        let views = migrated(&place).await;
        rebuilt(View::Orders, &views, &story).await.unwrap();
        let other_place = TestDatabase::sqlite();
        let fresh = migrated(&other_place).await;
        follow(&fresh, &story).await;
        let (ours, theirs) = (checksum(View::Orders, &views).await.unwrap(), checksum(View::Orders, &fresh).await.unwrap());
        assert_eq!(ours, theirs);
    }
}
