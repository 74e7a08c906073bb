use gateway::{NotificationRefusal, RawNotification};

use super::*;

const FORM: &str = "application/x-www-form-urlencoded";

async fn deliver(api: &Api, raw: RawNotification) -> Answer {
    api.post("/notify/alipay").body(FORM, raw.body).answer().await
}

#[tokio::test]
async fn the_channel_is_answered_in_its_own_words_to_the_byte() {
    let world = World::new().await;
    let api = Api::new(&world);
    let pay_no = world.pending().await;
    let genuine = world.channel.notifies(Ok(notification(pay_no, "trade-1", COURSE_PRICE)));
    let forged = world.channel.notifies(Err(NotificationRefusal::BadSignature));
    for (raw, expected) in [(genuine.clone(), "success"), (genuine, "success"), (forged, "fail")] {
        let answer = deliver(&api, raw).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, expected));
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    }
    assert_eq!(world.inbox.verdicts(), ["recorded", "recorded", "bad_signature"]);
    assert!(world.inbox.kept()[0].headers.contains(&("content-type".to_owned(), FORM.as_bytes().to_vec())));
}

#[tokio::test]
async fn what_is_not_durable_is_not_acknowledged() {
    let world = World::new().await;
    let api = Api::new(&world);
    let pay_no = world.pending().await;
    let raw = world.channel.notifies(Ok(notification(pay_no, "trade-1", COURSE_PRICE)));
    world.inbox.fail(1);
    assert_eq!(deliver(&api, raw.clone()).await.problem(), (503, "store_unavailable".to_owned()));
    world.log.next("order-", Fault::Unavailable);
    let other = world.channel.notifies(Ok(notification(pay_no, "trade-2", COURSE_PRICE)));
    assert_eq!(deliver(&api, other).await.problem(), (503, "store_unavailable".to_owned()));
    assert_eq!(deliver(&api, raw).await.text, "success");
}

#[tokio::test]
async fn a_body_beyond_its_limit_is_refused_and_not_kept() {
    let world = World::new().await;
    let api = Api::new(&world);
    let limit = 256 * 1024;
    let too_large = api.post("/notify/alipay").body(FORM, vec![b'x'; limit + 1]).answer().await;
    assert_eq!(too_large.problem(), (413, "payload_too_large".to_owned()));
    assert_eq!(world.inbox.kept(), []);
    let largest = api.post("/notify/alipay").body(FORM, vec![b'x'; limit]).answer().await;
    assert_eq!((largest.status.as_u16(), largest.text.as_str()), (200, "fail"));
    assert_eq!(world.inbox.kept().len(), 1);
}

#[tokio::test]
async fn an_address_that_sends_too_much_that_is_false_is_held_off_for_a_while() {
    let world = World::new().await;
    let api = Api::new(&world);
    let pay_no = world.pending().await;
    let genuine = world.channel.notifies(Ok(notification(pay_no, "trade-1", COURSE_PRICE)));
    let foreign = world.channel.notifies(Err(NotificationRefusal::AppIdMismatch));
    for _ in 0..super::super::notify::MAX_FAILED_BURST {
        assert_eq!(deliver(&api, foreign.clone()).await.text, "fail");
    }
    for _ in 0..super::super::notify::MAX_FAILED_BURST {
        assert_eq!(api.post("/notify/alipay").body(FORM, "rubbish").answer().await.status, 200);
    }
    let refused = api.post("/notify/alipay").body(FORM, "rubbish").answer().await;
    assert_eq!(refused.problem(), (429, "rate_limited".to_owned()));
    assert_eq!(deliver(&api, genuine).await.text, "success", "the channel may share the address");
    world.clock.advance(chrono::TimeDelta::minutes(1));
    assert_eq!(api.post("/notify/alipay").body(FORM, "rubbish").answer().await.status, 200);
}
