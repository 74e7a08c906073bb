//! `paystream doctor`: looks at what the configuration names, changes nothing, and says what is wrong, by the variables.

mod broker;
mod channel;
mod files;
mod kurrentdb;
mod stores;
mod wechat;

use std::path::Path;

use chassis::problem::Chain;

use crate::chosen::Trouble;
use crate::settings::Settings;
use crate::terminal::say;

/// What a look at one setting found.
pub(crate) struct Finding {
    variable: &'static str,
    said: String,
    is_wrong: bool,
}

impl Finding {
    /// What must be put right.
    fn wrong(variable: &'static str, said: impl Into<String>) -> Self {
        Self { variable, said: said.into(), is_wrong: true }
    }

    /// What should be known and need not be wrong.
    fn note(variable: &'static str, said: impl Into<String>) -> Self {
        Self { variable, said: said.into(), is_wrong: false }
    }
}

/// Looks, and fails where something is wrong. What a first start will make is no mistake.
pub(crate) async fn run(config: Option<&Path>) -> Result<(), Trouble> {
    let settings = match Settings::load(config, &[]) {
        Ok(settings) => settings,
        Err(error) => {
            say(&format!("wrong  {}", Chain(&error)));
            return Err(Trouble::Misconfigured(1));
        }
    };
    let mut findings = files::look(&settings);
    findings.extend(stores::look(&settings).await);
    findings.extend(kurrentdb::look(&settings).await);
    findings.extend(broker::look(&settings).await);
    findings.extend(channel::look(&settings).await);
    for finding in &findings {
        say(&format!("{}  {}: {}", if finding.is_wrong { "wrong" } else { "note " }, finding.variable, finding.said));
    }
    match findings.iter().filter(|finding| finding.is_wrong).count() {
        0 => {
            say("Nothing is wrong.");
            Ok(())
        }
        count => Err(Trouble::Misconfigured(count)),
    }
}
