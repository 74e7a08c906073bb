//! The order's rules: each yes and each no, and what holds whatever is asked.

mod attempts;
mod captures;
mod creating;
mod ending;
mod late_payments;
mod outcomes;
mod properties;
mod refunds;
mod world;
