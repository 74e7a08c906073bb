//! A buyer's course selections and course table.

mod show;
mod table;

pub(crate) use show::show;
pub(crate) use table::table;
