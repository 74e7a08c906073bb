//! Extractors that refuse bad input with typed problems.

mod body;
mod json;
mod media;
mod path;
mod query;
mod shape;
mod strict;

pub use body::{BODY_LIMIT, BODY_TIME_LIMIT, RawBody};
pub use json::{Json, OptionalJson, from_value, read_json, split_tag};
pub use path::Path;
pub use query::Query;
