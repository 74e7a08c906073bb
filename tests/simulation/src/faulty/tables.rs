//! Numbers, lists, leases and views that do not as they say.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use command_api::process_managers::{DueOrder, Looked, OrderTodo, TodoError, Touched};
use domain::{OrderId, SelectionId};
use event_store::Position;
use followers::{Checkpoint, LeaseError, Leases};
use projections::{SelectionRow, StoreError, ViewStore};
use storefront::order_ids::{OrderIdError, OrderIdSource};

use super::{holds, is_found};
use crate::process::Seams;

/// Gives out each number twice.
struct RepeatedNumbers {
    inner: Arc<dyn OrderIdSource>,
    last: Mutex<Option<OrderId>>,
}

#[async_trait]
impl OrderIdSource for RepeatedNumbers {
    async fn next_order_id(&self, now: DateTime<Utc>) -> Result<OrderId, OrderIdError> {
        let again = self.last.lock().unwrap().take();
        if let Some(order_id) = again {
            return Ok(order_id);
        }
        let order_id = self.inner.next_order_id(now).await?;
        *self.last.lock().unwrap() = Some(order_id);
        Ok(order_id)
    }

    async fn next_selection_id(&self, now: DateTime<Utc>) -> Result<SelectionId, OrderIdError> {
        self.inner.next_selection_id(now).await
    }
}

#[test]
fn a_number_that_is_given_out_twice_is_found() {
    let repeated = || Seams { numbers: Box::new(|inner| Arc::new(RepeatedNumbers { inner, last: Mutex::new(None) })), ..Seams::default() };
    let invariants =
        ["the command side meets only failures from outside", "what was answered is on the log", "an order is answered to its owner only"];
    is_found(repeated, &invariants);
}

/// What breaks where nobody goes on with what was begun.
const HANGING: [&str; 8] = [
    "a payment that nobody tells of is found within ten minutes",
    "a coupon is granted for each order that stays paid",
    "every order is paid or ends",
    "a payment that nobody tells of is found by asking",
    "every attempt ends",
    "every refund ends or needs an operator",
    "each late payment is taken or goes back",
    "what went back on the log went back at the channel, and no less",
];

/// A to-do list that loses what it is told.
struct ForgetfulTodo(Arc<dyn OrderTodo>);

#[async_trait]
impl OrderTodo for ForgetfulTodo {
    async fn checkpoint(&self) -> Result<Checkpoint, TodoError> {
        self.0.checkpoint().await
    }

    async fn advance(&self, from: Checkpoint, to: Position, _: &[Touched]) -> Result<(), TodoError> {
        self.0.advance(from, to, &[]).await
    }

    async fn due(&self, now: DateTime<Utc>, limit: u32) -> Result<Vec<DueOrder>, TodoError> {
        self.0.due(now, limit).await
    }

    async fn looked(&self, looked: &[Looked]) -> Result<(), TodoError> {
        self.0.looked(looked).await
    }
}

#[test]
fn an_order_that_nobody_takes_up_is_found() {
    let forgetful = || Seams { todo: Box::new(|todo| Arc::new(ForgetfulTodo(todo))), ..Seams::default() };
    is_found(forgetful, &HANGING);
}

/// A to-do list that drops what was looked at, whatever is left to be done of it.
struct HastyTodo(Arc<dyn OrderTodo>);

#[async_trait]
impl OrderTodo for HastyTodo {
    async fn checkpoint(&self) -> Result<Checkpoint, TodoError> {
        self.0.checkpoint().await
    }

    async fn advance(&self, from: Checkpoint, to: Position, touched: &[Touched]) -> Result<(), TodoError> {
        self.0.advance(from, to, touched).await
    }

    async fn due(&self, now: DateTime<Utc>, limit: u32) -> Result<Vec<DueOrder>, TodoError> {
        self.0.due(now, limit).await
    }

    async fn looked(&self, looked: &[Looked]) -> Result<(), TodoError> {
        let done: Vec<Looked> = looked.iter().map(|look| Looked { next_at: None, ..*look }).collect();
        self.0.looked(&done).await
    }
}

#[test]
fn a_poll_that_is_forgotten_is_found() {
    let hasty = || Seams { todo: Box::new(|todo| Arc::new(HastyTodo(todo))), ..Seams::default() };
    is_found(hasty, &HANGING);
}

/// Leases that everybody is given at once.
struct GenerousLeases;

#[async_trait]
impl Leases for GenerousLeases {
    async fn try_acquire(&self, _: &str, _: &str, _: DateTime<Utc>, _: DateTime<Utc>) -> Result<bool, LeaseError> {
        Ok(true)
    }

    async fn release(&self, _: &str, _: &str) -> Result<(), LeaseError> {
        Ok(())
    }
}

#[test]
fn a_lease_that_everybody_has_harms_nothing() {
    holds(|| Seams { leases: Box::new(|_| Arc::new(GenerousLeases)), ..Seams::default() });
}

/// A view that moves its checkpoint without all of its rows.
struct LossyView(Arc<dyn ViewStore<SelectionRow>>, AtomicU64);

#[async_trait]
impl ViewStore<SelectionRow> for LossyView {
    async fn checkpoint(&self) -> Result<Checkpoint, StoreError> {
        self.0.checkpoint().await
    }

    async fn load(&self, keys: &[String]) -> Result<Vec<(String, SelectionRow)>, StoreError> {
        self.0.load(keys).await
    }

    async fn commit(&self, rows: Vec<(String, SelectionRow)>, from: Checkpoint, to: Position) -> Result<Checkpoint, StoreError> {
        let is_lost = self.1.fetch_add(1, Ordering::Relaxed) % 10 == 9;
        self.0.commit(if is_lost { Vec::new() } else { rows }, from, to).await
    }
}

#[test]
fn a_view_that_loses_a_row_is_found() {
    let lossy = || Seams { selections: Box::new(|rows| Arc::new(LossyView(rows, AtomicU64::new(0)))), ..Seams::default() };
    let invariants = [
        "the view has every selection",
        "the course table has a selection if and only if it is open",
        "a follower can take every event",
        "a view that is made again is equal",
        "consumers make the same of the broker's messages as of the log",
    ];
    is_found(lossy, &invariants);
}
