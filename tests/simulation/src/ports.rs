//! The ports that the product code runs over: each waits here and there, so that tasks interleave and can be dropped at
//! any await, and each fails as the weather has it, before or after it has done what was asked.

mod adapter;
mod alipay;
mod log;
mod notice;
mod tables;

pub(crate) use adapter::{AlipayAdapter, SUCCESS};
pub(crate) use alipay::{Alipay, CODE_LIFE};
pub(crate) use log::SimulatedLog;
pub(crate) use notice::{Content, Forgery, Notice, NoticeKind, TradeWord};
pub(crate) use tables::{
    SimulatedAssignments, SimulatedCatalogue, SimulatedInbox, SimulatedLeases, SimulatedNumbers, SimulatedTodo, SimulatedView,
};

/// The most polls that one wait takes.
const MOST_POLLS: u32 = 2;

/// What a port says that did not answer.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("simulated fault")]
pub(crate) struct SimulatedFault;
