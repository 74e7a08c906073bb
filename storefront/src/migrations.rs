//! The storefront's steps of the state's tables.

use database::Migration;

/// The storefront's part of the area `State`. The numbers between belong to others who keep tables there.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "storefront",
        sqlite: include_str!("../../migrations/state/sqlite/0001_storefront.sql"),
        postgres: include_str!("../../migrations/state/postgres/0001_storefront.sql"),
    },
    Migration {
        version: 4,
        name: "stock_limits",
        sqlite: include_str!("../../migrations/state/sqlite/0004_stock_limits.sql"),
        postgres: include_str!("../../migrations/state/postgres/0004_stock_limits.sql"),
    },
];
