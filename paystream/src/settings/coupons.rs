use chrono::TimeDelta;
use command_api::CouponRule;
use domain::MinorUnits;

use super::{SettingError, invalid, parsed};
use crate::variables::{self, Typed};

const LONGEST_COUPON_DAYS: i64 = 3650;

/// What coupon is granted for a payment: none unless it is asked for, but for the demo's of five yuan for twenty and more.
pub(super) fn rule(typed: &Typed, demo: bool) -> Result<Option<CouponRule>, SettingError> {
    let amount = |variable, default: i64| -> Result<MinorUnits, SettingError> {
        let amount: i64 = parsed(typed, variable, "a whole number of fen")?.unwrap_or(default);
        MinorUnits::new(amount).map_err(|_| invalid(variable, "0 to 10000000000 fen"))
    };
    let discount_amount = amount(variables::COUPON_AMOUNT, if demo { 500 } else { 0 })?;
    let least_amount = amount(variables::COUPON_LEAST_AMOUNT, 2_000)?;
    let days: i64 = parsed(typed, variables::COUPON_DAYS, "whole days")?.unwrap_or(90);
    if !(1..=LONGEST_COUPON_DAYS).contains(&days) {
        return Err(invalid(variables::COUPON_DAYS, format!("1 to {LONGEST_COUPON_DAYS} days")));
    }
    let rule = CouponRule { discount_amount, least_amount, life: TimeDelta::days(days) };
    Ok((discount_amount.as_i64() > 0).then_some(rule))
}
