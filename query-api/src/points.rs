//! A buyer's points.

mod level;
mod list;

pub(crate) use list::list;
