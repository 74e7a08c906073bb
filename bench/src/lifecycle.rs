//! `bench lifecycle`: buyers who select a course, order it, pay at the sandbox and see the order paid, all over HTTP.

mod buyer;
mod rsa;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use futures_util::future::try_join_all;
use serde::Serialize;

use crate::append::Store;
use crate::conditions::Conditions;
use crate::figures::{Hundredths, Ms, Percentiles, per_second};
use crate::postgres::PostgresServer;
use crate::process::Running;
use crate::report::{self, Table};
use crate::server::{self, Plan};
use crate::trouble::{Doing, Trouble};
use buyer::{Legs, Shop};
use rsa::RsaCost;

/// The RSA work of one lifecycle on Paystream's side, with either channel: the request for the code is signed; its answer and the
/// notification are verified.
const SIGNS: u64 = 1;
const VERIFIES: u64 = 2;

/// How many times its RSA work Paystream's whole work may cost.
const CPU_AIM: Hundredths = Hundredths(200);

/// What Paystream may hold in memory at once.
const MEMORY_AIM_KIB: u64 = 200 * 1024;

/// How the benchmark is run.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How many buyers are on their way at once; when one has paid, the next one comes.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=512))]
    clients: u32,
    /// How long buyers come, counted.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// How long buyers come before that, not counted.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(0..=60))]
    warm_up_seconds: u64,
    /// Where Paystream keeps its log, views and state.
    #[arg(long, value_enum, default_value_t = Store::Sqlite)]
    store: Store,
    /// By what buyers pay.
    #[arg(long, value_enum, default_value_t = Channel::AlipayQr)]
    channel: Channel,
    /// Where the data lie while it runs; nothing says: the system's folder for temporary files.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Where the results are kept.
    #[arg(long, default_value = "test-output/bench")]
    output: PathBuf,
}

/// By what a buyer pays: a code of either wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
enum Channel {
    /// A code of Alipay's.
    AlipayQr,
    /// A code of WeChat Pay's, by its API v3.
    WechatNative,
}

impl Channel {
    /// Its word in the API.
    fn word(self) -> &'static str {
        match self {
            Self::AlipayQr => "alipay_qr",
            Self::WechatNative => "wechat_native",
        }
    }
}

#[derive(Debug, Serialize)]
struct Results {
    conditions: Conditions,
    store: Store,
    channel: Channel,
    clients: u32,
    lifecycles: u64,
    elapsed_ms: u64,
    lifecycles_per_second: u64,
    /// From the selection to the order seen as paid.
    whole: Percentiles,
    legs: Vec<Leg>,
    cpu: Cpu,
    /// The most memory that Paystream's process held at once.
    peak_memory_kib: u64,
    memory_aim_kib: u64,
}

/// One step of the way.
#[derive(Debug, Serialize)]
struct Leg {
    name: &'static str,
    took: Percentiles,
}

/// Time on the cores per lifecycle, in microseconds.
#[derive(Debug, Serialize)]
struct Cpu {
    paystream_us: u64,
    /// The other process: its signatures are the sandbox's own affair.
    sandbox_us: u64,
    rsa_us: u64,
    rsa: RsaCost,
    /// Paystream's work in units of its RSA work.
    multiple_of_rsa_hundredths: Hundredths,
    aim_hundredths: Hundredths,
}

/// Paystream, its sandbox beside it, and the database where it needs one.
struct Stage {
    paystream: Running,
    sandbox: Running,
    shop: Arc<Shop>,
    postgres: Option<PostgresServer>,
}

impl Stage {
    async fn start(folder: &Path, store: Store, channel: Channel) -> Result<Self, Trouble> {
        let program = server::program()?;
        let postgres = match store {
            Store::Postgres => Some(PostgresServer::start(folder).await?),
            Store::Sqlite => None,
        };
        let mut sandbox = Plan::new(&program, folder.join("sandbox"))?;
        sandbox.arguments = vec!["serve", "--roles", "sandbox"];
        let mut paystream = Plan::new(&program, folder.join("paystream"))?;
        paystream.environment.push(("PAYSTREAM_SANDBOX_URL", sandbox.url()));
        if let Some(postgres) = &postgres {
            paystream.environment.extend(server::stores_at(&postgres.database("paystream").await?));
        }
        let (sandbox_process, _) = sandbox.start().await?;
        let (paystream_process, _) = paystream.start().await?;
        let shop = Arc::new(Shop::new(paystream.url(), sandbox.url(), paystream.issuer()?, channel.word())?);
        Ok(Self { paystream: paystream_process, sandbox: sandbox_process, shop, postgres })
    }

    /// Lets buyers come for `length`; answers the steps of all and the time to the last one's end.
    async fn serve(&self, clients: u32, length: Duration) -> Result<(Legs, Duration), Trouble> {
        let started = Instant::now();
        let clients = (0..clients).map(|_| tokio::spawn(client(Arc::clone(&self.shop), started + length)));
        let done = try_join_all(clients).await.doing("wait for the buyers")?;
        let elapsed = started.elapsed();
        let mut all = Legs::default();
        for legs in done {
            all.join(legs?);
        }
        Ok((all, elapsed))
    }

    async fn stop(self) -> Result<(), Trouble> {
        server::stop(self.paystream).await?;
        server::stop(self.sandbox).await?;
        match self.postgres {
            Some(postgres) => postgres.stop().await,
            None => Ok(()),
        }
    }
}

/// One buyer after the other.
async fn client(shop: Arc<Shop>, until: Instant) -> Result<Legs, Trouble> {
    let mut legs = Legs::default();
    while Instant::now() < until {
        shop.buy(&mut legs).await?;
    }
    Ok(legs)
}

/// Runs it.
pub(crate) async fn run(options: &Options) -> Result<(), Trouble> {
    let (folder, conditions) = Conditions::begin(options.folder.as_deref())?;
    let rsa = RsaCost::measure(conditions.cores())?;
    let stage = Stage::start(folder.path(), options.store, options.channel).await?;
    stage.serve(options.clients, Duration::from_secs(options.warm_up_seconds)).await?;
    let before = (stage.paystream.cpu_time()?, stage.sandbox.cpu_time()?);
    let (legs, elapsed) = stage.serve(options.clients, Duration::from_secs(options.seconds)).await?;
    let after = (stage.paystream.cpu_time()?, stage.sandbox.cpu_time()?);
    let peak_memory_kib = stage.paystream.peak_memory_kib()?;
    stage.stop().await?;

    let lifecycles = legs.whole.count();
    let each = |spent: Duration| u64::try_from(spent.as_micros()).unwrap_or(u64::MAX) / lifecycles.max(1);
    let (paystream_us, sandbox_us) = (each(after.0.saturating_sub(before.0)), each(after.1.saturating_sub(before.1)));
    let rsa_us = u64::try_from(rsa.of(SIGNS, VERIFIES).as_micros()).unwrap_or(u64::MAX);
    let (whole, legs) = legs.percentiles();
    let results = Results {
        conditions,
        store: options.store,
        channel: options.channel,
        clients: options.clients,
        lifecycles,
        elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        lifecycles_per_second: per_second(lifecycles, elapsed),
        whole,
        legs: legs.into_iter().map(|(name, took)| Leg { name, took }).collect(),
        cpu: Cpu {
            paystream_us,
            sandbox_us,
            rsa_us,
            rsa,
            multiple_of_rsa_hundredths: Hundredths::of(paystream_us, rsa_us),
            aim_hundredths: CPU_AIM,
        },
        peak_memory_kib,
        memory_aim_kib: MEMORY_AIM_KIB,
    };
    show(&results)?;
    let mut name = "lifecycle".to_owned();
    if options.store == Store::Postgres {
        name.push_str("-postgres");
    }
    if options.channel == Channel::WechatNative {
        name.push_str("-wechat");
    }
    report::keep(&options.output, &name, &results)
}

fn show(results: &Results) -> Result<(), Trouble> {
    let mut table = Table::new(&["leg", "p50", "p99", "slowest"]);
    let mut row = |name: &str, took: &Percentiles| {
        let cells = [took.p50_us, took.p99_us, took.max_us].map(|micros| Ms(micros.into()).to_string());
        table.row(std::iter::once(name.to_owned()).chain(cells).collect());
    };
    results.legs.iter().for_each(|leg| row(leg.name, &leg.took));
    row("whole lifecycle", &results.whole);
    report::say(&table.render())?;
    let Results { clients, lifecycles, elapsed_ms, lifecycles_per_second, cpu, .. } = results;
    let seconds = Hundredths(elapsed_ms / 10);
    report::say(&format!(
        "{}, {}: {lifecycles_per_second} lifecycles/s: {lifecycles} in {seconds} s by {clients} clients, Paystream, the sandbox and the clients \
         sharing the cores\n",
        results.store.name(),
        results.channel.word()
    ))?;
    let mut table = Table::new(&["per lifecycle", "figure", "aim"]);
    table.row(vec!["Paystream's CPU".to_owned(), Ms(cpu.paystream_us).to_string(), String::new()]);
    let rsa = format!("{SIGNS} sign of {} µs, {VERIFIES} verifies of {} µs", cpu.rsa.sign_ns / 1000, cpu.rsa.verify_ns / 1000);
    table.row(vec![format!("its RSA work ({rsa})"), Ms(cpu.rsa_us).to_string(), String::new()]);
    let multiple = cpu.multiple_of_rsa_hundredths;
    table.row(vec![
        "CPU as a multiple of RSA".to_owned(),
        multiple.to_string(),
        format!("at most {CPU_AIM} {}", verdict(multiple <= CPU_AIM)),
    ]);
    table.row(vec!["sandbox's CPU, for comparison".to_owned(), Ms(cpu.sandbox_us).to_string(), String::new()]);
    report::say(&table.render())?;
    let aim = format!("below {} MiB {}", MEMORY_AIM_KIB / 1024, verdict(results.peak_memory_kib < MEMORY_AIM_KIB));
    report::say(&format!("Paystream's peak memory: {} MiB; aim {aim}", results.peak_memory_kib.div_ceil(1024)))
}

fn verdict(reached: bool) -> &'static str {
    if reached { "reached" } else { "missed" }
}
