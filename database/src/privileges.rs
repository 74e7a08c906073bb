//! Who may do what on Postgres, and whether what is answered is kept: for whoever sets a server up, and for checks.
//!
//! A role stands for each area, named like its schema. Another, which owns the tables, brings them forward and grants that role
//! what a running program needs; the programs log in as these roles, or as members of them.

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, SqlSafeStr};

use crate::{Area, Backend, Database, DatabaseError, Time, values};

/// How a Postgres passes on what it has committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replication {
    /// How many standbys follow this server now, or have a place kept for them.
    pub standbys: i64,
    /// Whether a commit waits for a standby.
    pub is_synchronous: bool,
}

impl Database {
    /// Grants the role of the area what a running program needs of the tables that are there, and takes from it what it does
    /// not: of the log it may read and append rows, of the state do everything to rows, and the views are its own, since
    /// making one again exchanges tables. Answers false, and does nothing, where there is no such role, or no Postgres.
    ///
    /// It wants the role that owns the tables, and for the views a member of their role.
    pub async fn grant_to_group(&self) -> Result<bool, DatabaseError> {
        if self.backend() == Backend::Sqlite {
            return Ok(false);
        }
        let group = self.area().schema();
        let (groups,): (i64,) = self.fetch_one("select count(*) from pg_roles where rolname = $1", values![group]).await?;
        if groups == 0 {
            return Ok(false);
        }
        let mut transaction = self.begin().await?;
        transaction.execute_script(AssertSqlSafe(grants(self.area(), group)).into_sql_str()).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// The role that is logged in, and whether it may change or remove rows of `table`. On SQLite nobody is logged in.
    pub async fn may_change_rows(&self, table: &str) -> Result<Option<(String, bool)>, DatabaseError> {
        if self.backend() == Backend::Sqlite {
            return Ok(None);
        }
        let sql = "select current_user::text, has_table_privilege($1 || '.' || $2, 'update, delete, truncate')";
        Ok(Some(self.fetch_one(sql, values![self.area().schema(), table]).await?))
    }

    /// How the server passes on what it has committed; none for SQLite.
    pub async fn replication(&self) -> Result<Option<Replication>, DatabaseError> {
        if self.backend() == Backend::Sqlite {
            return Ok(None);
        }
        // What a connection is for is seen only by those who may monitor, so what is known to be no standby is taken away:
        // copies being made, and subscribers of single tables.
        let sql = "select
            (select count(*) from pg_stat_replication r
             where r.application_name not in ('pg_basebackup', 'pg_receivewal', 'pg_recvlogical')
               and not exists (select from pg_replication_slots s where s.active_pid = r.pid))
            + (select count(*) from pg_replication_slots s where s.slot_type = 'physical' and not s.temporary),
            current_setting('synchronous_standby_names') <> '' and current_setting('synchronous_commit') not in ('off', 'local')";
        let (standbys, is_synchronous): (i64, bool) = self.fetch_one(sql, Vec::new()).await?;
        Ok(Some(Replication { standbys, is_synchronous }))
    }

    /// What the server's clock shows; none for SQLite, which has none of its own.
    pub async fn server_time(&self) -> Result<Option<DateTime<Utc>>, DatabaseError> {
        if self.backend() == Backend::Sqlite {
            return Ok(None);
        }
        let (now,): (Time,) = self.fetch_one("select clock_timestamp()", Vec::new()).await?;
        Ok(Some(now.into()))
    }
}

/// The statements for an area; names of areas need no quotes.
fn grants(area: Area, group: &str) -> String {
    let schema = area.schema();
    match area {
        Area::Log => format!(
            "grant usage on schema {schema} to {group};
             revoke all on all tables in schema {schema} from {group};
             grant select, insert on all tables in schema {schema} to {group};
             revoke insert on {schema}.schema_migration from {group};"
        ),
        Area::State | Area::Sandbox => format!(
            "grant usage on schema {schema} to {group};
             revoke all on all tables in schema {schema} from {group};
             grant select, insert, update, delete on all tables in schema {schema} to {group};
             revoke insert, update, delete on {schema}.schema_migration from {group};
             grant usage on all sequences in schema {schema} to {group};"
        ),
        Area::Views => format!(
            "do $$ declare kept record; begin
                 -- The schema first: whoever is given a table must be able to make one there.
                 if (select nspowner <> '{group}'::regrole from pg_namespace where nspname = '{schema}') then
                     alter schema {schema} owner to {group};
                 end if;
                 for kept in select c.relname, c.relkind from pg_class c join pg_namespace n on n.oid = c.relnamespace
                     where n.nspname = '{schema}' and c.relkind in ('r', 'v') and c.relowner <> '{group}'::regrole
                 loop
                     execute format('alter table {schema}.%I owner to {group}', kept.relname);
                 end loop;
             end $$;"
        ),
    }
}
