//! How a request that breaks a documented rule of its channel is refused before any call is made.

use crate::RefundRequest;

/// The member that breaks a rule; the call is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unsendable(pub(crate) &'static str);

impl Unsendable {
    /// The word under which the refusal is known.
    pub(crate) fn code(self) -> String {
        format!("paystream.invalid_{}", self.0)
    }
}

/// A rule about `member`, which may not hold.
pub(crate) fn rule(member: &'static str, holds: bool) -> Result<(), Unsendable> {
    if holds { Ok(()) } else { Err(Unsendable(member)) }
}

/// Whether a refund gives back more than nothing, and no more than was paid.
pub(crate) fn is_part(request: &RefundRequest) -> bool {
    let (amount, total) = (request.amount, request.total);
    !amount.is_zero() && amount.currency() == total.currency() && amount.amount_minor() <= total.amount_minor()
}
