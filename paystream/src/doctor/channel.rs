//! The channel: whether it answers, whether both sides know each other's keys, and what its clock shows.

use std::sync::Arc;

use chassis::clock::{Clock, SystemClock};
use chassis::problem::Chain;
use chrono::{DateTime, TimeDelta, Utc};
use gateway::alipay::{AlipayConfig, AlipayGateway, AlipaySettings, CertificateInUse, ProbeError};

use super::Finding;
use crate::readiness::{CLOCK_SKEW_WARNING, skew_warning};
use crate::sandbox_link::SandboxLink;
use crate::settings::{AlipaySource, Settings};
use crate::variables;

/// How long before its end a certificate is told of.
const NOTICE_BEFORE_END: TimeDelta = TimeDelta::days(30);

pub(super) async fn look(settings: &Settings) -> Vec<Finding> {
    match &settings.alipay {
        AlipaySource::Live(alipay) if settings.asks_channels() => live(alipay).await,
        AlipaySource::SandboxAt(url) => sandbox(url).await,
        AlipaySource::Live(_) | AlipaySource::OwnSandbox | AlipaySource::None => Vec::new(),
    }
}

async fn live(alipay: &AlipaySettings) -> Vec<Finding> {
    let clock = Arc::new(SystemClock::default());
    let config = match AlipayConfig::new(alipay) {
        // The configuration was checked when it was read.
        Err(error) => return vec![Finding::wrong(variables::ALIPAY_APP_ID, Chain(&error).to_string())],
        Ok(config) => config,
    };
    let mut findings: Vec<_> = config.certificates().iter().filter_map(|certificate| judged(certificate, clock.now())).collect();
    let gateway = match AlipayGateway::new(config, clock) {
        Err(error) => return vec![Finding::wrong(variables::ALIPAY_GATEWAY_URL, Chain(&error).to_string())],
        Ok(gateway) => gateway,
    };
    if let Err(error) = gateway.probe().await {
        let variable = match error {
            ProbeError::Silent => variables::ALIPAY_GATEWAY_URL,
            ProbeError::Application(_) => variables::ALIPAY_APP_PRIVATE_KEY_FILE,
            ProbeError::Signature => variables::ALIPAY_PUBLIC_KEY_FILES,
        };
        findings.push(Finding::wrong(variable, Chain(&error).to_string()));
    }
    if let Some(skew) = gateway.clock_skew().filter(|skew| skew.abs() > CLOCK_SKEW_WARNING) {
        findings.push(Finding::wrong(variables::ALIPAY_GATEWAY_URL, skew_warning(skew)));
    }
    findings
}

/// What is to be said of a certificate's dates.
fn judged(certificate: &CertificateInUse, now: DateTime<Utc>) -> Option<Finding> {
    let is_ours = certificate.member == "app_certificate";
    let variable = if is_ours { variables::ALIPAY_APP_CERT_FILE } else { variables::ALIPAY_CERT_FILES };
    let serial = &certificate.serial;
    let (from, until) = (certificate.valid_from.format("%F"), certificate.valid_until.format("%F"));
    if now < certificate.valid_from || now > certificate.valid_until {
        Some(Finding::wrong(variable, format!("the certificate {serial} counts from {from} to {until}, and not now")))
    } else if certificate.valid_until - now < NOTICE_BEFORE_END {
        Some(Finding::note(variable, format!("the certificate {serial} ends on {until}")))
    } else {
        None
    }
}

async fn sandbox(url: &str) -> Vec<Finding> {
    let answered = match SandboxLink::new(url) {
        Ok(link) => link.answers().await,
        Err(error) => Err(error),
    };
    match answered {
        Ok(()) => Vec::new(),
        Err(error) => vec![Finding::wrong(variables::SANDBOX_URL, Chain(&error).to_string())],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_does_not_count_is_wrong_and_one_that_soon_ends_is_told_of() {
        let day = |number: i64| DateTime::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::days(number);
        let certificate = |member| CertificateInUse { member, serial: "ab12".to_owned(), valid_from: day(0), valid_until: day(100) };
        let seen = |member, at| judged(&certificate(member), at).map(|finding| (finding.variable, finding.is_wrong));
        let (ours, theirs) = (variables::ALIPAY_APP_CERT_FILE, variables::ALIPAY_CERT_FILES);
        assert_eq!(seen("app_certificate", day(-1)), Some((ours, true)));
        assert_eq!(seen("app_certificate", day(50)), None);
        assert_eq!(seen("app_certificate", day(71)), Some((ours, false)));
        assert_eq!(seen("alipay_certificates", day(99)), Some((theirs, false)));
        assert_eq!(seen("alipay_certificates", day(101)), Some((theirs, true)));
        assert!(judged(&certificate("app_certificate"), day(101)).unwrap().said.contains("ab12"));
    }
}
