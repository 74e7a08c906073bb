//! Events for the tests of this package.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use chassis::clock::{Clock, ManualClock};
use chrono::{DateTime, TimeDelta, Utc};
use domain::course_selection::{Charge, CourseSelected, CourseSelectionEvent};
use domain::order::{
    AppliedCoupon, Client, EndCause, IdempotencyKeyRecorded, OrderCancelled, OrderClosing, OrderCreated, OrderDraft, OrderExpired,
    OrderPaid, OrderRevived, OrderSource, OrderStreamEvent, OrderType,
};
use domain::pay_record::{
    CaptureSource, ClosedProof, ClosingCause, LatePaymentReceived, OrderItem, PayRecordClosed, PayRecordClosing, PayRecordEvent,
    PayRecordFailed, PayRecordIssued, PayRecordOpened, PayRecordPrepared, PaymentConfirmed, PaymentRequest, Prepared,
    SurplusPaymentReceived, SurplusReason,
};
use domain::{BuyerId, Channel, Currency, MinorUnits, OrderId, PayNo, ProductId, SelectionId, SkuId};
use event_store::{EventStore, ExpectedRevision, LogReader, MemoryEventStore, Metadata, NewEvent, Position, RecordedEvent, StreamId};
use uuid::Uuid;

use crate::Projector;

mod held;
mod refunds;

pub(crate) use held::*;
pub(crate) use refunds::*;

/// A clock that stands still.
pub(crate) fn still() -> Arc<dyn Clock> {
    Arc::new(ManualClock::new(at(5000)))
}

/// A time that all tests count from.
pub(crate) fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

pub(crate) fn order_id(number: i64) -> OrderId {
    OrderId::parse(&(7_000_000_000_000_000_000 + number).to_string()).unwrap()
}

pub(crate) fn selection_id(number: i64) -> SelectionId {
    SelectionId::parse(&(6_000_000_000_000_000_000 + number).to_string()).unwrap()
}

pub(crate) fn pay_no(order: OrderId, attempt: u8) -> PayNo {
    PayNo::new(order, attempt).unwrap()
}

fn fen(number: i64) -> MinorUnits {
    MinorUnits::new(number).unwrap()
}

fn item(goods: &str) -> OrderItem {
    OrderItem {
        goods_id: ProductId::parse(goods).unwrap(),
        kind: None,
        sku_id: Some(SkuId::parse("sku-1").unwrap()),
        name: "Rust \"from\" the start".to_owned(),
        quantity: 1,
        unit_price_amount: fen(9900),
        price_version: Some(3),
    }
}

pub(crate) fn selected(number: i64, charge: Charge) -> CourseSelected {
    CourseSelected {
        selection_id: selection_id(number),
        buyer_id: BuyerId::parse("alice").unwrap(),
        course_id: ProductId::parse("course-rust").unwrap(),
        title: "Rust 从零开始".to_owned(),
        charge,
        price_amount: fen(if charge == Charge::Free { 0 } else { 9900 }),
        currency: Currency::Cny,
        price_version: 3,
        starts_at: None,
        valid_days: Some(365),
        selected_at: at(number),
    }
}

pub(crate) fn created(order: OrderId, order_type: &str, business: &str) -> OrderCreated {
    OrderCreated {
        draft: OrderDraft {
            order_id: order,
            buyer_id: BuyerId::parse("alice").unwrap(),
            order_type: OrderType::parse(order_type).unwrap(),
            out_business_id: business.to_owned(),
            source: OrderSource::CourseSelection,
            service: None,
            title: "Rust 从零开始".to_owned(),
            description: None,
            items: vec![item("course-rust")],
            amount: fen(9900),
            currency: Currency::Cny,
            client: Client::Web,
            coupon: None,
            stock: vec![],
            hold_s: None,
        },
        created_at: at(10),
        expires_at: at(1810),
    }
}

/// The same with a coupon that takes 500 fen off; it was granted for order 2.
pub(crate) fn discounted(order: OrderId, order_type: &str, business: &str) -> OrderCreated {
    let mut event = created(order, order_type, business);
    event.draft.amount = fen(9400);
    event.draft.coupon = Some(AppliedCoupon { coupon_id: coupon_id(order_id(2)), discount_amount: fen(500) });
    event
}

pub(crate) fn issued(order: OrderId, attempt: u8) -> PayRecordEvent {
    let request = PaymentRequest {
        subject: "Rust from zero".to_owned(),
        product_code: "FACE_TO_FACE_PAYMENT".to_owned(),
        time_expire: at(1800),
        notify_url: "https://pay.example/notify/alipay".to_owned(),
        payer: None,
    };
    PayRecordIssued {
        pay_no: pay_no(order, attempt),
        order_id: order,
        channel: Channel::AlipayQr,
        amount: fen(9900),
        currency: Currency::Cny,
        request: Some(request),
        by_scan: false,
        issued_at: at(20),
    }
    .into()
}

pub(crate) fn prepared(order: OrderId, attempt: u8) -> PayRecordEvent {
    let code_url = format!("https://qr.example/{attempt}");
    PayRecordPrepared { pay_no: pay_no(order, attempt), prepared: Prepared::Code { code_url }, expires_at: at(7200) }.into()
}

pub(crate) fn confirmed(order: OrderId, attempt: u8, order_type: &str, business: &str) -> PaymentConfirmed {
    PaymentConfirmed {
        pay_no: pay_no(order, attempt),
        order_id: order,
        order_type: OrderType::parse(order_type).unwrap(),
        out_business_id: business.to_owned(),
        buyer_id: BuyerId::parse("alice").unwrap(),
        amount: fen(9900),
        currency: Currency::Cny,
        channel: Channel::AlipayQr,
        trade_no: format!("trade-{order}-{attempt}"),
        paid_at: at(100),
        paid_at_offset: Some("+08:00".to_owned()),
        received_at: at(101),
        learned_by: CaptureSource::Notification,
        items: vec![item("course-rust")],
    }
}

pub(crate) fn paid(order: OrderId, attempt: u8) -> OrderPaid {
    OrderPaid { order_id: order, pay_no: pay_no(order, attempt), paid_at: at(100) }
}

pub(crate) fn surplus(order: OrderId, attempt: u8) -> PayRecordEvent {
    SurplusPaymentReceived {
        pay_no: pay_no(order, attempt),
        order_id: order,
        reason: SurplusReason::PaidTwice,
        amount: fen(9900),
        currency: Currency::Cny,
        channel: Channel::AlipayQr,
        trade_no: format!("surplus-{order}-{attempt}"),
        paid_at: at(150),
        paid_at_offset: Some("+08:00".to_owned()),
        received_at: at(151),
        learned_by: CaptureSource::Query,
    }
    .into()
}

pub(crate) fn late(order: OrderId, attempt: u8) -> PayRecordEvent {
    LatePaymentReceived {
        pay_no: pay_no(order, attempt),
        order_id: order,
        amount: fen(9900),
        currency: Currency::Cny,
        channel: Channel::AlipayQr,
        trade_no: format!("late-{order}-{attempt}"),
        paid_at: at(1799),
        paid_at_offset: Some("+08:00".to_owned()),
        received_at: at(1900),
        learned_by: CaptureSource::Notification,
    }
    .into()
}

pub(crate) fn closing(order: OrderId, cause: EndCause, reason: Option<&str>) -> OrderClosing {
    OrderClosing { order_id: order, cause, reason: reason.map(str::to_owned) }
}

pub(crate) fn cancelled(order: OrderId, reason: Option<&str>) -> OrderCancelled {
    OrderCancelled { order_id: order, reason: reason.map(str::to_owned), unproven: false }
}

pub(crate) fn expired(order: OrderId) -> OrderExpired {
    OrderExpired { order_id: order, unproven: false }
}

pub(crate) fn revived(order: OrderId, attempt: u8) -> OrderRevived {
    OrderRevived { order_id: order, pay_no: pay_no(order, attempt) }
}

pub(crate) fn failed(order: OrderId, attempt: u8) -> PayRecordEvent {
    PayRecordFailed { pay_no: pay_no(order, attempt), code: "ACQ.SYSTEM_ERROR".to_owned() }.into()
}

pub(crate) fn record_opened(order: OrderId, attempt: u8) -> PayRecordEvent {
    PayRecordOpened { pay_no: pay_no(order, attempt), opened_at: at(30) }.into()
}

pub(crate) fn record_closing(order: OrderId, attempt: u8) -> PayRecordEvent {
    PayRecordClosing { pay_no: pay_no(order, attempt), cause: ClosingCause::OrderCancelled }.into()
}

pub(crate) fn record_closed(order: OrderId, attempt: u8) -> PayRecordEvent {
    PayRecordClosed { pay_no: pay_no(order, attempt), proof: ClosedProof::ChannelClosed }.into()
}

pub(crate) fn key_recorded() -> IdempotencyKeyRecorded {
    IdempotencyKeyRecorded { key_hash: "a".to_owned(), request_hash: "b".to_owned(), pay_no: None, refund_no: None }
}

/// A stored event as a log would give it back: `(stored name, shape, JSON)`.
pub(crate) type Stored = (String, u16, String);

pub(crate) fn order_event(event: impl Into<OrderStreamEvent>) -> Stored {
    let event = event.into();
    (event.event_type().to_owned(), event.schema_version(), event.to_json())
}

pub(crate) fn selection_event(event: CourseSelected) -> Stored {
    let event = CourseSelectionEvent::from(event);
    (event.event_type().to_owned(), event.schema_version(), event.to_json())
}

fn metadata() -> Metadata {
    Metadata { correlation_id: Uuid::nil(), causation_id: None, actor: "buyer:alice".to_owned(), source: "test".to_owned() }
}

/// The events as one stream, the first at position 1 and recorded at second 1000.
pub(crate) fn stream(name: &str, events: impl IntoIterator<Item = Stored>) -> Vec<RecordedEvent> {
    let events = events.into_iter().zip(1_i64..);
    let recorded = events.map(|((event_type, schema_version, data), position)| RecordedEvent {
        position: Position::new(position).unwrap(),
        stream_id: StreamId::parse(name).unwrap(),
        revision: u64::try_from(position - 1).unwrap(),
        event_id: Uuid::from_u128(u128::try_from(position).unwrap()),
        event_type,
        schema_version,
        recorded_at: at(1000) + TimeDelta::seconds(position),
        data,
        metadata: metadata(),
    });
    recorded.collect()
}

/// The row after the events, each of which must be ready.
pub(crate) fn fold<P: Projector>(row: Option<P::Row>, events: &[RecordedEvent]) -> Option<P::Row> {
    events.iter().fold(row, |row, recorded| {
        let event = P::read(recorded).unwrap();
        P::ready(row.as_ref(), &event).unwrap();
        P::evolve(row, &event, recorded)
    })
}

/// A log in memory to which a test appends, one second apart.
pub(crate) struct Story {
    pub(crate) log: Arc<MemoryEventStore>,
    next_id: AtomicU64,
}

impl Story {
    pub(crate) fn new() -> Self {
        let seconds = AtomicI64::new(2000);
        let clock = Arc::new(move || at(seconds.fetch_add(1, Ordering::Relaxed)));
        Self { log: Arc::new(MemoryEventStore::new(clock)), next_id: AtomicU64::new(1) }
    }

    pub(crate) fn reader(&self) -> Arc<dyn LogReader> {
        Arc::<MemoryEventStore>::clone(&self.log)
    }

    pub(crate) async fn append(&self, stream: &str, events: impl IntoIterator<Item = Stored>) {
        let stream_id = StreamId::parse(stream).unwrap();
        let length = self.log.read_stream(&stream_id, 0, usize::MAX).await.unwrap().len();
        let expected = match length {
            0 => ExpectedRevision::NoStream,
            length => ExpectedRevision::Exactly(u64::try_from(length - 1).unwrap()),
        };
        let new = events.into_iter().map(|(event_type, schema_version, data)| NewEvent {
            event_id: Uuid::from_u128(u128::from(self.next_id.fetch_add(1, Ordering::Relaxed))),
            event_type,
            schema_version,
            data,
            metadata: metadata(),
        });
        self.log.append(&stream_id, expected, new.collect()).await.unwrap();
    }

    pub(crate) async fn order(&self, order: OrderId, events: impl IntoIterator<Item = OrderStreamEvent>) {
        self.append(&format!("order-{order}"), events.into_iter().map(order_event)).await;
    }

    pub(crate) async fn select(&self, event: CourseSelected) {
        self.append(&format!("course_selection-{}", event.selection_id), [selection_event(event)]).await;
    }

    /// From a selection to its paid order, in the appends in which it happens. The order has the selection's number.
    pub(crate) async fn paid_course(&self, number: i64) {
        let (order, selection) = (order_id(number), selection_id(number).to_string());
        self.select(selected(number, Charge::Paid)).await;
        self.order(order, [created(order, "course", &selection).into()]).await;
        self.order(order, [issued(order, 1).into()]).await;
        self.order(order, [prepared(order, 1).into()]).await;
        let confirmed = PayRecordEvent::from(confirmed(order, 1, "course", &selection));
        self.order(order, [confirmed.into(), paid(order, 1).into()]).await;
    }

    /// Everything that may happen, on interleaved streams.
    pub(crate) async fn everything(&self) {
        self.select(selected(1, Charge::Free)).await;
        self.select(selected(9, Charge::Paid)).await;
        self.append("idempotency-1", [("IdempotencyKeyClaimed".to_owned(), 1, "{}".to_owned())]).await;
        self.paid_course(2).await;
        self.order(order_id(4), [discounted(order_id(4), "goods", "4").into(), key_recorded().into()]).await;
        self.order(order_id(4), [issued(order_id(4), 1).into()]).await;
        self.stock("sku-1", stock_received(5)).await;
        self.order(order_id(5), [created(order_id(5), "exam_fee", "e-5").into()]).await;
        self.order(order_id(4), [failed(order_id(4), 1).into()]).await;
        for event in [issued(order_id(4), 2), prepared(order_id(4), 2), issued(order_id(5), 1), record_opened(order_id(5), 1)] {
            self.order(event.pay_no().order_id(), [event.into()]).await;
        }
        let cancel = closing(order_id(4), EndCause::Cancel, Some("changed my mind"));
        self.order(order_id(4), [cancel.into(), record_closing(order_id(4), 2).into()]).await;
        self.order(order_id(4), [record_closed(order_id(4), 2).into(), cancelled(order_id(4), Some("changed my mind")).into()]).await;
        self.order(order_id(2), [surplus(order_id(2), 1).into(), refund_requested(order_id(2), 1).into()]).await;
        self.unknown_capture("T1").await;
        self.order(order_id(5), [closing(order_id(5), EndCause::Expiry, None).into(), expired(order_id(5)).into()]).await;
        self.order(order_id(5), [late(order_id(5), 1).into()]).await;
        let confirmed = PayRecordEvent::from(confirmed(order_id(5), 1, "exam_fee", "e-5"));
        self.order(order_id(5), [revived(order_id(5), 1).into(), confirmed.into(), paid(order_id(5), 1).into()]).await;
        self.refunds().await;
        self.stock_and_coupons().await;
        self.unknown_captures().await;
    }
}
