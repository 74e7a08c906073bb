//! The forms of events that others depend on: what older versions of Paystream stored, and what it publishes.

mod published;
mod stored;
mod structure;
mod world;
