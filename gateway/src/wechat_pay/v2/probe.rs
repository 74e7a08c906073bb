//! A call that changes nothing, by which a configuration is tried.

use super::answer::AnswerError;
use super::order::QUERY_PATH;
use super::outcome::Outcome;
use super::{CallError, WechatPayV2, request};
use crate::Operation;

/// A number that no payment of ours has.
const NO_PAYMENT: &str = "000000";

/// What is wrong with a configuration, as a call tells it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// Nobody there speaks WeChat Pay's protocol.
    #[error("WeChat Pay does not answer")]
    Silent,
    /// The merchant, its application or its key is not known there, with WeChat Pay's word for it.
    #[error("WeChat Pay refuses the merchant or its API key: {0}")]
    Merchant(String),
    /// The answer was signed with another key, or another digest, than is configured.
    #[error("the answer was not signed with the configured API key and digest")]
    Signature,
}

impl WechatPayV2 {
    /// Asks about a payment that does not exist, which tells whether both sides have the same API key. The answer also tells
    /// the channel's time, see [`WechatPayV2::clock_skew`].
    pub async fn probe(&self) -> Result<(), ProbeError> {
        let Ok(members) = request::numbered(NO_PAYMENT) else { return Err(ProbeError::Silent) };
        match self.call(Operation::Query, QUERY_PATH, &self.config.app_id, &members).await {
            Ok((Outcome::Refused(code), _)) => Err(ProbeError::Merchant(code)),
            Err(CallError::Answer(AnswerError::NotTaken { said })) => Err(ProbeError::Merchant(said)),
            Err(CallError::Answer(AnswerError::Signature(_) | AnswerError::NotOurs)) => Err(ProbeError::Signature),
            // It answers, and in its own name: what it says of a payment is of no interest here.
            Ok(_) => Ok(()),
            Err(_) => Err(ProbeError::Silent),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{APP_ID, MCH_ID, OTHER_KEY, World, answer_text, settings, signed_message};
    use super::super::{WechatPayV2Settings, xml};
    use super::*;

    async fn probed(answer: String) -> Result<(), ProbeError> {
        World::answering(answer).merchant.probe().await
    }

    #[tokio::test]
    async fn an_unknown_payment_is_the_answer_of_a_good_configuration() {
        for code in ["ORDERNOTEXIST", "SYSTEMERROR", "FREQUENCY_LIMITED"] {
            assert_eq!(probed(answer_text(&[("err_code", code)])).await, Ok(()), "{code}");
        }
    }

    #[tokio::test]
    async fn each_mistake_has_its_own_word() {
        let refused = |code: &str| Err(ProbeError::Merchant(code.to_owned()));
        assert_eq!(probed(answer_text(&[("err_code", "APPID_NOT_EXIST")])).await, refused("APPID_NOT_EXIST"));
        let untaken = xml::write([("return_code", "FAIL"), ("return_msg", "签名错误")]);
        assert_eq!(probed(untaken).await, refused("签名错误"));
        assert_eq!(probed("<html></html>".to_owned()).await, Err(ProbeError::Silent));
        let members =
            [("return_code", "SUCCESS"), ("appid", APP_ID), ("mch_id", MCH_ID), ("result_code", "FAIL"), ("err_code", "ORDERNOTEXIST")];
        let other_key = WechatPayV2Settings { api_keys: vec![OTHER_KEY.to_owned().into()], ..settings() };
        let other_digest = WechatPayV2Settings { sign_type: "HMAC-SHA256".to_owned(), ..settings() };
        for other in [other_key, other_digest] {
            assert_eq!(probed(signed_message(&other, &members)).await, Err(ProbeError::Signature));
        }
    }
}
