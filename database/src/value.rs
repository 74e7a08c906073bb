use chrono::{DateTime, Utc};
use sqlx::{Arguments, Encode, Type};

use crate::Time;

/// A value bound to a statement. A missing one keeps its type, because Postgres types each parameter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// `bigint`; also counts, money in its smallest unit, and yes/no as 1/0.
    Int(Option<i64>),
    /// `text`.
    Text(Option<String>),
    /// See [`Time`].
    Time(Option<Time>),
    /// `bytea` on Postgres, `blob` on SQLite.
    Bytes(Option<Vec<u8>>),
}

/// The values of a statement in the order `$1, $2, …`, each made by `Value::from`.
#[macro_export]
macro_rules! values {
    ($($value:expr),* $(,)?) => {
        ::std::vec![$($crate::Value::from($value)),*]
    };
}

macro_rules! value_from {
    ($($from:ty => $variant:ident($name:ident) $convert:expr;)*) => {$(
        impl From<$from> for Value {
            fn from($name: $from) -> Self {
                Self::$variant(Some($convert))
            }
        }

        impl From<Option<$from>> for Value {
            fn from(value: Option<$from>) -> Self {
                Self::$variant(value.map(|$name| $convert))
            }
        }
    )*};
}

value_from! {
    i64 => Int(value) value;
    i32 => Int(value) i64::from(value);
    u32 => Int(value) i64::from(value);
    u16 => Int(value) i64::from(value);
    bool => Int(value) i64::from(value);
    String => Text(value) value;
    &String => Text(value) value.clone();
    &str => Text(value) value.to_owned();
    Time => Time(value) value;
    DateTime<Utc> => Time(value) Time::from(value);
    Vec<u8> => Bytes(value) value;
    &[u8] => Bytes(value) value.to_vec();
}

/// The values as the driver's arguments. Errors: a time that the database cannot hold.
pub(crate) fn arguments<'q, A>(values: Vec<Value>) -> Result<A, sqlx::Error>
where
    A: Arguments + Default,
    Option<i64>: Encode<'q, A::Database> + Type<A::Database>,
    Option<String>: Encode<'q, A::Database> + Type<A::Database>,
    Option<Time>: Encode<'q, A::Database> + Type<A::Database>,
    Option<Vec<u8>>: Encode<'q, A::Database> + Type<A::Database>,
{
    let mut arguments = A::default();
    arguments.reserve(values.len(), 0);
    for value in values {
        match value {
            Value::Int(value) => arguments.add(value),
            Value::Text(value) => arguments.add(value),
            Value::Time(value) => arguments.add(value),
            Value::Bytes(value) => arguments.add(value),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}
