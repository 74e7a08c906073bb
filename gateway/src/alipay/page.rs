//! Payments on Alipay's own page: a signed form that the buyer's browser posts.
//!
//! Source: Alipay's open platform, page of `alipay.trade.page.pay`.

use domain::Channel;

use super::request::{self, BIZ_CONTENT};
use super::{AlipayGateway, CallError, content};
use crate::{FormRequest, GatewayError, Operation, PaymentForm};

/// The method of a payment in a desktop's browser.
pub(super) const PAGE_PAY: &str = "alipay.trade.page.pay";

impl AlipayGateway {
    pub(super) fn sign_form(&self, request: &FormRequest) -> Result<PaymentForm, GatewayError> {
        let (channel, operation) = (Channel::AlipayPage, Operation::Form);
        let content = content::page_pay(request).map_err(|broken| GatewayError::Refused { channel, operation, code: broken.code() })?;
        let notify_url = Some(request.notify_url.as_str());
        let mut members = request::members(&self.config.app_id, PAGE_PAY, notify_url, content.clone(), self.clock.now());
        members.insert("return_url", request.return_url.clone());
        let signed = request::signed(&members, &self.config.app_private_key);
        let signed = signed.map_err(|error| {
            let source = Box::new(CallError::Signing(error));
            GatewayError::Unknown { channel, operation, source }
        })?;
        let mut action = self.config.gateway_url.clone();
        action.set_query(Some(&signed.query));
        Ok(PaymentForm { action: action.into(), fields: vec![(BIZ_CONTENT.to_owned(), content)] })
    }
}

#[cfg(test)]
mod tests;
