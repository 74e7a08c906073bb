//! Amounts of rows as the contract shows them.

use domain::{Currency, Money};

use crate::failure::QueryFailure;

/// The amount of a row's two columns.
pub(crate) fn read(amount_minor: i64, currency: &str) -> Result<Money, QueryFailure> {
    let currency = Currency::parse(currency).map_err(|_| QueryFailure::Row("its currency is unknown"))?;
    Money::new(amount_minor, currency).map_err(|_| QueryFailure::Row("its amount is out of range"))
}
