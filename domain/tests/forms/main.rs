//! The forms of events that others depend on: what older versions of Paystream stored, and what it publishes.

#![expect(clippy::unwrap_used, reason = "what cannot be read fails the test")]

mod published;
mod stored;
mod structure;
mod world;
