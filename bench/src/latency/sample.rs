//! One payment, followed to the view and to the consumer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chassis::identity::{Role, TokenIssuer};
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::figures::{Latencies, Percentiles};
use crate::server::{client, ok, position};
use crate::trouble::{Doing, Trouble};

/// The demo catalogue's paid course.
const COURSE: &str = "course-rust";

/// How often the consumer's table is looked at, where its own position is not waited for.
const LOOK: Duration = Duration::from_millis(1);

/// How long an effect may take to be seen.
const SEEN_LIMIT: Duration = Duration::from_secs(30);

/// What was measured.
#[derive(Default)]
pub(super) struct Times {
    command: Latencies,
    view: Latencies,
    consumer_reached: Latencies,
    consumer_seen: Latencies,
    plain_view: Latencies,
    plain_consumer: Latencies,
}

impl Times {
    /// By names.
    pub(super) fn percentiles(self) -> Vec<(&'static str, Percentiles)> {
        let all = [
            ("the command itself, channel included", self.command),
            ("append to view, waited for by Paystream-After", self.view),
            ("append to consumer, waited for by Paystream-After", self.consumer_reached),
            ("append to consumer, looked for each millisecond", self.consumer_seen),
            ("plain query of the view", self.plain_view),
            ("plain query of the consumer's table", self.plain_consumer),
        ];
        all.map(|(name, latencies)| (name, latencies.percentiles())).to_vec()
    }
}

/// Whoever pays.
pub(super) struct Buyers {
    http: reqwest::Client,
    paystream: String,
    issuer: TokenIssuer,
    next: AtomicU64,
}

impl Buyers {
    /// At this address, which is the sandbox's too; `issuer` makes tokens that it takes.
    pub(super) fn new(paystream: String, issuer: TokenIssuer) -> Result<Self, Trouble> {
        Ok(Self { http: client()?, paystream, issuer, next: AtomicU64::new(0) })
    }

    /// A new buyer pays for the course and says so; the command finds the payment at the channel and appends it.
    pub(super) async fn pay_and_follow(&self, times: &mut Times) -> Result<(), Trouble> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let token = self.issuer.issue(&format!("buyer-{number}"), &[Role::Buyer]).token.into_inner();
        let selection = self.command(&token, "/api/v1/course-selections", &json!({"course_id": COURSE})).await?;
        let body = json!({"source": "course_selection", "selection_id": selection["selection_id"]});
        let order_id = text(&self.command(&token, "/api/v1/orders", &body).await?, "order_id")?;
        let record = self.command(&token, &format!("/api/v1/orders/{order_id}/pay-records"), &json!({"channel": "alipay_qr"})).await?;
        let pay_no = text(&record, "pay_no")?;
        let trade = format!("{}/sandbox/trades/{pay_no}/pay", self.paystream);
        ok(self.http.post(trade).json(&json!({"notify": "never"})), 200).await?;

        let asked = Instant::now();
        let paid = self.http.post(format!("{}/api/v1/pay-records/{pay_no}/sync", self.paystream)).bearer_auth(&token);
        let paid = ok(paid.json(&json!({})), 200).await?;
        let position = position(&paid)?;
        paid.bytes().await.doing("read the answer of a payment")?;
        let appended = Instant::now();
        times.command.add(appended - asked);

        let order = || self.http.get(format!("{}/api/v1/orders/{order_id}", self.paystream)).bearer_auth(&token);
        let points = || self.http.get(format!("{}/api/v1/points", self.paystream)).bearer_auth(&token);
        let after = |request: RequestBuilder| request.header("paystream-after", &position);
        let view = since(appended, after(order()), is_paid);
        if number.is_multiple_of(2) {
            let (view, consumer) = tokio::try_join!(view, since(appended, after(points()), has_points))?;
            times.view.add(view);
            times.consumer_reached.add(consumer);
        } else {
            let (view, consumer) = tokio::try_join!(view, until_seen(appended, points))?;
            times.view.add(view);
            times.consumer_seen.add(consumer);
            // What is seen may lie ahead of what is known to be reached; the next queries find both.
            since(appended, after(points()), has_points).await?;
        }
        times.plain_view.add(since(Instant::now(), order(), is_paid).await?);
        times.plain_consumer.add(since(Instant::now(), points(), has_points).await?);
        Ok(())
    }

    async fn command(&self, token: &str, path: &str, body: &Value) -> Result<Value, Trouble> {
        let answer = ok(self.http.post(format!("{}{path}", self.paystream)).bearer_auth(token).json(body), 201).await?;
        answer.json().await.doing(format!("read the answer of {path}"))
    }
}

fn text(answer: &Value, member: &str) -> Result<String, Trouble> {
    let text = answer[member].as_str().ok_or_else(|| Trouble::new(format!("an answer has no text member {member}")))?;
    Ok(text.to_owned())
}

fn is_paid(order: &Value) -> bool {
    order["status"] == "paid"
}

fn has_points(points: &Value) -> bool {
    points["entries"].as_array().is_some_and(|entries| !entries.is_empty())
}

/// The time from `from` to the answer, which must be as it is wanted.
async fn since(from: Instant, request: RequestBuilder, wanted: fn(&Value) -> bool) -> Result<Duration, Trouble> {
    let answer = ask(request).await?;
    let elapsed = from.elapsed();
    if wanted(&answer) { Ok(elapsed) } else { Err(Trouble::new(format!("it is not seen: {answer}"))) }
}

async fn until_seen(from: Instant, points: impl Fn() -> RequestBuilder) -> Result<Duration, Trouble> {
    while !has_points(&ask(points()).await?) {
        if from.elapsed() > SEEN_LIMIT {
            return Err(Trouble::new("a payment's points are not seen"));
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(from.elapsed())
}

async fn ask(request: RequestBuilder) -> Result<Value, Trouble> {
    ok(request, 200).await?.json().await.doing("read an answer")
}
