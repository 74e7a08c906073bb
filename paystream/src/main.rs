//! Paystream's one program: all roles, or a part of them, and the commands that operators give by hand.

mod app;
mod chosen;
mod follow;
mod keys;
mod operations;
mod pages;
mod readiness;
mod running;
mod sandbox_link;
mod serve;
mod settings;
#[cfg(debug_assertions)]
mod stop_point;
mod stores;
mod subcommand;
mod terminal;
mod variables;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::chosen::Trouble;

/// Orders and payments that cannot be lost, doubled or invented.
#[derive(Debug, Parser)]
#[command(name = "paystream", version, about)]
struct Arguments {
    /// The configuration file; without this, paystream.toml, if there is one.
    #[arg(long, global = true)]
    config: Option<std::path::PathBuf>,
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
    /// Makes a view again from the log, while others read and write: orders, pay_records, refunds, surplus_payments,
    /// course_selections, course_table, points, stock, coupons.
    Rebuild {
        /// The view.
        view: String,
    },
}

/// How long work on other threads, such as a name that is being looked up, is waited for at the end.
const THREADS_LIMIT: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = tokio::runtime::Runtime::new().map_err(Trouble::Runtime).and_then(|runtime| {
        let done = runtime.block_on(run(arguments));
        runtime.shutdown_timeout(THREADS_LIMIT);
        done
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            // What went wrong and why, down to the first cause.
            terminal::complain(&format!("paystream: {}", chassis::problem::Chain(&trouble)));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Trouble> {
    let config = arguments.config.as_deref();
    match arguments.command {
        None => serve::run(config, &[]).await,
        Some(Command::Serve { roles }) => serve::run(config, &roles).await,
        Some(Command::Migrate) => subcommand::migrate(config).await,
        Some(Command::Token { sub, role, minutes }) => subcommand::token(config, &sub, &role, minutes).await,
        Some(Command::Rebuild { view }) => subcommand::rebuild(config, &view).await,
    }
}
