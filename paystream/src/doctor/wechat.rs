//! WeChat Pay: whether it answers, whether both sides know each other's keys, which certificates count, and what its clock shows.

use std::sync::Arc;

use chassis::clock::{Clock, SystemClock};
use chassis::problem::Chain;
use gateway::wechat_pay::v3::{Probed, WechatPayClient, WechatPayConfig, WechatPaySettings};
use gateway::wechat_pay::{v2, v3};

use super::Finding;
use super::channel::{judged, skewed};
use crate::certificates::Certified;
use crate::variables;
use crate::wechat::WechatMerchant;

pub(super) async fn look(merchant: &WechatMerchant) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(settings) = &merchant.v3 {
        findings.extend(api_v3(settings).await);
    }
    if let Some(settings) = &merchant.v2 {
        findings.extend(api_v2(settings, merchant.v3.is_none()).await);
    }
    findings
}

async fn api_v3(settings: &WechatPaySettings) -> Vec<Finding> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let config = match WechatPayConfig::new(settings, clock.now()) {
        // The configuration was checked when it was read.
        Err(error) => return vec![Finding::wrong(variables::WECHAT_MCHID, Chain(&error).to_string())],
        Ok(config) => config,
    };
    let client = match WechatPayClient::new(config, Arc::clone(&clock)) {
        Err(error) => return vec![Finding::wrong(variables::WECHAT_BASE_URL, Chain(&error).to_string())],
        Ok(client) => client,
    };
    let mut findings = match client.probe().await {
        Ok(probed) => shown(&probed),
        Err(error) => vec![Finding::wrong(variable_of(&error, settings), Chain(&error).to_string())],
    };
    findings.extend(judged(client.ends(), clock.now()));
    if settings.merchant_certificate.is_none() {
        let said = "without it nobody sees when the merchant's certificate ends";
        findings.push(Finding::note(variables::WECHAT_MERCHANT_CERTIFICATE_FILE, said));
    }
    findings.extend(skewed(variables::WECHAT_BASE_URL, client.clock_skew()));
    findings
}

fn shown(probed: &Probed) -> Vec<Finding> {
    let not_configured = probed.not_configured.iter().map(|serial| {
        let said =
            format!("WeChat Pay also signs under {serial}, which is not among them; {} fetches it", variables::WECHAT_FETCH_CERTIFICATES);
        Finding::note(variables::WECHAT_PLATFORM_CERTIFICATE_FILES, said)
    });
    let said = "no answer came that one of these keys could be tried on; pay one fen, and look at the notification's verdict";
    let unproven = (!probed.is_key_proven).then(|| Finding::note(variables::WECHAT_PUBLIC_KEY_FILES, said));
    not_configured.chain(unproven).collect()
}

fn variable_of(error: &v3::ProbeError, settings: &WechatPaySettings) -> &'static str {
    match error {
        v3::ProbeError::Silent => variables::WECHAT_BASE_URL,
        v3::ProbeError::Merchant(_) => variables::WECHAT_MERCHANT_PRIVATE_KEY_FILE,
        v3::ProbeError::ApiV3Key => variables::WECHAT_API_V3_KEY_FILE,
        v3::ProbeError::Authority => variables::WECHAT_PLATFORM_AUTHORITY_FILE,
        v3::ProbeError::Signature(_) if !settings.public_keys.is_empty() => variables::WECHAT_PUBLIC_KEY_FILES,
        v3::ProbeError::Signature(_) | v3::ProbeError::Certificates(_) => variables::WECHAT_PLATFORM_CERTIFICATE_FILES,
    }
}

/// `is_alone`: what is looked at for API v3 need not be looked at again.
async fn api_v2(settings: &v2::WechatPayV2Settings, is_alone: bool) -> Vec<Finding> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let config = match v2::WechatPayV2Config::new(settings) {
        Err(error) => return vec![Finding::wrong(variables::WECHAT_V2_API_KEY_FILES, Chain(&error).to_string())],
        Ok(config) => config,
    };
    let mut findings = Vec::new();
    if !config.can_refund() {
        let said = "without it API v2 makes no refunds";
        findings.push(Finding::note(variables::WECHAT_MERCHANT_CERTIFICATE_FILE, said));
    }
    let merchant = match v2::WechatPayV2::new(config, Arc::clone(&clock)) {
        Err(error) => return vec![Finding::wrong(variables::WECHAT_BASE_URL, Chain(&error).to_string())],
        Ok(merchant) => merchant,
    };
    if let Err(error) = merchant.probe().await {
        let variable = match error {
            v2::ProbeError::Silent => variables::WECHAT_BASE_URL,
            v2::ProbeError::Merchant(_) | v2::ProbeError::Signature => variables::WECHAT_V2_API_KEY_FILES,
        };
        findings.push(Finding::wrong(variable, Chain(&error).to_string()));
    }
    if is_alone {
        findings.extend(judged(merchant.ends(), clock.now()));
        findings.extend(skewed(variables::WECHAT_BASE_URL, merchant.clock_skew()));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_proven_and_what_is_not_configured_is_told_and_not_called_wrong() {
        let seen = |is_key_proven, not_configured: &[&str]| {
            let not_configured = not_configured.iter().map(|serial| (*serial).to_owned()).collect();
            let findings = shown(&Probed { is_key_proven, not_configured });
            assert!(findings.iter().all(|finding| !finding.is_wrong));
            findings.into_iter().map(|finding| (finding.variable, finding.said.contains("AB12"))).collect::<Vec<_>>()
        };
        assert_eq!(seen(true, &[]), []);
        assert_eq!(seen(false, &[]), [(variables::WECHAT_PUBLIC_KEY_FILES, false)]);
        assert_eq!(seen(true, &["AB12"]), [(variables::WECHAT_PLATFORM_CERTIFICATE_FILES, true)]);
    }
}
