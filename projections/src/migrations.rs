use database::Migration;

/// The steps of the tables of the area `Views`.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "views",
        sqlite: include_str!("../../migrations/views/sqlite/0001_views.sql"),
        postgres: include_str!("../../migrations/views/postgres/0001_views.sql"),
    },
    Migration {
        version: 3,
        name: "refunds",
        sqlite: include_str!("../../migrations/views/sqlite/0003_refunds.sql"),
        postgres: include_str!("../../migrations/views/postgres/0003_refunds.sql"),
    },
    Migration {
        version: 5,
        name: "stock_and_coupons",
        sqlite: include_str!("../../migrations/views/sqlite/0005_stock_and_coupons.sql"),
        postgres: include_str!("../../migrations/views/postgres/0005_stock_and_coupons.sql"),
    },
    Migration {
        version: 6,
        name: "discount",
        sqlite: include_str!("../../migrations/views/sqlite/0006_discount.sql"),
        postgres: include_str!("../../migrations/views/postgres/0006_discount.sql"),
    },
    Migration {
        version: 7,
        name: "consumers",
        sqlite: include_str!("../../migrations/views/sqlite/0007_consumers.sql"),
        postgres: include_str!("../../migrations/views/postgres/0007_consumers.sql"),
    },
];

#[cfg(test)]
mod tests;
