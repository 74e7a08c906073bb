//! The commands that operators give by hand.

use std::path::Path;
use std::sync::Arc;

use chassis::clock::{Clock, SystemClock};
use chassis::identity::Role;
use chrono::TimeDelta;
use event_store::OpenError;
use projections::View;

use crate::chosen::Trouble;
use crate::keys;
use crate::operations::{RebuildAnswer, rebuild_path};
use crate::running;
use crate::settings::Settings;
use crate::stores::{self, Log};
use crate::terminal::say;

/// What the embedded log is told of a process that holds it for a moment.
const BRIEF_HOLDER: &str = "a paystream subcommand";

/// `paystream migrate`
pub(crate) async fn migrate(config: Option<&Path>) -> Result<(), Trouble> {
    let settings = Settings::load(config, &[])?;
    keys::prepare_folders(&settings)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    Log::open(&settings, &clock, BRIEF_HOLDER).await?.shutdown().await;
    stores::open_views(&settings).await?.close().await;
    stores::open_state(&settings).await?.close().await;
    say("All tables are up to date.");
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
    let issued = keys::issuer(settings, clock)?.issue("paystream-rebuild", &[Role::Operator]);
    let url = format!("{server}{}", rebuild_path(view));
    let remote = |source| Trouble::Remote { url: server.to_owned(), source };
    // The server runs on this machine: no proxy leads to it.
    let client = reqwest::Client::builder().no_proxy().build().map_err(remote)?;
    let answer = client.post(&url).bearer_auth(issued.token.expose()).send().await.map_err(remote)?;
    if !answer.status().is_success() {
        return Err(Trouble::RemoteRebuild { url, answer: answer.text().await.map_err(remote)? });
    }
    answer.json().await.map_err(remote)
}
