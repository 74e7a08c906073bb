//! Orders as the contract shows them.

use chrono::{DateTime, Utc};
use domain::{Currency, Money};
use serde::{Deserialize, Serialize};

use super::row::OrderRow;
use crate::failure::QueryFailure;
use crate::money;
use crate::pay_records::PayRecordView;
use crate::refunds::RefundView;

/// An order in a list.
#[derive(Debug, Serialize)]
pub(crate) struct OrderInList {
    order_id: String,
    status: String,
    payment_status: String,
    shipping_status: String,
    order_type: String,
    out_business_id: String,
    source: String,
    client: String,
    buyer_id: String,
    service: Option<String>,
    title: String,
    description: Option<String>,
    amount: i64,
    amount_text: String,
    currency: Currency,
    discount_amount: i64,
    discount_text: String,
    coupon_id: Option<String>,
    items: Vec<Item>,
    paid_pay_no: Option<String>,
    trade_no: Option<String>,
    refunded_amount: i64,
    refunded_text: String,
    end_reason: Option<String>,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    paid_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
    updated_at: DateTime<Utc>,
}

/// An order alone.
#[derive(Debug, Serialize)]
pub(super) struct OrderView {
    #[serde(flatten)]
    order: OrderInList,
    pay_records: Vec<PayRecordView>,
    refunds: Vec<RefundView>,
    /// Nothing is shipped as yet; the member is there for those who read it.
    shipment: Option<()>,
}

/// A line as the contract shows it.
#[derive(Debug, Serialize)]
struct Item {
    goods_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sku_id: Option<String>,
    name: String,
    quantity: i64,
    unit_price_amount: i64,
    unit_price_text: String,
    amount: i64,
    amount_text: String,
}

/// A line as it stands in the row.
#[derive(Debug, Deserialize)]
struct StoredItem {
    goods_id: String,
    sku_id: Option<String>,
    name: String,
    quantity: i64,
    unit_price_amount: i64,
}

impl OrderView {
    /// The order with its pay records and its refunds, oldest first.
    pub(super) fn new(row: OrderRow, pay_records: Vec<PayRecordView>, refunds: Vec<RefundView>) -> Result<Self, QueryFailure> {
        Ok(Self { order: row.try_into()?, pay_records, refunds, shipment: None })
    }
}

impl TryFrom<OrderRow> for OrderInList {
    type Error = QueryFailure;

    fn try_from(row: OrderRow) -> Result<Self, QueryFailure> {
        let amount = money::read(row.amount, &row.currency)?;
        let discount = money::read(row.discount_amount, &row.currency)?;
        let refunded = money::read(row.refunded_amount, &row.currency)?;
        Ok(Self {
            items: items(&row.items_json, amount.currency())?,
            amount: amount.amount_minor(),
            amount_text: amount.major_text(),
            currency: amount.currency(),
            discount_amount: discount.amount_minor(),
            discount_text: discount.major_text(),
            coupon_id: row.coupon_id,
            order_id: row.order_id,
            status: row.status,
            payment_status: row.payment_status,
            shipping_status: row.shipping_status,
            order_type: row.order_type,
            out_business_id: row.out_business_id,
            source: row.source,
            client: row.client,
            buyer_id: row.buyer_id,
            service: row.service,
            title: row.title,
            description: row.description,
            paid_pay_no: row.paid_pay_no,
            trade_no: row.trade_no,
            refunded_amount: refunded.amount_minor(),
            refunded_text: refunded.major_text(),
            end_reason: row.end_reason,
            created_at: row.created_at.into(),
            expires_at: row.expires_at.into(),
            paid_at: row.paid_at.map(Into::into),
            ended_at: row.ended_at.map(Into::into),
            updated_at: row.updated_at.into(),
        })
    }
}

fn items(json: &str, currency: Currency) -> Result<Vec<Item>, QueryFailure> {
    let stored: Vec<StoredItem> = serde_json::from_str(json).map_err(|_| QueryFailure::Row("its lines cannot be read"))?;
    stored.into_iter().map(|item| shown(item, currency)).collect()
}

fn shown(item: StoredItem, currency: Currency) -> Result<Item, QueryFailure> {
    let out_of_range = QueryFailure::Row("a line's amount is out of range");
    let unit_price = Money::new(item.unit_price_amount, currency).map_err(|_| QueryFailure::Row("a price is out of range"))?;
    let amount = item.unit_price_amount.checked_mul(item.quantity).and_then(|amount| Money::new(amount, currency).ok());
    let amount = amount.ok_or(out_of_range)?;
    Ok(Item {
        goods_id: item.goods_id,
        sku_id: item.sku_id,
        name: item.name,
        quantity: item.quantity,
        unit_price_amount: unit_price.amount_minor(),
        unit_price_text: unit_price.major_text(),
        amount: amount.amount_minor(),
        amount_text: amount.major_text(),
    })
}
