use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use crate::{Area, Backend, Database, DatabaseError, Transaction, values};

/// One step of an area's tables. Once released it is never altered; a change is another step.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// From 1, rising.
    pub version: i64,
    /// A few words, for those who read the table of steps.
    pub name: &'static str,
    /// The statements for SQLite.
    pub sqlite: &'static str,
    /// The statements for Postgres; the area's schema is the first on the search path.
    pub postgres: &'static str,
}

impl Database {
    /// Brings the area's tables to the newest step of `migrations`, all in one transaction; repeated, it does nothing.
    ///
    /// Two processes may do so at once: the second waits and then finds it done. Errors: [`DatabaseError::SchemaTooNew`]
    /// where a newer program was here, [`DatabaseError::MigrationChanged`] where an applied step differs.
    pub async fn migrate(&self, migrations: &[Migration]) -> Result<(), DatabaseError> {
        let mut steps: Vec<&Migration> = migrations.iter().collect();
        steps.sort_by_key(|step| step.version);
        let mut transaction = self.begin().await?;
        prepare(&mut transaction, self.area()).await?;
        let applied: Vec<Applied> =
            transaction.fetch_all("select version, checksum from schema_migration order by version", Vec::new()).await?;
        let pending = pending(&steps, &applied, self.backend())?;
        for step in &pending {
            transaction.execute_script(SqlStr::from_static(step.text(self.backend()))).await?;
            let checksum = step.checksum(self.backend());
            transaction
                .execute(
                    "insert into schema_migration (version, name, checksum) values ($1, $2, $3)",
                    values![step.version, step.name, checksum],
                )
                .await?;
        }
        transaction.commit().await?;
        if let Some(last) = pending.last() {
            tracing::info!(database.area = self.area().schema(), database.schema = last.version, "tables were migrated");
        }
        Ok(())
    }
}

type Applied = (i64, Vec<u8>);

impl Migration {
    fn text(&self, backend: Backend) -> &'static str {
        match backend {
            Backend::Sqlite => self.sqlite,
            Backend::Postgres => self.postgres,
        }
    }

    fn checksum(&self, backend: Backend) -> Vec<u8> {
        Sha256::digest(self.text(backend)).to_vec()
    }
}

/// Takes the lock that admits one migrating process, and makes the table of steps.
async fn prepare(transaction: &mut Transaction, area: Area) -> Result<(), DatabaseError> {
    match transaction.backend() {
        // The transaction holds the only write lock already.
        Backend::Sqlite => transaction.execute_script(SqlStr::from_static(STEPS_SQLITE)).await,
        Backend::Postgres => {
            // A step over a large table may take longer than any other statement may.
            transaction.execute("select set_config('statement_timeout', '0', true)", Vec::new()).await?;
            transaction.execute("select pg_advisory_xact_lock($1)", values![area.migration_lock()]).await?;
            let schema = area.schema();
            // Not `if not exists`, which asks for the right to create even where an owner has prepared everything for us.
            let sql = "select (select count(*) from pg_namespace where nspname = $1),
                              (select count(*) from pg_tables where schemaname = $1 and tablename = 'schema_migration')";
            let (schemas, tables): (i64, i64) = transaction.fetch_one(sql, values![schema]).await?;
            if schemas == 0 {
                transaction.execute_script(AssertSqlSafe(format!("create schema {schema}")).into_sql_str()).await?;
            }
            if tables == 0 {
                transaction.execute_script(SqlStr::from_static(STEPS_POSTGRES)).await?;
            }
            Ok(())
        }
    }
}

const STEPS_SQLITE: &str = "create table if not exists schema_migration (
    version integer not null primary key, -- the step's number
    name text not null,                   -- the step's name
    checksum blob not null                -- SHA-256 of its statements
) strict";

const STEPS_POSTGRES: &str = "create table schema_migration (
    version bigint not null primary key,
    name text not null,
    checksum bytea not null
);
comment on table schema_migration is 'The steps that these tables have gone through';
comment on column schema_migration.version is 'The step''s number';
comment on column schema_migration.name is 'The step''s name';
comment on column schema_migration.checksum is 'SHA-256 of its statements'";

fn pending<'a>(steps: &[&'a Migration], applied: &[Applied], backend: Backend) -> Result<Vec<&'a Migration>, DatabaseError> {
    let known = steps.last().map_or(0, |step| step.version);
    let found = applied.last().map_or(0, |(version, _)| *version);
    if found > known {
        return Err(DatabaseError::SchemaTooNew { found, known });
    }
    for (version, checksum) in applied {
        let step = steps.iter().find(|step| step.version == *version);
        if step.is_none_or(|step| step.checksum(backend) != *checksum) {
            return Err(DatabaseError::MigrationChanged { version: *version });
        }
    }
    let pending: Vec<_> = steps.iter().copied().filter(|step| !applied.iter().any(|(version, _)| *version == step.version)).collect();
    match pending.first() {
        Some(first) if first.version < found => Err(DatabaseError::MigrationChanged { version: first.version }),
        _ => Ok(pending),
    }
}
