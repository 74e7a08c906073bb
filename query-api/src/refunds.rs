//! Refunds: one of them, and those of an order.

mod row;
mod show;
mod view;

pub(crate) use row::of_order;
pub(crate) use show::show;
pub(crate) use view::RefundView;
