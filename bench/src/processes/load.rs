//! The load: a service that makes orders, each with a key of its own business, at the processes in turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chassis::identity::{Role, TokenIssuer};
use futures_util::future::try_join_all;
use serde_json::json;

use crate::figures::Latencies;
use crate::server::{client, ok};
use crate::trouble::{Doing, Trouble};

/// Whoever makes orders.
pub(super) struct Orders(Arc<Shared>);

struct Shared {
    http: reqwest::Client,
    addresses: Vec<String>,
    issuer: TokenIssuer,
    next: AtomicU64,
}

impl Orders {
    /// At these addresses; `issuer` makes tokens that all of them take.
    pub(super) fn new(addresses: Vec<String>, issuer: TokenIssuer) -> Result<Self, Trouble> {
        Ok(Self(Arc::new(Shared { http: client()?, addresses, issuer, next: AtomicU64::new(0) })))
    }

    /// Lets `clients` make orders at the first `processes` for about `length`; how long each took, and all.
    pub(super) async fn drive(&self, processes: usize, clients: u32, length: Duration) -> Result<(Latencies, Duration), Trouble> {
        let started = Instant::now();
        let clients = (0..clients as usize).map(|number| {
            let shared = Arc::clone(&self.0);
            tokio::spawn(async move { shared.make_orders(number % processes, started + length).await })
        });
        let done = try_join_all(clients).await.doing("wait for the clients")?;
        let elapsed = started.elapsed();
        let mut all = Latencies::default();
        for latencies in done {
            all.join(latencies?);
        }
        Ok((all, elapsed))
    }
}

impl Shared {
    async fn make_orders(&self, process: usize, until: Instant) -> Result<Latencies, Trouble> {
        let token = self.issuer.issue("learning-centre", &[Role::Service]).token.into_inner();
        let address = self.addresses.get(process).ok_or_else(|| Trouble::new("there is no such process"))?;
        let mut latencies = Latencies::default();
        while Instant::now() < until {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let body = json!({
                "source": "business", "buyer_id": format!("member-{number}"), "order_type": "workshop",
                "out_business_id": format!("seat-{number}"), "title": "Evening workshop", "currency": "CNY",
                "items": [{"goods_id": "workshop-1", "name": "Evening workshop", "unit_price_amount": 4200, "quantity": 1}],
            });
            let started = Instant::now();
            let answer = ok(self.http.post(address).bearer_auth(&token).json(&body), 201).await?;
            answer.bytes().await.doing("read an answer")?;
            latencies.add(started.elapsed());
        }
        Ok(latencies)
    }
}
