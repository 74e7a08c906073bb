//! The storefront's plain state, which is no events: what is sold, who may sign in, persons' keys, and the lease of the
//! numbers that orders get.

pub mod accounts;
pub mod catalogue;
pub mod demo;
mod error;
mod migrations;
pub mod order_ids;
pub mod person_keys;
pub mod routes;
pub mod sessions;
#[cfg(test)]
mod testing;

pub use error::StorefrontError;
pub use migrations::MIGRATIONS;
