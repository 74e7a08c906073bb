//! Keeps a table of the seats that paid courses give, from Paystream's events.
//!
//! Run: `cargo run -p followers --example consumer -- nats://127.0.0.1:4222 seats.db`
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it talks to a terminal")]

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use async_nats::jetstream::consumer::{DeliverPolicy, pull::OrderedConfig};
use async_nats::jetstream::{self, Message};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnectOptions;

const STREAM: &str = "PAYSTREAM";
/// One kind of event, one order type, all parts: other orders are never sent here.
const SUBJECT: &str = "paystream.v1.pay_record.PaymentConfirmed.course.*";

const TABLES: &str = "
create table if not exists seat (order_id text primary key, buyer_id text not null, amount integer not null);
create table if not exists progress (subject text primary key, position integer not null, sequence integer not null, lineage text not null);";

type Failure = Box<dyn Error + Send + Sync>;

/// The members of PaymentConfirmed that count here; what else it has is passed over.
#[derive(Deserialize, Serialize, sqlx::FromRow)]
struct Seat {
    order_id: String,
    buyer_id: String,
    amount: i64,
}

/// Something lies between what is known and what has come.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Hole(String);

struct Seats {
    database: SqlitePool,
    handled: u64,
    skipped: u64,
}

impl Seats {
    async fn open(path: &str) -> Result<Self, Failure> {
        let database = SqlitePool::connect_with(SqliteConnectOptions::new().filename(path).create_if_missing(true)).await?;
        sqlx::raw_sql(TABLES).execute(&database).await?;
        Ok(Self { database, handled: 0, skipped: 0 })
    }

    async fn next_sequence(&self) -> Result<u64, Failure> {
        let (last,): (i64,) = sqlx::query_as("select coalesce(max(sequence), 0) from progress").fetch_one(&self.database).await?;
        Ok(u64::try_from(last)? + 1)
    }

    async fn handle(&mut self, message: &Message) -> Result<(), Failure> {
        let header = |name: &str| message.headers.as_ref().and_then(|headers| headers.get(name)).map(async_nats::HeaderValue::as_str);
        let position: i64 = header("Paystream-Position").ok_or("a message without a position")?.parse()?;
        let previous: Option<i64> = header("Paystream-Previous").map(str::parse).transpose()?;
        let lineage = header("Paystream-Lineage").ok_or("a message without a lineage")?;
        let subject = message.subject.as_str();
        // The effect and how far it goes are one transaction: both are kept, or neither.
        let mut transaction = self.database.begin().await?;
        let known: Option<(i64, String)> = sqlx::query_as("select position, lineage from progress where subject = $1")
            .bind(subject)
            .fetch_optional(&mut *transaction)
            .await?;
        if let Some((_, former)) = known.as_ref().filter(|(_, former)| former != lineage) {
            return Err(format!("the log was restored: its lineage was {former} and is {lineage}; begin with an empty database").into());
        }
        let known = known.map(|(position, _)| position);
        if known.is_some_and(|known| position <= known) {
            self.skipped += 1;
            return Ok(());
        }
        if previous != known {
            return Err(Hole(format!("{subject}: {position} follows {previous:?}, and the last one here is {known:?}")).into());
        }
        let seat: Seat = serde_json::from_slice(&message.payload)?;
        sqlx::query("insert into seat values ($1, $2, $3) on conflict do nothing")
            .bind(&seat.order_id)
            .bind(&seat.buyer_id)
            .bind(seat.amount)
            .execute(&mut *transaction)
            .await?;
        let sequence = i64::try_from(message.info()?.stream_sequence)?;
        sqlx::query("insert or replace into progress values ($1, $2, $3, $4)")
            .bind(subject)
            .bind(position)
            .bind(sequence)
            .bind(lineage)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        self.handled += 1;
        Ok(())
    }
}

async fn read(jetstream: &jetstream::Context, seats: &mut Seats, first: u64, idle: Option<Duration>) -> Result<(), Failure> {
    let config = OrderedConfig {
        filter_subject: SUBJECT.to_owned(),
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: first },
        ..OrderedConfig::default()
    };
    let consumer = jetstream.get_stream(STREAM).await?.create_consumer(config).await?;
    let mut messages = consumer.messages().await?;
    loop {
        let next = match idle {
            None => messages.next().await,
            Some(idle) => match tokio::time::timeout(idle, messages.next()).await {
                Ok(next) => next,
                Err(_) => return Ok(()),
            },
        };
        let Some(message) = next else { return Ok(()) };
        seats.handle(&message?).await?;
    }
}

async fn run(url: &str, path: &str, idle: Option<Duration>) -> Result<(), Failure> {
    let mut seats = Seats::open(path).await?;
    let jetstream = jetstream::new(async_nats::connect(url).await?);
    let first = seats.next_sequence().await?;
    match read(&jetstream, &mut seats, first, idle).await {
        Err(error) if error.is::<Hole>() => {
            // A stream that was lost and filled again may count anew: from its start, what is known is passed over.
            eprintln!("read again from the start: {error}");
            read(&jetstream, &mut seats, 1, idle).await?;
        }
        other => other?,
    }
    let rows: Vec<Seat> = sqlx::query_as("select order_id, buyer_id, amount from seat order by rowid").fetch_all(&seats.database).await?;
    println!("{}", serde_json::json!({ "handled": seats.handled, "skipped": seats.skipped, "seats": rows }));
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (url, path, idle) = match arguments.as_slice() {
        [url, path] => (url, path, None),
        [url, path, flag, seconds] if flag == "--idle" => (url, path, seconds.parse().ok().map(Duration::from_secs)),
        _ => {
            eprintln!("usage: consumer URL DATABASE [--idle SECONDS]");
            return ExitCode::from(2);
        }
    };
    match run(url, path, idle).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<Hole>() => {
            eprintln!("hole: {error}");
            ExitCode::from(3)
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
