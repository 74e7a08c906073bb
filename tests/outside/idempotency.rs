//! The same key is one effect, however often and from however many connections it comes (T4).

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::harness::audit::count;
use super::harness::journey::{business_order, create_business_order};
use super::harness::random::unique;
use super::harness::{Api, Config, PAID_COURSE, Paystream, Reply, SharedPaystream, StoreKind, run};

static SHARED: SharedPaystream = SharedPaystream::new("idempotency");

#[test]
fn fifty_posts_with_one_key_at_once_are_one_order_on_sqlite() {
    run(fifty_posts(StoreKind::Embedded));
}

#[test]
fn fifty_posts_with_one_key_at_once_are_one_order_on_postgres() {
    run(fifty_posts(StoreKind::Postgres));
}

async fn fifty_posts(store: StoreKind) {
    let server = Paystream::start("fifty-posts", Config::on(store)).await;
    let service = server.service();
    let before = server.auditor().events().await;
    let bodies: Vec<Value> = (0..5).map(|number| business_order("member-1", &format!("seat-{number}"), 4_200)).collect();
    let post = |number: usize| {
        service.post("/api/v1/orders", &bodies[if number.is_multiple_of(10) { number / 10 } else { 0 }]).key("one-key").send()
    };
    let replies = join_all((0..50).map(post)).await;

    let (done, refused): (Vec<&Reply>, Vec<&Reply>) = replies.iter().partition(|reply| reply.status < 300);
    let orders: BTreeSet<_> = done.iter().map(|reply| reply.field("order_id")).collect();
    assert_eq!(orders.len(), 1, "{orders:?}");
    assert_eq!(
        done.iter().filter(|reply| reply.header("idempotency-replayed") != "true").count(),
        1,
        "one is the first, the others are replays"
    );
    for reply in &refused {
        match reply.status {
            409 => reply.expect_problem(409, "idempotency_in_progress"),
            _ => reply.expect_problem(422, "idempotency_key_reused"),
        };
    }
    let after = server.auditor().events().await;
    assert_eq!(count(&after, "OrderCreated") - count(&before, "OrderCreated"), 1);

    // Who was told that the first still runs asks again, and who sent another body is refused whenever he asks.
    let winner = &bodies.iter().find(|body| body["out_business_id"] == done[0].json()["out_business_id"]).unwrap();
    let again = service.post("/api/v1/orders", winner).key("one-key").send().await;
    assert_eq!((again.field("order_id"), again.header("idempotency-replayed")), (done[0].field("order_id"), "true"));
    for other in bodies.iter().filter(|body| body["out_business_id"] != winner["out_business_id"]) {
        service.post("/api/v1/orders", other).key("one-key").send().await.expect_problem(422, "idempotency_key_reused");
    }
    assert_eq!(server.auditor().events().await.len(), after.len());
}

#[test]
fn a_replay_answers_the_same_body_and_position_and_says_that_it_is_one() {
    run(async {
        let server = SHARED.get().await;
        let (learner, key) = (server.buyer(&unique("replay")), unique("key"));
        let select = async || learner.post("/api/v1/course-selections", &json!({"course_id": PAID_COURSE})).key(&key).send().await;
        let (first, second) = (select().await.expect(201), select().await.expect(201));
        assert_same(&first, &second);
        let order_body = json!({"source": "course_selection", "selection_id": first.field("selection_id")});
        let order = async || learner.post("/api/v1/orders", &order_body).key(&key).send().await;
        let (first, second) = (order().await.expect(201), order().await.expect(201));
        assert_same(&first, &second);
        let path = format!("/api/v1/orders/{}/pay-records", first.field("order_id"));
        let record = async || learner.post(&path, &json!({"channel": "alipay_qr"})).key(&key).send().await;
        let (first, second) = (record().await.expect(201), record().await.expect(201));
        assert_same(&first, &second);
    });
}

fn assert_same(first: &Reply, second: &Reply) {
    assert_eq!((first.header("idempotency-replayed"), second.header("idempotency-replayed")), ("", "true"));
    assert_eq!(first.json(), second.json());
    assert_eq!(first.position(), second.position());
}

#[test]
fn a_replay_shows_what_the_key_produced_even_when_the_order_has_moved_on() {
    run(async {
        let server = SHARED.get().await;
        let (learner, key) = (server.buyer(&unique("moved-on")), unique("key"));
        let selection_id = learner.select_course(PAID_COURSE).await.expect(201).field("selection_id");
        let body = json!({"source": "course_selection", "selection_id": selection_id});
        let first = learner.post("/api/v1/orders", &body).key(&key).send().await.expect(201);
        let pay_no = learner.pay_by_alipay_qr(&first.field("order_id")).await.expect(201).field("pay_no");
        learner.sandbox_pay(&pay_no, "once").await.expect(200);
        learner.until_order_is(&first.field("order_id"), "paid").await;
        let replay = learner.post("/api/v1/orders", &body).key(&key).send().await;
        assert_eq!((replay.status, replay.json()), (201, first.json()));
    });
}

#[test]
fn a_key_belongs_to_its_subject_and_its_route() {
    run(async {
        let server = SHARED.get().await;
        let key = unique("key");
        let (one, other) = (server.buyer(&unique("one")), server.buyer(&unique("other")));
        let body = json!({"course_id": PAID_COURSE});
        let select = async |who: &Api| who.post("/api/v1/course-selections", &body).key(&key).send().await.expect(201);
        let (mine, theirs) = (select(&one).await, select(&other).await);
        assert_ne!(mine.field("selection_id"), theirs.field("selection_id"));
        // The same key on another route, with another body: a key of its own.
        let order = json!({"source": "course_selection", "selection_id": mine.field("selection_id")});
        one.post("/api/v1/orders", &order).key(&key).send().await.expect(201);
    });
}

#[test]
fn a_key_outlives_a_kill_and_a_restart() {
    run(async {
        let mut server = Paystream::start("key-restart", Config::default()).await;
        let body = business_order("member-1", "seat-1", 4_200);
        let first = server.service().post("/api/v1/orders", &body).key("lasting").send().await.expect(201);
        server.kill9();
        server.restart().await;
        let again = server.service().post("/api/v1/orders", &body).key("lasting").send().await.expect(201);
        assert_same(&first, &again);
        let changed = business_order("member-1", "seat-1", 4_300);
        server.service().post("/api/v1/orders", &changed).key("lasting").send().await.expect_problem(422, "idempotency_key_reused");
    });
}

#[test]
fn a_refused_command_is_not_replayed_and_its_key_can_be_used_for_the_next_try() {
    run(async {
        let server = SHARED.get().await;
        let (learner, key) = (server.buyer(&unique("refused")), unique("key"));
        let unknown = json!({"source": "course_selection", "selection_id": "7231000000000000001"});
        let refused = learner.post("/api/v1/orders", &unknown).key(&key).send().await;
        assert!((400..500).contains(&refused.status), "{refused}");
        let selection_id = learner.select_course(PAID_COURSE).await.expect(201).field("selection_id");
        let known = json!({"source": "course_selection", "selection_id": selection_id});
        learner.post("/api/v1/orders", &known).key(&key).send().await.expect(201);
    });
}

#[test]
fn a_key_of_a_wrong_length_is_refused() {
    run(async {
        let server = SHARED.get().await;
        let learner = server.buyer(&unique("length"));
        let body = json!({"course_id": PAID_COURSE});
        for key in [String::new(), "k".repeat(256)] {
            let refused = learner.post("/api/v1/course-selections", &body).key(&key).send().await;
            assert!(matches!(refused.status, 400 | 422), "{} characters: {refused}", key.len());
            refused.problem();
        }
        learner.post("/api/v1/course-selections", &body).key(&"k".repeat(255)).send().await.expect(201);
    });
}

#[test]
fn the_same_business_key_is_the_same_order_and_with_other_content_a_conflict() {
    run(async {
        let server = SHARED.get().await;
        let (service, business_id) = (server.service(), unique("seat"));
        let first = create_business_order(&service, "member-1", &business_id).await.expect(201);
        let again = create_business_order(&service, "member-1", &business_id).await.expect(200);
        assert_eq!(first.field("order_id"), again.field("order_id"));
        let dearer = service.post("/api/v1/orders", &business_order("member-1", &business_id, 4_300)).send().await;
        dearer.expect_problem(409, "business_id_conflict");
        // The key is scoped to the calling service: another system's number 1 is another order.
        let elsewhere = server.as_role(&unique("library"), "service");
        let other = create_business_order(&elsewhere, "member-1", &business_id).await.expect(201);
        assert_ne!(first.field("order_id"), other.field("order_id"));
    });
}
