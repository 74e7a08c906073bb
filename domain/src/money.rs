//! Amounts of money: whole numbers of the smallest unit, never a float.

use serde::{Deserialize, Serialize};

/// A currency that Paystream takes, by its ISO 4217 code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Currency {
    /// Renminbi; its smallest unit is the fen, a hundredth of a yuan.
    #[default]
    #[serde(rename = "CNY")]
    Cny,
}

impl Currency {
    /// The ISO 4217 code, for instance `CNY`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Cny => "CNY",
        }
    }

    /// Reads an ISO 4217 code. Errors: `UnknownCurrency` for any that Paystream does not take.
    pub fn parse(code: &str) -> Result<Self, MoneyError> {
        match code {
            "CNY" => Ok(Self::Cny),
            _ => Err(MoneyError::UnknownCurrency),
        }
    }
}

/// A number of smallest units (fen for CNY), for where its currency stands beside it. Never negative, at most
/// [`Money::MAX_MINOR`]. In JSON it is a plain integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct MinorUnits(i64);

impl MinorUnits {
    /// The number. Errors: `Negative`, `TooLarge`.
    pub fn new(number: i64) -> Result<Self, MoneyError> {
        Money::new(number, Currency::Cny).map(Money::minor_units)
    }

    /// The number itself.
    pub fn as_i64(self) -> i64 {
        self.0
    }

    /// The amount that so many smallest units of `currency` are.
    pub fn of(self, currency: Currency) -> Money {
        Money { amount_minor: self.0, currency }
    }
}

impl schemars::JsonSchema for MinorUnits {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "MinorUnits".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "integer", "minimum": 0, "maximum": Money::MAX_MINOR})
    }
}

impl TryFrom<i64> for MinorUnits {
    type Error = MoneyError;
    fn try_from(number: i64) -> Result<Self, MoneyError> {
        Self::new(number)
    }
}

impl From<MinorUnits> for i64 {
    fn from(units: MinorUnits) -> Self {
        units.0
    }
}

/// An amount of one currency. Unit: the smallest one (fen for CNY). Never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Money {
    amount_minor: i64,
    currency: Currency,
}

/// Why a number or text is no amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Amounts are never below zero; what goes back is its own fact.
    #[error("an amount is never negative")]
    Negative,
    /// Above [`Money::MAX_MINOR`].
    #[error("the amount is too large")]
    TooLarge,
    /// Sums and comparisons stay within one currency.
    #[error("the amounts are of different currencies")]
    CurrencyMismatch,
    /// The text is not digits with at most two decimal places.
    #[error("not an amount: digits with at most two decimal places are expected")]
    Malformed,
    /// Not one of [`Currency`]'s codes.
    #[error("unknown currency")]
    UnknownCurrency,
}

impl Money {
    /// The most that one amount may be, in minor units: the channels' own limit, 100 000 000.00 yuan.
    pub const MAX_MINOR: i64 = 10_000_000_000;

    /// An amount of `amount_minor` smallest units. Errors: `Negative`, `TooLarge`.
    pub fn new(amount_minor: i64, currency: Currency) -> Result<Self, MoneyError> {
        match amount_minor {
            i64::MIN..0 => Err(MoneyError::Negative),
            0..=Self::MAX_MINOR => Ok(Self { amount_minor, currency }),
            _ => Err(MoneyError::TooLarge),
        }
    }

    /// Nothing, in `currency`.
    pub fn zero(currency: Currency) -> Self {
        Self { amount_minor: 0, currency }
    }

    /// Reads a decimal text of the major unit (`"4.35"`, `"88"`). Errors: `Malformed` for signs, exponents, blanks,
    /// separators, other digits than ASCII's and more than two places; `TooLarge`.
    pub fn parse_major(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let (whole, places) = match text.split_once('.') {
            None => (text, ""),
            Some((whole, places)) if (1..=2).contains(&places.len()) => (whole, places),
            Some(_) => return Err(MoneyError::Malformed),
        };
        let digits_only = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !digits_only(whole) || !digits_only(places) {
            return Err(MoneyError::Malformed);
        }
        let whole: i64 = whole.parse().map_err(|_| MoneyError::TooLarge)?;
        let minor: i64 = format!("{places:0<2}").parse().map_err(|_| MoneyError::Malformed)?;
        let total = whole.checked_mul(100).and_then(|major| major.checked_add(minor));
        Self::new(total.ok_or(MoneyError::TooLarge)?, currency)
    }

    /// The amount in smallest units (fen).
    pub fn amount_minor(self) -> i64 {
        self.amount_minor
    }

    /// The amount in smallest units, for where its currency stands beside it.
    pub fn minor_units(self) -> MinorUnits {
        MinorUnits(self.amount_minor)
    }

    /// The currency.
    pub fn currency(self) -> Currency {
        self.currency
    }

    /// Whether nothing is owed.
    pub fn is_zero(self) -> bool {
        self.amount_minor == 0
    }

    /// The difference. Errors: `CurrencyMismatch`, `Negative`.
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::CurrencyMismatch);
        }
        Self::new(self.amount_minor - other.amount_minor, self.currency)
    }

    /// The decimal text of the major unit, always with two places (`"0.01"`).
    pub fn major_text(self) -> String {
        format!("{}.{:02}", self.amount_minor / 100, self.amount_minor % 100)
    }

    /// The sum. Errors: `CurrencyMismatch`, `TooLarge`.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::CurrencyMismatch);
        }
        // Both are at most MAX_MINOR, so the sum cannot overflow.
        Self::new(self.amount_minor + other.amount_minor, self.currency)
    }

    /// `quantity` times the amount. Errors: `TooLarge`.
    pub fn checked_mul(self, quantity: u32) -> Result<Self, MoneyError> {
        let product = self.amount_minor.checked_mul(i64::from(quantity)).ok_or(MoneyError::TooLarge)?;
        Self::new(product, self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_channels_texts_are_read_and_written_exactly() {
        for (text, minor) in [("0.01", 1), ("4.35", 435), ("1.10", 110), ("100000000.00", Money::MAX_MINOR)] {
            let money = Money::parse_major(text, Currency::Cny).unwrap();
            assert_eq!((money.amount_minor(), money.major_text().as_str()), (minor, text));
        }
        for (text, minor) in [("88.8", 8880), ("88", 8800), ("199", 19900)] {
            assert_eq!(Money::parse_major(text, Currency::Cny).unwrap().amount_minor(), minor);
        }
    }

    #[test]
    fn anything_but_digits_with_two_places_is_refused() {
        for text in ["", " 1.00", "1.00 ", "1.000", "1,000.00", "1e2", "-1.00", "+1.00", "0x10", "NaN", "１.００", ".5", "1."] {
            assert_eq!(Money::parse_major(text, Currency::Cny), Err(MoneyError::Malformed), "{text:?}");
        }
        assert_eq!(Money::parse_major("100000000.01", Currency::Cny), Err(MoneyError::TooLarge));
        assert_eq!(Money::parse_major("99999999999999999999", Currency::Cny), Err(MoneyError::TooLarge));
    }

    #[test]
    fn an_amount_is_never_negative() {
        assert_eq!(Money::new(-1, Currency::Cny), Err(MoneyError::Negative));
    }

    proptest! {
        #[test]
        fn every_amount_survives_its_text(minor in 0..=Money::MAX_MINOR) {
            let money = Money::new(minor, Currency::Cny).unwrap();
            prop_assert_eq!(Money::parse_major(&money.major_text(), Currency::Cny), Ok(money));
        }

        #[test]
        fn sums_and_products_never_wrap(a in 0..=Money::MAX_MINOR, b in 0..=Money::MAX_MINOR, quantity: u32) {
            let (a_money, b_money) = (Money::new(a, Currency::Cny).unwrap(), Money::new(b, Currency::Cny).unwrap());
            match a_money.checked_add(b_money) {
                Ok(sum) => prop_assert_eq!(sum.amount_minor(), a + b),
                Err(error) => prop_assert!(error == MoneyError::TooLarge && a + b > Money::MAX_MINOR),
            }
            match a_money.checked_mul(quantity) {
                Ok(product) => prop_assert_eq!(i128::from(product.amount_minor()), i128::from(a) * i128::from(quantity)),
                Err(error) => prop_assert!(error == MoneyError::TooLarge && i128::from(a) * i128::from(quantity) > i128::from(Money::MAX_MINOR)),
            }
        }
    }
}
