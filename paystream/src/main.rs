//! Paystream's one program: all roles, or a part of them, and the commands that operators give by hand.

mod app;
mod broker;
mod certificates;
mod chosen;
mod consumers;
mod contract_check;
mod doctor;
mod follow;
mod key_watch;
mod keys;
mod operations;
mod pages;
mod parked;
mod readiness;
mod reconcile;
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
mod wechat;

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
        /// The roles of this process, separated by commas: command-api, query-api, projections, relay, process-managers, sandbox.
        #[arg(long, value_delimiter = ',')]
        roles: Vec<String>,
        /// Checks the configuration without touching a store, and ends.
        #[arg(long)]
        check: bool,
    },
    /// Makes or brings forward all tables, grants the roles on Postgres what they need, and ends.
    Migrate,
    /// The log's lineage, which tells one history from another.
    Lineage {
        #[command(subcommand)]
        what: LineageCommand,
    },
    /// Looks at the configuration and at what it names, and says what is wrong, by the variables.
    Doctor,
    /// Asks the server that runs with this configuration whether it may take traffic.
    Ready,
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
    /// Compares a day with a channel's statement of it, asks the channel about what only it has, and prints what does not
    /// match. The server that runs with this configuration does it.
    Reconcile {
        /// A channel, for instance alipay_qr: all products of its wallet stand in one statement.
        #[arg(long)]
        channel: String,
        /// The day, as the channel counts days (in Beijing), for instance 2026-03-05. It must be over.
        #[arg(long)]
        date: String,
    },
    /// What consumers could not take: list it, show one, have it tried again, or skip it.
    Parked {
        #[command(subcommand)]
        what: parked::ParkedArguments,
    },
    /// Tries everything that the log's contract promises at a store, on places of its own there, and says what is kept. What lies
    /// at the address is not opened: a file gets others beside it, a Postgres databases of their own (whose role must be allowed
    /// to make them), a KurrentDB streams of their own, which stay. No configuration is read.
    ContractCheck {
        /// sqlite:PATH, postgres://USER:PASSWORD@HOST/DATABASE or kurrentdb://USER:PASSWORD@HOST:PORT
        store: String,
    },
    /// Makes a view again from the log, while others read and write: orders, pay_records, refunds, surplus_payments,
    /// course_selections, course_table, points, stock, coupons, entitlements.
    Rebuild {
        /// The view.
        view: String,
    },
}

#[derive(Debug, Subcommand)]
enum LineageCommand {
    /// Begins a new lineage: to be done after the log was restored from a copy, before anything is served from it. The relay
    /// then refuses a stream that was filled before, until it is deleted.
    Renew,
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
        Some(Command::Serve { roles, check: true }) => serve::check(config, &roles),
        Some(Command::Serve { roles, check: false }) => serve::run(config, &roles).await,
        Some(Command::Migrate) => subcommand::migrate(config).await,
        Some(Command::Lineage { what: LineageCommand::Renew }) => subcommand::renew_lineage(config).await,
        Some(Command::Doctor) => doctor::run(config).await,
        Some(Command::Ready) => subcommand::ready(config).await,
        Some(Command::Token { sub, role, minutes }) => subcommand::token(config, &sub, &role, minutes).await,
        Some(Command::Reconcile { channel, date }) => reconcile::run(config, &channel, &date).await,
        Some(Command::Parked { what }) => parked::run(config, what).await,
        Some(Command::ContractCheck { store }) => contract_check::run(&store).await,
        Some(Command::Rebuild { view }) => subcommand::rebuild(config, &view).await,
    }
}
