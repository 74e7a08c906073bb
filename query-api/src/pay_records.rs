//! Pay records: one of them, and its code as an image.

mod codes;
mod image;
mod row;
mod show;
mod view;

pub(crate) use codes::CodeCache;
pub(crate) use image::image;
pub(crate) use row::of_order;
pub(crate) use show::show;
pub(crate) use view::PayRecordView;
