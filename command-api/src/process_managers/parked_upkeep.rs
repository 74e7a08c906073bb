use std::sync::Arc;

use async_trait::async_trait;
use chassis::ids::derived_id;
use chrono::TimeDelta;
use domain::operations::{OperationEvent, ParkedAct, ParkedActDone};
use event_store::{LogReader, RecordedEvent, StreamId};
use followers::{Feed, Follower, FollowerError, Lag, ParkedMessage, ParkedState, ParkingDeskError, Progress};

use crate::handler::{Context, EventIds};
use crate::parked::{ParkedActs, ParkedFailure};

/// The process manager's name.
const NAME: &str = "parked_upkeep";
/// Events read at a time.
const PAGE: usize = 200;
/// How long whoever recorded a wish has for carrying it out.
const PATIENCE: TimeDelta = TimeDelta::seconds(10);

/// Carries out what operators wished about parked messages where whoever recorded the wish died at it, and puts back what was
/// skipped where the tables have been made anew since.
pub struct ParkedUpkeep {
    acts: Arc<ParkedActs>,
    feed: Arc<dyn Feed>,
    log: Arc<dyn LogReader>,
}

impl ParkedUpkeep {
    /// The events that it follows.
    pub fn events() -> impl Iterator<Item = &'static str> {
        ["ParkedActRequested", "ParkedActDone"].into_iter()
    }

    /// A process manager over these parts. Several of them do no more than one.
    pub fn new(acts: Arc<ParkedActs>, feed: Arc<dyn Feed>, log: Arc<dyn LogReader>) -> Self {
        Self { acts, feed, log }
    }

    /// Whether the event needs nothing any more; if not, it is looked at again soon.
    async fn see(&self, recorded: &RecordedEvent) -> Result<bool, FollowerError> {
        let event = OperationEvent::from_stored(&recorded.event_type, recorded.schema_version, &recorded.data);
        match event.map_err(|error| FollowerError::Work(Box::new(error)))? {
            OperationEvent::ParkedActRequested(requested) => {
                if self.acts.ended(&recorded.stream_id, requested.act_id).await.map_err(work)?.is_some() {
                    return Ok(true);
                }
                if self.acts.now() - recorded.recorded_at < PATIENCE {
                    return Ok(false);
                }
                let context = Context {
                    correlation_id: recorded.metadata.correlation_id,
                    causation_id: Some(recorded.event_id),
                    actor: format!("process:{NAME}"),
                    source: "process-managers",
                    event_ids: EventIds::Derived { cause: derived_id(recorded.event_id, NAME), handler: NAME },
                };
                let (outcome, _) = self.acts.finish(&recorded.stream_id, &requested, &context).await.map_err(work)?;
                tracing::info!(
                    parked.id = requested.subject.parked_id(),
                    outcome = outcome.as_str(),
                    "what an operator wished about a parked message was taken up again"
                );
                Ok(true)
            }
            OperationEvent::ParkedActDone(done) if done.act == ParkedAct::Skip => {
                self.restore(&done, recorded).await?;
                Ok(true)
            }
            _ => Ok(true),
        }
    }

    /// A skipped message stays skipped, whatever became of the tables.
    async fn restore(&self, done: &ParkedActDone, recorded: &RecordedEvent) -> Result<(), FollowerError> {
        let parked_id = done.subject.parked_id();
        match self.acts.desk().show(&parked_id).await {
            Ok(message) if message.state == ParkedState::Skipped => return Ok(()),
            Ok(_) => {
                let skipped = self.acts.desk().skip(&parked_id, &done.reason, self.acts.now()).await;
                return skipped.or_else(|error| if matches!(error, ParkingDeskError::Skipped) { Ok(()) } else { Err(desk(error)) });
            }
            Err(ParkingDeskError::Unknown) => {}
            Err(error) => return Err(desk(error)),
        }
        if let Some(event) = self.event_of(done).await? {
            let skipped = ParkedMessage::skipped(&done.subject.consumer, event, &done.reason, recorded.recorded_at);
            self.acts.desk().restore(&skipped).await.map_err(desk)?;
        }
        Ok(())
    }

    /// The event that the consumer could not take; `None` where its stream has none of this id.
    async fn event_of(&self, done: &ParkedActDone) -> Result<Option<RecordedEvent>, FollowerError> {
        let Some(stream_id) = StreamId::parse(&done.subject.stream_id) else { return Ok(None) };
        let mut from = 0;
        loop {
            let page = self.log.read_stream(&stream_id, from, PAGE).await.map_err(|error| FollowerError::Work(Box::new(error)))?;
            let Some(last) = page.last() else { return Ok(None) };
            from = last.revision + 1;
            if let Some(event) = page.into_iter().find(|event| event.event_id.to_string() == done.subject.event_id) {
                return Ok(Some(event));
            }
        }
    }
}

fn desk(error: ParkingDeskError) -> FollowerError {
    match error {
        ParkingDeskError::Overtaken | ParkingDeskError::Changed => FollowerError::Overtaken,
        other => FollowerError::Work(Box::new(other)),
    }
}

fn work(error: ParkedFailure) -> FollowerError {
    match error {
        ParkedFailure::Desk(error) => desk(error),
        other => FollowerError::Work(Box::new(other)),
    }
}

#[async_trait]
impl Follower for ParkedUpkeep {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn run_once(&self) -> Result<Progress, FollowerError> {
        let from = self.acts.desk().checkpoint().await.map_err(desk)?;
        let page = self.feed.page(from.position, PAGE).await?;
        let (mut reached, mut applied) = (from.position, 0);
        let mut is_whole = true;
        for recorded in &page.events {
            if !self.see(recorded).await? {
                is_whole = false;
                break;
            }
            (reached, applied) = (recorded.position, applied + 1);
        }
        if is_whole {
            reached = page.reached;
        }
        if reached > from.position {
            self.acts.desk().advance(from, reached).await.map_err(desk)?;
        } else if !is_whole {
            return Err(FollowerError::Waiting);
        }
        Ok(Progress { applied, position: reached, caught_up: page.caught_up && is_whole })
    }

    async fn lag(&self) -> Result<Lag, FollowerError> {
        let checkpoint = self.acts.desk().checkpoint().await.map_err(desk)?;
        Ok(self.feed.lag(checkpoint.position).await?)
    }
}

#[cfg(test)]
mod tests;
