use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use chassis::extract::{Path, Query};
use chassis::problem::Problem;
use chassis::shutdown::Shutdown;
use domain::OrderId;
use futures_util::{Stream, StreamExt, stream};
use http::HeaderMap;
use tokio::sync::watch;

use super::show::{self, Reading, ShowQuery};
use crate::access::Scope;
use crate::after;
use crate::failure::QueryFailure;
use crate::progress::Follower;
use crate::state::QueryState;

/// How often a comment shows that the connection lives, so that no proxy ends it.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How long an order is followed before the client has to ask again, with a token that is still good.
const WATCH_LIFE: Duration = Duration::from_mins(15);

/// What a client waits before it asks again after the stream has ended.
const RETRY: Duration = Duration::from_secs(1);

/// An order that somebody follows.
struct Following {
    state: QueryState,
    scope: Scope,
    order_id: OrderId,
    revisions: watch::Receiver<i64>,
    /// The last thing told: its revision, and whether it was whole.
    told: Option<(i64, bool)>,
}

/// `GET /api/v1/orders/{order_id}/watch`: the order as it is, then again at each change, as events `order`.
pub(crate) async fn watch(
    State(state): State<QueryState>,
    scope: Scope,
    Path(order_id): Path<OrderId>,
    Query(query): Query<ShowQuery>,
    shutdown: Shutdown,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let followers = [Follower::Orders, Follower::PayRecords];
    after::reached(&state, &followers, &headers, query.after_position.as_deref()).await?;
    // Before the first reading, so that no change falls between the two.
    let revisions = state.changes.of(order_id);
    let mut following = Following { state, scope, order_id, revisions, told: None };
    let first = following.read().await?.ok_or_else(Problem::not_found)?;
    let first = event(&first)?.retry(RETRY);
    let ended = async move {
        tokio::select! {
            () = shutdown.triggered() => {}
            () = tokio::time::sleep(WATCH_LIFE) => {}
        }
    };
    let events = stream::once(async { first }).chain(changes(following)).map(Ok::<Event, Infallible>).take_until(Box::pin(ended));
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

/// One event for each change. A failure ends the stream: the client asks again and then hears what is wrong.
fn changes(following: Following) -> impl Stream<Item = Event> {
    stream::unfold(following, |mut following| async {
        loop {
            following.changed().await?;
            match following.next().await {
                Ok(Some(event)) => return Some((event, following)),
                Ok(None) => {}
                Err(failure) => {
                    tracing::warn!(
                        order.id = %following.order_id,
                        error = %chassis::problem::Chain(&failure),
                        "an order is no longer followed"
                    );
                    return None;
                }
            }
        }
    })
}

impl Following {
    /// Ends when there may be more to tell than was told; `None` when that can never be.
    async fn changed(&mut self) -> Option<()> {
        match self.told {
            // Its pay records were behind: they come without another revision of the order.
            Some((_, false)) => Some(()),
            told => {
                let told = told.map_or(-1, |(revision, _)| revision);
                self.revisions.wait_for(|revision| *revision > told).await.ok().map(|_| ())
            }
        }
    }

    /// The event to tell, unless nothing has changed.
    async fn next(&mut self) -> Result<Option<Event>, QueryFailure> {
        let before = self.told;
        let Some(reading) = self.read().await? else { return Ok(None) };
        let is_new = before != self.told;
        if is_new { event(&reading).map(Some) } else { Ok(None) }
    }

    async fn read(&mut self) -> Result<Option<Reading>, QueryFailure> {
        let reading = show::read(&self.state, &self.scope, self.order_id).await?;
        if let Some(reading) = &reading {
            self.told = Some((reading.revision, reading.is_whole));
        }
        Ok(reading)
    }
}

fn event(reading: &Reading) -> Result<Event, QueryFailure> {
    let json = serde_json::to_string(&reading.view).map_err(QueryFailure::Event)?;
    Ok(Event::default().event("order").id(reading.revision.to_string()).data(json))
}
