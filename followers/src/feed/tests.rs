use super::*;
use crate::testing::*;

fn types(page: &Page) -> Vec<&str> {
    page.events.iter().map(|event| event.event_type.as_str()).collect()
}

#[tokio::test]
async fn a_page_holds_what_is_wanted_and_reaches_over_the_rest() {
    let story = Story::new();
    story.append(&["OrderCreated", "PayRecordIssued", "CourseSelected", "OrderPaid", "IdempotencyKeyClaimed"]).await;
    let feed = LogFeed::new(story.reader(), ["OrderCreated", "OrderPaid"]);

    let page = feed.page(Position::START, 3).await.unwrap();
    assert_eq!((types(&page), page.reached, page.caught_up), (vec!["OrderCreated"], position(3), false));
    let page = feed.page(page.reached, 3).await.unwrap();
    assert_eq!((types(&page), page.reached, page.caught_up), (vec!["OrderPaid"], position(5), true));
    let page = feed.page(page.reached, 3).await.unwrap();
    assert_eq!((types(&page), page.reached, page.caught_up), (vec![], position(5), true));
}

#[tokio::test]
async fn only_types_that_nobody_knows_are_counted_as_unknown() {
    let story = Story::new();
    let known = ["PayRecordIssued", "CourseSelected", "IdempotencyKeyClaimed", "UnknownCaptureReceived", "OrderExpired"];
    story.append(&known).await;
    story.append(&["OrderTeleported", "SomethingElse"]).await;
    let feed = LogFeed::new(story.reader(), ["SomethingElse"]);
    let page = feed.page(Position::START, 100).await.unwrap();
    assert_eq!((types(&page), page.unknown), (vec!["SomethingElse"], 1));
}

#[tokio::test]
async fn the_lag_counts_what_lies_ahead_and_tells_its_age() {
    let story = Story::new();
    let feed = LogFeed::new(story.reader(), ["OrderCreated"]);
    assert_eq!(feed.lag(Position::START).await.unwrap(), Lag::default());
    story.append(&["OrderCreated", "OrderCreated", "OrderCreated"]).await;
    assert_eq!(feed.lag(position(1)).await.unwrap(), Lag { events: 2, since: Some(at(2)) });
    assert_eq!(feed.lag(position(3)).await.unwrap(), Lag::default());
}
