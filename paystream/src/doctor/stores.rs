//! The databases: whether they answer, have the tables of this program, and keep what they are given.

use chassis::clock::{Clock, SystemClock};
use chassis::problem::Chain;
use chrono::TimeDelta;
use database::{Area, Database, DatabaseError, DatabaseUrl, Migration, PoolOptions, Replication, Schema};
use event_store::LOG_MIGRATIONS;

use super::Finding;
use crate::settings::Settings;
use crate::stores::{UNSAFE_STANDBY, state_migrations, views_migrations};
use crate::variables;

/// Tokens are taken this long before and after their time; beyond it, one process refuses what another gives out.
const CLOCK_SKEW: TimeDelta = TimeDelta::seconds(5);

pub(super) async fn look(settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    let log = settings.event_store.database().map(|url| (url, Area::Log, variables::EVENT_STORE, LOG_MIGRATIONS.to_vec()));
    let others = [
        (&settings.views, Area::Views, variables::VIEWS, views_migrations()),
        (&settings.state, Area::State, variables::STATE, state_migrations()),
    ];
    for (url, area, variable, migrations) in log.into_iter().chain(others) {
        // Opening would make the file.
        if let Some(path) = url.sqlite_path().filter(|path| !path.exists()) {
            findings.push(Finding::note(variable, format!("{} is made at the first start", path.display())));
            continue;
        }
        let options = PoolOptions { connections: 1, readers: 1, ..PoolOptions::default() };
        match Database::open(url, area, &options).await {
            Ok(database) => {
                findings.extend(look_into(&database, url, variable, &migrations).await);
                database.close().await;
            }
            Err(error) => findings.push(failed(variable, url, &error)),
        }
    }
    findings
}

async fn look_into(database: &Database, url: &DatabaseUrl, variable: &'static str, migrations: &[Migration]) -> Vec<Finding> {
    let mut findings = Vec::new();
    match database.check_schema(migrations).await {
        Ok(Schema::Current) => {}
        Ok(Schema::Newer { found, known }) => {
            let said = format!("a newer program has brought the tables to schema {found}, and this one knows {known}: run the newer one");
            findings.push(Finding::wrong(variable, said));
        }
        // Whatever serves first makes them.
        Err(DatabaseError::SchemaTooOld { .. }) if url.sqlite_path().is_some() => {
            findings.push(Finding::note(variable, "the tables are brought forward at the next start"));
        }
        Err(error) => findings.push(failed(variable, url, &error)),
    }
    // A running server may be writing a file of ours; only what others serve is asked whether it takes writes.
    if url.sqlite_path().is_none() {
        findings.extend(server(database, url, variable).await.unwrap_or_else(|error| vec![failed(variable, url, &error)]));
    }
    findings
}

/// What only a server can have wrong.
async fn server(database: &Database, url: &DatabaseUrl, variable: &'static str) -> Result<Vec<Finding>, DatabaseError> {
    let mut findings = Vec::new();
    if let Err(error) = database.ping().await {
        findings.push(failed(variable, url, &error));
    }
    if database.area() != Area::Views
        && let Some(Replication { standbys: 1.., is_synchronous: false }) = database.replication().await?
    {
        findings.push(Finding::wrong(variable, UNSAFE_STANDBY));
    }
    let has_log = database.area() == Area::Log && database.check_schema(&[]).await? != Schema::Current;
    if has_log && let Some((role, true)) = database.may_change_rows("event").await? {
        let said = format!("the role {role} may change and delete events: let the program log in as paystream_log, see docs/operations.md");
        findings.push(Finding::wrong(variable, said));
    }
    if let Some(theirs) = database.server_time().await? {
        let ahead = theirs - SystemClock::default().now();
        if ahead.abs() > CLOCK_SKEW {
            findings.push(Finding::wrong(variable, format!("this machine's clock is {} s from the database's", ahead.num_seconds())));
        }
    }
    Ok(findings)
}

fn failed(variable: &'static str, url: &DatabaseUrl, error: &DatabaseError) -> Finding {
    Finding::wrong(variable, format!("{url}: {}", Chain(error)))
}
