//! A call that changes nothing, by which a configuration is tried.

use super::answer::AnswerError;
use super::outcome::Outcome;
use super::{AlipayGateway, CallError, content};
use crate::Operation;

/// A number that no payment of ours has.
const NO_PAYMENT: &str = "0";

/// What is wrong with a configuration, as a call tells it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// Nobody there speaks Alipay's protocol.
    #[error("the gateway does not answer")]
    Silent,
    /// The application, its key or its contract is not known there, with Alipay's word for it.
    #[error("Alipay refuses the application or its key: {0}")]
    Application(String),
    /// The answer was signed by another than the configured keys say.
    #[error("the answer was not signed with the configured key of Alipay")]
    Signature,
}

impl AlipayGateway {
    /// Asks about a payment that does not exist, which tells whether both sides know each other's keys. The answer also tells
    /// the channel's time, see [`AlipayGateway::clock_skew`].
    pub async fn probe(&self) -> Result<(), ProbeError> {
        let Ok(content) = content::numbered(NO_PAYMENT) else { return Err(ProbeError::Silent) };
        match self.call(Operation::Query, None, content).await {
            Ok((Outcome::Refused(code), _)) | Err(CallError::Answer(AnswerError::Unauthenticated { code })) => {
                Err(ProbeError::Application(code))
            }
            // It answers, and in its own name: what it says of a payment is of no interest here.
            Ok(_) | Err(CallError::Answer(AnswerError::AskedTooOften { .. })) => Ok(()),
            Err(CallError::Answer(AnswerError::Untrusted(_) | AnswerError::Unsigned)) => Err(ProbeError::Signature),
            Err(_) => Err(ProbeError::Silent),
        }
    }
}
