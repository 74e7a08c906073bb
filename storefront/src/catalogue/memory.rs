//! The catalogue in memory, for the simulation.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{Money, ProductId, SkuId};

use super::product::{Product, ProductDraft, Sku, has_same_prices};
use super::{Catalogue, ProductFilter, PutProductError, search_text};
use crate::StorefrontError;

/// Products in memory, gone with the process.
#[derive(Debug, Default)]
pub struct MemoryCatalogue {
    shelves: Mutex<Shelves>,
}

#[derive(Debug, Default)]
struct Shelves {
    products: BTreeMap<ProductId, Entry>,
    owners: HashMap<SkuId, ProductId>,
}

#[derive(Debug)]
struct Entry {
    present: Product,
    /// Price and variants of version 1 first.
    versions: Vec<(Money, Vec<Sku>)>,
}

impl MemoryCatalogue {
    fn shelves(&self) -> MutexGuard<'_, Shelves> {
        // Nothing between two assignments can panic, so a poisoned lock holds whole products.
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Catalogue for MemoryCatalogue {
    async fn product(&self, product_id: &ProductId) -> Result<Option<Product>, StorefrontError> {
        Ok(self.shelves().products.get(product_id).map(|entry| entry.present.clone()))
    }

    async fn product_at(&self, product_id: &ProductId, price_version: i64) -> Result<Option<Product>, StorefrontError> {
        let shelves = self.shelves();
        let Some(entry) = shelves.products.get(product_id) else { return Ok(None) };
        let index = usize::try_from(price_version).ok().and_then(|version| version.checked_sub(1));
        Ok(index.and_then(|index| entry.versions.get(index)).map(|(price, skus)| {
            let skus = skus.iter().map(|sku| Sku { name: entry.present_name(sku), ..sku.clone() }).collect();
            Product { price: *price, price_version, skus, ..entry.present.clone() }
        }))
    }

    async fn products(&self, filter: &ProductFilter, after: Option<&ProductId>, limit: u32) -> Result<Vec<Product>, StorefrontError> {
        let shelves = self.shelves();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let behind = shelves.products.range::<ProductId, _>((from, Bound::Unbounded)).map(|(_, entry)| &entry.present);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(behind.filter(|product| lets_through(filter, product)).take(limit).cloned().collect())
    }

    async fn has_sku(&self, sku_id: &SkuId) -> Result<bool, StorefrontError> {
        Ok(self.shelves().owners.contains_key(sku_id))
    }

    async fn put_product(&self, draft: ProductDraft, _now: DateTime<Utc>) -> Result<Product, PutProductError> {
        draft.check()?;
        let mut shelves = self.shelves();
        let taken = draft.skus.iter().find(|sku| shelves.owners.get(&sku.sku_id).is_some_and(|owner| *owner != draft.product_id));
        if let Some(sku) = taken {
            return Err(PutProductError::SkuTaken(sku.sku_id.clone()));
        }
        for sku in &draft.skus {
            shelves.owners.insert(sku.sku_id.clone(), draft.product_id.clone());
        }
        let mut versions = shelves.products.remove(&draft.product_id).map_or_else(Vec::new, |entry| entry.versions);
        let is_same = versions.last().is_some_and(|(price, skus)| *price == draft.price && has_same_prices(skus, &draft.skus));
        match versions.last_mut() {
            Some((_, skus)) if is_same => skus.clone_from(&draft.skus),
            _ => versions.push((draft.price, draft.skus.clone())),
        }
        let present = draft.into_product(i64::try_from(versions.len()).unwrap_or(i64::MAX));
        shelves.products.insert(present.product_id.clone(), Entry { present: present.clone(), versions });
        Ok(present)
    }
}

impl Entry {
    /// Names are texts, not prices: an earlier version shows the name that the variant has now, if it still is one.
    fn present_name(&self, sku: &Sku) -> String {
        let later = self.versions.iter().rev().find_map(|(_, skus)| skus.iter().find(|other| other.sku_id == sku.sku_id));
        later.unwrap_or(sku).name.clone()
    }
}

fn lets_through(filter: &ProductFilter, product: &Product) -> bool {
    filter.kind.is_none_or(|kind| kind == product.kind)
        && filter.category_id.as_ref().is_none_or(|category_id| product.category_id.as_ref() == Some(category_id))
        && filter.text.as_ref().is_none_or(|text| search_text(&product.title, &product.description).contains(&text.to_lowercase()))
        && (filter.with_withdrawn || product.on_sale)
}

#[cfg(test)]
mod tests {
    use std::future::{Ready, ready};

    use super::*;

    fn open() -> Ready<((), MemoryCatalogue)> {
        ready(((), MemoryCatalogue::default()))
    }

    crate::catalogue::suite::catalogue_suite!(open);
}
