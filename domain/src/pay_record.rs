//! The pay record: one attempt to pay an order through one channel.
//!
//! Its events lie on its order's stream, and [`crate::order`] composes this decider, so that no two facts about one
//! order's money can race.

mod decide;
mod events;
mod state;
#[cfg(test)]
mod tests;

pub(crate) use decide::confirmation;
pub use decide::{Capture, ClosingProof, OrderStage, PaidOrder, PayRecordCommand, PayRecordRejection};
pub use events::{
    CaptureSource, ClosedProof, ClosingCause, LatePaymentReceived, OrderItem, PayRecordClosed, PayRecordClosing, PayRecordEvent,
    PayRecordFailed, PayRecordIssued, PayRecordOpened, PayRecordPrepared, PaymentConfirmed, PaymentRequest, Prepared,
    SurplusPaymentReceived, SurplusReason,
};
pub use state::{Issued, KnownCapture, PayRecord, PayRecordStatus};
