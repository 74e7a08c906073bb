//! Buyers who pay by both wallets while keys change.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::Merchant;
use crate::harness::api::Call;
use crate::harness::journey::business_order;
use crate::harness::notice::FORM;
use crate::harness::poll::{PAUSE, within};
use crate::harness::random::unique;
use crate::harness::{Api, Reply};

/// How many buy at the same time.
const CLIENTS: usize = 3;

/// How long a client's purchases may take on a machine that builds beside the test.
pub(super) const PATIENCE: Duration = Duration::from_mins(2);

/// Buyers who order, pay by both wallets in turn and look; they end at the first thing that goes wrong.
pub(super) struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
}

struct Shared {
    service: Api,
    buyer: Api,
    sandbox: Api,
    processes: Vec<Api>,
    turn: AtomicUsize,
    is_over: AtomicBool,
    /// How many purchases each client has ended.
    ended: Vec<AtomicUsize>,
    orders: Mutex<Vec<String>>,
    failed: Mutex<Option<String>>,
}

impl Load {
    /// So many begin to buy, going round among the merchant's processes.
    pub(super) fn begin(merchant: &Merchant) -> Self {
        let shared = Arc::new(Shared {
            service: merchant.processes[0].service(),
            buyer: merchant.processes[0].buyer("member-1"),
            sandbox: merchant.sandbox.api().clone(),
            processes: merchant.processes.iter().map(|process| process.api().without_kept_connections()).collect(),
            turn: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
            ended: (0..CLIENTS).map(|_| AtomicUsize::new(0)).collect(),
            orders: Mutex::default(),
            failed: Mutex::default(),
        });
        let clients = (0..CLIENTS).map(|client| tokio::spawn(Arc::clone(&shared).buy(client))).collect();
        Self { shared, clients }
    }

    /// Waits until each client has made a whole purchase that it began after this call, by each wallet.
    pub(super) async fn until_all_is_new(&self) {
        let before: Vec<usize> = self.shared.ended.iter().map(|ended| ended.load(Ordering::Relaxed)).collect();
        within(PATIENCE, "each client has bought by both wallets", async || {
            let failed = self.shared.failed.lock().unwrap().clone();
            assert!(failed.is_none(), "{}", failed.unwrap_or_default());
            let now: Vec<usize> = self.shared.ended.iter().map(|ended| ended.load(Ordering::Relaxed)).collect();
            // The one that was under way, and two more.
            if now.iter().zip(&before).all(|(now, before)| *now >= before + 3) { Ok(()) } else { Err(format!("{before:?} {now:?}")) }
        })
        .await;
    }

    /// Ends the load; the orders, each of which was paid.
    pub(super) async fn end(self) -> Vec<String> {
        self.shared.is_over.store(true, Ordering::Relaxed);
        for client in join_all(self.clients).await {
            client.unwrap();
        }
        let failed = self.shared.failed.lock().unwrap().take();
        assert!(failed.is_none(), "{}", failed.unwrap_or_default());
        std::mem::take(&mut *self.shared.orders.lock().unwrap())
    }
}

impl Shared {
    async fn buy(self: Arc<Self>, client: usize) {
        for number in 0.. {
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            let channel = if (client + number).is_multiple_of(2) { "alipay_qr" } else { "wechat_native" };
            match self.buy_once(&unique("seat"), channel).await {
                Ok(order_id) => self.orders.lock().unwrap().push(order_id),
                Err(failed) => {
                    self.failed.lock().unwrap().get_or_insert(format!("client {client}, purchase {number} by {channel}: {failed}"));
                    return;
                }
            }
            self.ended[client].fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn buy_once(&self, seat: &str, channel: &str) -> Result<String, String> {
        let (service, buyer) = (self.service.token().unwrap(), self.buyer.token().unwrap());
        let body = business_order("member-1", seat, 4_200);
        let made = self.send(|api| api.with_token(service).post("/api/v1/orders", &body).key(seat)).await?;
        let order_id = wanted(made, 201)?.field("order_id");
        let (path, body) = (format!("/api/v1/orders/{order_id}/pay-records"), json!({ "channel": channel }));
        let record = self.send(|api| api.with_token(buyer).post(&path, &body)).await?;
        let pay_no = wanted(record, 201)?.field("pay_no");
        self.sandbox.sandbox_pay(&pay_no, "never").await.expect(200);
        for _ in &self.processes {
            self.tell(&pay_no, channel).await?;
        }
        let path = format!("/api/v1/orders/{order_id}");
        let started = Instant::now();
        loop {
            let seen = self.send(|api| api.with_token(buyer).get(&path)).await?;
            if seen.status == 200 && seen.json()["status"] == "paid" {
                return Ok(order_id);
            }
            if started.elapsed() > PATIENCE {
                return Err(format!("it is not seen as paid: {seen}"));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Brings the channel's own notification of a payment to the next process, which must take it.
    async fn tell(&self, pay_no: &str, channel: &str) -> Result<(), String> {
        let trade = self.sandbox.get(&format!("/sandbox/trades/{pay_no}")).send().await.expect(200).json();
        let body = text(&trade, "notification").to_owned();
        if channel == "alipay_qr" {
            let told = self.send(|api| api.post_bytes("/notify/alipay", FORM, body.clone())).await?;
            return if (told.status, told.text().as_str()) == (200, "success") { Ok(()) } else { Err(told.to_string()) };
        }
        let headers = trade["notification_headers"].as_object().unwrap();
        let told = self.send(|api| {
            let call = api.post_bytes("/notify/wechat/v3", "application/json", body.clone());
            headers.iter().fold(call, |call, (name, value)| call.header(name, value.as_str().unwrap()))
        });
        wanted(told.await?, 204).map(drop)
    }

    /// Sends to the process whose turn it is; to the next one where nothing was begun.
    async fn send(&self, call: impl Fn(&Api) -> Call) -> Result<Reply, String> {
        let started = Instant::now();
        loop {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed);
            let said = match call(&self.processes[turn % self.processes.len()]).try_send().await {
                Ok(reply) if reply.status != 503 => return Ok(reply),
                Ok(reply) => reply.to_string(),
                Err(error) if error.is_connect() => format!("{error:?}"),
                Err(error) => return Err(format!("{error:?}")),
            };
            if started.elapsed() > PATIENCE {
                return Err(format!("nobody takes it: {said}"));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn wanted(reply: Reply, status: u16) -> Result<Reply, String> {
    if reply.status == status { Ok(reply) } else { Err(reply.to_string()) }
}

/// A text member.
pub(super) fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}
