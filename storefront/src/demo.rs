//! What a first start shows: a small school's shop and some people in it.

use std::fmt::Debug;
use std::str::FromStr;

use chassis::identity::Role;
use chassis::secret::Secret;
use chrono::{DateTime, Utc};
use database::Database;
use domain::{Currency, Money, SkuId};

use crate::StorefrontError;
use crate::accounts::{Account, Accounts, PasswordError, Passwords};
use crate::catalogue::{Catalogue, ProductDraft, ProductKind, PutProductError, Sku, SqlCatalogue};

/// The password of every demo account.
pub const PASSWORD: &str = "demo-password";

/// Account ids, names to show, and roles.
const ACCOUNTS: [(&str, &str, Role); 5] = [
    ("alice", "Alice 爱丽丝", Role::Buyer),
    ("bob", "Bob 鲍勃", Role::Buyer),
    ("olivia", "Olivia (operator)", Role::Operator),
    ("audrey", "Audrey (auditor)", Role::Auditor),
    ("erp", "ERP (service)", Role::Service),
];

/// Why the demo's data could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A product was not taken.
    #[error("the demo's products could not be written")]
    Product(#[from] PutProductError),
    /// The state failed.
    #[error("the demo's data could not be written")]
    Failed(#[from] StorefrontError),
}

impl From<PasswordError> for DemoError {
    fn from(error: PasswordError) -> Self {
        Self::Failed(StorefrontError::Password(error))
    }
}

/// Adds the demo's products and accounts to `database`, an area `State` that was migrated. What is there already stays as
/// it is, so that a second start keeps what was changed since the first.
pub async fn load(database: &Database, now: DateTime<Utc>) -> Result<(), DemoError> {
    let catalogue = SqlCatalogue::new(database.clone());
    for draft in products() {
        if catalogue.product(&draft.product_id).await?.is_none() {
            catalogue.put_product(draft, now).await?;
        }
    }
    let (accounts, passwords) = (Accounts::new(database.clone()), Passwords::new());
    for (name, display_name, role) in ACCOUNTS {
        if accounts.by_id(name).await?.is_some() {
            continue;
        }
        let account = Account { account_id: name.to_owned(), username: id(name), display_name: display_name.to_owned(), roles: vec![role] };
        let password_hash = passwords.hash(Secret::new(PASSWORD.to_owned())).await?;
        accounts.add(&account, &password_hash, now).await?;
    }
    Ok(())
}

/// What of the demo's goods is in the house at a first start.
pub fn stock() -> [(SkuId, u32); 1] {
    [(id("goods-mug-white"), 20)]
}

fn products() -> Vec<ProductDraft> {
    let course = |name, title, description, amount_minor| product(ProductKind::Course, name, title, description, amount_minor);
    vec![
        ProductDraft {
            valid_days: Some(365),
            ..course(
                "course-rust",
                "Rust 系统编程课程",
                "从所有权到异步：十二周，八十四节录播课，每周一次在线答疑。 Systems programming in Rust, twelve weeks.",
                19_900,
            )
        },
        course("course-free", "编程入门（免费公开课）", "四节课，了解编程能做什么。 A free taste of programming.", 0),
        ProductDraft {
            skus: vec![sku("goods-mug-white", "白色 / white", 3_900)],
            ..product(ProductKind::Goods, "goods-mug", "Ferris 马克杯", "350 毫升，陶瓷。 A ceramic mug.", 3_900)
        },
        product(ProductKind::Material, "material-rust-notes", "Rust 课程讲义（PDF）", "全部章节的讲义与习题。 Course notes.", 990),
        product(ProductKind::Tutoring, "tutoring-rust", "一对一 Rust 答疑（一小时）", "与老师在线一对一。 An hour with a teacher.", 15_000),
    ]
}

fn product(kind: ProductKind, product_id: &str, title: &str, description: &str, amount_minor: i64) -> ProductDraft {
    ProductDraft {
        product_id: id(product_id),
        kind,
        category_id: Some(id("programming")),
        title: title.to_owned(),
        description: description.to_owned(),
        price: fen(amount_minor),
        valid_days: None,
        starts_at: None,
        on_sale: true,
        buyer_limit: None,
        hold_s: None,
        skus: Vec::new(),
    }
}

fn sku(sku_id: &str, name: &str, amount_minor: i64) -> Sku {
    Sku { sku_id: id(sku_id), name: name.to_owned(), price: fen(amount_minor) }
}

fn id<T: FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().expect("the ids above are well formed, as a test holds")
}

fn fen(amount_minor: i64) -> Money {
    Money::new(amount_minor, Currency::Cny).expect("the prices above are amounts of money, as a test holds")
}

#[cfg(test)]
mod tests {
    use database::testing::TestDatabase;
    use domain::ProductId;

    use super::*;
    use crate::catalogue::{Product, ProductFilter};
    use crate::testing::{self, now};

    async fn courses(catalogue: &SqlCatalogue) -> Vec<Product> {
        let filter = ProductFilter { kind: Some(ProductKind::Course), ..ProductFilter::default() };
        catalogue.products(&filter, None, 10).await.unwrap()
    }

    async fn the_shop_has_something_to_see_and_people_in_it(test: TestDatabase) {
        let database = testing::migrated(&test).await;
        load(&database, now()).await.unwrap();
        let catalogue = SqlCatalogue::new(database.clone());
        let shown: Vec<_> = courses(&catalogue).await.into_iter().map(|p| (p.product_id.to_string(), p.price.amount_minor())).collect();
        assert_eq!(shown, [("course-free".to_owned(), 0), ("course-rust".to_owned(), 19_900)]);
        let all = catalogue.products(&ProductFilter::default(), None, 10).await.unwrap();
        for kind in ProductKind::ALL {
            assert!(all.iter().any(|product| product.kind == kind), "{kind:?}");
        }
        assert!(all.iter().all(|product| (product.kind == ProductKind::Goods) != product.skus.is_empty()));
        let (accounts, passwords) = (Accounts::new(database), Passwords::new());
        for (name, _, role) in ACCOUNTS {
            let (account, kept) = accounts.for_sign_in(&id(name)).await.unwrap().unwrap();
            assert_eq!((account.account_id.as_str(), account.roles), (name, vec![role]));
            assert!(passwords.matches(Secret::new(PASSWORD.to_owned()), Some(kept)).await.unwrap(), "{name}");
        }
    }

    #[tokio::test]
    async fn the_shop_has_something_to_see_and_people_in_it_on_sqlite() {
        the_shop_has_something_to_see_and_people_in_it(TestDatabase::sqlite()).await;
    }

    #[tokio::test]
    async fn the_shop_has_something_to_see_and_people_in_it_on_postgres() {
        the_shop_has_something_to_see_and_people_in_it(TestDatabase::postgres().await).await;
    }

    #[tokio::test]
    async fn a_second_start_keeps_what_was_changed_since_the_first() {
        let test = TestDatabase::sqlite();
        let database = testing::migrated(&test).await;
        load(&database, now()).await.unwrap();
        let catalogue = SqlCatalogue::new(database.clone());
        let dearer = ProductDraft { price: fen(29_900), ..products().remove(0) };
        let written = catalogue.put_product(dearer, now()).await.unwrap();
        let kept = Accounts::new(database.clone()).for_sign_in(&id("alice")).await.unwrap();
        load(&database, now()).await.unwrap();
        assert_eq!(catalogue.product(&id::<ProductId>("course-rust")).await.unwrap(), Some(written));
        assert_eq!(Accounts::new(database).for_sign_in(&id("alice")).await.unwrap(), kept);
    }
}
