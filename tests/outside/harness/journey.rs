//! A learner's way from a course to a paid seat, in steps that tests put together.

use serde_json::{Value, json};

use super::{Api, Reply, eventually};

/// The demo catalogue's paid course.
pub(crate) const PAID_COURSE: &str = "course-rust";
/// Its price in fen.
pub(crate) const PAID_COURSE_FEN: i64 = 19_900;
/// The demo catalogue's free course.
pub(crate) const FREE_COURSE: &str = "course-free";

impl Api {
    /// Selects a course.
    pub(crate) async fn select_course(&self, course_id: &str) -> Reply {
        self.post("/api/v1/course-selections", &json!({"course_id": course_id})).send().await
    }

    /// Orders what was selected.
    pub(crate) async fn order_selection(&self, selection_id: &str) -> Reply {
        self.post("/api/v1/orders", &json!({"source": "course_selection", "selection_id": selection_id})).send().await
    }

    /// Makes, or asks again for, the code to scan.
    pub(crate) async fn pay_by_alipay_qr(&self, order_id: &str) -> Reply {
        self.post(&format!("/api/v1/orders/{order_id}/pay-records"), &json!({"channel": "alipay_qr"})).send().await
    }

    /// Pays at the sandbox; `notify` is the contract's word for what it does then.
    pub(crate) async fn sandbox_pay(&self, pay_no: &str, notify: &str) -> Reply {
        self.post(&format!("/sandbox/trades/{pay_no}/pay"), &json!({"notify": notify})).send().await
    }

    /// "I have paid".
    pub(crate) async fn sync(&self, pay_no: &str) -> Reply {
        self.post(&format!("/api/v1/pay-records/{pay_no}/sync"), &json!({})).send().await
    }

    /// The order's view, once it has the order.
    pub(crate) async fn order(&self, order_id: &str) -> Value {
        self.once_there(&format!("/api/v1/orders/{order_id}")).await
    }

    /// The pay record's view, once it has the record.
    pub(crate) async fn pay_record(&self, pay_no: &str) -> Value {
        self.once_there(&format!("/api/v1/pay-records/{pay_no}")).await
    }

    /// What stands at `path`, once it does: each view follows the log by itself, and may be behind the answer or the other
    /// view that told of it.
    async fn once_there(&self, path: &str) -> Value {
        eventually(&format!("{path} is there"), async || {
            let reply = self.get(path).send().await;
            if reply.status == 404 { Err(reply.to_string()) } else { Ok(reply.expect(200).json()) }
        })
        .await
    }

    /// Waits until the pay record's view has this status; answers the view.
    pub(crate) async fn until_pay_record_is(&self, pay_no: &str, status: &str) -> Value {
        eventually(&format!("pay record {pay_no} is {status}"), async || {
            let record = self.pay_record(pay_no).await;
            if record["status"] == status { Ok(record) } else { Err(format!("it is {}", record["status"])) }
        })
        .await
    }

    /// The rows of the course table for one course.
    pub(crate) async fn course_rows(&self, course_id: &str) -> Vec<Value> {
        let table = self.get("/api/v1/course-table?limit=200").send().await.expect(200).json();
        table["items"].as_array().unwrap().iter().filter(|row| row["course_id"] == course_id).cloned().collect()
    }

    /// Waits until the order's view has this status; answers the view.
    pub(crate) async fn until_order_is(&self, order_id: &str, status: &str) -> Value {
        eventually(&format!("order {order_id} is {status}"), async || {
            // A view that is behind does not have the order yet.
            let reply = self.get(&format!("/api/v1/orders/{order_id}")).send().await;
            if reply.status == 404 {
                return Err("the view does not have it".to_owned());
            }
            let order = reply.expect(200).json();
            if order["status"] == status { Ok(order) } else { Err(format!("it is {}", order["status"])) }
        })
        .await
    }

    /// Waits until the course table has a row for the course.
    pub(crate) async fn until_course_is_in_the_table(&self, course_id: &str) -> Value {
        eventually(&format!("{course_id} is in the course table"), async || {
            self.course_rows(course_id).await.pop().ok_or_else(|| "no row".to_owned())
        })
        .await
    }

    /// Arms a fault of the sandbox.
    pub(crate) async fn arm_fault(&self, operation: &str, fault: &str, count: u32) {
        let body = json!({"operation": operation, "fault": fault, "count": count});
        let reply = self.post("/sandbox/faults", &body).send().await;
        assert!((200..300).contains(&reply.status), "{reply}");
    }

    /// Moves Paystream's and the sandbox's clock forward.
    pub(crate) async fn advance_clock(&self, by: std::time::Duration) {
        let advance_ms = u64::try_from(by.as_millis()).unwrap();
        let reply = self.post("/sandbox/clock", &json!({"advance_ms": advance_ms})).send().await;
        assert!((200..300).contains(&reply.status), "{reply}");
    }
}

/// An order for the paid course with a code to scan.
#[derive(Clone, Debug)]
pub(crate) struct OpenOrder {
    /// The course selection.
    pub(crate) selection_id: String,
    /// The order.
    pub(crate) order_id: String,
    /// The pay record.
    pub(crate) pay_no: String,
    /// What the code holds.
    pub(crate) qr_content: String,
    /// The checkout page.
    pub(crate) checkout_url: String,
}

/// Selects the paid course, orders it and asks for a code.
pub(crate) async fn open_order(buyer: &Api) -> OpenOrder {
    let selection_id = buyer.select_course(PAID_COURSE).await.expect(201).field("selection_id");
    let order = buyer.order_selection(&selection_id).await.expect(201);
    let order_id = order.field("order_id");
    let record = buyer.pay_by_alipay_qr(&order_id).await.expect(201);
    // What a test reads next is to hold it.
    let view = format!("/api/v1/pay-records/{}", record.field("pay_no"));
    buyer.get(&view).after(&record.position()).send().await.expect(200);
    OpenOrder {
        selection_id,
        pay_no: record.field("pay_no"),
        qr_content: record.field("qr_content"),
        checkout_url: order.field("checkout_url"),
        order_id,
    }
}

/// An [`open_order`] that is paid and whose notification has come.
pub(crate) async fn paid_order(buyer: &Api) -> OpenOrder {
    let order = open_order(buyer).await;
    buyer.sandbox_pay(&order.pay_no, "once").await.expect(200);
    buyer.until_order_is(&order.order_id, "paid").await;
    order
}

/// The body of an order from another business system.
pub(crate) fn business_order(buyer_id: &str, out_business_id: &str, amount_fen: i64) -> Value {
    json!({
        "source": "business",
        "buyer_id": buyer_id,
        "order_type": "workshop",
        "out_business_id": out_business_id,
        "title": "Evening workshop",
        "items": [{"goods_id": "workshop-1", "name": "Evening workshop", "unit_price_amount": amount_fen, "quantity": 1}],
        "currency": "CNY"
    })
}

/// Creates an order as a business system does.
pub(crate) async fn create_business_order(service: &Api, buyer_id: &str, out_business_id: &str) -> Reply {
    service.post("/api/v1/orders", &business_order(buyer_id, out_business_id, 4_200)).send().await
}
