//! What follows the log, or later JetStream: read a page after the checkpoint, take its effect, move the checkpoint with it.
//!
//! A [`Follower`] is a `run_once` that tests and the simulation call; [`run_forever`] is the only place that waits.

mod checkpoint;
mod effect;
mod feed;
mod follower;
mod lease;
mod metric;
mod run;
#[cfg(test)]
mod testing;

pub use checkpoint::{AdvanceError, Checkpoint, Overtaken};
pub use effect::{Applied, Effect, EffectError};
pub use feed::{Feed, FeedError, Lag, LogFeed, Page};
pub use follower::{FeedFollower, Follower, FollowerError, PAGE_EVENTS, Progress};
pub use lease::{LEASE_MIGRATION, LeaseError, Leases, MemoryLeases, SqlLeases};
pub use run::{FIRST_BACK_OFF, LONGEST_BACK_OFF, POLL_INTERVAL, run_forever};
