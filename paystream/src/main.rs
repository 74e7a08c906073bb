//! Paystream's one program: all roles, or a part of them, and the commands that operators give by hand.

mod app;
mod chosen;
mod follow;
mod keys;
mod operations;
mod pages;
mod readiness;
mod sandbox_link;
mod serve;
mod settings;
mod stores;
mod subcommand;
mod variables;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::chosen::Trouble;

/// Orders and payments that cannot be lost, doubled or invented.
#[derive(Debug, Parser)]
#[command(name = "paystream", version, about)]
struct Arguments {
    /// Where the configuration file is, if there is one.
    #[arg(long, default_value = "paystream.toml", global = true)]
    config: std::path::PathBuf,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves; without a part named, all of it.
    Serve {
        /// The roles of this process, separated by commas: command-api, query-api, projections, process-managers, sandbox.
        #[arg(long, value_delimiter = ',')]
        roles: Vec<String>,
    },
    /// Makes or brings forward all tables, and ends.
    Migrate,
    /// Makes a token for development; it stands alone on the last line.
    Token {
        /// Whom it names.
        #[arg(long)]
        sub: String,
        /// A role: buyer, service, operator or auditor. May be given several times.
        #[arg(long, required = true)]
        role: Vec<String>,
        /// How long it is good, in minutes.
        #[arg(long, default_value_t = 15)]
        minutes: u32,
    },
    /// Makes a view again from the log, while others read and write: orders, pay_records, course_selections, course_table.
    Rebuild {
        /// The view.
        view: String,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.command {
        None => serve::run(&arguments.config, &[]).await,
        Some(Command::Serve { roles }) => serve::run(&arguments.config, &roles).await,
        Some(Command::Migrate) => subcommand::migrate(&arguments.config).await,
        Some(Command::Token { sub, role, minutes }) => subcommand::token(&arguments.config, &sub, &role, minutes),
        Some(Command::Rebuild { view }) => subcommand::rebuild(&arguments.config, &view).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            tell(&trouble);
            ExitCode::FAILURE
        }
    }
}

/// Says on the terminal what went wrong and why, down to the first cause.
#[expect(clippy::print_stderr, reason = "the program's last word to whoever started it")]
fn tell(trouble: &Trouble) {
    eprintln!("paystream: {}", chassis::problem::Chain(trouble));
}
