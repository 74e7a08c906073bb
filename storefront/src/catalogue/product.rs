//! Products, their variants, and what a product may look like.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use domain::{Money, ProductId, ProductKind, SkuId};

/// A category of the shop.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CategoryId(String);

/// The text is not the id of a category.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid category id")]
pub struct InvalidCategoryId;

impl CategoryId {
    /// Reads the id. Errors: `InvalidCategoryId` unless it is 1 to 128 visible ASCII characters.
    pub fn parse(text: &str) -> Result<Self, InvalidCategoryId> {
        let is_valid = (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_valid { Ok(Self(text.to_owned())) } else { Err(InvalidCategoryId) }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CategoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for CategoryId {
    type Err = InvalidCategoryId;
    fn from_str(text: &str) -> Result<Self, InvalidCategoryId> {
        Self::parse(text)
    }
}

/// One variant of a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sku {
    /// Its id; it has stock of its own.
    pub sku_id: SkuId,
    /// What tells it from the others, for instance a colour.
    pub name: String,
    /// What one of it costs.
    pub price: Money,
}

/// A product with one version of its prices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// Its id.
    pub product_id: ProductId,
    /// What is sold.
    pub kind: ProductKind,
    /// Where the shop shows it.
    pub category_id: Option<CategoryId>,
    /// What buyers read first.
    pub title: String,
    /// What buyers read next; may be empty.
    pub description: String,
    /// What one of it costs, where no variant is chosen.
    pub price: Money,
    /// Counts the changes of its prices and variants, from 1.
    pub price_version: i64,
    /// Days for which a course may be used after it was opened; `None` without an end.
    pub valid_days: Option<u32>,
    /// When a course begins; `None` when it may be used at once.
    pub starts_at: Option<DateTime<Utc>>,
    /// Whether it may be bought now.
    pub on_sale: bool,
    /// How many of each variant one buyer may hold and have bought since it was set; `None` without a limit.
    pub buyer_limit: Option<u32>,
    /// For how many seconds an order of it can be paid, where that is shorter than usual.
    pub hold_s: Option<u32>,
    /// Its variants, in the shop's order.
    pub skus: Vec<Sku>,
}

impl Product {
    /// The variant of that id, if it is one of this product's.
    pub fn sku(&self, sku_id: &SkuId) -> Option<&Sku> {
        self.skus.iter().find(|sku| sku.sku_id == *sku_id)
    }
}

/// A product as an operator writes it: [`Product`] without what the catalogue counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductDraft {
    /// Its id: a product of that id is changed, else one is added.
    pub product_id: ProductId,
    /// What is sold.
    pub kind: ProductKind,
    /// Where the shop shows it.
    pub category_id: Option<CategoryId>,
    /// What buyers read first: 1 to [`ProductDraft::TITLE_LIMIT`] characters.
    pub title: String,
    /// What buyers read next: at most [`ProductDraft::DESCRIPTION_LIMIT`] characters.
    pub description: String,
    /// What one of it costs.
    pub price: Money,
    /// Days for which a course may be used after it was opened, at least 1.
    pub valid_days: Option<u32>,
    /// When a course begins.
    pub starts_at: Option<DateTime<Utc>>,
    /// Whether it may be bought.
    pub on_sale: bool,
    /// How many of each variant one buyer may hold and have bought since it was set, at least 1; for goods only.
    pub buyer_limit: Option<u32>,
    /// For how many seconds an order of it can be paid, [`ProductDraft::SHORTEST_HOLD_S`] to [`ProductDraft::LONGEST_HOLD_S`]:
    /// so short is its stock held for who does not pay. For goods only.
    pub hold_s: Option<u32>,
    /// Its variants, at most [`ProductDraft::SKU_LIMIT`], in one currency with the price.
    pub skus: Vec<Sku>,
}

/// What of a product is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {message}")]
pub struct InvalidProduct {
    /// The member's name, as in [`ProductDraft`].
    pub field: &'static str,
    /// What is wrong with it, to stand behind its name.
    pub message: &'static str,
}

impl ProductDraft {
    /// The longest title, and the longest name of a variant, in characters.
    pub const TITLE_LIMIT: usize = 256;
    /// The longest description in characters.
    pub const DESCRIPTION_LIMIT: usize = 8192;
    /// The most variants of one product.
    pub const SKU_LIMIT: usize = 100;
    /// The longest use of a course in days: a hundred years, so that every end is a date.
    pub const VALID_DAYS_LIMIT: u32 = 36_500;
    /// The shortest hold in seconds: channels want two minutes, and a buyer needs some beside.
    pub const SHORTEST_HOLD_S: u32 = 180;
    /// The longest hold in seconds, a day.
    pub const LONGEST_HOLD_S: u32 = 86_400;

    /// Errors: the first member that is not allowed.
    pub fn check(&self) -> Result<(), InvalidProduct> {
        let refuse = |field, message| Err(InvalidProduct { field, message });
        if !is_name(&self.title) {
            return refuse("title", "must be 1 to 256 characters and not blank");
        }
        if self.description.chars().count() > Self::DESCRIPTION_LIMIT || self.description.contains('\0') {
            return refuse("description", "must be at most 8192 characters");
        }
        if self.valid_days.is_some_and(|days| !(1..=Self::VALID_DAYS_LIMIT).contains(&days)) {
            return refuse("valid_days", "must be 1 to 36500");
        }
        if self.kind != ProductKind::Course && (self.valid_days.is_some() || self.starts_at.is_some()) {
            return refuse("kind", "must be course where valid_days or starts_at is given");
        }
        if self.kind != ProductKind::Goods && (self.buyer_limit.is_some() || self.hold_s.is_some()) {
            return refuse("kind", "must be goods where buyer_limit or hold_s is given");
        }
        if self.buyer_limit == Some(0) {
            return refuse("buyer_limit", "must be at least 1");
        }
        if self.hold_s.is_some_and(|seconds| !(Self::SHORTEST_HOLD_S..=Self::LONGEST_HOLD_S).contains(&seconds)) {
            return refuse("hold_s", "must be 180 to 86400");
        }
        if self.kind == ProductKind::Goods && self.on_sale && self.skus.is_empty() {
            return refuse("skus", "must name a variant of goods on sale: each has stock of its own");
        }
        if self.skus.len() > Self::SKU_LIMIT {
            return refuse("skus", "must be at most 100");
        }
        if self.kind == ProductKind::Course && !self.skus.is_empty() {
            return refuse("skus", "must be absent from a course");
        }
        if self.skus.iter().any(|sku| !is_name(&sku.name)) {
            return refuse("skus", "must have names of 1 to 256 characters");
        }
        if self.skus.iter().any(|sku| sku.price.currency() != self.price.currency()) {
            return refuse("skus", "must be priced in the product's currency");
        }
        let distinct: HashSet<&SkuId> = self.skus.iter().map(|sku| &sku.sku_id).collect();
        if distinct.len() != self.skus.len() {
            return refuse("skus", "must not name a variant twice");
        }
        Ok(())
    }

    /// The product that this draft describes, with that version of its prices.
    pub(super) fn into_product(self, price_version: i64) -> Product {
        Product {
            product_id: self.product_id,
            kind: self.kind,
            category_id: self.category_id,
            title: self.title,
            description: self.description,
            price: self.price,
            price_version,
            valid_days: self.valid_days,
            starts_at: self.starts_at,
            on_sale: self.on_sale,
            buyer_limit: self.buyer_limit,
            hold_s: self.hold_s,
            skus: self.skus,
        }
    }
}

/// Any text that shows something. The zero character is the one that a database cannot hold.
fn is_name(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().count() <= ProductDraft::TITLE_LIMIT && !text.contains('\0')
}

/// Whether two lists of variants are of one version: the same variants in the same order for the same prices.
pub(super) fn has_same_prices(ours: &[Sku], theirs: &[Sku]) -> bool {
    let prices = |skus: &[Sku]| skus.iter().map(|sku| (sku.sku_id.clone(), sku.price)).collect::<Vec<_>>();
    prices(ours) == prices(theirs)
}

#[cfg(test)]
mod tests {
    use domain::Currency;

    use super::*;

    fn fen(amount_minor: i64) -> Money {
        Money::new(amount_minor, Currency::Cny).unwrap()
    }

    fn sku(sku_id: &str) -> Sku {
        Sku { sku_id: sku_id.parse().unwrap(), name: "黑色 / black".to_owned(), price: fen(1) }
    }

    fn goods() -> ProductDraft {
        ProductDraft {
            product_id: "mug".parse().unwrap(),
            kind: ProductKind::Goods,
            category_id: None,
            title: "马克杯".to_owned(),
            description: String::new(),
            price: fen(1),
            valid_days: None,
            starts_at: None,
            on_sale: true,
            buyer_limit: None,
            hold_s: None,
            skus: vec![sku("mug-black"), sku("mug-white")],
        }
    }

    fn refused(change: impl FnOnce(&mut ProductDraft)) -> &'static str {
        let mut draft = goods();
        change(&mut draft);
        draft.check().unwrap_err().field
    }

    #[test]
    fn a_product_may_have_any_title_and_be_free() {
        assert_eq!(goods().check(), Ok(()));
        let odd = ProductDraft { title: "a&b=c/\"d\"\n<e>".to_owned(), price: fen(0), ..goods() };
        assert_eq!(odd.check(), Ok(()));
        let course = ProductDraft { kind: ProductKind::Course, valid_days: Some(36_500), skus: Vec::new(), ..goods() };
        assert_eq!(course.check(), Ok(()));
    }

    #[test]
    fn texts_that_show_nothing_or_too_much_are_refused() {
        for title in ["", " \n", "a\0b", &"长".repeat(257)] {
            assert_eq!(refused(|draft| draft.title = title.to_owned()), "title");
            assert_eq!(refused(|draft| draft.skus[1].name = title.to_owned()), "skus");
        }
        for description in ["a\0b", &"长".repeat(8193)] {
            assert_eq!(refused(|draft| draft.description = description.to_owned()), "description");
        }
    }

    #[test]
    fn only_a_course_has_a_beginning_and_an_end() {
        assert_eq!(refused(|draft| draft.valid_days = Some(1)), "kind");
        assert_eq!(refused(|draft| draft.starts_at = Some(DateTime::UNIX_EPOCH)), "kind");
        for days in [0, 36_501] {
            assert_eq!(refused(|draft| draft.valid_days = Some(days)), "valid_days");
        }
    }

    #[test]
    fn only_goods_are_limited_and_within_reason() {
        for limited in [ProductDraft { buyer_limit: Some(1), ..goods() }, ProductDraft { hold_s: Some(180), ..goods() }] {
            assert_eq!(limited.check(), Ok(()));
            let course = ProductDraft { kind: ProductKind::Course, skus: Vec::new(), ..limited };
            assert_eq!(course.check().unwrap_err().field, "kind");
        }
        assert_eq!(refused(|draft| draft.buyer_limit = Some(0)), "buyer_limit");
        for seconds in [0, 179, 86_401] {
            assert_eq!(refused(|draft| draft.hold_s = Some(seconds)), "hold_s");
        }
        assert_eq!(refused(|draft| draft.skus = Vec::new()), "skus");
        assert_eq!(ProductDraft { on_sale: false, skus: Vec::new(), ..goods() }.check(), Ok(()));
    }

    #[test]
    fn variants_are_few_distinct_and_never_of_a_course() {
        assert_eq!(refused(|draft| draft.kind = ProductKind::Course), "skus");
        assert_eq!(refused(|draft| draft.skus.push(sku("mug-black"))), "skus");
        assert_eq!(refused(|draft| draft.skus = (0..101).map(|n| sku(&format!("mug-{n}"))).collect()), "skus");
    }

    #[test]
    fn a_variant_is_found_by_its_id() {
        let product = goods().into_product(1);
        assert_eq!(product.sku(&"mug-white".parse().unwrap()), Some(&product.skus[1]));
        assert_eq!(product.sku(&"mug-red".parse().unwrap()), None);
    }

    #[test]
    fn a_category_id_is_a_visible_word() {
        assert_eq!(CategoryId::parse("programming").unwrap().to_string(), "programming");
        for text in ["", "a b", "编程", &"x".repeat(129)] {
            assert_eq!(CategoryId::parse(text), Err(InvalidCategoryId));
        }
    }
}
