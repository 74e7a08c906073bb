use std::time::Duration;

use axum::body::Body;
use http::Response;
use http_body_util::BodyExt;
use serde_json::Value;

use super::rows::{CODE, ORDER, OrderSeed, PAY_NO};
use super::schema::{DOCUMENT, violations};
use super::stage::Stage;

/// Long enough for the slowest machine; a test that succeeds never waits for it.
const DEADLINE: Duration = Duration::from_secs(20);

pub(super) struct Watch {
    body: Body,
    unread: String,
}

impl Watch {
    pub(super) async fn open(stage: &Stage) -> Self {
        let response: Response<Body> = stage.as_buyer("alice").open(&format!("/api/v1/orders/{ORDER}/watch"), &[]).await;
        assert_eq!((response.status().as_u16(), &response.headers()["content-type"]), (200, &"text/event-stream".parse().unwrap()));
        Self { body: response.into_body(), unread: String::new() }
    }

    /// The next event's id and data; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.unread.split_once("\n\n") {
                let line = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(|text| text.trim_start().to_owned());
                let found = line("data:").map(|data| {
                    assert_eq!(line("event:").as_deref(), Some("order"));
                    (line("id:").unwrap(), serde_json::from_str(&data).unwrap())
                });
                self.unread = rest.to_owned();
                if found.is_some() {
                    return found;
                }
            } else {
                let frame = tokio::time::timeout(DEADLINE, self.body.frame()).await.expect("nothing came")?;
                self.unread.push_str(std::str::from_utf8(&frame.unwrap().into_data().unwrap()).unwrap());
            }
        }
    }
}

async fn stage() -> Stage {
    let stage = Stage::new().await;
    stage.all_at(5).await;
    stage.order(OrderSeed::default()).await;
    stage
}

#[tokio::test]
async fn a_watched_order_is_told_as_it_is_and_then_at_each_change() {
    let stage = stage().await;
    let mut watch = Watch::open(&stage).await;
    let (id, order) = watch.next().await.unwrap();
    assert_eq!((id.as_str(), &order["status"]), ("2", &Value::from("awaiting_payment")));
    assert_eq!(violations(&DOCUMENT["components"]["schemas"]["Order"], &order, true), Vec::<String>::new());
    assert_eq!(order, stage.as_buyer("alice").read(&format!("/api/v1/orders/{ORDER}")).await);

    stage.pay(ORDER, 4, 5).await;
    stage.log.wake(5);
    let (id, order) = watch.next().await.unwrap();
    assert_eq!((id.as_str(), &order["status"]), ("4", &Value::from("paid")));
}

#[tokio::test]
async fn a_change_is_told_with_the_pay_records_that_belong_to_it() {
    let stage = stage().await;
    let mut watch = Watch::open(&stage).await;
    assert_eq!(watch.next().await.unwrap().1["pay_records"], Value::Array(Vec::new()));
    // The two followers move one after the other.
    stage.views.execute("update order_view set revision = 3, position = 6", Vec::new()).await.unwrap();
    stage.follower_at("orders", 6).await;
    stage.log.wake(6);
    stage.pay_record(PAY_NO, ORDER, None, Some(CODE)).await;
    stage.follower_at("pay_records", 6).await;
    loop {
        let (id, order) = watch.next().await.unwrap();
        assert_eq!(id, "3");
        if order["pay_records"][0]["pay_no"] == PAY_NO {
            break;
        }
    }
}

#[tokio::test]
async fn all_who_watch_hear_and_a_change_of_another_order_is_not_told() {
    let stage = stage().await;
    let (mut one, mut two) = (Watch::open(&stage).await, Watch::open(&stage).await);
    one.next().await.unwrap();
    two.next().await.unwrap();
    stage.order(OrderSeed { order_id: "331284905322184705", ..OrderSeed::default() }).await;
    stage.log.wake(6);
    stage.pay(ORDER, 4, 5).await;
    stage.log.wake(7);
    for watch in [&mut one, &mut two] {
        let (_, order) = watch.next().await.unwrap();
        assert_eq!((order["order_id"].as_str(), order["status"].as_str()), (Some(ORDER), Some("paid")));
    }
}

#[tokio::test]
async fn a_watch_ends_when_the_process_stops() {
    let stage = stage().await;
    let mut watch = Watch::open(&stage).await;
    watch.next().await.unwrap();
    stage.shutdown.trigger();
    assert!(watch.next().await.is_none());
}

#[tokio::test]
async fn who_watches_again_hears_again() {
    let stage = stage().await;
    let mut first = Watch::open(&stage).await;
    first.next().await.unwrap();
    drop(first);
    stage.pay(ORDER, 4, 5).await;
    let mut second = Watch::open(&stage).await;
    assert_eq!(second.next().await.unwrap().0, "4");
    stage.views.execute("update order_view set revision = 5", Vec::new()).await.unwrap();
    stage.log.wake(8);
    assert_eq!(second.next().await.unwrap().0, "5");
}
