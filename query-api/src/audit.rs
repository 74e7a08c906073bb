//! The log for auditors: the events as they are stored, in pages, as lines, by stream and by order.

mod body;
mod event;
mod events;
mod filter;
mod scan;
mod stream;
mod trail;

pub(crate) use events::events;
pub(crate) use stream::stream;
pub(crate) use trail::trail;
