//! What every process of Paystream does alike. No word of business in here, but for the one list of problem codes and
//! the fields by which log lines name an order and a pay record.

pub mod admission;
pub mod client_address;
pub mod clock;
pub mod correlation;
pub mod extract;
pub mod health;
pub mod identity;
pub mod ids;
pub mod language;
pub mod layers;
pub mod problem;
pub mod rate_limit;
pub mod seal;
pub mod secret;
pub mod security_headers;
pub mod shutdown;
pub mod telemetry;
