use std::sync::Arc;

use database::testing::TestDatabase;
use database::{ConstraintKind, DatabaseError, values};

use super::super::{Catalogue, Product, ProductDraft, ProductKind};
use super::SqlCatalogue;
use crate::testing::{self, now};

async fn open(test: TestDatabase) -> (TestDatabase, SqlCatalogue) {
    let database = testing::migrated(&test).await;
    (test, SqlCatalogue::new(database))
}

mod sqlite {
    use super::*;

    async fn catalogue() -> (TestDatabase, SqlCatalogue) {
        open(TestDatabase::sqlite()).await
    }

    crate::catalogue::suite::catalogue_suite!(catalogue);

    #[tokio::test]
    async fn a_shown_price_cannot_be_changed_or_deleted() {
        a_shown_price_stays(catalogue().await).await;
    }

    #[tokio::test]
    async fn writers_at_once_number_their_versions_one_after_the_other() {
        writers_at_once(catalogue().await).await;
    }
}

mod postgres {
    use super::*;

    async fn catalogue() -> (TestDatabase, SqlCatalogue) {
        open(TestDatabase::postgres().await).await
    }

    crate::catalogue::suite::catalogue_suite!(catalogue);

    #[tokio::test]
    async fn a_shown_price_cannot_be_changed_or_deleted() {
        a_shown_price_stays(catalogue().await).await;
    }

    #[tokio::test]
    async fn writers_at_once_number_their_versions_one_after_the_other() {
        writers_at_once(catalogue().await).await;
    }
}

fn goods(amount_minor: i64) -> ProductDraft {
    let fen = |amount_minor| domain::Money::new(amount_minor, domain::Currency::Cny).unwrap();
    ProductDraft {
        product_id: "mug".parse().unwrap(),
        kind: ProductKind::Goods,
        category_id: None,
        title: "Mug".to_owned(),
        description: String::new(),
        price: fen(amount_minor),
        valid_days: None,
        starts_at: None,
        on_sale: true,
        buyer_limit: None,
        hold_s: None,
        skus: vec![super::Sku { sku_id: "mug-1".parse().unwrap(), name: "White".to_owned(), price: fen(amount_minor) }],
    }
}

/// Also who reaches the tables past this program cannot rewrite what buyers were told.
async fn a_shown_price_stays((_kept, catalogue): (TestDatabase, SqlCatalogue)) {
    catalogue.put_product(goods(1), now()).await.unwrap();
    for sql in [
        "update product_price set amount_minor = 2",
        "delete from product_price",
        "update sku_price set amount_minor = 2",
        "delete from sku_price",
    ] {
        let refused = catalogue.database.execute(sql, values![]).await;
        assert!(matches!(refused, Err(DatabaseError::Constraint { kind: ConstraintKind::Check, .. })), "{sql}: {refused:?}");
    }
    let product = catalogue.product(&"mug".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((product.price, product.skus[0].price), (goods(1).price, goods(1).price));
}

async fn writers_at_once((_kept, catalogue): (TestDatabase, SqlCatalogue)) {
    let catalogue = Arc::new(catalogue);
    let tasks: Vec<_> = (1..=8)
        .map(|amount_minor| {
            let catalogue = Arc::clone(&catalogue);
            tokio::spawn(async move { catalogue.put_product(goods(amount_minor), now()).await.unwrap() })
        })
        .collect();
    let mut written: Vec<Product> = Vec::new();
    for task in tasks {
        written.push(task.await.unwrap());
    }
    written.sort_by_key(|product| product.price_version);
    for (version, product) in (1..).zip(&written) {
        assert_eq!(product.price_version, version);
        let read = catalogue.product_at(&product.product_id, version).await.unwrap();
        assert_eq!(read.as_ref(), Some(product));
    }
}
