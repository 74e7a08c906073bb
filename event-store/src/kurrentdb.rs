//! The log in KurrentDB, through the official client; without its feature, a type that has no values.

mod limits;

#[cfg(not(feature = "kurrentdb"))]
mod absent;
#[cfg(feature = "kurrentdb")]
mod connection;
#[cfg(feature = "kurrentdb")]
mod failure;
#[cfg(feature = "kurrentdb")]
mod read;
#[cfg(feature = "kurrentdb")]
mod record;
#[cfg(feature = "kurrentdb")]
mod store;
#[cfg(feature = "kurrentdb")]
mod wake;
#[cfg(feature = "kurrentdb")]
mod write;

#[cfg(not(feature = "kurrentdb"))]
pub use absent::KurrentDbEventStore;
pub use limits::KurrentDbLimits;
#[cfg(feature = "kurrentdb")]
pub use store::KurrentDbEventStore;
#[cfg(feature = "kurrentdb")]
use store::Server;
