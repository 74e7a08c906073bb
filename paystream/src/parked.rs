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

/// Who asks where nothing is changed, and so nobody is recorded.
const READER: &str = "paystream-parked";

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
    /// What is asked, and who asks: [`READER`] unless something is to be changed. `this_user` is whom the machine names.
    /// Errors: what cannot be recorded.
    fn read(self, this_user: impl FnOnce() -> String) -> Result<(ParkedCommand, String), Trouble> {
        let (command, operator) = match self {
            Self::List { state } => (ParkedCommand::List { state }, None),
            Self::Show { id } => (ParkedCommand::Show { id }, None),
            Self::Redrive { id, reason, operator } => (ParkedCommand::Redrive { id, reason }, operator),
            Self::Skip { id, reason, operator } => (ParkedCommand::Skip { id, reason }, operator),
        };
        command.check().map_err(Trouble::Parked)?;
        if command.reason().is_none() {
            return Ok((command, READER.to_owned()));
        }
        let operator = operator.unwrap_or_else(this_user);
        let is_name = (1..=128).contains(&operator.len()) && operator.bytes().all(|byte| byte.is_ascii_graphic());
        if is_name { Ok((command, operator)) } else { Err(UnfitOperator.into()) }
    }
}

/// What this machine calls whoever runs the program.
fn this_user() -> String {
    let named = ["SUDO_USER", "LOGNAME", "USER"].into_iter().find_map(|name| std::env::var(name).ok().filter(|name| !name.is_empty()));
    named.unwrap_or_else(|| format!("uid-{}", rustix::process::getuid().as_raw()))
}

/// A name that cannot be recorded.
#[derive(Debug, thiserror::Error)]
#[error("the operator's name must have 1 to 128 visible ASCII characters without blanks; --operator gives one")]
pub(crate) struct UnfitOperator;

/// `paystream parked …`: in the server that holds the embedded log if one runs, else here.
pub(crate) async fn run(config: Option<&Path>, arguments: ParkedArguments) -> Result<(), Trouble> {
    let settings = Settings::load(config, &[])?;
    let (command, operator) = arguments.read(this_user)?;
    keys::prepare_folders(&settings)?;
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
    use command_api::ParkedFailure;

    use super::*;

    fn skip(reason: &str, operator: Option<&str>) -> ParkedArguments {
        ParkedArguments::Skip { id: "points-7".to_owned(), reason: reason.to_owned(), operator: operator.map(str::to_owned) }
    }

    fn read(arguments: ParkedArguments, this_user: &str) -> Result<(ParkedCommand, String), Trouble> {
        arguments.read(|| this_user.to_owned())
    }

    #[test]
    fn a_reason_and_a_name_are_looked_at_before_anything_is_done() {
        assert!(read(skip(&"x".repeat(500), Some("olivia")), "").is_ok());
        for reason in ["", " ", "a\u{7}", &"x".repeat(501)] {
            let refused = read(skip(reason, Some("olivia")), "");
            assert!(matches!(refused, Err(Trouble::Parked(ParkedFailure::Reason(_)))), "{reason}: {refused:?}");
        }
        for operator in ["", "two words", "olívia", &"x".repeat(129)] {
            for refused in [read(skip("lost", Some(operator)), "olivia"), read(skip("lost", None), operator)] {
                assert!(matches!(refused, Err(Trouble::UnfitOperator(_))), "{operator}: {refused:?}");
            }
        }
    }

    #[test]
    fn whoever_names_nobody_acts_as_the_user_of_this_machine() {
        let (command, operator) = read(skip("lost", Some("olivia")), "oscar").unwrap();
        assert_eq!((command.reason(), operator.as_str()), (Some("lost"), "olivia"));
        assert_eq!(read(skip("lost", None), "oscar").unwrap().1, "oscar");
        assert!(!this_user().is_empty());
    }

    #[test]
    fn whoever_only_looks_needs_no_name() {
        for arguments in [ParkedArguments::List { state: None }, ParkedArguments::Show { id: "points-7".to_owned() }] {
            let (_, reader) = read(arguments, "João da Silva").unwrap();
            assert_eq!(reader, READER);
        }
    }
}
