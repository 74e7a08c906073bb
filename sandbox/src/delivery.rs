//! Sending notifications that are due, several at once, until the merchant acknowledges them.

use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use chassis::problem::Chain;
use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use futures_util::stream::{self, FuturesUnordered};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use tokio::task::{self, JoinSet};
use tokio::time::Instant;

use crate::notification::{Due, Pending, Protocol, Signer};
use crate::{Sandbox, SandboxError, alipay, wechat};

/// How long one delivery may take, from connecting to the last byte of the answer.
const DELIVERY_LIMIT: Duration = Duration::from_secs(5);
/// How many notifications are under way at once.
const AT_ONCE: usize = 64;
/// How many pending notifications are looked at: what is under way is among them, and as much again may be taken.
const LOOK_LIMIT: u32 = 128;
/// How many notifications one call of `run_once` sends at most.
const ONCE_LIMIT: u32 = 10_000;
/// The longest time without a look at what is due: the clock may be moved by others.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// How long deliveries under way are waited for at the end; what is cut off is sent again after the next start.
const DRAIN_LIMIT: Duration = Duration::from_secs(2);

/// The client that carries notifications: no redirects, no proxy, a time limit.
pub(crate) fn client() -> Result<Client, SandboxError> {
    let client = Client::builder().redirect(Policy::none()).no_proxy().timeout(DELIVERY_LIMIT).build();
    client.map_err(SandboxError::Client)
}

/// What a merchant's side made of a delivery.
struct Outcome {
    acknowledged: bool,
    words: String,
}

impl Outcome {
    fn failed(words: impl Into<String>) -> Self {
        Self { acknowledged: false, words: words.into() }
    }
}

impl Sandbox {
    /// Delivers notifications as they fall due by the sandbox's clock, until `shutdown` ends; one such loop per sandbox.
    ///
    /// Failures of the store are logged and tried again. Deliveries that are cut off at the end are sent again later.
    pub async fn run(self: Arc<Self>, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        let mut under_way = UnderWay::default();
        let mut next_look = Instant::now();
        let mut is_crowded = false;
        let mut is_time = true;
        loop {
            if is_time {
                let look = self.look(&under_way.notification_ids()).await;
                next_look = Instant::now() + look.wait;
                is_crowded = look.is_crowded;
                for notification_id in look.due {
                    under_way.start(&self, notification_id);
                }
            }
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                true = under_way.finished() => is_time = is_crowded,
                () = self.woken() => is_time = true,
                () = tokio::time::sleep_until(next_look) => is_time = true,
            }
        }
        if tokio::time::timeout(DRAIN_LIMIT, async { while under_way.finished().await {} }).await.is_err() {
            tracing::info!("the sandbox stops before every delivery was answered");
        }
    }

    /// Delivers what is due at `now`, waits for all of it, and answers how many notifications were sent.
    ///
    /// For tests that drive the sandbox themselves: what the loop of [`Sandbox::run`] has under way is not known here.
    pub async fn run_once(&self, now: DateTime<Utc>) -> Result<usize, SandboxError> {
        let pending = self.store().pending(ONCE_LIMIT).await?;
        let due = pending.into_iter().filter(|pending| pending.next_due_at <= now);
        let mut deliveries = stream::iter(due).map(|pending| self.deliver(pending.notification_id)).buffer_unordered(AT_ONCE);
        let mut sent = 0;
        while let Some(outcome) = deliveries.next().await {
            outcome?;
            sent += 1;
        }
        Ok(sent)
    }

    async fn look(&self, taken: &HashSet<i64>) -> Look {
        match self.store().pending(LOOK_LIMIT).await {
            Ok(pending) => look_at(&pending, taken, self.now()),
            Err(error) => {
                tracing::error!(error = %Chain(&error), "the sandbox cannot read which notifications are due");
                Look::default()
            }
        }
    }

    async fn deliver(&self, notification_id: i64) -> Result<(), SandboxError> {
        let Some(due) = self.store().due(notification_id).await? else { return Ok(()) };
        let outcome = self.send_copies(&due).await;
        let attempted = due.attempted(outcome.acknowledged, outcome.words, self.config().notify_scale);
        self.store().record_attempt(notification_id, &attempted).await?;
        Ok(())
    }

    /// Sends the notification, twice at once where that was asked for; one acknowledgement is enough.
    async fn send_copies(&self, due: &Due) -> Outcome {
        let copies = if due.attempts == 0 { due.copies } else { 1 };
        let mut sending: FuturesUnordered<_> = (0..copies).map(|_| self.send(due)).collect();
        let mut outcome = Outcome::failed("not sent");
        while let Some(next) = sending.next().await {
            if !outcome.acknowledged {
                outcome = next;
            }
        }
        outcome
    }

    async fn send(&self, due: &Due) -> Outcome {
        if !self.config().may_notify(&due.url) {
            return Outcome::failed("not allowed by the sandbox's configuration");
        }
        let request = self.client().post(&due.url).header("content-type", &due.content_type).body(due.body.clone());
        let request = match self.with_headers(request, due).await {
            Ok(request) => request,
            Err(error) => {
                tracing::error!(error = %Chain(&error), "the sandbox cannot sign a delivery");
                return Outcome::failed("not signed");
            }
        };
        match request.send().await {
            Ok(response) => answered(due.protocol, response).await,
            Err(error) => Outcome::failed(unreachable(&error)),
        }
    }

    /// Adds the headers that a channel signs anew with each delivery.
    async fn with_headers(&self, request: RequestBuilder, due: &Due) -> Result<RequestBuilder, SandboxError> {
        if due.protocol != Protocol::WechatV3 {
            return Ok(request);
        }
        let signer = if due.is_genuine { Signer::Channel } else { Signer::Forger };
        let is_probe = due.is_probe && due.attempts == 0;
        let headers = wechat::notification_headers(self, &due.body, signer, is_probe).await?;
        Ok(headers.into_iter().fold(request, |request, (name, value)| request.header(name, value)))
    }
}

/// What a look at the pending notifications found.
#[derive(Debug, PartialEq, Eq)]
struct Look {
    /// What is due and not under way, as many as there is room for.
    due: Vec<i64>,
    /// More is due than there is room for: look again as soon as something is done.
    is_crowded: bool,
    /// How long nothing more falls due.
    wait: Duration,
}

impl Default for Look {
    fn default() -> Self {
        Self { due: Vec::new(), is_crowded: false, wait: LONGEST_WAIT }
    }
}

/// `pending` is in order of time.
fn look_at(pending: &[Pending], taken: &HashSet<i64>, now: DateTime<Utc>) -> Look {
    let room = AT_ONCE.saturating_sub(taken.len());
    let is_due = |pending: &&Pending| pending.next_due_at <= now;
    let mut due: Vec<i64> =
        pending.iter().take_while(is_due).map(|pending| pending.notification_id).filter(|id| !taken.contains(id)).collect();
    let is_crowded = due.len() > room;
    due.truncate(room);
    let next = pending.iter().find(|pending| !is_due(pending));
    let wait = next.and_then(|next| (next.next_due_at - now).to_std().ok());
    Look { due, is_crowded, wait: wait.unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT) }
}

/// The deliveries that the loop has started. Each is a task of its own: one that waits for a connection to the store must go
/// on while the loop waits for another.
#[derive(Default)]
struct UnderWay {
    tasks: JoinSet<Result<(), SandboxError>>,
    /// Whose notification each task carries.
    taken: HashMap<task::Id, i64>,
}

impl UnderWay {
    fn notification_ids(&self) -> HashSet<i64> {
        self.taken.values().copied().collect()
    }

    fn start(&mut self, sandbox: &Arc<Sandbox>, notification_id: i64) {
        let sandbox = sandbox.clone();
        let task = self.tasks.spawn(async move { sandbox.deliver(notification_id).await });
        self.taken.insert(task.id(), notification_id);
    }

    /// Waits until one is finished; false if there is none. What could not be recorded is logged and will be sent again.
    async fn finished(&mut self) -> bool {
        let (task, outcome) = match self.tasks.join_next_with_id().await {
            None => return false,
            Some(Ok((task, outcome))) => (task, outcome),
            Some(Err(error)) => (error.id(), Err(error.into())),
        };
        self.taken.remove(&task);
        if let Err(error) = outcome {
            tracing::error!(error = %Chain(&error), "the sandbox cannot record a delivery");
        }
        true
    }
}

/// The longest answer that is read.
const ANSWER_LIMIT: usize = 4 * 1024;

/// Whether an answer acknowledges, by the channel's rules.
async fn answered(protocol: Protocol, response: Response) -> Outcome {
    let status = response.status();
    let is_taken = match protocol {
        Protocol::Alipay | Protocol::WechatV2 => status == StatusCode::OK,
        Protocol::WechatV3 => status == StatusCode::OK || status == StatusCode::NO_CONTENT,
    };
    if !is_taken {
        return Outcome::failed(format!("HTTP {}", status.as_u16()));
    }
    let is_word: fn(&[u8]) -> bool = match protocol {
        // The status says it all.
        Protocol::WechatV3 => return Outcome { acknowledged: true, words: "acknowledged".to_owned() },
        Protocol::Alipay => |body| body == alipay::ACKNOWLEDGEMENT,
        Protocol::WechatV2 => wechat::is_acknowledgement,
    };
    match read(response).await {
        Ok(Some(body)) if is_word(&body) => Outcome { acknowledged: true, words: "acknowledged".to_owned() },
        Ok(_) => Outcome::failed("the answer is not the acknowledgement"),
        Err(error) => Outcome::failed(unreachable(&error)),
    }
}

/// The body of an answer; none if it is longer than any acknowledgement.
async fn read(mut response: Response) -> reqwest::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    while let Some(bytes) = response.chunk().await? {
        body.extend_from_slice(&bytes);
        if body.len() > ANSWER_LIMIT {
            return Ok(None);
        }
    }
    Ok(Some(body))
}

fn unreachable(error: &reqwest::Error) -> String {
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    match (error.is_timeout(), error.is_connect()) {
        (true, _) => format!("no answer within {} s", DELIVERY_LIMIT.as_secs()),
        (_, true) => format!("no connection{cause}"),
        _ => format!("the connection broke{cause}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trade::tests::at;

    fn pending(due: &[(i64, i64)]) -> Vec<Pending> {
        due.iter().map(|(id, seconds)| Pending { notification_id: *id, next_due_at: at(*seconds) }).collect()
    }

    #[test]
    fn what_is_due_and_not_under_way_is_taken() {
        let look = look_at(&pending(&[(1, 0), (2, 5), (3, 10), (4, 11)]), &HashSet::from([2]), at(10));
        assert_eq!(look, Look { due: vec![1, 3], is_crowded: false, wait: Duration::from_secs(1) });
    }

    #[test]
    fn the_next_look_comes_when_something_falls_due_and_never_later_than_the_longest_wait() {
        let soon = vec![Pending { notification_id: 1, next_due_at: at(0) + chrono::TimeDelta::milliseconds(40) }];
        assert_eq!(look_at(&soon, &HashSet::new(), at(0)).wait, Duration::from_millis(40));
        assert_eq!(look_at(&pending(&[(1, 3_600)]), &HashSet::new(), at(0)).wait, LONGEST_WAIT);
        assert_eq!(look_at(&[], &HashSet::new(), at(0)), Look::default());
    }

    #[test]
    fn no_more_than_there_is_room_for_is_taken() {
        let due: Vec<(i64, i64)> = (0..100).map(|id| (id, 0)).collect();
        let look = look_at(&pending(&due), &(0..10).collect(), at(0));
        assert_eq!((look.due.len(), look.is_crowded, look.due[0]), (AT_ONCE - 10, true, 10));
        let full = look_at(&pending(&due), &(0..64).collect(), at(0));
        assert_eq!((full.due.len(), full.is_crowded), (0, true));
    }
}
