//! The process is killed after each step of the way, and in the midst of each command, and started again; the way is
//! then gone to its end and every effect is there exactly once (T10).

use std::time::Duration;

use serde_json::json;

use super::harness::audit::{assert_well_formed, count};
use super::harness::notice::FORM;
use super::harness::random::unique;
use super::harness::{Api, Config, PAID_COURSE, Paystream, StoreKind, eventually, run, workspace};

/// Where the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    SelectionInFlight,
    SelectionAnswered,
    SelectionViewed,
    OrderInFlight,
    OrderAnswered,
    PayRecordInFlight,
    /// The intent is in the log and the channel has not done it.
    PayRecordIssuedAndChannelSilentBefore,
    /// The intent is in the log and the channel has done it, but its answer never came.
    PayRecordIssuedAndChannelSilentAfter,
    PayRecordPrepared,
    PaidAndNoNoticeSent,
    PaidAndNoticeWaitingAtTheSandbox,
    SyncInFlight,
    NoticeInFlight,
    NoticeAnswered,
    OrderViewPaid,
    CourseInTheTable,
}

const POINTS: [Point; 16] = [
    Point::SelectionInFlight,
    Point::SelectionAnswered,
    Point::SelectionViewed,
    Point::OrderInFlight,
    Point::OrderAnswered,
    Point::PayRecordInFlight,
    Point::PayRecordIssuedAndChannelSilentBefore,
    Point::PayRecordIssuedAndChannelSilentAfter,
    Point::PayRecordPrepared,
    Point::PaidAndNoNoticeSent,
    Point::PaidAndNoticeWaitingAtTheSandbox,
    Point::SyncInFlight,
    Point::NoticeInFlight,
    Point::NoticeAnswered,
    Point::OrderViewPaid,
    Point::CourseInTheTable,
];

/// A command in flight is cut off this long after it was sent: at once, while it is decided, about when it is answered.
const IN_FLIGHT_MS: [u64; 4] = [0, 3, 8, 20];

#[test]
fn killed_after_any_step_the_way_is_gone_to_its_end_on_sqlite() {
    run(every_point(StoreKind::Embedded));
}

#[test]
fn killed_after_any_step_the_way_is_gone_to_its_end_on_postgres() {
    run(every_point(StoreKind::Postgres));
}

async fn every_point(store: StoreKind) {
    let mut server = Paystream::start("kill-points", Config::on(store)).await;
    for point in POINTS {
        let in_flight = format!("{point:?}").ends_with("InFlight");
        let delays = if in_flight { &IN_FLIGHT_MS[..] } else { &[0][..] };
        for delay in delays {
            let learner = unique("learner");
            let walk = Walk { buyer: server.buyer(&learner), auditor: server.auditor() };
            walk.up_to(&mut server, point, Duration::from_millis(*delay)).await;
            server.restart().await;
            walk.to_the_end().await;
            let detail = if in_flight { format!(", {delay} ms after it was sent") } else { String::new() };
            workspace::print_result(&format!("kill point on {store:?}: {point:?}{detail}: one of each effect"));
        }
    }
    assert_well_formed(&server.auditor().events().await);
}

/// The events of the way, in their order. Each has a moment before and a moment after it is durable.
const EVENTS: [&str; 7] = [
    "CourseSelected",
    "IdempotencyKeyClaimed",
    "OrderCreated",
    "PayRecordIssued",
    // Before it: the channel has made the code and nobody has written down that it did.
    "PayRecordPrepared",
    "PaymentConfirmed",
    "OrderPaid",
];

/// The views of the way, each with the events that change it: before and after they are durable there.
const VIEWS: [(&str, &[&str]); 3] = [
    ("course_selections", &["CourseSelected", "OrderPaid"]),
    ("orders", &["OrderCreated", "PayRecordPrepared", "OrderPaid"]),
    ("pay_records", &["PayRecordIssued", "PaymentConfirmed"]),
];

/// Every step that becomes durable on the way: the process ends itself right before it and right after it.
fn stops() -> Vec<String> {
    let appends = EVENTS.iter().flat_map(|event| ["before", "after"].map(|moment| format!("{moment}_append:{event}")));
    let views = VIEWS.iter().flat_map(|(view, events)| {
        events.iter().flat_map(move |event| ["before", "after"].map(|moment| format!("{moment}_{view}:{event}")))
    });
    appends.chain(views).collect()
}

#[test]
fn ended_before_and_after_each_durable_step_the_way_is_gone_to_its_end_on_sqlite() {
    run(every_stop(StoreKind::Embedded));
}

#[test]
fn ended_before_and_after_each_durable_step_the_way_is_gone_to_its_end_on_postgres() {
    run(every_stop(StoreKind::Postgres));
}

async fn every_stop(store: StoreKind) {
    let mut server = Paystream::start("stop-points", Config::on(store)).await;
    for stop in stops() {
        let learner = unique("learner");
        let walk = Walk { buyer: server.buyer(&learner), auditor: server.auditor() };
        server.restart_with("PAYSTREAM_TEST_STOP_AT", &stop).await;
        // What is not answered is not gone on with here: the process has ended, or does so soon.
        drop(walk.try_once().await);
        let status = server.ended().await;
        assert!(!status.success(), "{stop}: {status}");
        assert!(server.log_text().contains(&format!("stopped at {stop}")), "{stop}: it ended otherwise:\n{}", server.log_text());
        server.restart().await;
        walk.to_the_end().await;
        workspace::print_result(&format!("stop point on {store:?}: {stop}: one of each effect"));
    }
    assert_well_formed(&server.auditor().events().await);
}

/// One learner's way. The learner's program repeats what was not answered, as a real one does.
struct Walk {
    buyer: Api,
    auditor: Api,
}

impl Walk {
    /// Goes up to `point` and kills the server there.
    async fn up_to(&self, server: &mut Paystream, point: Point, delay: Duration) {
        if point == Point::SelectionInFlight {
            let body = json!({"course_id": PAID_COURSE});
            return self.cut_off(server, "/api/v1/course-selections", "application/json", body.to_string(), delay).await;
        }
        let selection = self.buyer.select_course(PAID_COURSE).await.expect(201);
        let selection_id = selection.field("selection_id");
        match point {
            Point::SelectionAnswered => return server.kill9(),
            Point::SelectionViewed => {
                let path = format!("/api/v1/course-selections/{selection_id}");
                self.buyer.get(&path).after(&selection.position()).send().await.expect(200);
                return server.kill9();
            }
            Point::OrderInFlight => {
                let body = json!({"source": "course_selection", "selection_id": selection_id});
                return self.cut_off(server, "/api/v1/orders", "application/json", body.to_string(), delay).await;
            }
            _ => {}
        }
        let order_id = self.buyer.order_selection(&selection_id).await.expect(201).field("order_id");
        match point {
            Point::OrderAnswered => return server.kill9(),
            Point::PayRecordIssuedAndChannelSilentBefore => return self.cut_off_at_the_channel(server, &order_id, "timeout_before").await,
            Point::PayRecordIssuedAndChannelSilentAfter => return self.cut_off_at_the_channel(server, &order_id, "timeout_after").await,
            Point::PayRecordInFlight => {
                let path = format!("/api/v1/orders/{order_id}/pay-records");
                return self.cut_off(server, &path, "application/json", json!({"channel": "alipay_qr"}).to_string(), delay).await;
            }
            _ => {}
        }
        let pay_no = self.buyer.pay_by_alipay_qr(&order_id).await.expect(201).field("pay_no");
        self.pay_and_die(server, &order_id, &pay_no, point, delay).await;
    }

    async fn pay_and_die(&self, server: &mut Paystream, order_id: &str, pay_no: &str, point: Point, delay: Duration) {
        match point {
            Point::PayRecordPrepared => return server.kill9(),
            Point::PaidAndNoticeWaitingAtTheSandbox => drop(self.buyer.sandbox_pay(pay_no, "late:1500").await.expect(200)),
            Point::OrderViewPaid | Point::CourseInTheTable => drop(self.buyer.sandbox_pay(pay_no, "once").await.expect(200)),
            _ => drop(self.buyer.sandbox_pay(pay_no, "never").await.expect(200)),
        }
        let notice = server.api().notification(pay_no).await.encode();
        match point {
            Point::NoticeInFlight => return self.cut_off(server, "/notify/alipay", FORM, notice, delay).await,
            Point::SyncInFlight => {
                let path = format!("/api/v1/pay-records/{pay_no}/sync");
                return self.cut_off(server, &path, "application/json", "{}".to_owned(), delay).await;
            }
            Point::NoticeAnswered => assert_eq!(server.api().notify(notice).await.text(), "success"),
            Point::OrderViewPaid => drop(self.buyer.until_order_is(order_id, "paid").await),
            Point::CourseInTheTable => drop(self.buyer.until_course_is_in_the_table(PAID_COURSE).await),
            _ => {}
        }
        server.kill9();
    }

    /// Sends a command and kills the server `delay` later, answered or not.
    async fn cut_off(&self, server: &mut Paystream, path: &str, content_type: &str, body: String, delay: Duration) {
        let call = self.buyer.post_bytes(path, content_type, body);
        let sending = tokio::spawn(call.try_send());
        // This moment is what the test varies; nothing waits for anything here.
        tokio::time::sleep(delay).await;
        server.kill9();
        drop(sending.await.unwrap());
    }

    /// Kills the server while it waits for the channel, with the intent in the log.
    async fn cut_off_at_the_channel(&self, server: &mut Paystream, order_id: &str, fault: &str) {
        server.api().arm_fault("precreate", fault, 1).await;
        let call = self.buyer.post(&format!("/api/v1/orders/{order_id}/pay-records"), &json!({"channel": "alipay_qr"}));
        let sending = tokio::spawn(call.try_send());
        eventually("the intent is in the log", async || {
            let types = self.auditor.order_event_types(order_id).await;
            if types.iter().any(|name| name == "PayRecordIssued") { Ok(()) } else { Err(format!("{types:?}")) }
        })
        .await;
        assert!(!self.auditor.order_event_types(order_id).await.iter().any(|name| name == "PayRecordPrepared"));
        server.kill9();
        drop(sending.await.unwrap());
    }

    /// Goes the whole way once, as far as it is answered.
    async fn try_once(&self) -> Result<(), reqwest::Error> {
        let selection = self.buyer.post("/api/v1/course-selections", &json!({"course_id": PAID_COURSE})).try_send().await?;
        let body = json!({"source": "course_selection", "selection_id": selection.expect(201).field("selection_id")});
        let order_id = self.buyer.post("/api/v1/orders", &body).key(&unique("key")).try_send().await?.expect(201).field("order_id");
        let path = format!("/api/v1/orders/{order_id}/pay-records");
        let pay_no = self.buyer.post(&path, &json!({"channel": "alipay_qr"})).try_send().await?.expect(201).field("pay_no");
        self.buyer.post(&format!("/sandbox/trades/{pay_no}/pay"), &json!({"notify": "once"})).try_send().await?.expect(200);
        Ok(())
    }

    /// Repeats each step until it is answered, and holds the end to one of each effect.
    async fn to_the_end(&self) {
        let selection = self.buyer.select_course(PAID_COURSE).await;
        assert!(matches!(selection.status, 200 | 201), "{selection}");
        let selection_id = selection.field("selection_id");
        let order = self.buyer.order_selection(&selection_id).await;
        assert!(matches!(order.status, 200 | 201), "{order}");
        let order_id = order.field("order_id");
        if let Some(pay_no) = self.live_code(&order_id).await {
            let trade = self.buyer.get(&format!("/sandbox/trades/{pay_no}")).send().await.expect(200).text();
            if !trade.contains("TRADE_SUCCESS") {
                self.buyer.sandbox_pay(&pay_no, "never").await.expect(200);
            }
            eventually("the payment is found", async || {
                let reply = self.buyer.sync(&pay_no).await;
                if reply.status == 200 && reply.field("status") == "confirmed" { Ok(()) } else { Err(reply.to_string()) }
            })
            .await;
        }
        self.buyer.until_order_is(&order_id, "paid").await;
        self.buyer.until_course_is_in_the_table(PAID_COURSE).await;
        self.assert_one_of_each(&selection_id, &order_id).await;
    }

    /// The number of the code to pay, or `None` if the order is paid already.
    async fn live_code(&self, order_id: &str) -> Option<String> {
        eventually("a code to pay", async || {
            let reply = self.buyer.pay_by_alipay_qr(order_id).await;
            match reply.status {
                200 | 201 => Ok(Some(reply.field("pay_no"))),
                409 if reply.problem()["code"] == "order_already_paid" => Ok(None),
                _ => Err(reply.to_string()),
            }
        })
        .await
    }

    async fn assert_one_of_each(&self, selection_id: &str, order_id: &str) {
        let stream = self.auditor.stream(&format!("order-{order_id}")).await;
        for event_type in ["OrderCreated", "PaymentConfirmed", "OrderPaid"] {
            assert_eq!(count(&stream, event_type), 1, "{event_type} of {order_id}: {:?}", super::harness::audit::types(&stream));
        }
        assert_eq!(count(&stream, "SurplusPaymentReceived"), 0, "{order_id}");
        assert_eq!(self.auditor.stream(&format!("course_selection-{selection_id}")).await.len(), 1);
        let rows = self.buyer.course_rows(PAID_COURSE).await;
        assert_eq!(rows.len(), 1, "{rows:?}");
        let orders = self.buyer.get("/api/v1/orders").send().await.expect(200).json();
        assert_eq!(orders["items"].as_array().unwrap().len(), 1, "{orders}");
    }
}
