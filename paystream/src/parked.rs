//! `paystream parked`: what consumers could not take, for operators.

use std::path::Path;
use std::sync::Arc;

use chassis::clock::{Clock, SystemClock};
use chassis::identity::Role;
use chassis::ids::{IdSource, SystemIds};
use clap::Subcommand;
use command_api::{Caller, PARKED_PATH, ParkedActs, ParkedCommand, ParkedReply};
use event_store::OpenError;
use followers::ParkingDesk;

use crate::chosen::Trouble;
use crate::settings::Settings;
use crate::stores::{self, Log};
use crate::terminal::say;
use crate::{keys, running};

/// What the embedded log is told of this process, which looks whether a server holds it.
const BRIEF_HOLDER: &str = "paystream parked";

/// The most characters of a reason.
const MAX_REASON_CHARS: usize = 500;

/// What is to be done about parked messages.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ParkedArguments {
    /// Lists them, at most 200: all but skipped ones, or those of one state.
    List {
        /// waiting, parked, behind or skipped.
        #[arg(long)]
        state: Option<String>,
    },
    /// Shows one of them, with the event's content.
    Show {
        /// Its number, for instance points-1234.
        id: String,
    },
    /// Has the messages of its stream tried again, from the first. Who did it, and why, is recorded.
    Redrive {
        /// Its number, for instance points-1234.
        id: String,
        /// Why.
        #[arg(long)]
        reason: String,
        /// Who does it; without this, the name that this machine has for you.
        #[arg(long)]
        operator: Option<String>,
    },
    /// Passes it over for good; what waits behind it is tried. Who did it, and why, is recorded.
    Skip {
        /// Its number, for instance points-1234.
        id: String,
        /// Why.
        #[arg(long)]
        reason: String,
        /// Who does it; without this, the name that this machine has for you.
        #[arg(long)]
        operator: Option<String>,
    },
}

impl ParkedArguments {
    /// What is asked, and who asks.
    fn read(self) -> (ParkedCommand, String) {
        match self {
            Self::List { state } => (ParkedCommand::List { state }, this_user()),
            Self::Show { id } => (ParkedCommand::Show { id }, this_user()),
            Self::Redrive { id, reason, operator } => (ParkedCommand::Redrive { id, reason }, operator.unwrap_or_else(this_user)),
            Self::Skip { id, reason, operator } => (ParkedCommand::Skip { id, reason }, operator.unwrap_or_else(this_user)),
        }
    }
}

/// What this machine calls whoever runs the program.
fn this_user() -> String {
    let named = ["SUDO_USER", "LOGNAME", "USER"].into_iter().find_map(|name| std::env::var(name).ok().filter(|name| !name.is_empty()));
    named.unwrap_or_else(|| format!("uid-{}", rustix::process::getuid().as_raw()))
}

/// A reason or a name that cannot be recorded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnfitWords {
    /// A reason is to be said.
    #[error("a reason must be said, of at most {MAX_REASON_CHARS} characters and without control characters")]
    Reason,
    /// An operator is to be named.
    #[error("the operator's name must have 1 to 128 visible characters without blanks")]
    Operator,
}

fn check(command: &ParkedCommand, operator: &str) -> Result<(), UnfitWords> {
    let is_fit =
        |reason: &str| !reason.trim().is_empty() && reason.chars().count() <= MAX_REASON_CHARS && !reason.chars().any(char::is_control);
    if !command.reason().is_none_or(is_fit) {
        return Err(UnfitWords::Reason);
    }
    let is_name = (1..=128).contains(&operator.len()) && operator.bytes().all(|byte| byte.is_ascii_graphic());
    if is_name { Ok(()) } else { Err(UnfitWords::Operator) }
}

/// `paystream parked …`: in the server that holds the embedded log if one runs, else here.
pub(crate) async fn run(config: Option<&Path>, arguments: ParkedArguments) -> Result<(), Trouble> {
    let settings = Settings::load(config, &[])?;
    keys::prepare_folders(&settings)?;
    let (command, operator) = arguments.read();
    check(&command, &operator)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let reply = match Log::open(&settings, &clock, BRIEF_HOLDER).await {
        Ok(log) => {
            let views = stores::open_views(&settings).await?;
            let ids: Arc<dyn IdSource> = Arc::new(SystemIds::new(Arc::clone(&clock)));
            let acts = ParkedActs::new(log.store(), Arc::new(ParkingDesk::new(views.clone())), clock, Arc::clone(&ids));
            let done = acts.command(&Caller::Operator(operator), command, None, ids.event_id()).await;
            drop(acts);
            log.shutdown().await;
            views.close().await;
            done.map_err(Trouble::Parked)?.0
        }
        Err(Trouble::Log { source: OpenError::Held { holder }, .. }) if holder.starts_with("http") => {
            ask(&settings, &holder, &operator, &command).await?
        }
        Err(trouble) => return Err(trouble),
    };
    for line in &reply.lines {
        say(line);
    }
    Ok(())
}

async fn ask(settings: &Settings, server: &str, operator: &str, command: &ParkedCommand) -> Result<ParkedReply, Trouble> {
    let clock = Arc::new(SystemClock::default());
    running::follow(&clock, server).await;
    let issued = keys::issuer(settings, clock)?.issue(operator, &[Role::Operator]);
    let remote = |source| Trouble::Remote { url: server.to_owned(), source };
    // The server runs on this machine: no proxy leads to it.
    let client = reqwest::Client::builder().no_proxy().build().map_err(remote)?;
    let asked = client.post(format!("{server}{PARKED_PATH}")).bearer_auth(issued.token.expose()).json(command);
    let answer = asked.send().await.map_err(remote)?;
    if !answer.status().is_success() {
        return Err(Trouble::RemoteParked(answer.text().await.map_err(remote)?));
    }
    answer.json().await.map_err(remote)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_and_a_name_are_looked_at_before_anything_is_done() {
        let skip = |reason: &str| ParkedCommand::Skip { id: "points-7".to_owned(), reason: reason.to_owned() };
        assert!(check(&skip("lost"), "olivia").is_ok());
        assert!(check(&ParkedCommand::List { state: None }, "olivia").is_ok());
        for reason in ["", " ", "a\u{7}", &"x".repeat(501)] {
            assert!(matches!(check(&skip(reason), "olivia"), Err(UnfitWords::Reason)), "{reason}");
        }
        for operator in ["", "two words", &"x".repeat(129)] {
            assert!(matches!(check(&skip("lost"), operator), Err(UnfitWords::Operator)), "{operator}");
        }
    }

    #[test]
    fn whoever_names_nobody_acts_as_the_user_of_this_machine() {
        let skip = |operator: Option<&str>| ParkedArguments::Skip {
            id: "points-7".to_owned(),
            reason: "lost".to_owned(),
            operator: operator.map(str::to_owned),
        };
        let (command, operator) = skip(Some("olivia")).read();
        assert_eq!((command.reason(), operator.as_str()), (Some("lost"), "olivia"));
        assert_eq!(skip(None).read().1, this_user());
        assert!(!this_user().is_empty());
    }
}
