//! `bench hot`: many buyers of one SKU. Ours decides for all who wait and appends once; beside it the usual way, in which each
//! reads, decides, appends at the revision that it read, and tries again when somebody was sooner.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use chassis::clock::{Clock, SystemClock};
use chassis::ids::{IdSource, SystemIds};
use clap::Args;
use command_api::handler::{Context, EventIds, ExecuteError, Handler};
use command_api::streams;
use database::DatabaseUrl;
use domain::stock::{Stock, StockCommand, StockLine, StockReserved};
use domain::{BuyerId, Decider, OrderId, SkuId};
use event_store::{EventStore, PostgresEventStore, SqliteEventStore};
use futures_util::future::try_join_all;
use serde::Serialize;
use uuid::Uuid;

use crate::append::Store;
use crate::conditions::Conditions;
use crate::figures::{Hundredths, Latencies, Ms, Percentiles, median, per_second};
use crate::postgres::PostgresServer;
use crate::report::{self, Table};
use crate::trouble::{Doing, Trouble};

/// How many times the usual way is aimed at.
const AIM: Hundredths = Hundredths(2000);

/// How the benchmark is run.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The databases.
    #[arg(long = "store", value_enum, default_values_t = [Store::Sqlite, Store::Postgres])]
    stores: Vec<Store>,
    /// How many buyers want the same SKU at once; several runs, separated by commas.
    #[arg(long, value_delimiter = ',', default_values_t = [32, 500])]
    buyers: Vec<usize>,
    /// How many rounds each of the two has; they take turns.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// How long one round is.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u64).range(100..=60_000))]
    round_ms: u64,
    /// Where the results are kept.
    #[arg(long, default_value = "test-output/bench")]
    output: PathBuf,
}

/// How commands reach the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Together,
    Retrying,
}

#[derive(Debug, Serialize)]
struct Results {
    conditions: Conditions,
    rounds: u32,
    round_ms: u64,
    runs: Vec<Run>,
}

#[derive(Debug, Serialize)]
struct Run {
    store: Store,
    buyers: usize,
    together: Summary,
    retrying: Summary,
    ratio_hundredths: Hundredths,
    aim_hundredths: Hundredths,
}

#[derive(Debug, Serialize)]
struct Summary {
    commands: u64,
    /// The middle one of the rounds.
    commands_per_second: u64,
    /// How long one command took its buyer, retries included.
    command: Percentiles,
}

impl Summary {
    fn of(rounds: Vec<(Latencies, Duration)>) -> Self {
        let (mut latencies, mut rates) = (Latencies::default(), Vec::new());
        for (round, elapsed) in rounds {
            rates.push(per_second(round.count(), elapsed));
            latencies.join(round);
        }
        Self { commands: latencies.count(), commands_per_second: median(rates), command: latencies.percentiles() }
    }

    fn cells(&self) -> [String; 3] {
        let Percentiles { p50_us, p99_us, .. } = self.command;
        [self.commands_per_second.to_string(), Ms(p50_us.into()).to_string(), Ms(p99_us.into()).to_string()]
    }
}

/// Runs it.
pub(crate) async fn run(options: &Options) -> Result<(), Trouble> {
    let folder = tempfile::Builder::new().prefix("paystream-bench-").tempdir().doing("make a folder for the data")?;
    let conditions = Conditions::look(folder.path())?;
    report::say(&format!("{}\n", conditions.line()))?;
    let server = if options.stores.contains(&Store::Postgres) { Some(PostgresServer::start(folder.path()).await?) } else { None };
    let mut runs = Vec::new();
    for store in &options.stores {
        for buyers in &options.buyers {
            let shop = Shop::open(*store, folder.path(), server.as_ref(), *buyers).await?;
            let (mut together, mut retrying) = (Vec::new(), Vec::new());
            for round in 0..options.rounds {
                let mut turns = [(Way::Together, &mut together), (Way::Retrying, &mut retrying)];
                if round % 2 == 1 {
                    turns.reverse();
                }
                for (way, rounds) in turns {
                    rounds.push(shop.sell(way, *buyers, Duration::from_millis(options.round_ms)).await?);
                }
            }
            let (together, retrying) = (Summary::of(together), Summary::of(retrying));
            let ratio_hundredths = Hundredths::of(together.commands_per_second, retrying.commands_per_second.max(1));
            runs.push(Run { store: *store, buyers: *buyers, together, retrying, ratio_hundredths, aim_hundredths: AIM });
        }
    }
    if let Some(server) = server {
        server.stop().await?;
    }
    let results = Results { conditions, rounds: options.rounds, round_ms: options.round_ms, runs };
    show(&results)?;
    report::keep(&options.output, "hot", &results)
}

fn show(results: &Results) -> Result<(), Trouble> {
    let headings =
        ["store", "buyers", "together commands/s", "p50", "p99", "retrying commands/s", "retrying p50", "retrying p99", "ratio", "aim"];
    let mut table = Table::new(&headings);
    for run in &results.runs {
        let mut row = vec![run.store.name().to_owned(), run.buyers.to_string()];
        row.extend(run.together.cells());
        row.extend(run.retrying.cells());
        row.push(run.ratio_hundredths.to_string());
        row.push(format!("{} {}", run.aim_hundredths, if run.ratio_hundredths >= run.aim_hundredths { "reached" } else { "missed" }));
        table.row(row);
    }
    report::say(&table.render())?;
    report::say(&format!(
        "{} rounds of {} ms for each, in turns; half of the commands hold one, half sell it",
        results.rounds, results.round_ms
    ))
}

/// One SKU with more than anybody can buy.
struct Shop {
    handler: Arc<Handler<Stock>>,
    clock: Arc<SystemClock>,
    sku_id: SkuId,
    next_order: Arc<AtomicI64>,
}

impl Shop {
    async fn open(store: Store, folder: &Path, server: Option<&PostgresServer>, buyers: usize) -> Result<Self, Trouble> {
        let clock = Arc::new(SystemClock::default());
        let log_clock = Arc::clone(&clock);
        let log_clock = Arc::new(move || log_clock.now());
        let log: Arc<dyn EventStore> = if let (Store::Postgres, Some(server)) = (store, server) {
            let url = server.database(&format!("hot_{buyers}")).await?;
            let url = DatabaseUrl::parse(&url).doing("read the address of Postgres")?;
            Arc::new(PostgresEventStore::open(&url, log_clock).await.doing("open the log on Postgres")?)
        } else {
            let url = DatabaseUrl::sqlite(folder.join(format!("hot_{buyers}.db")));
            Arc::new(SqliteEventStore::open(&url, log_clock, "bench").await.doing("open the log on SQLite")?)
        };
        let ids: Arc<dyn IdSource> = Arc::new(SystemIds::new(Arc::clone(&clock) as Arc<dyn Clock>));
        let handler = Arc::new(Handler::new(log, ids));
        let sku_id = SkuId::parse("mug").map_err(|_| Trouble::new("the SKU has no name"))?;
        let shop = Self { handler, clock, sku_id, next_order: Arc::new(AtomicI64::new(1_000_000)) };
        let receive =
            StockCommand::Receive { sku_id: shop.sku_id.clone(), quantity: u32::MAX, reason: "bench".to_owned(), command_key: None };
        shop.command(Way::Together, &receive).await?;
        Ok(shop)
    }

    /// Lets so many buyers hold and buy one after the other for about `length`.
    async fn sell(&self, way: Way, buyers: usize, length: Duration) -> Result<(Latencies, Duration), Trouble> {
        let started = Instant::now();
        let tasks = (0..buyers).map(|number| {
            let shop = Self {
                handler: Arc::clone(&self.handler),
                clock: Arc::clone(&self.clock),
                sku_id: self.sku_id.clone(),
                next_order: Arc::clone(&self.next_order),
            };
            tokio::spawn(async move { shop.buy(way, number, started + length).await })
        });
        let done = try_join_all(tasks).await.doing("wait for the buyers")?;
        let elapsed = started.elapsed();
        let mut latencies = Latencies::default();
        for buyer in done {
            latencies.join(buyer?);
        }
        Ok((latencies, elapsed))
    }

    async fn buy(&self, way: Way, number: usize, until: Instant) -> Result<Latencies, Trouble> {
        let buyer_id = BuyerId::parse(&format!("buyer-{number}")).map_err(|_| Trouble::new("the buyer has no name"))?;
        let mut latencies = Latencies::default();
        while Instant::now() < until {
            let order_id = OrderId::parse(&self.next_order.fetch_add(1, Ordering::Relaxed).to_string());
            let order_id = order_id.map_err(|_| Trouble::new("the order has no number"))?;
            for command in self.commands(order_id, &buyer_id) {
                let started = Instant::now();
                self.command(way, &command).await?;
                latencies.add(started.elapsed());
            }
        }
        Ok(latencies)
    }

    fn commands(&self, order_id: OrderId, buyer_id: &BuyerId) -> [StockCommand; 2] {
        let (now, sku_id) = (self.clock.now(), self.sku_id.clone());
        let reserve = StockReserved {
            sku_id: sku_id.clone(),
            order_id,
            buyer_id: buyer_id.clone(),
            quantity: 1,
            buyer_limit: None,
            pay_no: None,
            order_skus: vec![sku_id.clone()],
            check_at: now,
        };
        let line = StockLine { sku_id, quantity: 1, buyer_limit: None };
        [StockCommand::Reserve(reserve), StockCommand::Sell { line, order_id, buyer_id: buyer_id.clone(), now }]
    }

    async fn command(&self, way: Way, command: &StockCommand) -> Result<(), Trouble> {
        let stream_id = streams::stock(&self.sku_id);
        let context = Context {
            correlation_id: Uuid::now_v7(),
            causation_id: None,
            actor: "bench".to_owned(),
            source: "bench",
            event_ids: EventIds::Fresh,
        };
        loop {
            let wish = command.clone();
            let done = match way {
                Way::Together => self.handler.execute_together(&stream_id, &context, move |stock| Stock::decide(stock, wish.clone())).await,
                Way::Retrying => self.handler.execute(&stream_id, &context, |stock| Stock::decide(stock, wish.clone())).await,
            };
            match done {
                Ok(_) => return Ok(()),
                Err(ExecuteError::Contended(_)) => {}
                Err(error) => return Err(Trouble::new(format!("a command failed: {error}"))),
            }
        }
    }
}
