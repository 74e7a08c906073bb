use database::{KeyedSelect, Row, Upsert, Value};

use crate::store::Side;

/// A row as its table has it.
pub(crate) trait TableRow: Row {
    /// The table's key.
    fn key(&self) -> &str;
    /// The values in the order of the table's columns, the key first.
    fn values(&self) -> Vec<Value>;
}

/// The statements of one table.
#[derive(Debug)]
pub(crate) struct Table {
    /// All columns of the rows of many keys.
    pub(crate) select: KeyedSelect,
    /// Inserts or replaces.
    pub(crate) upsert: Upsert,
    /// All columns of the rows after the key `$1`, at most `$2` of them, in the order of the keys.
    pub(crate) scan: &'static str,
    /// How many rows there are.
    pub(crate) count: &'static str,
    /// Takes the row with the key `$1` away.
    pub(crate) remove: &'static str,
    /// Empties it, by a word that SQLite is quick at.
    pub(crate) delete: &'static str,
    /// Empties it, by the word that Postgres is quick at.
    pub(crate) truncate: &'static str,
}

/// A table and its twin, with the statements that exchange their names.
#[derive(Debug)]
pub(crate) struct TablePair {
    pub(crate) name: &'static str,
    pub(crate) live: Table,
    pub(crate) rebuild: Table,
    pub(crate) exchange: [&'static str; 3],
}

impl TablePair {
    pub(crate) fn side(&self, side: Side) -> &Table {
        match side {
            Side::Live => &self.live,
            Side::Rebuild => &self.rebuild,
        }
    }
}

/// The statements of the table `$name` with the key `$key`, loaded by the column `$by`.
macro_rules! table {
    ($name:expr, $key:literal, $by:literal, [$($column:literal),+ $(,)?]) => {
        $crate::table::Table {
            select: database::KeyedSelect::new(
                concat!("select ", $key, $(", ", $column,)+ " from ", $name, " where ", $by),
                concat!("order by ", $key),
            ),
            upsert: database::Upsert::new($name, &[$key], &[$($column),+]),
            scan: concat!(
                "select ", $key, $(", ", $column,)+ " from ", $name, " where ", $key, " > $1 order by ", $key, " limit cast($2 as bigint)"
            ),
            count: concat!("select count(*) from ", $name),
            remove: concat!("delete from ", $name, " where ", $key, " = $1"),
            delete: concat!("delete from ", $name),
            truncate: concat!("truncate table ", $name),
        }
    };
}
pub(crate) use table;

/// A table and its twin; see [`table!`].
macro_rules! table_pair {
    ($name:literal, key $key:literal, by $by:literal, $columns:tt) => {
        $crate::table::TablePair {
            name: $name,
            live: $crate::table::table!($name, $key, $by, $columns),
            rebuild: $crate::table::table!(concat!($name, "_rebuild"), $key, $by, $columns),
            exchange: [
                concat!("alter table ", $name, " rename to ", $name, "_exchanged"),
                concat!("alter table ", $name, "_rebuild rename to ", $name),
                concat!("alter table ", $name, "_exchanged rename to ", $name, "_rebuild"),
            ],
        }
    };
}
pub(crate) use table_pair;
