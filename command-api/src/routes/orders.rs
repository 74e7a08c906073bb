use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use chassis::correlation::Correlation;
use chassis::extract::{Json, OptionalJson, Path, from_value, split_tag};
use chassis::identity::Role;
use chassis::problem::{Code, Problem, field};
use domain::order::{Client, OrderStatus, OrderType};
use domain::{BuyerId, CouponId, Currency, MinorUnits, OrderId, ProductId, SelectionId, SkuId};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::caller::Caller;
use crate::failure::CommandFailure;
use crate::orders::{BusinessItem, BusinessOrder, OrderRequest};
use crate::render;
use crate::routes::role::{InBuyerOrService, InOperatorOrBuyer};
use crate::routes::{ApiState, answer, caller_key, if_match};
use crate::text;
pub(super) use crate::text::MAX_REASON_CHARS;

const MAX_ITEMS: usize = 100;
const MAX_QUANTITY: u32 = 9_999;
const MAX_TITLE_CHARS: usize = 256;
const MAX_DESCRIPTION_CHARS: usize = 2_000;
const MAX_BUSINESS_ID_CHARS: usize = 128;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SelectionBody {
    selection_id: SelectionId,
    #[serde(default)]
    client: Client,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProductBody {
    product_id: ProductId,
    sku_id: Option<SkuId>,
    quantity: u32,
    #[serde(default)]
    client: Client,
    address_id: Option<String>,
    coupon_id: Option<CouponId>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BusinessBody {
    buyer_id: BuyerId,
    order_type: String,
    out_business_id: String,
    title: String,
    description: Option<String>,
    items: Vec<BusinessItemBody>,
    currency: Currency,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BusinessItemBody {
    goods_id: ProductId,
    name: String,
    unit_price_amount: MinorUnits,
    quantity: u32,
}

/// `POST /api/v1/orders`
pub(super) async fn create(
    State(api): State<ApiState>,
    InBuyerOrService(identity): InBuyerOrService,
    Correlation(correlation_id): Correlation,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<Response, Problem> {
    // serde_json keeps members sorted, so the same content has the same text.
    let key = caller_key(&headers, &identity.subject, "POST /api/v1/orders", &body.to_string())?;
    let (source, members) = split_tag(body, "source")?;
    let (role, request) = match source.as_str() {
        "course_selection" => (Role::Buyer, from_selection(&from_value(members)?)),
        "product" => (Role::Buyer, from_product(from_value(members)?)?),
        "business" => (Role::Service, from_business(from_value(members)?)?),
        _ => return Err(Problem::invalid("source", field::UNKNOWN_VALUE, "course_selection, product or business")),
    };
    let caller = Caller::of(&identity, &[role]).ok_or_else(|| Problem::new(Code::Forbidden))?;
    let (created, standing) = api.commands.create_order(&caller, request, key.as_ref(), correlation_id).await?;
    let order = standing.state.created.as_ref().ok_or(CommandFailure::Broken("a created order holds nothing"))?;
    // Whoever made it is answered how it was made, however it stands by now.
    let status = match (created.is_new, order.draft.amount.as_i64()) {
        (true, 0) => OrderStatus::Paid,
        (true, _) => OrderStatus::AwaitingPayment,
        (false, _) => standing.state.status,
    };
    let code = if created.is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(answer(code, render::order_created(order, status, &api.links), created.position, created.replayed))
}

fn from_selection(body: &SelectionBody) -> OrderRequest {
    OrderRequest::CourseSelection { selection_id: body.selection_id, client: body.client }
}

fn from_product(body: ProductBody) -> Result<OrderRequest, Problem> {
    if body.address_id.is_some() {
        return Err(Problem::invalid("address_id", field::UNKNOWN_VALUE, "You have no such address."));
    }
    let quantity = quantity("quantity", body.quantity)?;
    let ProductBody { product_id, sku_id, coupon_id, client, .. } = body;
    Ok(OrderRequest::Product { product_id, sku_id, quantity, coupon_id, client })
}

fn from_business(body: BusinessBody) -> Result<OrderRequest, Problem> {
    let order_type = OrderType::parse_foreign(&body.order_type)
        .map_err(|_| Problem::invalid("order_type", field::INVALID, "[a-z][a-z0-9_]{0,31}, and none of Paystream's own order types"))?;
    text("out_business_id", &body.out_business_id, MAX_BUSINESS_ID_CHARS)?;
    text("title", &body.title, MAX_TITLE_CHARS)?;
    if let Some(description) = &body.description {
        text("description", description, MAX_DESCRIPTION_CHARS)?;
    }
    if body.items.is_empty() || body.items.len() > MAX_ITEMS {
        return Err(Problem::invalid("items", field::OUT_OF_RANGE, format!("1 to {MAX_ITEMS} lines")));
    }
    let items = body.items.into_iter().enumerate().map(|(index, item)| {
        text(&format!("items[{index}].name"), &item.name, MAX_TITLE_CHARS)?;
        let quantity = quantity(&format!("items[{index}].quantity"), item.quantity)?;
        Ok(BusinessItem { goods_id: item.goods_id, name: item.name, unit_price_amount: item.unit_price_amount, quantity })
    });
    Ok(OrderRequest::Business(BusinessOrder {
        buyer_id: body.buyer_id,
        order_type,
        out_business_id: body.out_business_id,
        title: body.title,
        description: body.description,
        items: items.collect::<Result<_, Problem>>()?,
        currency: body.currency,
    }))
}

fn quantity(member: &str, quantity: u32) -> Result<u32, Problem> {
    if (1..=MAX_QUANTITY).contains(&quantity) {
        Ok(quantity)
    } else {
        Err(Problem::invalid(member, field::OUT_OF_RANGE, format!("1 to {MAX_QUANTITY}")))
    }
}

pub(super) fn text(member: &str, value: &str, max_chars: usize) -> Result<(), Problem> {
    text::check(value, max_chars).map_err(|unfit| unfit.problem(member))
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CancelBody {
    reason: Option<String>,
}

/// `POST /api/v1/orders/{order_id}/cancel`
pub(super) async fn cancel(
    State(api): State<ApiState>,
    InOperatorOrBuyer(identity): InOperatorOrBuyer,
    Correlation(correlation_id): Correlation,
    Path(order_id): Path<OrderId>,
    headers: HeaderMap,
    OptionalJson(body): OptionalJson<CancelBody>,
) -> Result<Response, Problem> {
    let caller = Caller::of(&identity, InOperatorOrBuyer::ROLES).ok_or_else(|| Problem::new(Code::Forbidden))?;
    let reason = body.unwrap_or_default().reason;
    let route = format!("POST /api/v1/orders/{order_id}/cancel");
    let key = caller_key(&headers, &identity.subject, &route, &format!("{reason:?}"))?;
    let expected = if_match(&api, &headers, order_id).await?;
    if let Some(reason) = &reason {
        text("reason", reason, MAX_REASON_CHARS)?;
    }
    let cancelled = api.commands.cancel_order(&caller, order_id, reason, key.as_ref(), expected, correlation_id).await?;
    let (code, status) =
        if cancelled.is_proven { (StatusCode::OK, OrderStatus::Cancelled) } else { (StatusCode::ACCEPTED, OrderStatus::Closing) };
    let body = json!({ "order_id": order_id, "status": status.as_str() });
    Ok(answer(code, body, cancelled.position, cancelled.replayed))
}
