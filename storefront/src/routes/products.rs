//! The shop's products.

use axum::extract::State;
use chassis::extract::{Json, Path, Query};
use chassis::problem::{Problem, field};
use chrono::{DateTime, Utc};
use domain::{Currency, Money, ProductId, SkuId};
use serde::{Deserialize, Serialize};

use super::RouteState;
use super::page::{self, Page};
use crate::catalogue::{CategoryId, Product, ProductFilter, ProductKind, Sku};

/// The longest text that is searched for, in characters.
const SEARCH_LIMIT: usize = 100;

/// The parameters of `GET /api/v1/products`. An empty text is as good as none.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    category: Option<String>,
    kind: Option<ProductKind>,
    q: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

/// A product as the contract shows it.
#[derive(Serialize)]
pub(super) struct ProductView {
    product_id: ProductId,
    kind: ProductKind,
    category_id: Option<String>,
    title: String,
    description: String,
    price_amount: i64,
    price_text: String,
    currency: Currency,
    price_version: i64,
    valid_days: Option<u32>,
    starts_at: Option<DateTime<Utc>>,
    on_sale: bool,
    buyer_limit: Option<u32>,
    hold_s: Option<u32>,
    skus: Vec<SkuView>,
}

/// A variant as the contract shows it; its currency is its product's.
#[derive(Serialize)]
struct SkuView {
    sku_id: SkuId,
    name: String,
    price_amount: i64,
    price_text: String,
}

/// `GET /api/v1/products`: what may be bought now.
pub(super) async fn list(State(state): State<RouteState>, Query(query): Query<ListQuery>) -> Result<Json<Page<ProductView>>, Problem> {
    let limit = page::limit(query.limit)?;
    let after = page::read_cursor(query.cursor.as_deref(), |key| ProductId::parse(key).ok())?;
    let filter = filter(query)?;
    // One more than the page holds tells whether there is another page.
    let products = state.catalogue.products(&filter, after.as_ref(), limit + 1).await?;
    Ok(Json(Page::new(products, limit, |product| product.product_id.to_string(), ProductView::from)))
}

/// `GET /api/v1/products/{id}`: also what may no longer be bought, since earlier buyers come back to it.
pub(super) async fn show(State(state): State<RouteState>, Path(id): Path<ProductId>) -> Result<Json<ProductView>, Problem> {
    let product = state.catalogue.product(&id).await?.ok_or_else(Problem::not_found)?;
    Ok(Json(product.into()))
}

fn filter(query: ListQuery) -> Result<ProductFilter, Problem> {
    let category_id = match query.category.filter(|text| !text.is_empty()) {
        None => None,
        Some(text) => Some(CategoryId::parse(&text).map_err(|_| Problem::invalid("category", field::MALFORMED, "must be a category id"))?),
    };
    let text = query.q.filter(|text| !text.is_empty());
    if text.as_ref().is_some_and(|text| text.chars().count() > SEARCH_LIMIT) {
        return Err(Problem::invalid("q", field::TOO_LONG, "must be at most 100 characters"));
    }
    if text.as_ref().is_some_and(|text| text.contains('\0')) {
        return Err(Problem::invalid("q", field::MALFORMED, "must be a text"));
    }
    Ok(ProductFilter { kind: query.kind, category_id, text, with_withdrawn: false })
}

impl From<Product> for ProductView {
    fn from(product: Product) -> Self {
        Self {
            product_id: product.product_id,
            kind: product.kind,
            category_id: product.category_id.map(|category_id| category_id.to_string()),
            title: product.title,
            description: product.description,
            price_amount: product.price.amount_minor(),
            price_text: product.price.major_text(),
            currency: product.price.currency(),
            price_version: product.price_version,
            valid_days: product.valid_days,
            starts_at: product.starts_at,
            on_sale: product.on_sale,
            buyer_limit: product.buyer_limit,
            hold_s: product.hold_s,
            skus: product.skus.into_iter().map(SkuView::from).collect(),
        }
    }
}

impl From<Sku> for SkuView {
    fn from(sku: Sku) -> Self {
        let Sku { sku_id, name, price } = sku;
        Self { sku_id, name, price_amount: Money::amount_minor(price), price_text: price.major_text() }
    }
}
