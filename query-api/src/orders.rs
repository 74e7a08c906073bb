//! Orders: the list, one of them, and following one live.

mod changes;
mod list;
mod row;
mod show;
mod view;
mod watch;

pub(crate) use changes::OrderChanges;
pub(crate) use list::list;
pub(crate) use show::show;
pub(crate) use watch::watch;
