use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::{DatabaseError, DatabaseUrl};

/// An empty Postgres database beside another on the same server, for what must not touch that one. Drop it by [`Self::remove`].
#[derive(Debug)]
pub struct ScratchDatabase {
    server: DatabaseUrl,
    name: String,
    url: DatabaseUrl,
}

impl ScratchDatabase {
    /// Makes the database `name` (lower-case letters, digits and `_`) on the server of `beside`, whose role must be allowed to
    /// make databases. Errors: [`DatabaseError::BadUrl`] where that is no Postgres or the name is none.
    pub async fn create(beside: &DatabaseUrl, name: &str) -> Result<Self, DatabaseError> {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if name.is_empty() || !name.bytes().all(is_plain) {
            return Err(DatabaseError::BadUrl("a database's name is lower-case letters, digits and _"));
        }
        let url = beside.with_database(name).ok_or(DatabaseError::BadUrl("it is not a Postgres server"))?;
        on_server(beside, format!("create database {name}")).await?;
        Ok(Self { server: beside.clone(), name: name.to_owned(), url })
    }

    /// Its address.
    pub fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    /// Drops it, whoever is connected to it.
    pub async fn remove(&self) -> Result<(), DatabaseError> {
        on_server(&self.server, format!("drop database if exists {} with (force)", self.name)).await
    }
}

async fn on_server(server: &DatabaseUrl, statement: String) -> Result<(), DatabaseError> {
    let options = server.postgres_options().ok_or(DatabaseError::BadUrl("it is not a Postgres server"))?;
    let mut connection = PgConnection::connect_with(options).await?;
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await?;
    Ok(connection.close().await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestDatabase;
    use crate::{Area, Database, PoolOptions};

    #[tokio::test]
    async fn a_scratch_database_is_empty_and_goes() {
        let beside = TestDatabase::postgres().await;
        let name = format!("scratch_{}", std::process::id());
        let scratch = ScratchDatabase::create(beside.url(), &name).await.unwrap();
        let opened = Database::open(scratch.url(), Area::Log, &PoolOptions::default()).await.unwrap();
        let (tables,): (i64,) =
            opened.fetch_one("select count(*) from pg_tables where schemaname = 'paystream_log'", vec![]).await.unwrap();
        assert_eq!(tables, 0);
        scratch.remove().await.unwrap();
        assert!(Database::open(scratch.url(), Area::Log, &PoolOptions::default()).await.is_err());
    }

    #[tokio::test]
    async fn a_name_that_is_more_than_one_and_a_file_are_refused() {
        let server = DatabaseUrl::parse("postgres://a@127.0.0.1:1/a").unwrap();
        for name in ["", "a b", "a;drop", "A", "a\"", "ä"] {
            let refused = ScratchDatabase::create(&server, name).await.err();
            assert!(matches!(refused, Some(DatabaseError::BadUrl(_))), "{name}: {refused:?}");
        }
        let refused = ScratchDatabase::create(&DatabaseUrl::sqlite("a.db"), "scratch").await.err();
        assert!(matches!(refused, Some(DatabaseError::BadUrl(_))), "{refused:?}");
    }
}
