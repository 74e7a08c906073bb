//! A load on a fleet: buyers who order, pay and look, one purchase after another, and give up at the first failed request.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;
use tokio::task::JoinHandle;

use super::Api;
use super::fleet::{Fleet, Rounds};
use super::journey::business_order;
use super::notice::{FORM, assert_success};

/// How long a payment that was acknowledged may take to be seen.
const SEEN_WITHIN: Duration = Duration::from_secs(20);

/// Buyers who have come.
pub(crate) struct Buyers {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<Result<BTreeMap<String, String>, String>>>,
}

impl Buyers {
    /// So many begin to buy, going round among the processes of the fleet.
    pub(crate) fn come(fleet: &Fleet, clients: usize) -> Self {
        let shared = Arc::new(Shared {
            service: fleet.command_apis[0].service(),
            buyer: fleet.command_apis[0].buyer("member-1"),
            sandbox: fleet.sandbox.api().clone(),
            rounds: fleet.rounds(),
            is_over: AtomicBool::new(false),
        });
        let clients = (0..clients).map(|client| tokio::spawn(Arc::clone(&shared).buy(client))).collect();
        Self { shared, clients }
    }

    /// They end their last purchase and go; the order of each purchase. Fails the test if one request has failed.
    pub(crate) async fn go(self) -> BTreeMap<String, String> {
        self.shared.is_over.store(true, Ordering::Relaxed);
        let mut bought = BTreeMap::new();
        for client in join_all(self.clients).await {
            bought.extend(client.unwrap().unwrap_or_else(|failed| panic!("a request has failed: {failed}")));
        }
        bought
    }
}

/// What the buyers share.
struct Shared {
    service: Api,
    buyer: Api,
    sandbox: Api,
    rounds: Rounds,
    is_over: AtomicBool,
}

impl Shared {
    /// Buys one thing after another until all is over; the order of each purchase, or the first request that has failed.
    async fn buy(self: Arc<Self>, client: usize) -> Result<BTreeMap<String, String>, String> {
        let mut bought = BTreeMap::new();
        while !self.is_over.load(Ordering::Relaxed) {
            let seat = format!("client-{client}-seat-{}", bought.len());
            let order_id = self.buy_once(&seat).await.map_err(|failed| format!("{seat}: {failed}"))?;
            bought.insert(seat, order_id);
        }
        Ok(bought)
    }

    async fn buy_once(&self, seat: &str) -> Result<String, String> {
        let (service, buyer) = (self.service.token().unwrap(), self.buyer.token().unwrap());
        let body = business_order("member-1", seat, 4_200);
        let made = self.rounds.commands.send(|api| api.with_token(service).post("/api/v1/orders", &body).key(seat)).await?;
        let order_id = made.expect(201).field("order_id");
        let (path, body) = (format!("/api/v1/orders/{order_id}/pay-records"), json!({"channel": "alipay_qr"}));
        let record = self.rounds.commands.send(|api| api.with_token(buyer).post(&path, &body)).await?;
        let (position, pay_no) = (record.position(), record.expect(201).field("pay_no"));
        self.sandbox.sandbox_pay(&pay_no, "never").await.expect(200);
        let notice = self.sandbox.notification(&pay_no).await.encode();
        let confirmed = self.rounds.commands.send(|api| api.post_bytes("/notify/alipay", FORM, notice.clone())).await?;
        assert_success(&confirmed);
        let path = format!("/api/v1/orders/{order_id}");
        let started = Instant::now();
        loop {
            let seen = self.rounds.queries.send(|api| api.with_token(buyer).get(&path).after(&position)).await?.expect(200);
            if seen.json()["status"] == "paid" {
                return Ok(order_id);
            }
            if started.elapsed() > SEEN_WITHIN {
                return Err(format!("it is not seen as paid: {seen}"));
            }
        }
    }
}
