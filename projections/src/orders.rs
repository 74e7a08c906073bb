//! Orders, each as its stream says.

use database::Time;
use domain::ProductKind;
use domain::order::{
    Client, OrderCreated, OrderDraft, OrderEvent, OrderSource, OrderStatus, OrderStreamEvent, PaymentStatus, RefundSucceeded,
};
use domain::pay_record::{OrderItem, PayRecordEvent};
use domain::stored::StoredFormError;
use event_store::RecordedEvent;

use crate::projector::{revision, stream_key};
use crate::{Projector, Unready};

mod table;
#[cfg(test)]
mod tests;

pub(crate) use table::TABLE;

/// A row of `order_view`; its columns are described in `migrations/views`.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "each column is described where the table is made")]
pub struct OrderRow {
    pub order_id: String,
    pub buyer_id: String,
    pub service: Option<String>,
    pub order_type: String,
    pub out_business_id: String,
    pub source: String,
    pub title: String,
    pub description: Option<String>,
    pub client: String,
    pub amount: i64,
    pub currency: String,
    pub discount_amount: i64,
    pub coupon_id: Option<String>,
    pub status: String,
    pub payment_status: String,
    pub shipping_status: String,
    pub items_json: String,
    pub created_at: Time,
    pub expires_at: Time,
    pub paid_at: Option<Time>,
    pub ended_at: Option<Time>,
    pub paid_pay_no: Option<String>,
    pub trade_no: Option<String>,
    pub refunded_amount: i64,
    pub end_reason: Option<String>,
    pub updated_at: Time,
    pub revision: i64,
    pub position: i64,
}

/// The view of orders.
#[derive(Debug)]
pub enum Orders {}

impl Projector for Orders {
    type Row = OrderRow;
    type Event = OrderStreamEvent;

    const NAME: &'static str = "orders";

    // Every event of the stream is wanted, because the row tells the stream's revision.
    fn wanted() -> Vec<&'static str> {
        [OrderEvent::STORED, PayRecordEvent::STORED].concat().into_iter().map(|(name, _)| name).collect()
    }

    fn read(recorded: &RecordedEvent) -> Result<OrderStreamEvent, StoredFormError> {
        OrderStreamEvent::from_stored(&recorded.event_type, recorded.schema_version, &recorded.data)
    }

    fn key(_: &OrderStreamEvent, recorded: &RecordedEvent) -> Option<String> {
        stream_key(recorded, "order-")
    }

    fn ready(row: Option<&OrderRow>, event: &OrderStreamEvent) -> Result<(), Unready> {
        if row.is_some() {
            return Ok(());
        }
        let order_id = match event {
            OrderStreamEvent::Order(event) => match event {
                // A caller's key is no fact about an order; it may stand before OrderCreated.
                OrderEvent::OrderCreated(_) | OrderEvent::OrderAbandoned(_) | OrderEvent::IdempotencyKeyRecorded(_) => return Ok(()),
                OrderEvent::OrderClosing(event) => event.order_id,
                OrderEvent::OrderPaid(event) => event.order_id,
                OrderEvent::OrderExpired(event) => event.order_id,
                OrderEvent::OrderCancelled(event) => event.order_id,
                OrderEvent::OrderRevived(event) => event.order_id,
                OrderEvent::RefundRequested(event) => event.order_id,
                OrderEvent::RefundAccepted(event) => event.order_id,
                OrderEvent::RefundSucceeded(event) => event.order_id,
                OrderEvent::RefundFailed(event) => event.order_id,
                OrderEvent::RefundNeedsOperator(event) => event.order_id,
                OrderEvent::RefundRetried(event) => event.order_id,
                OrderEvent::RefundSettled(event) => event.order_id,
                OrderEvent::RefundObserved(event) => event.order_id,
                OrderEvent::SurplusResolved(event) => event.order_id,
            },
            OrderStreamEvent::PayRecord(event) => event.pay_no().order_id(),
        };
        Err(Unready { what: "order", key: order_id.to_string() })
    }

    fn evolve(row: Option<OrderRow>, event: &OrderStreamEvent, recorded: &RecordedEvent) -> Option<OrderRow> {
        let mut row = match (row, event) {
            (Some(row), _) if row.revision >= revision(recorded) => return Some(row),
            (Some(row), _) => row,
            (None, OrderStreamEvent::Order(OrderEvent::OrderCreated(event))) => OrderRow::created(event, recorded),
            (None, _) => return None,
        };
        match event {
            OrderStreamEvent::Order(event) => row.order_evolved(event, recorded),
            OrderStreamEvent::PayRecord(PayRecordEvent::PaymentConfirmed(event)) => row.trade_no = Some(event.trade_no.clone()),
            OrderStreamEvent::PayRecord(_) => {}
        }
        row.updated_at = recorded.recorded_at.into();
        row.revision = revision(recorded);
        row.position = recorded.position.as_i64();
        Some(row)
    }
}

impl OrderRow {
    fn created(event: &OrderCreated, recorded: &RecordedEvent) -> Self {
        let draft = &event.draft;
        Self {
            order_id: draft.order_id.to_string(),
            buyer_id: draft.buyer_id.as_str().to_owned(),
            service: draft.service.clone(),
            order_type: draft.order_type.as_str().to_owned(),
            out_business_id: draft.out_business_id.clone(),
            source: source_word(draft.source).to_owned(),
            title: draft.title.clone(),
            description: draft.description.clone(),
            client: client_word(draft.client).to_owned(),
            amount: draft.amount.as_i64(),
            currency: draft.currency.code().to_owned(),
            discount_amount: draft.coupon.as_ref().map_or(0, |coupon| coupon.discount_amount.as_i64()),
            coupon_id: draft.coupon.as_ref().map(|coupon| coupon.coupon_id.to_string()),
            status: OrderStatus::AwaitingPayment.as_str().to_owned(),
            payment_status: PaymentStatus::Unpaid.as_str().to_owned(),
            shipping_status: shipping_status_at_first(draft).to_owned(),
            items_json: items_json(&draft.items),
            created_at: event.created_at.into(),
            expires_at: event.expires_at.into(),
            paid_at: None,
            ended_at: None,
            paid_pay_no: None,
            trade_no: None,
            refunded_amount: 0,
            end_reason: None,
            updated_at: recorded.recorded_at.into(),
            revision: revision(recorded),
            position: recorded.position.as_i64(),
        }
    }

    fn order_evolved(&mut self, event: &OrderEvent, recorded: &RecordedEvent) {
        let status = match event {
            OrderEvent::OrderClosing(event) => {
                self.end_reason.clone_from(&event.reason);
                OrderStatus::Closing
            }
            OrderEvent::OrderPaid(event) => {
                self.paid_at = Some(event.paid_at.into());
                self.paid_pay_no = Some(event.pay_no.to_string());
                // It may have been closing: a payment wins, and then there is no end to give a reason for.
                self.ended_at = None;
                self.end_reason = None;
                PaymentStatus::Paid.as_str().clone_into(&mut self.payment_status);
                OrderStatus::Paid
            }
            OrderEvent::OrderExpired(_) => {
                self.ended_at = Some(recorded.recorded_at.into());
                OrderStatus::Expired
            }
            OrderEvent::OrderCancelled(event) => {
                self.ended_at = Some(recorded.recorded_at.into());
                self.end_reason.clone_from(&event.reason);
                OrderStatus::Cancelled
            }
            OrderEvent::OrderRevived(_) => {
                self.ended_at = None;
                self.end_reason = None;
                OrderStatus::AwaitingPayment
            }
            OrderEvent::RefundSucceeded(event) => return self.refunded(event),
            OrderEvent::OrderCreated(_)
            | OrderEvent::OrderAbandoned(_)
            | OrderEvent::RefundRequested(_)
            | OrderEvent::RefundAccepted(_)
            | OrderEvent::RefundFailed(_)
            | OrderEvent::RefundNeedsOperator(_)
            | OrderEvent::RefundRetried(_)
            | OrderEvent::RefundSettled(_)
            | OrderEvent::RefundObserved(_)
            | OrderEvent::SurplusResolved(_)
            | OrderEvent::IdempotencyKeyRecorded(_) => return,
        };
        status.as_str().clone_into(&mut self.status);
    }

    /// Counts what went back of the payment that paid the order. Of money that was not owed nothing is counted; two channels
    /// may use the same number, so both numbers must agree.
    fn refunded(&mut self, event: &RefundSucceeded) {
        let paid_by_it = self.paid_pay_no.as_deref() == Some(event.pay_no.to_string().as_str());
        if !paid_by_it || self.trade_no.as_deref() != Some(event.trade_no.as_str()) {
            return;
        }
        self.refunded_amount = self.refunded_amount.saturating_add(event.refund_amount.as_i64());
        let status = match self.refunded_amount {
            0 => PaymentStatus::Paid,
            back if back < event.amount.as_i64() => PaymentStatus::PartiallyRefunded,
            _ => PaymentStatus::Refunded,
        };
        status.as_str().clone_into(&mut self.payment_status);
    }
}

/// Only goods travel: those of an order of goods, or among the lines of a mixed one.
fn shipping_status_at_first(draft: &OrderDraft) -> &'static str {
    let holds_goods = draft.items.iter().any(|item| item.kind == Some(ProductKind::Goods));
    if holds_goods || draft.order_type.as_str() == ProductKind::Goods.word() { "unshipped" } else { "none" }
}

fn source_word(source: OrderSource) -> &'static str {
    match source {
        OrderSource::CourseSelection => "course_selection",
        OrderSource::Product => "product",
        OrderSource::Business => "business",
    }
}

fn client_word(client: Client) -> &'static str {
    match client {
        Client::Web => "web",
        Client::App => "app",
        Client::H5 => "h5",
        Client::MiniProgram => "mini_program",
        Client::OfficialAccount => "official_account",
    }
}

#[derive(serde::Serialize)]
struct ShownItem<'e> {
    goods_id: &'e str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sku_id: Option<&'e str>,
    name: &'e str,
    quantity: u32,
    unit_price_amount: i64,
}

fn items_json(items: &[OrderItem]) -> String {
    let shown: Vec<_> = items
        .iter()
        .map(|item| ShownItem {
            goods_id: item.goods_id.as_str(),
            sku_id: item.sku_id.as_ref().map(domain::SkuId::as_str),
            name: &item.name,
            quantity: item.quantity,
            unit_price_amount: item.unit_price_amount.as_i64(),
        })
        .collect();
    serde_json::to_string(&shown).unwrap_or_else(|error| unreachable!("items hold only what JSON can: {error}"))
}
