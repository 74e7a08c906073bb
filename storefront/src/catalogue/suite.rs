//! What every catalogue does. Each adapter's tests run the whole list on a new, empty catalogue per entry.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{Currency, Money, ProductId};

use super::{Catalogue, CategoryId, Product, ProductDraft, ProductFilter, ProductKind, PutProductError, Sku};

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap()
}

fn fen(amount_minor: i64) -> Money {
    Money::new(amount_minor, Currency::Cny).unwrap()
}

fn id(text: &str) -> ProductId {
    text.parse().unwrap()
}

fn sku(sku_id: &str, name: &str, amount_minor: i64) -> Sku {
    Sku { sku_id: sku_id.parse().unwrap(), name: name.to_owned(), price: fen(amount_minor) }
}

fn course() -> ProductDraft {
    ProductDraft {
        product_id: id("course-rust"),
        kind: ProductKind::Course,
        category_id: Some(CategoryId::parse("programming").unwrap()),
        title: "Rust 系统编程 & \"更多\"=1/2".to_owned(),
        description: "From 零 to 100%_".to_owned(),
        price: fen(19_900),
        valid_days: Some(365),
        starts_at: Some(now() + TimeDelta::days(3)),
        on_sale: true,
        buyer_limit: None,
        hold_s: None,
        skus: Vec::new(),
    }
}

fn goods() -> ProductDraft {
    ProductDraft {
        product_id: id("mug"),
        kind: ProductKind::Goods,
        category_id: None,
        title: "Mug".to_owned(),
        description: String::new(),
        price: fen(3_900),
        valid_days: None,
        starts_at: None,
        on_sale: true,
        buyer_limit: Some(2),
        hold_s: Some(600),
        skus: vec![sku("mug-white", "White", 3_900), sku("mug-black", "Black", 4_200)],
    }
}

async fn put(catalogue: &dyn Catalogue, draft: ProductDraft) -> Product {
    catalogue.put_product(draft, now()).await.unwrap()
}

pub(super) async fn what_is_put_is_read(catalogue: &dyn Catalogue) {
    for draft in [course(), goods()] {
        let written = put(catalogue, draft.clone()).await;
        assert_eq!(written, draft.clone().into_product(1));
        assert_eq!(catalogue.product(&draft.product_id).await.unwrap(), Some(written));
    }
    assert_eq!(catalogue.product(&id("nothing")).await.unwrap(), None);
}

pub(super) async fn texts_change_without_a_new_version_of_prices(catalogue: &dyn Catalogue) {
    put(catalogue, goods()).await;
    let renamed = ProductDraft {
        title: "Cup".to_owned(),
        on_sale: false,
        skus: vec![sku("mug-white", "Snow", 3_900), sku("mug-black", "Coal", 4_200)],
        ..goods()
    };
    assert_eq!(put(catalogue, renamed.clone()).await.price_version, 1);
    assert_eq!(catalogue.product(&id("mug")).await.unwrap(), Some(renamed.into_product(1)));
}

pub(super) async fn a_new_price_is_a_new_version_and_the_old_one_stays(catalogue: &dyn Catalogue) {
    put(catalogue, course()).await;
    let dearer = ProductDraft { price: fen(29_900), ..course() };
    assert_eq!(put(catalogue, dearer.clone()).await.price_version, 2);
    // Back to the first price is a third version: what was said in between stays said.
    assert_eq!(put(catalogue, course()).await.price_version, 3);
    for (version, draft) in [(1, course()), (2, dearer), (3, course())] {
        let product = catalogue.product_at(&id("course-rust"), version).await.unwrap();
        assert_eq!(product, Some(draft.into_product(version)));
    }
    for version in [i64::MIN, -1, 0, 4, i64::MAX] {
        assert_eq!(catalogue.product_at(&id("course-rust"), version).await.unwrap(), None, "{version}");
    }
    assert_eq!(catalogue.product_at(&id("nothing"), 1).await.unwrap(), None);
}

pub(super) async fn a_change_of_variants_is_a_new_version(catalogue: &dyn Catalogue) {
    put(catalogue, goods()).await;
    let steps = [
        vec![sku("mug-white", "White", 3_900), sku("mug-black", "Black", 4_300)],
        vec![sku("mug-black", "Black", 4_300), sku("mug-white", "White", 3_900)],
        vec![sku("mug-white", "White", 3_900)],
        vec![sku("mug-white", "White", 3_900), sku("mug-red", "Red", 4_300)],
        vec![],
    ];
    for (version, skus) in (2..).zip(steps) {
        let draft = ProductDraft { on_sale: !skus.is_empty(), skus, ..goods() };
        assert_eq!(put(catalogue, draft.clone()).await, draft.clone().into_product(version));
        assert_eq!(catalogue.product(&id("mug")).await.unwrap(), Some(draft.into_product(version)));
    }
    let first = ProductDraft { on_sale: false, ..goods() };
    assert_eq!(catalogue.product_at(&id("mug"), 1).await.unwrap(), Some(first.into_product(1)));
}

pub(super) async fn an_earlier_version_shows_the_present_texts(catalogue: &dyn Catalogue) {
    put(catalogue, goods()).await;
    let skus = vec![sku("mug-black", "Coal", 5_000)];
    put(catalogue, ProductDraft { title: "Cup".to_owned(), skus, ..goods() }).await;
    let earlier = catalogue.product_at(&id("mug"), 1).await.unwrap().unwrap();
    assert_eq!(earlier.title, "Cup");
    assert_eq!(earlier.skus, [sku("mug-white", "White", 3_900), sku("mug-black", "Coal", 4_200)]);
}

pub(super) async fn a_variant_belongs_to_one_product_for_ever(catalogue: &dyn Catalogue) {
    put(catalogue, goods()).await;
    put(catalogue, ProductDraft { skus: Vec::new(), on_sale: false, ..goods() }).await;
    assert!(catalogue.has_sku(&"mug-black".parse().unwrap()).await.unwrap());
    assert!(!catalogue.has_sku(&"mug".parse().unwrap()).await.unwrap());
    let thief = ProductDraft { product_id: id("cup"), skus: vec![sku("cup-1", "One", 1), sku("mug-black", "Two", 1)], ..goods() };
    let refused = catalogue.put_product(thief, now()).await;
    assert!(matches!(&refused, Err(PutProductError::SkuTaken(sku_id)) if sku_id.as_str() == "mug-black"), "{refused:?}");
    assert_eq!(catalogue.product(&id("cup")).await.unwrap(), None);
    let innocent = ProductDraft { product_id: id("cup-2"), skus: vec![sku("cup-1", "One", 1)], ..goods() };
    assert_eq!(put(catalogue, innocent).await.skus.len(), 1);
}

pub(super) async fn what_is_not_allowed_is_not_written(catalogue: &dyn Catalogue) {
    let refused = catalogue.put_product(ProductDraft { title: " ".to_owned(), ..course() }, now()).await;
    assert!(matches!(&refused, Err(PutProductError::Invalid(invalid)) if invalid.field == "title"), "{refused:?}");
    assert_eq!(catalogue.product(&id("course-rust")).await.unwrap(), None);
}

pub(super) async fn a_list_is_filtered(catalogue: &dyn Catalogue) {
    put(catalogue, course()).await;
    put(catalogue, goods()).await;
    put(catalogue, ProductDraft { product_id: id("old-mug"), on_sale: false, skus: Vec::new(), ..goods() }).await;
    let list = |filter: ProductFilter| async move {
        let products = catalogue.products(&filter, None, 10).await.unwrap();
        products.into_iter().map(|product| product.product_id.to_string()).collect::<Vec<_>>()
    };
    let all = ProductFilter::default;
    assert_eq!(list(all()).await, ["course-rust", "mug"]);
    assert_eq!(list(ProductFilter { with_withdrawn: true, ..all() }).await, ["course-rust", "mug", "old-mug"]);
    assert_eq!(list(ProductFilter { kind: Some(ProductKind::Goods), ..all() }).await, ["mug"]);
    assert!(list(ProductFilter { kind: Some(ProductKind::Tutoring), ..all() }).await.is_empty());
    for (category, found) in [("programming", 1), ("program", 0), ("kitchen", 0)] {
        let filter = ProductFilter { category_id: Some(CategoryId::parse(category).unwrap()), ..all() };
        assert_eq!(list(filter).await.len(), found, "{category}");
    }
    // The marks of a pattern are searched for as themselves.
    for (text, found) in [("RUST", 1), ("系统编程", 1), ("零", 1), ("100%_", 1), ("%", 1), ("r_st", 0), ("\\", 0), ("mUG", 1), ("", 2)]
    {
        let filter = ProductFilter { text: Some(text.to_owned()), ..all() };
        assert_eq!(list(filter).await.len(), found, "{text}");
    }
    let both = ProductFilter { kind: Some(ProductKind::Course), text: Some("mug".to_owned()), ..all() };
    assert!(list(both).await.is_empty());
}

pub(super) async fn a_list_is_read_in_pages_by_rising_id(catalogue: &dyn Catalogue) {
    // By bytes, so that every store has the same order: capital letters before small ones.
    let ids = ["Z", "a", "a-1", "a1", "b"];
    for product_id in ids.iter().rev() {
        put(catalogue, ProductDraft { product_id: id(product_id), ..course() }).await;
    }
    put(catalogue, goods()).await;
    let filter = ProductFilter { kind: Some(ProductKind::Course), ..ProductFilter::default() };
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = catalogue.products(&filter, after.as_ref(), 2).await.unwrap();
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { break };
        after = Some(last.product_id.clone());
        seen.extend(page.into_iter().map(|product| product.product_id.to_string()));
    }
    assert_eq!(seen, ids);
    assert_eq!(catalogue.products(&ProductFilter::default(), None, 0).await.unwrap(), []);
    // The limit counts products, not variants.
    let goods_only = ProductFilter { kind: Some(ProductKind::Goods), ..ProductFilter::default() };
    assert_eq!(catalogue.products(&goods_only, None, 1).await.unwrap(), [goods().into_product(1)]);
}

/// Makes a test of each entry of the list, on the catalogue that `$open` opens.
macro_rules! catalogue_suite {
    ($open:path) => {
        crate::catalogue::suite::catalogue_suite!($open: what_is_put_is_read, texts_change_without_a_new_version_of_prices,
            a_new_price_is_a_new_version_and_the_old_one_stays, a_change_of_variants_is_a_new_version,
            an_earlier_version_shows_the_present_texts, a_variant_belongs_to_one_product_for_ever,
            what_is_not_allowed_is_not_written, a_list_is_filtered, a_list_is_read_in_pages_by_rising_id);
    };
    ($open:path: $($name:ident),*) => {
        $(#[tokio::test]
        async fn $name() {
            let (_kept, catalogue) = $open().await;
            crate::catalogue::suite::$name(&catalogue).await;
        })*
    };
}
pub(super) use catalogue_suite;
