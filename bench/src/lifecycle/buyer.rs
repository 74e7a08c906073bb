//! One buyer's way, step by step, each step timed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chassis::identity::{Role, TokenIssuer};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};

use crate::figures::{Latencies, Percentiles};
use crate::server::{client, ok, position};
use crate::trouble::{Doing, Trouble};

/// The demo catalogue's paid course.
const COURSE: &str = "course-rust";

/// How long a paid order may take to be seen as paid.
const SEEN_LIMIT: Duration = Duration::from_secs(30);

/// The steps, in their order.
const LEGS: [&str; 6] =
    ["select the course", "order it", "ask for the code", "watch the order", "pay at the sandbox", "paid, until it is seen"];

/// How long the steps and the whole way took the buyers.
#[derive(Default)]
pub(super) struct Legs {
    legs: [Latencies; LEGS.len()],
    /// From the first step to the order seen as paid.
    pub(super) whole: Latencies,
}

impl Legs {
    /// Adds those of other buyers.
    pub(super) fn join(&mut self, other: Self) {
        self.legs.iter_mut().zip(other.legs).for_each(|(leg, more)| leg.join(more));
        self.whole.join(other.whole);
    }

    /// Of the whole way, and of each step by its name.
    pub(super) fn percentiles(self) -> (Percentiles, Vec<(&'static str, Percentiles)>) {
        let legs = LEGS.into_iter().zip(self.legs.map(Latencies::percentiles)).collect();
        (self.whole.percentiles(), legs)
    }
}

/// Where buyers buy.
pub(super) struct Shop {
    http: reqwest::Client,
    paystream: String,
    sandbox: String,
    issuer: TokenIssuer,
    channel: &'static str,
    buyers: AtomicU64,
}

impl Shop {
    /// The shop at these addresses; `issuer` makes tokens that it takes, and buyers pay by `channel`.
    pub(super) fn new(paystream: String, sandbox: String, issuer: TokenIssuer, channel: &'static str) -> Result<Self, Trouble> {
        Ok(Self { http: client()?, paystream, sandbox, issuer, channel, buyers: AtomicU64::new(0) })
    }

    /// A new buyer buys the course. Errors: any answer but the expected one.
    pub(super) async fn buy(&self, legs: &mut Legs) -> Result<(), Trouble> {
        let number = self.buyers.fetch_add(1, Ordering::Relaxed);
        let token = self.issuer.issue(&format!("buyer-{number}"), &[Role::Buyer]).token.into_inner();
        let started = Instant::now();
        let mut lap = Lap { legs: legs.legs.iter_mut(), at: started };

        let body = json!({"course_id": COURSE});
        let selection = self.command(&token, "/api/v1/course-selections", &body).await?;
        lap.end();
        let body = json!({"source": "course_selection", "selection_id": selection.text("selection_id")?});
        let order = self.command(&token, "/api/v1/orders", &body).await?;
        let order_id = order.text("order_id")?;
        lap.end();
        let body = json!({"channel": self.channel});
        let record = self.command(&token, &format!("/api/v1/orders/{order_id}/pay-records"), &body).await?;
        lap.end();
        let address = format!("{}/api/v1/orders/{order_id}/watch", self.paystream);
        let request = self.http.get(address).bearer_auth(&token).header("paystream-after", &record.position);
        let mut watch = Watch::open(request).await?;
        watch.until("awaiting_payment").await?;
        lap.end();
        let address = format!("{}/sandbox/trades/{}/pay", self.sandbox, record.text("pay_no")?);
        ok(self.http.post(address).json(&json!({"notify": "once"})), 200).await?;
        lap.end();
        let seen = tokio::time::timeout(SEEN_LIMIT, watch.until("paid"));
        seen.await.doing(format!("wait until order {order_id} is seen as paid"))??;
        lap.end();
        legs.whole.add(started.elapsed());
        Ok(())
    }

    async fn command(&self, token: &str, path: &str, body: &Value) -> Result<Answer, Trouble> {
        let response = ok(self.http.post(format!("{}{path}", self.paystream)).bearer_auth(token).json(body), 201).await?;
        Ok(Answer { position: position(&response)?, body: response.json().await.doing(format!("read the answer of {path}"))? })
    }
}

/// Notes how long each step took.
struct Lap<'a> {
    legs: std::slice::IterMut<'a, Latencies>,
    at: Instant,
}

impl Lap<'_> {
    fn end(&mut self) {
        let now = Instant::now();
        if let Some(leg) = self.legs.next() {
            leg.add(now - self.at);
        }
        self.at = now;
    }
}

/// What a command answered.
struct Answer {
    position: String,
    body: Value,
}

impl Answer {
    fn text(&self, member: &str) -> Result<&str, Trouble> {
        self.body[member].as_str().ok_or_else(|| Trouble::new(format!("an answer has no text member {member}")))
    }
}

/// An open stream of server-sent events on one order.
struct Watch {
    response: Response,
    unread: Vec<u8>,
}

impl Watch {
    async fn open(request: RequestBuilder) -> Result<Self, Trouble> {
        Ok(Self { response: ok(request, 200).await?, unread: Vec::new() })
    }

    /// Waits for the order in this status.
    async fn until(&mut self, status: &str) -> Result<(), Trouble> {
        while self.next().await?["status"] != status {}
        Ok(())
    }

    /// The next message's data; comments have none and are passed over.
    async fn next(&mut self) -> Result<Value, Trouble> {
        loop {
            while let Some(end) = self.unread.windows(2).position(|pair| pair == b"\n\n") {
                let message: Vec<u8> = self.unread.drain(..end + 2).collect();
                if let Some(data) = data_of(&message) {
                    return serde_json::from_slice(data).doing("read a message of the watched order");
                }
            }
            let chunk = self.response.chunk().await.doing("read the watched order")?;
            self.unread.extend_from_slice(&chunk.ok_or_else(|| Trouble::new("the watched order's stream ended"))?);
        }
    }
}

/// The data line of a message; the server writes one.
fn data_of(message: &[u8]) -> Option<&[u8]> {
    message.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"data:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_of_a_message_is_found_among_its_lines() {
        assert_eq!(data_of(b"event: order\nid: 3\ndata: {\"a\":1}\n\n"), Some(&b" {\"a\":1}"[..]));
        assert_eq!(data_of(b": keep\n\n"), None);
    }

    #[test]
    fn each_step_has_its_own_times() {
        let mut legs = Legs::default();
        let mut lap = Lap { legs: legs.legs.iter_mut(), at: Instant::now() };
        (0..LEGS.len()).for_each(|_| lap.end());
        lap.end();
        legs.whole.add(Duration::from_micros(5));
        let mut all = Legs::default();
        all.join(legs);
        let counts: Vec<u64> = all.legs.iter().map(Latencies::count).collect();
        assert_eq!(counts, [1; LEGS.len()]);
        let (whole, legs) = all.percentiles();
        assert_eq!((whole.max_us, legs.first().map(|(name, _)| *name)), (5, Some("select the course")));
    }
}
