//! The payment channels: one port, an adapter each. Wire types and signatures stay inside this package.

pub mod alipay;
mod beijing;
mod breaker;
mod clock_skew;
mod fetch_turn;
mod http;
mod port;
mod rsa;
mod rules;
mod settings;
#[cfg(test)]
mod vectors;
pub mod wechat_pay;

pub use breaker::{BreakerConfig, CircuitBreaker, CircuitOpen};
pub use port::*;
