use chrono::DateTime;
use domain::SkuId;
use futures_util::FutureExt;
use storefront::catalogue::{Catalogue, MemoryCatalogue, ProductDraft, Sku};

use super::*;

fn mug(kind: ProductKind, buyer_limit: Option<u32>) -> Product {
    let price = Money::new(2_500, Currency::Cny).unwrap();
    let sku = |id: &str| Sku { sku_id: id.parse().unwrap(), name: id.to_owned(), price };
    let draft = ProductDraft {
        product_id: "mug".parse().unwrap(),
        kind,
        category_id: None,
        title: "Mug".to_owned(),
        description: String::new(),
        price,
        valid_days: None,
        starts_at: None,
        on_sale: true,
        buyer_limit,
        hold_s: None,
        skus: vec![sku("mug-black"), sku("mug-white")],
    };
    MemoryCatalogue::default().put_product(draft, DateTime::UNIX_EPOCH).now_or_never().unwrap().unwrap()
}

fn of(product: &Product, sku_id: &str, quantity: u32) -> OrderItem {
    line(product, Some(sku_id.parse().unwrap()), quantity).unwrap()
}

#[test]
fn lines_of_the_same_sku_are_held_as_one() {
    let mug = mug(ProductKind::Goods, Some(9));
    let items = [of(&mug, "mug-white", 2), of(&mug, "mug-black", 1), of(&mug, "mug-white", 3)];
    let lines: Vec<_> = items.iter().map(|item| (&mug, item)).collect();
    let held = stock_of(&lines).unwrap();
    let told: Vec<(&str, u32, Option<u32>)> = held.iter().map(|line| (line.sku_id.as_str(), line.quantity, line.buyer_limit)).collect();
    assert_eq!(told, [("mug-black", 1, Some(9)), ("mug-white", 5, Some(9))]);
}

#[test]
fn more_than_can_be_counted_is_refused() {
    let mug = mug(ProductKind::Goods, None);
    let items = [of(&mug, "mug-white", u32::MAX), of(&mug, "mug-white", 1)];
    let lines: Vec<_> = items.iter().map(|item| (&mug, item)).collect();
    assert!(matches!(stock_of(&lines), Err(CommandFailure::Invalid { field: "quantity", .. })));
}

#[test]
fn what_is_not_shipped_has_no_stock() {
    let notes = mug(ProductKind::Material, None);
    assert_eq!(stock_of(&[(&notes, &of(&notes, "mug-white", 2))]).unwrap(), []);
}

#[test]
fn the_only_variant_need_not_be_named() {
    let only = Product { skus: mug(ProductKind::Goods, None).skus[..1].to_vec(), ..mug(ProductKind::Goods, None) };
    assert_eq!(line(&only, None, 1).unwrap().sku_id.as_ref().map(SkuId::as_str), Some("mug-black"));
    assert!(matches!(line(&mug(ProductKind::Goods, None), None, 1), Err(CommandFailure::Invalid { field: "sku_id", .. })));
}
