//! The payment channels: one port, an adapter each. Wire types and signatures stay inside this package.

pub mod alipay;
mod breaker;
mod port;
pub mod wechat_pay;

pub use breaker::{BreakerConfig, CircuitBreaker, CircuitOpen};
pub use port::*;
