//! What the themes stand on: the built program as a process, its stores, a client, a browser, and polling with a deadline.

pub(crate) mod api;
pub(crate) mod audit;
pub(crate) mod binary;
pub(crate) mod browser;
pub(crate) mod buyers;
pub(crate) mod fleet;
pub(crate) mod journey;
pub(crate) mod json_rules;
pub(crate) mod nats;
pub(crate) mod notice;
pub(crate) mod poll;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod qr;
pub(crate) mod random;
pub(crate) mod server;
pub(crate) mod shared;
pub(crate) mod watch;
pub(crate) mod workspace;

use std::future::Future;
use std::sync::LazyLock;

pub(crate) use api::{Api, Reply};
pub(crate) use journey::{FREE_COURSE, PAID_COURSE, PAID_COURSE_FEN};
pub(crate) use poll::eventually;
pub(crate) use server::{Config, Paystream, StoreKind};
pub(crate) use shared::SharedPaystream;

/// One runtime for the whole binary: pooled connections then outlive the test that opened them.
static RUNTIME: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());

/// Runs one test to its end.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    RUNTIME.block_on(test)
}
