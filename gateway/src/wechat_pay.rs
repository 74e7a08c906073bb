//! WeChat Pay, both of its protocols.

pub mod official_account;
pub mod v2;
pub mod v3;
