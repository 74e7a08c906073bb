//! The commands that operators give by hand.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chassis::clock::{Clock, SystemClock};
use chassis::identity::Role;
use chassis::ids::{IdSource, SystemIds};
use chrono::TimeDelta;
use database::{Area, DatabaseUrl, Migration};
use event_store::{LOG_MIGRATIONS, OpenError, lineage};
use projections::View;

use crate::chosen::Trouble;
use crate::keys;
use crate::operations::{RebuildAnswer, rebuild_path};
use crate::running;
use crate::settings::Settings;
use crate::stores::{self, Log};
use crate::terminal::say;
use crate::variables;

/// What the embedded log is told of a process that holds it for a moment.
const BRIEF_HOLDER: &str = "a paystream subcommand";

/// How long a server may take to say whether it is ready: its own checks take at most two seconds.
const READY_LIMIT: Duration = Duration::from_secs(4);

/// `paystream migrate`: brings all tables forward, with the roles that own them, and grants the groups of running programs.
pub(crate) async fn migrate(config: Option<&Path>) -> Result<(), Trouble> {
    let settings = Settings::load(config, &[])?;
    keys::prepare_folders(&settings)?;
    let areas = [
        (&settings.views, Area::Views, variables::VIEWS, stores::views_migrations()),
        (&settings.state, Area::State, variables::STATE, stores::state_migrations()),
    ];
    migrate_log(&settings).await?;
    for (url, area, variable, migrations) in areas {
        migrate_area(url, area, variable, &migrations).await?;
    }
    say("All tables are up to date.");
    Ok(())
}

/// KurrentDB has no tables of ours; embedded ones are brought forward when the log is opened.
async fn migrate_log(settings: &Settings) -> Result<(), Trouble> {
    if let Some(url) = settings.event_store.database().filter(|url| url.sqlite_path().is_none()) {
        migrate_area(url, Area::Log, variables::EVENT_STORE, LOG_MIGRATIONS).await?;
    }
    // A running server holds its embedded log, and says so here. The log's own number is made with its tables.
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    Log::open(settings, &clock, BRIEF_HOLDER).await?.shutdown().await;
    Ok(())
}

async fn migrate_area(url: &DatabaseUrl, area: Area, variable: &'static str, migrations: &[Migration]) -> Result<(), Trouble> {
    if stores::migrate(url, area, variable, migrations).await? {
        say(&format!("The role {} may use what is there now.", area.schema()));
    }
    Ok(())
}

/// `paystream lineage renew`
pub(crate) async fn renew_lineage(config: Option<&Path>) -> Result<(), Trouble> {
    let settings = Settings::load(config, &[])?;
    keys::prepare_folders(&settings)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let log = Log::open(&settings, &clock, BRIEF_HOLDER).await?;
    let lineage = SystemIds::new(clock).event_id();
    let renewed = lineage::renew(log.store().as_ref(), lineage).await;
    log.shutdown().await;
    match renewed? {
        Some(former) => say(&format!("The log's lineage was {former} and is {lineage} now.")),
        None => say(&format!("The log's lineage is {lineage} now.")),
    }
    say("A stream PAYSTREAM that was filled before is refused from now on: delete it, and the relay fills it again.");
    Ok(())
}

/// `paystream token`
pub(crate) async fn token(config: Option<&Path>, subject: &str, roles: &[String], minutes: u32) -> Result<(), Trouble> {
    let settings = Settings::load(config, &[])?;
    keys::prepare_folders(&settings)?;
    let roles = roles.iter().map(|role| Role::parse(role).ok_or_else(|| Trouble::Role(role.clone())));
    let roles = roles.collect::<Result<Vec<_>, _>>()?;
    let issuer = keys::issuer(&settings, running::clock(&settings).await)?;
    say(issuer.issue_for(subject, &roles, TimeDelta::minutes(i64::from(minutes))).token.expose());
    Ok(())
}

/// `paystream rebuild <view>`: in the server that holds the embedded log if one runs, else here.
pub(crate) async fn rebuild(config: Option<&Path>, view: &str) -> Result<(), Trouble> {
    let view: View = view.parse()?;
    let settings = Settings::load(config, &[])?;
    keys::prepare_folders(&settings)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let answer = match Log::open(&settings, &clock, BRIEF_HOLDER).await {
        Ok(log) => {
            let views = stores::open_views(&settings).await?;
            let rebuilt = projections::rebuild(view, &views, &log.reader(), clock.as_ref()).await?;
            log.shutdown().await;
            views.close().await;
            RebuildAnswer::from(&rebuilt)
        }
        Err(Trouble::Log { source: OpenError::Held { holder }, .. }) if holder.starts_with("http") => {
            ask_to_rebuild(&settings, &holder, view).await?
        }
        Err(trouble) => return Err(trouble),
    };
    for rebuilt in &answer.tables {
        say(&format!("{}: {} rows", rebuilt.table, rebuilt.rows));
    }
    say(&format!("{view}: {} events, {} a second, up to position {}", answer.events, answer.events_per_second, answer.position));
    Ok(())
}

async fn ask_to_rebuild(settings: &Settings, server: &str, view: View) -> Result<RebuildAnswer, Trouble> {
    let clock = Arc::new(SystemClock::default());
    running::follow(&clock, server).await;
    let issuer = keys::issuer(settings, clock)?;
    let made = issuer.issue("paystream-rebuild", &[Role::Operator]);
    let url = format!("{server}{}", rebuild_path(view));
    let remote = |source| Trouble::Remote { url: server.to_owned(), source };
    // The server runs on this machine: no proxy leads to it.
    let client = reqwest::Client::builder().no_proxy().build().map_err(remote)?;
    let answer = client.post(&url).bearer_auth(made.token.expose()).send().await.map_err(remote)?;
    if !answer.status().is_success() {
        return Err(Trouble::RemoteRebuild { url, answer: answer.text().await.map_err(remote)? });
    }
    answer.json().await.map_err(remote)
}

/// `paystream ready`: whether the server that listens where this configuration says may take traffic.
pub(crate) async fn ready(config: Option<&Path>) -> Result<(), Trouble> {
    let settings = Settings::load(config, &[])?;
    let url = format!("http://{}/readyz", running::reachable(settings.listen));
    let remote = |source| Trouble::Remote { url: url.clone(), source };
    let client = reqwest::Client::builder().timeout(READY_LIMIT).no_proxy().build().map_err(remote)?;
    let answer = client.get(&url).send().await.map_err(remote)?;
    let is_ready = answer.status().is_success();
    let said = answer.text().await.map_err(remote)?;
    if is_ready {
        say(&said);
        Ok(())
    } else {
        Err(Trouble::NotReady { url, said })
    }
}
