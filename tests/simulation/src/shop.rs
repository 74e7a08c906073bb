//! Who buys, and what is sold.

use chrono::{DateTime, Utc};
use domain::{BuyerId, Currency, Money, ProductId, SkuId};
use futures_util::FutureExt;
use storefront::catalogue::{Catalogue, MemoryCatalogue, ProductDraft, ProductKind, Sku};

use crate::broken::Broken;

/// The buyers.
pub(crate) const BUYERS: [&str; 4] = ["ann", "bo", "cy", "dee"];
/// The courses: one that ends, one that does not, one that is free.
pub(crate) const COURSES: [&str; 3] = ["course-rust", "course-sql", "course-free"];
/// What is ordered without a selection: with variants, without, for nothing, and a few for each buyer.
pub(crate) const PRODUCTS: [&str; 4] = ["mug", "notes", "gift", "print"];
/// The variants of the mug.
pub(crate) const MUGS: [&str; 2] = ["mug-black", "mug-white"];
/// All that is kept in stock: the mugs and the print.
pub(crate) const STOCKED: [&str; 3] = ["mug-black", "mug-white", "print-large"];
/// How many prints a buyer may hold and have bought.
const PRINTS_PER_BUYER: u32 = 2;
/// Other business systems.
pub(crate) const SERVICES: [&str; 2] = ["library", "canteen"];

/// The id of a buyer.
pub(crate) fn buyer(name: &str) -> BuyerId {
    BuyerId::parse(name).unwrap_or_else(|_| unreachable!("buyers have plain names"))
}

/// The id of a product.
pub(crate) fn product(name: &str) -> ProductId {
    ProductId::parse(name).unwrap_or_else(|_| unreachable!("products have plain names"))
}

/// The id of a variant.
pub(crate) fn sku(name: &str) -> SkuId {
    SkuId::parse(name).unwrap_or_else(|_| unreachable!("variants have plain names"))
}

/// Fills the shelves.
pub(crate) fn open(catalogue: &MemoryCatalogue, now: DateTime<Utc>) -> Result<(), Broken> {
    for name in COURSES.iter().chain(&PRODUCTS) {
        put(catalogue, name, usual_price(name), now)?;
    }
    Ok(())
}

/// What a product costs at first, in fen.
pub(crate) fn usual_price(name: &str) -> i64 {
    match name {
        "course-rust" => 8800,
        "course-sql" => 12_900,
        "mug" => 2500,
        "notes" => 599,
        "print" => 4900,
        _ => 0,
    }
}

/// Sells a product at another price.
pub(crate) fn put(catalogue: &MemoryCatalogue, name: &str, price: i64, now: DateTime<Utc>) -> Result<(), Broken> {
    let impossible = |error: &dyn std::error::Error| Broken::new("the catalogue takes what the simulator sells", error.to_string());
    let money = |fen: i64| Money::new(fen, Currency::Cny).map_err(|error| impossible(&error));
    let is_course = COURSES.contains(&name);
    let skus = match name {
        "mug" => &STOCKED[..2],
        "print" => &STOCKED[2..],
        _ => &[],
    };
    let variants = skus.iter().map(|id| Ok(Sku { sku_id: sku(id), name: (*id).to_owned(), price: money(price + 100)? }));
    let draft = ProductDraft {
        product_id: product(name),
        kind: if is_course {
            ProductKind::Course
        } else if !skus.is_empty() {
            ProductKind::Goods
        } else {
            ProductKind::Material
        },
        category_id: None,
        title: format!("{name} & more"),
        description: String::new(),
        price: money(price)?,
        valid_days: (name == "course-rust").then_some(30),
        starts_at: None,
        on_sale: true,
        buyer_limit: (name == "print").then_some(PRINTS_PER_BUYER),
        hold_s: None,
        skus: variants.collect::<Result<_, Broken>>()?,
    };
    match catalogue.put_product(draft, now).now_or_never() {
        Some(Ok(_)) => Ok(()),
        Some(Err(error)) => Err(impossible(&error)),
        None => Err(Broken::new("the memory's catalogue answers at once", name)),
    }
}
