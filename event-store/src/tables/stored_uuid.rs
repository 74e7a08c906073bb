use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgHasArrayType, PgTypeInfo, PgValueFormat};
use sqlx::{Database, Decode, Encode, Postgres, Sqlite, Type};
use uuid::Uuid;

const UUID: Oid = Oid(2950);
const UUID_ARRAY: Oid = Oid(2951);

/// A UUID as a column: `uuid` on Postgres, 16 bytes on SQLite.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StoredUuid(pub(crate) Uuid);

impl Type<Sqlite> for StoredUuid {
    fn type_info() -> <Sqlite as Database>::TypeInfo {
        <Vec<u8> as Type<Sqlite>>::type_info()
    }
}

impl<'r> Decode<'r, Sqlite> for StoredUuid {
    fn decode(value: <Sqlite as Database>::ValueRef<'r>) -> Result<Self, BoxDynError> {
        Ok(Self(Uuid::from_slice(<&[u8] as Decode<'r, Sqlite>>::decode(value)?)?))
    }
}

impl Type<Postgres> for StoredUuid {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(UUID)
    }
}

impl PgHasArrayType for StoredUuid {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(UUID_ARRAY)
    }
}

impl Encode<'_, Postgres> for StoredUuid {
    fn encode_by_ref(&self, buffer: &mut <Postgres as Database>::ArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }
}

impl<'r> Decode<'r, Postgres> for StoredUuid {
    fn decode(value: <Postgres as Database>::ValueRef<'r>) -> Result<Self, BoxDynError> {
        if value.format() != PgValueFormat::Binary {
            return Err("a uuid is read from prepared statements only".into());
        }
        Ok(Self(Uuid::from_slice(value.as_bytes()?)?))
    }
}
