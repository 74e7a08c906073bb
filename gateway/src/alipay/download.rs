//! Certificates of Alipay's that are not configured: fetched by the serial that a message names, and followed to the roots.
//!
//! Source: Alipay's open platform, page of `alipay.open.app.alipaycert.download`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chassis::problem::Chain;

use super::answer::{AnswerError, Signed};
use super::certificate::{Certificate, CertificateError};
use super::config::Certified;
use super::keys::{AlipayKey, key_of};
use super::{AlipayGateway, CallError};
use crate::fetch_turn::NamedBy;

const METHOD: &str = "alipay.open.app.alipaycert.download";

/// The length of a serial, in hexadecimal digits.
const SERIAL_LENGTH: usize = 32;

/// Why a certificate was not fetched. Those that were there before stay.
#[derive(Debug, thiserror::Error)]
enum NotFetched {
    #[error("the call failed")]
    Call(#[source] CallError),
    #[error("the answer cannot be read")]
    Answer(#[source] AnswerError),
    #[error("Alipay does not give it out: {0}")]
    Refused(String),
    #[error("the answer holds no certificate")]
    NoCertificate,
    #[error("it is refused")]
    Certificate(#[source] CertificateError),
    #[error("it is another one than was asked for")]
    OtherSerial,
    #[error("it is made out to another organisation than the configured ones")]
    OtherHolder,
}

impl AlipayGateway {
    /// Fetches the certificate with this serial if it may be Alipay's and nobody here knows it yet, or waits for whoever is
    /// fetching it. It is kept until the process ends.
    pub(super) async fn fetch_certificate(&self, serial: &str, by: NamedBy) {
        let Some(certified) = &self.config.certified else { return };
        let is_known = || self.keys().knows(serial);
        if !is_serial(serial) || is_known() {
            return;
        }
        let (now, turn) = (self.clock.now(), self.fetching.of(by));
        let _fetching = turn.held.lock().await;
        if is_known() || !turn.may_ask(now) {
            return;
        }
        match self.download(serial, certified).await {
            Ok(key) => {
                self.add_key(key);
                tracing::warn!(
                    certificate.serial = serial,
                    "Alipay signs under a certificate that is not configured; it was fetched, and should be laid beside the others"
                );
            }
            Err(error) => {
                turn.in_vain(now);
                tracing::warn!(certificate.serial = serial, error = %Chain(&error), "a certificate of Alipay's could not be fetched");
            }
        }
    }

    /// What signs the answer may be the very key that is asked for, so the answer itself proves nothing: the certificate is
    /// believed for its issuers alone, up to a configured root.
    async fn download(&self, serial: &str, certified: &Certified) -> Result<AlipayKey, NotFetched> {
        let content = serde_json::json!({ "alipay_cert_sn": serial }).to_string();
        let body = self.exchange(METHOD, None, content).await.map_err(NotFetched::Call)?;
        let signed = Signed::find(&body, METHOD).map_err(NotFetched::Answer)?;
        let answer = signed.members().ok_or(NotFetched::Answer(AnswerError::Unreadable))?;
        if answer.text("code") != Some("10000") {
            return Err(NotFetched::Refused(answer.code_word()));
        }
        let text = answer.text("alipay_cert_content").and_then(|content| STANDARD.decode(content).ok());
        let text = text.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or(NotFetched::NoCertificate)?;
        let key = self.judged(&text, serial, certified)?;
        key.check_time(self.clock.now()).map_err(NotFetched::Certificate)?;
        Ok(key)
    }

    /// The roots also stand behind the certificates of other merchants, so it must be made out to whom the configured ones
    /// are made out to.
    fn judged(&self, text: &str, serial: &str, certified: &Certified) -> Result<AlipayKey, NotFetched> {
        let mut certificates = Certificate::read_all(text).map_err(NotFetched::Certificate)?;
        let place = certificates.iter().position(|certificate| certificate.serial == serial).ok_or(NotFetched::OtherSerial)?;
        let own = certificates.swap_remove(place);
        if !self.keys().is_held_like(&own, &certified.configured) {
            return Err(NotFetched::OtherHolder);
        }
        certificates.extend(certified.configured.iter().cloned());
        key_of(&own, &certificates, &certified.root_certificates, &self.config.app_private_key).map_err(NotFetched::Certificate)
    }
}

/// Whether a text has the form of a serial. It can be logged then.
fn is_serial(text: &str) -> bool {
    text.len() == SERIAL_LENGTH && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests;
