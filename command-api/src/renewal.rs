//! A new order in the place of one that has expired: the same thing, at today's price.

use domain::OrderId;
use domain::order::{Order, OrderDraft, OrderSource};
use event_store::Position;
use uuid::Uuid;

use crate::caller::{Caller, CallerKey};
use crate::failure::CommandFailure;
use crate::orders::{BusinessItem, BusinessOrder, OrderRequest};
use crate::service::Commands;

/// The order that took the place of an expired one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewed {
    /// The new order.
    pub order_id: OrderId,
    /// The position of its newest event.
    pub position: Position,
}

impl Commands {
    /// Makes the order anew that has expired, once, however often it is wished. Whoever holds its link stands for its buyer.
    pub async fn renew_expired(&self, order: &Order, correlation_id: Uuid) -> Result<Renewed, CommandFailure> {
        let draft = &order.created.as_ref().ok_or(CommandFailure::NotFound)?.draft;
        let (caller, request) = request_of(draft)?;
        let key = CallerKey::new("checkout-link", "POST /checkout/renew", &draft.order_id.to_string(), "");
        let with_coupon = with_coupon_of(draft, request.clone());
        let (created, _) = match self.create_order(&caller, with_coupon, Some(&key), correlation_id).await {
            // Today it cannot be used: whoever renews has not asked for it.
            Err(CommandFailure::Invalid { field: "coupon_id", .. }) => {
                self.create_order(&caller, request, Some(&key), correlation_id).await?
            }
            created => created?,
        };
        let order_id = created.resource_id.parse().map_err(|_| CommandFailure::Broken("an order's number is none"))?;
        Ok(Renewed { order_id, position: created.position })
    }
}

/// The request with the coupon that was set against the expired order.
fn with_coupon_of(draft: &OrderDraft, request: OrderRequest) -> OrderRequest {
    match (request, &draft.coupon) {
        (OrderRequest::Product { product_id, sku_id, quantity, client, .. }, Some(applied)) => {
            OrderRequest::Product { product_id, sku_id, quantity, coupon_id: Some(applied.coupon_id.clone()), client }
        }
        (request, _) => request,
    }
}

/// What the expired order was made from, as it was asked for then.
fn request_of(draft: &OrderDraft) -> Result<(Caller, OrderRequest), CommandFailure> {
    const BROKEN: CommandFailure = CommandFailure::Broken("an order does not say what it was made from");
    let buyer = Caller::Buyer(draft.buyer_id.clone());
    Ok(match draft.source {
        OrderSource::CourseSelection => {
            let selection_id = draft.out_business_id.parse().map_err(|_| BROKEN)?;
            (buyer, OrderRequest::CourseSelection { selection_id, client: draft.client })
        }
        OrderSource::Product => {
            let item = draft.items.first().ok_or(BROKEN)?;
            let (product_id, sku_id) = (item.goods_id.clone(), item.sku_id.clone());
            (buyer, OrderRequest::Product { product_id, sku_id, quantity: item.quantity, coupon_id: None, client: draft.client })
        }
        OrderSource::Business => {
            let items = draft.items.iter().map(|item| BusinessItem {
                goods_id: item.goods_id.clone(),
                name: item.name.clone(),
                unit_price_amount: item.unit_price_amount,
                quantity: item.quantity,
            });
            let business = BusinessOrder {
                buyer_id: draft.buyer_id.clone(),
                order_type: draft.order_type.clone(),
                out_business_id: draft.out_business_id.clone(),
                title: draft.title.clone(),
                description: draft.description.clone(),
                items: items.collect(),
                currency: draft.currency,
            };
            (Caller::Service(draft.service.clone().ok_or(BROKEN)?), OrderRequest::Business(business))
        }
    })
}
