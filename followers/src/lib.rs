//! What follows the log, or later JetStream: read a page after the checkpoint, take its effect, move the checkpoint with it.
//!
//! A [`Follower`] is a `run_once` that tests and the simulation call; [`run_forever`] is the only place that waits.

mod checkpoint;
mod consumer;
mod effect;
mod feed;
mod follower;
mod jetstream_feed;
mod lease;
mod message_feed;
mod metric;
pub mod nats;
mod parking;
pub mod relay;
mod run;
#[cfg(test)]
mod testing;

pub use checkpoint::{AdvanceError, Checkpoint, Overtaken};
pub use consumer::{Consumer, ConsumerEffect, Hole, Inapplicable, LeasedWork, Tide, run_worker};
pub use effect::{Applied, Effect, EffectError};
pub use feed::{Feed, FeedError, Lag, LogFeed, Page};
pub use follower::{FeedFollower, Follower, FollowerError, PAGE_EVENTS, Progress};
pub use jetstream_feed::{ACK_WAITS, JetStreamFeed};
pub use lease::{LEASE_MIGRATION, LeaseError, Leases, MemoryLeases, SqlLeases};
pub use message_feed::{
    Batch, Link, LogMessageFeed, MemoryBroker, MemoryMessageFeed, Message, MessageFeed, MessageFeedError, PARTS, Part, SubjectFilter,
};
pub use parking::{
    Asked, BookChange, Mark, MemoryBook, MemoryParking, ParkedChange, ParkedMessage, ParkedMessages, ParkedState, ParkingDesk,
    ParkingDeskError, Patience, SqlBook, Standing, TURNS_OF, UnknownParkedState,
};
pub use run::{FIRST_BACK_OFF, LONGEST_BACK_OFF, POLL_INTERVAL, run_forever};
