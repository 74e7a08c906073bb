//! Money that was not owed, for operators and auditors.

mod list;
mod view;

pub(crate) use list::list;
