use std::fmt;
use std::str::FromStr;

use crate::{Coupons, CourseSelections, Entitlements, Orders, PayRecords, Points, Projector, Stocks, SurplusPayments};

/// A view by the name that the command line has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// Orders.
    Orders,
    /// Pay records; made together with refunds.
    PayRecords,
    /// Refunds; made together with pay records.
    Refunds,
    /// Money that was not owed.
    SurplusPayments,
    /// Course selections; made together with the course table.
    CourseSelections,
    /// The course table; made together with the course selections.
    CourseTable,
    /// Points.
    Points,
    /// Stock.
    Stock,
    /// Coupons.
    Coupons,
    /// What paid study material and tutoring entitle to.
    Entitlements,
}

/// There is no view of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no view {0}; there are orders, pay_records, refunds, surplus_payments, course_selections, course_table, points, stock, coupons and \
     entitlements"
)]
pub struct UnknownView(String);

impl View {
    /// Every view.
    pub const ALL: [Self; 10] = [
        Self::Orders,
        Self::PayRecords,
        Self::Refunds,
        Self::SurplusPayments,
        Self::CourseSelections,
        Self::CourseTable,
        Self::Points,
        Self::Stock,
        Self::Coupons,
        Self::Entitlements,
    ];

    /// Its name, for instance `pay_records`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::PayRecords => "pay_records",
            Self::Refunds => "refunds",
            Self::SurplusPayments => "surplus_payments",
            Self::CourseSelections => "course_selections",
            Self::CourseTable => "course_table",
            Self::Points => "points",
            Self::Stock => "stock",
            Self::Coupons => "coupons",
            Self::Entitlements => "entitlements",
        }
    }

    /// The name of the follower that keeps it, which is its checkpoint's in `follower_checkpoint`.
    pub fn follower(self) -> &'static str {
        match self {
            Self::Orders => Orders::NAME,
            Self::PayRecords | Self::Refunds => PayRecords::NAME,
            Self::SurplusPayments => SurplusPayments::NAME,
            Self::CourseSelections | Self::CourseTable => CourseSelections::NAME,
            Self::Points => Points::NAME,
            Self::Stock => Stocks::NAME,
            Self::Coupons => Coupons::NAME,
            Self::Entitlements => Entitlements::NAME,
        }
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for View {
    type Err = UnknownView;

    fn from_str(name: &str) -> Result<Self, UnknownView> {
        Self::ALL.into_iter().find(|view| view.as_str() == name).ok_or_else(|| UnknownView(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_views_name_reads_back_and_another_is_refused() {
        for view in View::ALL {
            assert_eq!(view.to_string().parse(), Ok(view));
        }
        for name in ["", "order", "Orders", "order_view"] {
            assert_eq!(name.parse::<View>(), Err(UnknownView(name.to_owned())));
        }
    }
}
