//! Making orders: from a course selection, from a product, from another business system.

use std::collections::BTreeMap;

use domain::idempotency::Intent;
use domain::order::{Client, Order, OrderDraft, OrderSource, OrderType};
use domain::pay_record::OrderItem;
use domain::stock::StockLine;
use domain::{BuyerId, CouponId, Currency, MinorUnits, Money, OrderId, ProductId, SelectionId, SkuId};
use storefront::catalogue::{Product, ProductKind};
use uuid::Uuid;

use crate::caller::{Caller, CallerKey};
use crate::creation::Created;
use crate::failure::CommandFailure;
use crate::handler::{Context, Standing};
use crate::service::Commands;
use crate::streams;

/// What an order is to be made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderRequest {
    /// A course selection of the caller.
    CourseSelection {
        /// The selection.
        selection_id: SelectionId,
        /// Where the buyer sits.
        client: Client,
    },
    /// One product of the catalogue.
    Product {
        /// The product.
        product_id: ProductId,
        /// Which variant, where it has any.
        sku_id: Option<SkuId>,
        /// How many.
        quantity: u32,
        /// A coupon of the buyer's to set against it.
        coupon_id: Option<CouponId>,
        /// Where the buyer sits.
        client: Client,
    },
    /// Another business system's order.
    Business(BusinessOrder),
}

/// What another business system wants to be paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusinessOrder {
    /// Who is to pay.
    pub buyer_id: BuyerId,
    /// The system's own word for the kind of business.
    pub order_type: OrderType,
    /// Its number there.
    pub out_business_id: String,
    /// What the buyer reads.
    pub title: String,
    /// More of it.
    pub description: Option<String>,
    /// Its lines.
    pub items: Vec<BusinessItem>,
    /// Of this currency.
    pub currency: Currency,
}

/// One line of another business system's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusinessItem {
    /// What is sold.
    pub goods_id: ProductId,
    /// Its name.
    pub name: String,
    /// The price of one, in smallest units.
    pub unit_price_amount: MinorUnits,
    /// How many.
    pub quantity: u32,
}

impl Commands {
    /// Makes an order, or answers the one that its keys stand for.
    pub async fn create_order(
        &self,
        caller: &Caller,
        request: OrderRequest,
        key: Option<&CallerKey>,
        correlation_id: Uuid,
    ) -> Result<(Created, Standing<Order>), CommandFailure> {
        let context = Context::of_caller(caller, correlation_id);
        let created = self.create(&context, key, self.order_draft(caller, request)).await?;
        let order_id: OrderId = created.resource_id.parse().map_err(|_| CommandFailure::Broken("an order's number is none"))?;
        let stream_id = streams::order(order_id);
        let as_of = Some(created.position).filter(|_| created.replayed && !created.is_new);
        let standing = self.orders.load_at(&stream_id, as_of).await?;
        Ok((created, standing))
    }

    async fn order_draft(&self, caller: &Caller, request: OrderRequest) -> Result<Intent, CommandFailure> {
        let draft = match (caller, request) {
            (Caller::Buyer(buyer_id), OrderRequest::CourseSelection { selection_id, client }) => {
                self.draft_from_selection(buyer_id, selection_id, client).await?
            }
            (Caller::Buyer(buyer_id), OrderRequest::Product { product_id, sku_id, quantity, coupon_id, client }) => {
                let draft = self.draft_from_product(buyer_id, &product_id, sku_id, quantity, client).await?;
                self.with_coupon(draft, coupon_id).await?
            }
            (Caller::Service(service), OrderRequest::Business(order)) => self.draft_from_business(service, order).await?,
            _ => return Err(CommandFailure::Broken("a route let the wrong role make an order")),
        };
        Ok(Intent::Order(draft))
    }

    async fn draft_from_selection(
        &self,
        buyer_id: &BuyerId,
        selection_id: SelectionId,
        client: Client,
    ) -> Result<OrderDraft, CommandFailure> {
        let standing = self.selections.load(&streams::course_selection(selection_id)).await?;
        let selected = standing.state.selected.as_ref().filter(|selected| selected.buyer_id == *buyer_id);
        let selected = selected.ok_or(CommandFailure::NotFound)?;
        if selected.price_amount.as_i64() == 0 {
            return Err(invalid("selection_id", "free_course", "A free course takes no order."));
        }
        let product = self.on_sale(&selected.course_id, "selection_id").await?;
        let item = line(&product, None, 1)?;
        self.draft(
            buyer_id.clone(),
            OrderType::course(),
            Some(selection_id.to_string()),
            OrderSource::CourseSelection,
            product.title.clone(),
            vec![item],
            product.price.currency(),
            client,
        )
        .await
    }

    pub(crate) async fn draft_from_product(
        &self,
        buyer_id: &BuyerId,
        product_id: &ProductId,
        sku_id: Option<SkuId>,
        quantity: u32,
        client: Client,
    ) -> Result<OrderDraft, CommandFailure> {
        let product = self.on_sale(product_id, "product_id").await?;
        let order_type = match product.kind {
            ProductKind::Course => return Err(CommandFailure::SelectionRequired),
            other => OrderType::parse(other.word()).map_err(|_| CommandFailure::Broken("a product's kind is no order type"))?,
        };
        let item = line(&product, sku_id, quantity)?;
        let (title, currency) = (product.title.clone(), product.price.currency());
        let stock = stock_of(&[(&product, &item)])?;
        let draft = self.draft(buyer_id.clone(), order_type, None, OrderSource::Product, title, vec![item], currency, client).await?;
        Ok(OrderDraft { stock, hold_s: product.hold_s, ..draft })
    }

    /// The draft less what the coupon takes off.
    async fn with_coupon(&self, draft: OrderDraft, coupon_id: Option<CouponId>) -> Result<OrderDraft, CommandFailure> {
        let Some(coupon_id) = coupon_id else { return Ok(draft) };
        let sum = draft.amount.of(draft.currency);
        let applied = self.applied(coupon_id, &draft.buyer_id, sum).await?;
        let owed = sum.checked_sub(applied.discount_amount.of(draft.currency));
        let owed = owed.map_err(|_| CommandFailure::Broken("a coupon takes off more than the sum"))?;
        Ok(OrderDraft { amount: owed.minor_units(), coupon: Some(applied), ..draft })
    }

    async fn draft_from_business(&self, service: &str, order: BusinessOrder) -> Result<OrderDraft, CommandFailure> {
        let items = order.items.into_iter().map(|item| OrderItem {
            goods_id: item.goods_id,
            kind: None,
            sku_id: None,
            name: item.name,
            quantity: item.quantity,
            unit_price_amount: item.unit_price_amount,
            price_version: None,
        });
        let draft = self
            .draft(
                order.buyer_id,
                order.order_type,
                Some(order.out_business_id),
                OrderSource::Business,
                order.title,
                items.collect(),
                order.currency,
                Client::default(),
            )
            .await?;
        Ok(OrderDraft { service: Some(service.to_owned()), description: order.description, ..draft })
    }

    #[expect(clippy::too_many_arguments, reason = "the members of a draft, each of its own type")]
    async fn draft(
        &self,
        buyer_id: BuyerId,
        order_type: OrderType,
        out_business_id: Option<String>,
        source: OrderSource,
        title: String,
        items: Vec<OrderItem>,
        currency: Currency,
        client: Client,
    ) -> Result<OrderDraft, CommandFailure> {
        let sum = items
            .iter()
            .try_fold(Money::zero(currency), |sum, item| sum.checked_add(item.unit_price_amount.of(currency).checked_mul(item.quantity)?));
        let amount = sum.map_err(|_| invalid("items", "out_of_range", "The order's sum is too large."))?.minor_units();
        let order_id = self.ports.order_ids.next_order_id(self.now()).await?;
        Ok(OrderDraft {
            order_id,
            buyer_id,
            order_type,
            out_business_id: out_business_id.unwrap_or_else(|| order_id.to_string()),
            source,
            service: None,
            title,
            description: None,
            items,
            amount,
            currency,
            client,
            coupon: None,
            stock: vec![],
            hold_s: None,
        })
    }

    /// The product, if the catalogue has it and sells it now.
    pub(crate) async fn on_sale(&self, product_id: &ProductId, field: &'static str) -> Result<Product, CommandFailure> {
        let product = self.ports.catalogue.product(product_id).await?.ok_or(CommandFailure::NotFound)?;
        if product.on_sale { Ok(product) } else { Err(invalid(field, "not_on_sale", "This is not sold now.")) }
    }
}

pub(crate) fn invalid(field: &'static str, code: &'static str, message: &str) -> CommandFailure {
    CommandFailure::Invalid { field, code, message: message.to_owned() }
}

/// What lines hold in stock: of each SKU of goods once, the sum of all its lines.
fn stock_of(lines: &[(&Product, &OrderItem)]) -> Result<Vec<StockLine>, CommandFailure> {
    let mut sums: BTreeMap<SkuId, StockLine> = BTreeMap::new();
    for (product, item) in lines.iter().filter(|(product, _)| product.kind == ProductKind::Goods) {
        let Some(sku_id) = item.sku_id.clone() else { continue };
        let line = StockLine { sku_id: sku_id.clone(), quantity: 0, buyer_limit: product.buyer_limit };
        let sum = sums.entry(sku_id).or_insert(line);
        sum.quantity = sum.quantity.checked_add(item.quantity).ok_or_else(|| invalid("quantity", "out_of_range", "Too many."))?;
    }
    Ok(sums.into_values().collect())
}

/// One line at the catalogue's price.
pub(crate) fn line(product: &Product, sku_id: Option<SkuId>, quantity: u32) -> Result<OrderItem, CommandFailure> {
    let (name, price) = match &sku_id {
        Some(sku_id) => {
            let sku = product.skus.iter().find(|sku| sku.sku_id == *sku_id);
            let sku = sku.ok_or_else(|| invalid("sku_id", "unknown_value", "The product has no such variant."))?;
            (format!("{} {}", product.title, sku.name), sku.price)
        }
        None if product.skus.is_empty() => (product.title.clone(), product.price),
        // There is nothing to choose.
        None if product.skus.len() == 1 => return line(product, product.skus.first().map(|sku| sku.sku_id.clone()), quantity),
        None => return Err(invalid("sku_id", "required", "The product has variants: name one.")),
    };
    Ok(OrderItem {
        goods_id: product.product_id.clone(),
        kind: Some(product.kind),
        sku_id,
        name,
        quantity,
        unit_price_amount: price.minor_units(),
        price_version: Some(product.price_version),
    })
}

#[cfg(test)]
mod tests;
