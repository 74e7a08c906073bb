//! The channel: whether it answers, whether both sides know each other's keys, and what its clock shows.

use std::sync::Arc;

use chassis::clock::{Clock, SystemClock};
use chassis::problem::Chain;
use chrono::{DateTime, TimeDelta, Utc};
use gateway::alipay::{AlipayConfig, AlipayGateway, AlipaySettings, ProbeError};

use super::{Finding, wechat};
use crate::certificates::{CertificateEnd, NOTICE_BEFORE_END};
use crate::readiness::{CLOCK_SKEW_WARNING, skew_warning};
use crate::sandbox_link::SandboxLink;
use crate::settings::{AlipaySource, Settings};
use crate::variables;

pub(super) async fn look(settings: &Settings) -> Vec<Finding> {
    let mut findings = match &settings.alipay {
        AlipaySource::Live(alipay) if settings.asks_channels() => live(alipay).await,
        AlipaySource::SandboxAt(url) => sandbox(url).await,
        AlipaySource::Live(_) | AlipaySource::OwnSandbox | AlipaySource::None => Vec::new(),
    };
    if let Some(merchant) = settings.wechat.as_ref().filter(|_| settings.asks_channels()) {
        findings.extend(wechat::look(merchant).await);
    }
    findings
}

async fn live(alipay: &AlipaySettings) -> Vec<Finding> {
    let clock = Arc::new(SystemClock::default());
    let config = match AlipayConfig::new(alipay) {
        // The configuration was checked when it was read.
        Err(error) => return vec![Finding::wrong(variables::ALIPAY_APP_ID, Chain(&error).to_string())],
        Ok(config) => config,
    };
    let (now, configured) = (clock.now(), config.certificates().len());
    let mut findings = judged(config.certificates().into_iter().map(CertificateEnd::from), now);
    let gateway = match AlipayGateway::new(config, clock) {
        Err(error) => return vec![Finding::wrong(variables::ALIPAY_GATEWAY_URL, Chain(&error).to_string())],
        Ok(gateway) => gateway,
    };
    if let Err(error) = gateway.probe().await {
        let variable = match error {
            ProbeError::Silent => variables::ALIPAY_GATEWAY_URL,
            ProbeError::Application(_) => variables::ALIPAY_APP_PRIVATE_KEY_FILE,
            ProbeError::Signature if alipay.certificates.is_some() => variables::ALIPAY_CERT_FILES,
            ProbeError::Signature => variables::ALIPAY_PUBLIC_KEY_FILES,
        };
        findings.push(Finding::wrong(variable, Chain(&error).to_string()));
    }
    if gateway.certificates().len() > configured {
        let said = "Alipay signs under a certificate that is not among these; it is fetched at each start until it is";
        findings.push(Finding::note(variables::ALIPAY_CERT_FILES, said));
    }
    findings.extend(skewed(variables::ALIPAY_GATEWAY_URL, gateway.clock_skew()));
    findings
}

/// What is to be said of the dates of certificates.
pub(super) fn judged(ends: impl IntoIterator<Item = CertificateEnd>, now: DateTime<Utc>) -> Vec<Finding> {
    ends.into_iter().filter_map(|end| judge(&end, now)).collect()
}

fn judge(end: &CertificateEnd, now: DateTime<Utc>) -> Option<Finding> {
    let serial = &end.serial;
    let until = end.valid_until.format("%F");
    if end.valid_from.is_some_and(|from| now < from) {
        Some(Finding::wrong(end.variable, format!("the certificate {serial} does not count yet")))
    } else if now > end.valid_until {
        Some(Finding::wrong(end.variable, format!("the certificate {serial} has ended on {until}")))
    } else if end.valid_until - now < NOTICE_BEFORE_END {
        Some(Finding::note(end.variable, format!("the certificate {serial} ends on {until}")))
    } else {
        None
    }
}

/// What is to be said of the channel's clock.
pub(super) fn skewed(variable: &'static str, skew: Option<TimeDelta>) -> Option<Finding> {
    let skew = skew.filter(|skew| skew.abs() > CLOCK_SKEW_WARNING)?;
    Some(Finding::wrong(variable, skew_warning(skew)))
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
        let certificate = |variable| CertificateEnd {
            wallet: "alipay",
            owner: "merchant",
            variable,
            serial: "ab12".to_owned(),
            valid_from: Some(day(0)),
            valid_until: day(100),
        };
        let seen = |variable, at| judge(&certificate(variable), at).map(|finding| (finding.variable, finding.is_wrong));
        let (ours, theirs) = (variables::ALIPAY_APP_CERT_FILE, variables::ALIPAY_CERT_FILES);
        assert_eq!(seen(ours, day(-1)), Some((ours, true)));
        assert_eq!(seen(ours, day(50)), None);
        assert_eq!(seen(ours, day(71)), Some((ours, false)));
        assert_eq!(seen(theirs, day(99)), Some((theirs, false)));
        assert_eq!(seen(theirs, day(101)), Some((theirs, true)));
        assert!(judge(&certificate(ours), day(101)).unwrap().said.contains("ab12"));
    }
}
