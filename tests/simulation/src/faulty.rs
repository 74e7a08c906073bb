//! Faults that the simulator must find, put in at the ports: each breaks an invariant within a bounded number of steps.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use command_api::process_managers::{DueOrder, Looked, OrderTodo, TodoError, Touched};
use command_api::{NoticeVerdict, Unverified};
use domain::{Currency, Money, OrderId, SelectionId};
use event_store::{AppendError, Appended, EventStore, ExpectedRevision, LogReader, NewEvent, Position, ReadError, RecordedEvent, StreamId};
use followers::Checkpoint;
use futures_util::FutureExt;
use gateway::{
    Closed, FormRequest, Gateway, GatewayError, Notification, NotificationRefusal, NotificationReply, PaymentForm, PrecreateRequest,
    Precreated, RawNotification, Receipt, RefundRequest, RefundState, TradeState,
};
use projections::{SelectionRow, StoreError, ViewStore};
use storefront::order_ids::{OrderIdError, OrderIdSource};
use tokio::sync::watch;

use crate::ports::{Alipay, Content, SUCCESS};
use crate::process::Seams;
use crate::run_with;

const SEEDS: u64 = 8;
const STEPS: u64 = 3000;

/// A fault of the log shows in whatever happens to be written next.
const ANY: &[&str] = &[];

/// The invariants that break, one for each seed that finds the fault; it must be found by most of them.
#[track_caller]
fn is_found(seams: impl Fn() -> Seams, invariants: &[&str]) {
    let mut found = 0;
    for seed in 1..=SEEDS {
        if let Err(failure) = run_with(seed, STEPS, seams()) {
            assert!(invariants.is_empty() || invariants.contains(&failure.invariant.as_str()), "{failure}");
            assert!(!failure.trace.is_empty() && failure.step <= STEPS, "{failure}");
            found += 1;
        }
    }
    assert!(found * 2 > SEEDS, "found by {found} of {SEEDS} seeds");
}

/// What is wrong with a log.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LogFault {
    /// Now and then it acknowledges an append that it does not write.
    Forgets,
    /// It appends wherever the stream stands, whatever the writer believed.
    IgnoresRevision,
}

struct FaultyLog {
    inner: Arc<dyn EventStore>,
    fault: LogFault,
    appends: AtomicU64,
}

#[async_trait]
impl LogReader for FaultyLog {
    async fn read_stream(&self, stream_id: &StreamId, from: u64, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        self.inner.read_stream(stream_id, from, limit).await
    }

    async fn read_all(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        self.inner.read_all(after, limit).await
    }

    async fn head(&self) -> Result<Position, ReadError> {
        self.inner.head().await
    }

    fn appended(&self) -> watch::Receiver<Position> {
        self.inner.appended()
    }
}

#[async_trait]
impl EventStore for FaultyLog {
    async fn append(&self, stream_id: &StreamId, expected: ExpectedRevision, events: Vec<NewEvent>) -> Result<Appended, AppendError> {
        let count = self.appends.fetch_add(1, Ordering::Relaxed);
        match self.fault {
            LogFault::Forgets if count % 50 == 49 => {
                let head = self.inner.head().await.unwrap_or_default().as_i64();
                let positions = (head + 1..).take(events.len()).filter_map(Position::new).collect();
                let last_revision = expected.first_revision() + events.len() as u64 - 1;
                Ok(Appended { last_revision, positions, recorded_at: DateTime::UNIX_EPOCH, is_repeat: false })
            }
            LogFault::Forgets => self.inner.append(stream_id, expected, events).await,
            LogFault::IgnoresRevision => {
                let stream = self.inner.read_stream(stream_id, 0, usize::MAX).await.unwrap_or_default();
                let head = stream.last().map_or(ExpectedRevision::NoStream, |last| ExpectedRevision::Exactly(last.revision));
                self.inner.append(stream_id, head, events).await
            }
        }
    }
}

fn faulty_log(fault: LogFault) -> Seams {
    let log = move |inner| -> Arc<dyn EventStore> { Arc::new(FaultyLog { inner, fault, appends: AtomicU64::new(0) }) };
    Seams { log: Box::new(log), ..Seams::default() }
}

#[test]
fn a_log_that_acknowledges_and_forgets_is_found() {
    is_found(|| faulty_log(LogFault::Forgets), ANY);
}

#[test]
fn a_log_that_checks_no_revision_is_found() {
    is_found(|| faulty_log(LogFault::IgnoresRevision), ANY);
}

/// What is wrong with a channel's adapter.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ChannelFault {
    /// It tells the amount that was asked for, whatever the notification says: nothing is left to compare.
    HidesAmount,
    /// It reads a notification without its signature.
    ChecksNoSignature,
    /// It says that a payment that waits for its buyer is closed.
    ClosesTooSoon,
    /// Its precreate sends another content at each repeat, and each number twice.
    SendsTwice,
}

struct FaultyChannel {
    inner: Arc<dyn Gateway>,
    alipay: Arc<Alipay>,
    fault: ChannelFault,
}

#[async_trait]
impl Gateway for FaultyChannel {
    async fn precreate(&self, request: &PrecreateRequest) -> Result<Precreated, GatewayError> {
        if self.fault == ChannelFault::SendsTwice {
            let other = PrecreateRequest { subject: format!("{} ", request.subject), ..request.clone() };
            self.inner.precreate(&other).await?;
        }
        self.inner.precreate(request).await
    }

    async fn query(&self, out_trade_no: &str) -> Result<TradeState, GatewayError> {
        match self.inner.query(out_trade_no).await? {
            TradeState::AwaitingBuyer { .. } if self.fault == ChannelFault::ClosesTooSoon => Ok(TradeState::ClosedUnpaid),
            state => Ok(state),
        }
    }

    async fn close(&self, out_trade_no: &str) -> Result<Closed, GatewayError> {
        self.inner.close(out_trade_no).await
    }

    async fn refund(&self, request: &RefundRequest) -> Result<RefundState, GatewayError> {
        self.inner.refund(request).await
    }

    async fn query_refund(&self, out_trade_no: &str, refund_no: &str) -> Result<RefundState, GatewayError> {
        self.inner.query_refund(out_trade_no, refund_no).await
    }

    fn form(&self, request: &FormRequest) -> Result<PaymentForm, GatewayError> {
        self.inner.form(request)
    }

    fn read_notification(&self, raw: &RawNotification, received_at: DateTime<Utc>) -> Result<Notification, NotificationRefusal> {
        match self.fault {
            ChannelFault::HidesAmount => {
                let read = self.inner.read_notification(raw, received_at)?;
                let asked = self.alipay.asked_for(&read.out_trade_no).and_then(|fen| Money::new(fen, Currency::Cny).ok());
                Ok(Notification { amount: asked.unwrap_or(read.amount), ..read })
            }
            ChannelFault::ChecksNoSignature => {
                let text = std::str::from_utf8(&raw.body).ok().and_then(|body| body.split_once('\n'));
                Content::read(text.ok_or(NotificationRefusal::Malformed)?.1)
            }
            ChannelFault::ClosesTooSoon | ChannelFault::SendsTwice => self.inner.read_notification(raw, received_at),
        }
    }

    fn reply(&self, receipt: Receipt) -> NotificationReply {
        self.inner.reply(receipt)
    }

    fn available(&self) -> bool {
        self.inner.available()
    }
}

fn faulty_channel(fault: ChannelFault) -> Seams {
    let channel =
        move |inner, alipay: &Arc<Alipay>| -> Arc<dyn Gateway> { Arc::new(FaultyChannel { inner, alipay: Arc::clone(alipay), fault }) };
    Seams { channel: Box::new(channel), ..Seams::default() }
}

#[test]
fn a_reader_that_compares_no_amount_is_found() {
    is_found(|| faulty_channel(ChannelFault::HidesAmount), &["money on the log is money that the channel holds"]);
}

#[test]
fn a_reader_that_checks_no_signature_is_found() {
    let invariants = ["a forged notification changes nothing", "a forged notification is refused"];
    is_found(|| faulty_channel(ChannelFault::ChecksNoSignature), &invariants);
}

#[test]
fn a_channel_that_closes_too_soon_is_found() {
    is_found(|| faulty_channel(ChannelFault::ClosesTooSoon), &["a pay record is closed only where nobody can pay it"]);
}

#[test]
fn two_contents_under_one_number_are_found() {
    is_found(|| faulty_channel(ChannelFault::SendsTwice), &["a number goes to the channel with one content only"]);
}

#[test]
fn success_before_the_append_is_found() {
    let too_soon = || Seams {
        // The work on it is begun, and dropped at its first await.
        take_notice: Arc::new(|commands, raw, correlation_id| {
            Box::pin(async move {
                if Content::verified(&raw).is_err() {
                    return commands.take_alipay_notice(raw, Unverified::Keep, correlation_id).await;
                }
                drop(commands.take_alipay_notice(raw, Unverified::Keep, correlation_id).now_or_never());
                Ok((NoticeVerdict::Recorded, NotificationReply { status: 200, content_type: "text/plain", body: SUCCESS }))
            })
        }),
        ..Seams::default()
    };
    let invariants =
        ["money that was acknowledged is on the log", "a stray capture is not ours", "a notification that was answered is kept"];
    is_found(too_soon, &invariants);
}

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
    let invariants = ["the command side meets only failures from outside", "what was answered is on the log"];
    is_found(repeated, &invariants);
}

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
fn an_attempt_that_nobody_takes_up_is_found() {
    let forgetful = || Seams { todo: Box::new(|todo| Arc::new(ForgetfulTodo(todo))), ..Seams::default() };
    is_found(forgetful, &["no attempt stays without an outcome"]);
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
        "the course table has a selection if and only if it was opened",
        "a follower can take every event",
    ];
    is_found(lossy, &invariants);
}
