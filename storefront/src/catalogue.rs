//! What is sold, and for how much.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{ProductId, SkuId};

use crate::StorefrontError;

mod memory;
mod product;
mod sql;
#[cfg(test)]
mod suite;

pub use domain::ProductKind;
pub use memory::MemoryCatalogue;
pub use product::{CategoryId, InvalidCategoryId, InvalidProduct, Product, ProductDraft, Sku};
pub use sql::SqlCatalogue;

/// Reads and writes products. Every read answers what was last written: nothing is kept in between, since orders take
/// their prices from here.
#[async_trait]
pub trait Catalogue: Send + Sync {
    /// The product with its present prices, on sale or not; `None` if there is none of that id.
    async fn product(&self, product_id: &ProductId) -> Result<Option<Product>, StorefrontError>;

    /// The product with the variants and prices of an earlier (or the present) version; its texts are the present
    /// ones. `None` if there is no such product or version.
    async fn product_at(&self, product_id: &ProductId, price_version: i64) -> Result<Option<Product>, StorefrontError>;

    /// At most `limit` of the products that `filter` lets through, by rising id, beginning behind `after`.
    async fn products(&self, filter: &ProductFilter, after: Option<&ProductId>, limit: u32) -> Result<Vec<Product>, StorefrontError>;

    /// Whether any product has, or has had, that variant.
    async fn has_sku(&self, sku_id: &SkuId) -> Result<bool, StorefrontError>;

    /// Adds or changes a product. Another price, or another set of variants, is a new version of its prices; the
    /// earlier ones stay as they are.
    async fn put_product(&self, draft: ProductDraft, now: DateTime<Utc>) -> Result<Product, PutProductError>;
}

/// Which products a list holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProductFilter {
    /// Only this kind.
    pub kind: Option<ProductKind>,
    /// Only those that stand in this category.
    pub category_id: Option<CategoryId>,
    /// Only those whose title or description has this text in it, in upper or lower case.
    pub text: Option<String>,
    /// Also those that may not be bought now.
    pub with_withdrawn: bool,
}

/// Why a product was not written.
#[derive(Debug, thiserror::Error)]
pub enum PutProductError {
    /// The product is not allowed as it is.
    #[error("the product is not allowed")]
    Invalid(#[from] InvalidProduct),
    /// A variant's id belongs to another product, and will for ever: stock and earlier orders name it.
    #[error("the variant {0} belongs to another product")]
    SkuTaken(SkuId),
    /// The store failed; nothing was written.
    #[error("the product could not be written")]
    Failed(#[from] StorefrontError),
}

/// Title and description as they are searched.
fn search_text(title: &str, description: &str) -> String {
    format!("{title}\n{description}").to_lowercase()
}
