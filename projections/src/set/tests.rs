//! Each follower fresh, redelivered, and across the border of a page.

use database::testing::TestDatabase;
use database::{Area, values};
use event_store::Position;
use followers::{Effect, Feed};

use super::*;
use crate::testing::*;
use crate::{Checksum, MIGRATIONS, View, checksum};

async fn run_until_caught_up(followers: &[Arc<dyn Follower>]) {
    for follower in followers {
        while !follower.run_once().await.unwrap().caught_up {}
    }
}

async fn migrated(place: &TestDatabase) -> Database {
    let views = place.open(Area::Views).await.unwrap();
    views.migrate(MIGRATIONS).await.unwrap();
    views
}

async fn checksums(views: &Database) -> Vec<Checksum> {
    let mut all = Vec::new();
    for view in View::ALL {
        all.push(checksum(view, views).await.unwrap());
    }
    all
}

async fn fresh(story: &Story) -> Vec<Checksum> {
    let place = TestDatabase::sqlite();
    let views = migrated(&place).await;
    run_until_caught_up(&all(&views, &story.reader(), &still())).await;
    checksums(&views).await
}

#[tokio::test]
async fn both_databases_hold_the_same_rows() {
    let story = Story::new();
    story.everything().await;
    let in_sqlite = fresh(&story).await;
    let place = TestDatabase::postgres().await;
    let views = migrated(&place).await;
    run_until_caught_up(&all(&views, &story.reader(), &still())).await;
    assert_eq!(checksums(&views).await, in_sqlite);
    assert_eq!(in_sqlite.iter().map(|sum| sum.rows).collect::<Vec<_>>(), [3, 4, 3, 5, 3, 1, 3, 2, 2, 0]);
    let head = story.log.head().await.unwrap();
    assert!(in_sqlite.iter().all(|sum| sum.position == head), "what is of other kinds moves the checkpoint too");
}

#[tokio::test]
async fn memory_holds_what_the_tables_hold() {
    let story = Story::new();
    story.everything().await;
    let memory = MemoryViews::default();
    run_until_caught_up(&memory.followers(&story.reader(), &still())).await;
    let place = TestDatabase::sqlite();
    let views = migrated(&place).await;
    run_until_caught_up(&all(&views, &story.reader(), &still())).await;
    let keys: Vec<String> = [2, 4, 5].map(|number| order_id(number).to_string()).to_vec();
    let rows = |loaded: Vec<(String, OrderRow)>| loaded.into_iter().map(|(_, row)| row).collect::<Vec<_>>();
    assert_eq!(rows(SqlViewStore::<Orders>::new(views.clone()).load(&keys).await.unwrap()), memory.orders.rows());
    let loaded = SqlViewStore::<PayRecords>::new(views.clone()).load(&keys).await.unwrap();
    assert_eq!(loaded.into_iter().map(|(_, row)| row).collect::<Vec<_>>(), memory.pay_records.rows());
    let keys: Vec<String> = [1, 2, 9].map(|number| selection_id(number).to_string()).to_vec();
    let loaded = SqlViewStore::<CourseSelections>::new(views.clone()).load(&keys).await.unwrap();
    assert_eq!(loaded.into_iter().map(|(_, row)| row).collect::<Vec<_>>(), memory.course_selections.rows());
    let mut keys: Vec<String> = [2, 5].map(|number| format!("order-{}", order_id(number))).to_vec();
    keys.extend(["T1", "T2", "T3"].map(|trade_no| format!("unknown_capture-alipay-{trade_no}")));
    let loaded = SqlViewStore::<SurplusPayments>::new(views.clone()).load(&keys).await.unwrap();
    assert_eq!(loaded.into_iter().map(|(_, row)| row).collect::<Vec<_>>(), memory.surplus_payments.rows());
    let keys: Vec<String> = [2, 5].map(|number| order_id(number).to_string()).to_vec();
    let loaded = SqlViewStore::<Points>::new(views.clone()).load(&keys).await.unwrap();
    assert_eq!(loaded.into_iter().map(|(_, row)| row).collect::<Vec<_>>(), memory.points.rows());
    let keys = ["sku-1", "sku-2"].map(str::to_owned);
    let loaded = SqlViewStore::<Stocks>::new(views.clone()).load(&keys).await.unwrap();
    assert_eq!(loaded.into_iter().map(|(_, row)| row).collect::<Vec<_>>(), memory.stock.rows());
    let keys = [2, 5].map(|number| coupon_id(order_id(number)).to_string());
    let loaded = SqlViewStore::<Coupons>::new(views).load(&keys).await.unwrap();
    assert_eq!(loaded.into_iter().map(|(_, row)| row).collect::<Vec<_>>(), memory.coupons.rows());
}

/// Follows with pages of each size, whose borders fall between, and inside, appends.
async fn in_pages_of<P: crate::store::SqlView>(views: &Database, story: &Story, page_events: usize) {
    let feed = Arc::new(LogFeed::new(story.reader(), P::wanted()));
    let projection = Projection::<P, _>::new(SqlViewStore::<P>::new(views.clone()));
    let follower: Arc<dyn Follower> = Arc::new(FeedFollower::new(feed, Arc::new(projection)).with_page_events(page_events));
    run_until_caught_up(&[follower]).await;
}

/// The same with batches of messages.
async fn in_batches_of<P: crate::store::SqlView + ConsumerProjector>(views: &Database, story: &Story, messages: usize) {
    let feed = LogMessageFeed::new(Arc::new(LogFeed::new(story.reader(), P::wanted())));
    let consumption = Consumption::<P, _>::new(SqlViewStore::<P>::new(views.clone()));
    let consumer = Consumer::new(Arc::new(feed), Arc::new(consumption), still()).with_batch_messages(messages);
    run_until_caught_up(&[Arc::new(consumer)]).await;
}

#[tokio::test]
async fn pages_of_any_size_give_the_same_rows() {
    let story = Story::new();
    story.everything().await;
    let expected = fresh(&story).await;
    for page_events in [1, 2, 3, 5, 7] {
        let place = TestDatabase::sqlite();
        let views = migrated(&place).await;
        in_pages_of::<Orders>(&views, &story, page_events).await;
        in_pages_of::<PayRecords>(&views, &story, page_events).await;
        in_batches_of::<CourseSelections>(&views, &story, page_events).await;
        in_pages_of::<SurplusPayments>(&views, &story, page_events).await;
        in_batches_of::<Points>(&views, &story, page_events).await;
        in_pages_of::<Stocks>(&views, &story, page_events).await;
        in_pages_of::<Coupons>(&views, &story, page_events).await;
        in_batches_of::<Entitlements>(&views, &story, page_events).await;
        assert_eq!(checksums(&views).await, expected, "pages of {page_events}");
    }
}

#[tokio::test]
async fn pages_of_any_size_give_the_same_rows_on_postgres() {
    let story = Story::new();
    story.everything().await;
    let expected = fresh(&story).await;
    let place = TestDatabase::postgres().await;
    let views = migrated(&place).await;
    in_pages_of::<Orders>(&views, &story, 3).await;
    in_pages_of::<PayRecords>(&views, &story, 4).await;
    in_batches_of::<CourseSelections>(&views, &story, 1).await;
    in_pages_of::<SurplusPayments>(&views, &story, 2).await;
    in_batches_of::<Points>(&views, &story, 1).await;
    in_pages_of::<Stocks>(&views, &story, 2).await;
    in_pages_of::<Coupons>(&views, &story, 1).await;
    in_batches_of::<Entitlements>(&views, &story, 2).await;
    assert_eq!(checksums(&views).await, expected);
}

/// Gives the effect every stretch of the log once more, as a broker would after an acknowledgement was lost.
async fn redeliver<P: crate::store::SqlView>(views: &Database, story: &Story) {
    let feed = LogFeed::new(story.reader(), P::wanted());
    let projection = Projection::<P, _>::new(SqlViewStore::<P>::new(views.clone()));
    let checkpoint = projection.checkpoint().await.unwrap();
    for after in [0, 3, 7, 12, 20, 28, 33, 38, 45, 50] {
        let mut page = feed.page(Position::new(after).unwrap(), 9).await.unwrap();
        page.reached = checkpoint.position;
        assert_eq!(projection.apply(checkpoint, &page).await.unwrap().checkpoint, checkpoint);
    }
}

#[tokio::test]
async fn events_that_come_again_change_nothing() {
    let story = Story::new();
    story.everything().await;
    for place in [TestDatabase::sqlite(), TestDatabase::postgres().await] {
        let views = migrated(&place).await;
        run_until_caught_up(&all(&views, &story.reader(), &still())).await;
        let before = checksums(&views).await;
        redeliver::<Orders>(&views, &story).await;
        redeliver::<PayRecords>(&views, &story).await;
        redeliver::<CourseSelections>(&views, &story).await;
        redeliver::<SurplusPayments>(&views, &story).await;
        redeliver::<Points>(&views, &story).await;
        redeliver::<Stocks>(&views, &story).await;
        redeliver::<Coupons>(&views, &story).await;
        assert_eq!(checksums(&views).await, before, "{:?}", views.backend());
    }
}

#[tokio::test]
async fn a_view_that_lost_its_checkpoint_is_made_again_over_its_rows() {
    let story = Story::new();
    story.everything().await;
    let place = TestDatabase::sqlite();
    let views = migrated(&place).await;
    run_until_caught_up(&all(&views, &story.reader(), &still())).await;
    let before = checksums(&views).await;
    views.execute("update follower_checkpoint set position = 0", values![]).await.unwrap();
    run_until_caught_up(&all(&views, &story.reader(), &still())).await;
    assert_eq!(checksums(&views).await, before);
}

#[tokio::test]
async fn followers_go_on_where_dropped_ones_were() {
    let story = Story::new();
    story.paid_course(1).await;
    let memory = MemoryViews::default();
    run_until_caught_up(&memory.followers(&story.reader(), &still())).await;
    story.paid_course(2).await;
    let followers = memory.followers(&story.reader(), &still());
    for follower in &followers {
        let progress = follower.run_once().await.unwrap();
        assert!(progress.caught_up && progress.applied <= 7, "{}: {progress:?}", follower.name());
    }
    assert_eq!((memory.orders.rows().len(), memory.course_selections.rows().len()), (2, 2));
}

#[tokio::test]
async fn two_workers_of_one_view_share_the_work_without_doing_it_twice() {
    let story = Story::new();
    for number in 0..60 {
        story.paid_course(number).await;
    }
    let expected = fresh(&story).await;
    for place in [TestDatabase::sqlite(), TestDatabase::postgres().await] {
        let views = migrated(&place).await;
        let workers = [0, 1].map(|_| {
            let followers = all(&views, &story.reader(), &still());
            tokio::spawn(async move {
                for follower in followers {
                    loop {
                        match follower.run_once().await {
                            Ok(progress) if progress.caught_up => break,
                            Ok(_) | Err(followers::FollowerError::Overtaken) => {}
                            Err(error) => panic!("{error:?}"),
                        }
                    }
                }
            })
        });
        for worker in workers {
            worker.await.unwrap();
        }
        assert_eq!(checksums(&views).await, expected, "{:?}", views.backend());
    }
}

#[tokio::test]
async fn a_checksum_tells_views_apart_by_a_single_column() {
    let story = Story::new();
    story.everything().await;
    let place = TestDatabase::sqlite();
    let views = migrated(&place).await;
    run_until_caught_up(&all(&views, &story.reader(), &still())).await;
    let before = checksum(View::Orders, &views).await.unwrap();
    views.execute("update order_view set end_reason = '' where status = 'paid'", values![]).await.unwrap();
    let after = checksum(View::Orders, &views).await.unwrap();
    assert_eq!((after.rows, after.position), (before.rows, before.position));
    assert_ne!(after.sha256, before.sha256);
}
