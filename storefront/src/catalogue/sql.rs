//! The catalogue in a database.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use database::{Database, DatabaseError, Time, Transaction, values};
use domain::{Currency, Money, ProductId, SkuId};

use super::ProductKind;
use super::product::{Product, ProductDraft, Sku, has_same_prices};
use super::{Catalogue, CategoryId, ProductFilter, PutProductError, search_text};
use crate::StorefrontError;

/// Products in the state's tables.
#[derive(Clone, Debug)]
pub struct SqlCatalogue {
    database: Database,
}

impl SqlCatalogue {
    /// Reads and writes the tables of `database`, an area `State` that was migrated.
    pub fn new(database: Database) -> Self {
        Self { database }
    }
}

/// One row for each variant, or one for a product without any, of the products that `$products` selects. Prices of one
/// version never change, so a version is read whole although it stands in several rows.
macro_rules! product_rows {
    ($products:literal, $version:literal) => {
        concat!(
            "select p.product_id, p.kind, p.category_id, p.title, p.description, p.valid_days, p.starts_at, p.on_sale, p.buyer_limit, p.hold_s,
                    price.price_version, price.amount_minor, price.currency,
                    sku.sku_id, sku.name as sku_name, sku_price.amount_minor as sku_amount_minor
             from (select * from product ",
            $products,
            ") p
             join product_price price on price.product_id = p.product_id and price.price_version = ",
            $version,
            " left join sku_price on sku_price.product_id = p.product_id and sku_price.price_version = price.price_version
             left join sku on sku.sku_id = sku_price.sku_id
             order by p.product_id, sku_price.place"
        )
    };
}

#[derive(sqlx::FromRow)]
struct ProductRow {
    product_id: String,
    kind: String,
    category_id: Option<String>,
    title: String,
    description: String,
    valid_days: Option<i64>,
    starts_at: Option<Time>,
    on_sale: i64,
    buyer_limit: Option<i64>,
    hold_s: Option<i64>,
    price_version: i64,
    amount_minor: i64,
    currency: String,
    sku_id: Option<String>,
    sku_name: Option<String>,
    sku_amount_minor: Option<i64>,
}

#[async_trait]
impl Catalogue for SqlCatalogue {
    async fn product(&self, product_id: &ProductId) -> Result<Option<Product>, StorefrontError> {
        const SQL: &str = product_rows!("where product_id = $1", "p.price_version");
        let rows = self.database.fetch_all(SQL, values![product_id.as_str()]).await?;
        Ok(products(rows)?.pop())
    }

    async fn product_at(&self, product_id: &ProductId, price_version: i64) -> Result<Option<Product>, StorefrontError> {
        const SQL: &str = product_rows!("where product_id = $1", "$2");
        let rows = self.database.fetch_all(SQL, values![product_id.as_str(), price_version]).await?;
        Ok(products(rows)?.pop())
    }

    async fn products(&self, filter: &ProductFilter, after: Option<&ProductId>, limit: u32) -> Result<Vec<Product>, StorefrontError> {
        // An empty text stands for no wish: no kind, category or id is empty, and every text contains it.
        const SQL: &str = product_rows!(
            "where ($1 = '' or kind = $1) and ($2 = '' or category_id = $2) and search_text like $3 escape '\\'
                   and ($4 = 1 or on_sale = 1) and product_id > $5
             order by product_id limit cast($6 as bigint)",
            "p.price_version"
        );
        let values = values![
            filter.kind.map_or("", ProductKind::word),
            filter.category_id.as_ref().map_or("", CategoryId::as_str),
            pattern(filter.text.as_deref().unwrap_or_default()),
            filter.with_withdrawn,
            after.map_or("", ProductId::as_str),
            limit,
        ];
        products(self.database.fetch_all(SQL, values).await?)
    }

    async fn has_sku(&self, sku_id: &SkuId) -> Result<bool, StorefrontError> {
        let found: Option<(String,)> =
            self.database.fetch_optional("select sku_id from sku where sku_id = $1", values![sku_id.as_str()]).await?;
        Ok(found.is_some())
    }

    async fn put_product(&self, draft: ProductDraft, now: DateTime<Utc>) -> Result<Product, PutProductError> {
        draft.check()?;
        let mut transaction = self.database.begin().await.map_err(StorefrontError::from)?;
        // Writing the product first locks its row, so that two writers number their versions one after the other.
        let (before,) = write_texts(&mut transaction, &draft, now).await.map_err(StorefrontError::from)?;
        write_skus(&mut transaction, &draft).await?;
        let is_same = has_prices_of(&mut transaction, &draft, before).await?;
        let price_version = if is_same { before } else { before + 1 };
        if !is_same {
            write_prices(&mut transaction, &draft, price_version, now).await.map_err(StorefrontError::from)?;
        }
        transaction.commit().await.map_err(StorefrontError::from)?;
        Ok(draft.into_product(price_version))
    }
}

/// A pattern for texts that contain `text`, whatever its characters mean in patterns.
fn pattern(text: &str) -> String {
    let plain = text.to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{plain}%")
}

/// Adds or changes the product but for its prices. Answers the version of its prices so far, 0 for a new product.
async fn write_texts(transaction: &mut Transaction, draft: &ProductDraft, now: DateTime<Utc>) -> Result<(i64,), DatabaseError> {
    transaction
        .fetch_one(
            "insert into product (product_id, kind, category_id, title, description, search_text, valid_days, starts_at,
                                  on_sale, buyer_limit, hold_s, price_version, changed_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $11, $12, 0, $10)
             on conflict (product_id) do update set
                 kind = excluded.kind, category_id = excluded.category_id, title = excluded.title,
                 description = excluded.description, search_text = excluded.search_text,
                 valid_days = excluded.valid_days, starts_at = excluded.starts_at, on_sale = excluded.on_sale,
                 buyer_limit = excluded.buyer_limit, hold_s = excluded.hold_s, changed_at = excluded.changed_at
             returning price_version",
            values![
                draft.product_id.as_str(),
                draft.kind.word(),
                draft.category_id.as_ref().map(CategoryId::as_str),
                draft.title.as_str(),
                draft.description.as_str(),
                search_text(&draft.title, &draft.description),
                draft.valid_days,
                draft.starts_at,
                draft.on_sale,
                now,
                draft.buyer_limit,
                draft.hold_s,
            ],
        )
        .await
}

async fn write_skus(transaction: &mut Transaction, draft: &ProductDraft) -> Result<(), PutProductError> {
    for sku in &draft.skus {
        let written: Option<(String,)> = transaction
            .fetch_optional(
                "insert into sku (sku_id, product_id, name) values ($1, $2, $3)
                 on conflict (sku_id) do update set name = excluded.name where sku.product_id = excluded.product_id
                 returning sku_id",
                values![sku.sku_id.as_str(), draft.product_id.as_str(), sku.name.as_str()],
            )
            .await
            .map_err(StorefrontError::from)?;
        if written.is_none() {
            return Err(PutProductError::SkuTaken(sku.sku_id.clone()));
        }
    }
    Ok(())
}

async fn has_prices_of(transaction: &mut Transaction, draft: &ProductDraft, version: i64) -> Result<bool, StorefrontError> {
    const SQL: &str = product_rows!("where product_id = $1", "$2");
    let rows = transaction.fetch_all(SQL, values![draft.product_id.as_str(), version]).await?;
    let present = products(rows)?.pop();
    Ok(present.is_some_and(|present| present.price == draft.price && has_same_prices(&present.skus, &draft.skus)))
}

async fn write_prices(transaction: &mut Transaction, draft: &ProductDraft, version: i64, now: DateTime<Utc>) -> Result<(), DatabaseError> {
    let product_id = draft.product_id.as_str();
    transaction
        .execute(
            "insert into product_price (product_id, price_version, amount_minor, currency, recorded_at)
             values ($1, $2, $3, $4, $5)",
            values![product_id, version, draft.price.amount_minor(), draft.price.currency().code(), now],
        )
        .await?;
    for (place, sku) in (0_i64..).zip(&draft.skus) {
        transaction
            .execute(
                "insert into sku_price (product_id, price_version, sku_id, place, amount_minor) values ($1, $2, $3, $4, $5)",
                values![product_id, version, sku.sku_id.as_str(), place, sku.price.amount_minor()],
            )
            .await?;
    }
    transaction.execute("update product set price_version = $2 where product_id = $1", values![product_id, version]).await?;
    Ok(())
}

/// Puts the rows of each product together; they come one product after the other, its variants in order.
fn products(rows: Vec<ProductRow>) -> Result<Vec<Product>, StorefrontError> {
    let mut products: Vec<Product> = Vec::new();
    for row in rows {
        let currency = Currency::parse(&row.currency).map_err(|_| StorefrontError::Corrupt { table: "product_price" })?;
        let sku = sku(&row, currency)?;
        match products.last_mut() {
            Some(last) if last.product_id.as_str() == row.product_id => last.skus.extend(sku),
            _ => {
                let product = product(row, currency, sku).ok_or(StorefrontError::Corrupt { table: "product" })?;
                products.push(product);
            }
        }
    }
    Ok(products)
}

fn product(row: ProductRow, currency: Currency, sku: Option<Sku>) -> Option<Product> {
    Some(Product {
        product_id: row.product_id.parse().ok()?,
        kind: ProductKind::parse(&row.kind)?,
        category_id: row.category_id.map(|id| id.parse()).transpose().ok()?,
        title: row.title,
        description: row.description,
        price: Money::new(row.amount_minor, currency).ok()?,
        price_version: row.price_version,
        valid_days: row.valid_days.map(u32::try_from).transpose().ok()?,
        starts_at: row.starts_at.map(DateTime::from),
        on_sale: row.on_sale == 1,
        buyer_limit: row.buyer_limit.map(u32::try_from).transpose().ok()?,
        hold_s: row.hold_s.map(u32::try_from).transpose().ok()?,
        skus: sku.into_iter().collect(),
    })
}

fn sku(row: &ProductRow, currency: Currency) -> Result<Option<Sku>, StorefrontError> {
    let (Some(sku_id), Some(name), Some(amount_minor)) = (&row.sku_id, &row.sku_name, row.sku_amount_minor) else {
        return Ok(None);
    };
    let read = || Some(Sku { sku_id: sku_id.parse().ok()?, name: name.clone(), price: Money::new(amount_minor, currency).ok()? });
    read().map(Some).ok_or(StorefrontError::Corrupt { table: "sku_price" })
}

#[cfg(test)]
mod tests;
