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

/// Where an area's tables are, against what this program knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schema {
    /// Every step that this program knows is applied, and no other.
    Current,
    /// A newer program has taken further steps, with which this one still works.
    Newer {
        /// The highest migration applied.
        found: i64,
        /// The highest one this program knows.
        known: i64,
    },
}

impl Database {
    /// Brings the area's tables to the newest step of `migrations`, all in one transaction; repeated, it does nothing.
    ///
    /// Two processes may do so at once: the second waits and then finds it done. Steps of a newer program are left as they
    /// are: a step adds, so that older programs go on beside it, unless it says otherwise by ending with
    /// `update schema_migration set oldest_program = …`, the newest step that a program must know from then on.
    ///
    /// Errors: [`DatabaseError::SchemaTooNew`] where this program is older than that, [`DatabaseError::MigrationChanged`] where
    /// an applied step differs.
    pub async fn migrate(&self, migrations: &[Migration]) -> Result<Schema, DatabaseError> {
        let steps = by_version(migrations);
        let mut transaction = self.begin().await?;
        prepare(&mut transaction, self.area()).await?;
        let applied: Vec<Applied> =
            transaction.fetch_all("select version, checksum, oldest_program from schema_migration order by version", Vec::new()).await?;
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
        Ok(schema(&steps, &applied))
    }

    /// Compares the area's tables with `migrations` and changes nothing.
    ///
    /// Errors: those of [`Self::migrate`], and [`DatabaseError::SchemaTooOld`] where steps are missing.
    pub async fn check_schema(&self, migrations: &[Migration]) -> Result<Schema, DatabaseError> {
        let steps = by_version(migrations);
        let applied = self.applied().await?;
        match pending(&steps, &applied, self.backend())?.last() {
            None => Ok(schema(&steps, &applied)),
            Some(needed) => Err(DatabaseError::SchemaTooOld { found: newest(&applied), needed: needed.version }),
        }
    }

    /// [`Self::migrate`] where this program's role may do so, else [`Self::check_schema`]: on Postgres the role of a running
    /// program need not be the one that owns the tables.
    pub async fn prepare_tables(&self, migrations: &[Migration]) -> Result<Schema, DatabaseError> {
        if self.may_migrate().await? { self.migrate(migrations).await } else { self.check_schema(migrations).await }
    }

    async fn may_migrate(&self) -> Result<bool, DatabaseError> {
        if self.backend() == Backend::Sqlite {
            return Ok(true);
        }
        // A member of the role that owns the schema could make tables in it, which would belong to the member alone.
        let sql = "select coalesce(
            (select u.rolsuper or n.nspowner = u.oid
                 or (has_schema_privilege(n.oid, 'create') and not pg_has_role(n.nspowner, 'member'))
             from pg_namespace n, pg_roles u where n.nspname = $1 and u.rolname = current_user),
            has_database_privilege(current_database(), 'create'))";
        let (may,): (bool,) = self.fetch_one(sql, values![self.area().schema()]).await?;
        Ok(may)
    }

    async fn applied(&self) -> Result<Vec<Applied>, DatabaseError> {
        let (table, with_oldest, without): (_, _, &'static str) = match self.backend() {
            Backend::Sqlite => (
                "select count(*), count(*) filter (where name = 'oldest_program') from pragma_table_info('schema_migration') where $1 <> ''",
                "select version, checksum, oldest_program from schema_migration order by version",
                "select version, checksum, 0 from schema_migration order by version",
            ),
            Backend::Postgres => (
                "select count(*), count(*) filter (where a.attname = 'oldest_program')
                 from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
                 where n.nspname = $1 and c.relname = 'schema_migration' and a.attnum > 0",
                "select version, checksum, oldest_program from schema_migration order by version",
                "select version, checksum, 0::bigint from schema_migration order by version",
            ),
        };
        let (columns, oldest): (i64, i64) = self.fetch_one(table, values![self.area().schema()]).await?;
        match (columns, oldest) {
            (0, _) => Ok(Vec::new()),
            (_, 0) => self.fetch_all(without, Vec::new()).await,
            _ => self.fetch_all(with_oldest, Vec::new()).await,
        }
    }
}

/// A step that was taken: its number, its checksum, and the newest step that a program must know since.
type Applied = (i64, Vec<u8>, i64);

fn by_version(migrations: &[Migration]) -> Vec<&Migration> {
    let mut steps: Vec<_> = migrations.iter().collect();
    steps.sort_by_key(|step| step.version);
    steps
}

fn newest(applied: &[Applied]) -> i64 {
    applied.last().map_or(0, |(version, _, _)| *version)
}

fn schema(steps: &[&Migration], applied: &[Applied]) -> Schema {
    let (known, found) = (steps.last().map_or(0, |step| step.version), newest(applied));
    if found > known { Schema::Newer { found, known } } else { Schema::Current }
}

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
        Backend::Sqlite => {
            transaction.execute_script(SqlStr::from_static(STEPS_SQLITE)).await?;
            let sql = "select count(*) from pragma_table_info('schema_migration') where name = 'oldest_program'";
            let (columns,): (i64,) = transaction.fetch_one(sql, Vec::new()).await?;
            if columns == 0 {
                transaction.execute_script(SqlStr::from_static(OLDEST_SQLITE)).await?;
            }
            Ok(())
        }
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
            let sql = "select count(*) from information_schema.columns
                       where table_schema = $1 and table_name = 'schema_migration' and column_name = 'oldest_program'";
            let (columns,): (i64,) = transaction.fetch_one(sql, values![schema]).await?;
            if columns == 0 {
                transaction.execute_script(SqlStr::from_static(OLDEST_POSTGRES)).await?;
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

/// The newest step that a program must know since this one. A remark at the end of it would break the table's stored text.
const OLDEST_SQLITE: &str = "alter table schema_migration add column oldest_program integer not null default 0";

const OLDEST_POSTGRES: &str = "alter table schema_migration add column oldest_program bigint not null default 0;
comment on column schema_migration.oldest_program is 'The newest step that a program must know since this one'";

fn pending<'a>(steps: &[&'a Migration], applied: &[Applied], backend: Backend) -> Result<Vec<&'a Migration>, DatabaseError> {
    let known = steps.last().map_or(0, |step| step.version);
    let found = newest(applied);
    if applied.iter().any(|(_, _, oldest)| *oldest > known) {
        return Err(DatabaseError::SchemaTooNew { found, known });
    }
    for (version, checksum, _) in applied.iter().filter(|(version, _, _)| *version <= known) {
        let step = steps.iter().find(|step| step.version == *version);
        if step.is_none_or(|step| step.checksum(backend) != *checksum) {
            return Err(DatabaseError::MigrationChanged { version: *version });
        }
    }
    let pending: Vec<_> = steps.iter().copied().filter(|step| !applied.iter().any(|(version, _, _)| *version == step.version)).collect();
    match pending.first() {
        Some(first) if first.version < found => Err(DatabaseError::MigrationChanged { version: first.version }),
        _ => Ok(pending),
    }
}
