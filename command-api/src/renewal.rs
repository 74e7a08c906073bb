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
        let request = self.with_usable_coupon(draft, request).await?;
        let key = CallerKey::new("checkout-link", "POST /checkout/renew", &draft.order_id.to_string(), "");
        let (created, _) = self.create_order(&caller, request, Some(&key), correlation_id).await?;
        let order_id = created.resource_id.parse().map_err(|_| CommandFailure::Broken("an order's number is none"))?;
        Ok(Renewed { order_id, position: created.position })
    }
}

impl Commands {
    /// The request with the expired order's coupon, if that can be used again.
    async fn with_usable_coupon(&self, draft: &OrderDraft, request: OrderRequest) -> Result<OrderRequest, CommandFailure> {
        let Some(applied) = &draft.coupon else { return Ok(request) };
        let sum = draft.amount.of(draft.currency).checked_add(applied.discount_amount.of(draft.currency));
        let sum = sum.map_err(|_| CommandFailure::Broken("an order's sum is too large"))?;
        let is_usable = match self.applied(applied.coupon_id.clone(), &draft.buyer_id, sum).await {
            Ok(_) => true,
            Err(CommandFailure::Invalid { .. }) => false,
            Err(failure) => return Err(failure),
        };
        Ok(match request {
            OrderRequest::Product { product_id, sku_id, quantity, client, .. } if is_usable => {
                OrderRequest::Product { product_id, sku_id, quantity, coupon_id: Some(applied.coupon_id.clone()), client }
            }
            request => request,
        })
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
