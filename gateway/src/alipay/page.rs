//! Payments on Alipay's own pages: a signed form that the buyer's browser posts.
//!
//! Source: Alipay's open platform, pages of `alipay.trade.page.pay` and `alipay.trade.wap.pay`.

use domain::Channel;

use super::config::WAP_PRODUCT_CODE;
use super::request::{self, BIZ_CONTENT};
use super::{AlipayGateway, CallError, content};
use crate::{FormRequest, GatewayError, Operation, PaymentForm};

/// The method of a payment in a desktop's browser.
pub(super) const PAGE_PAY: &str = "alipay.trade.page.pay";

/// The method of a payment in a phone's browser, which opens Alipay's app where there is one.
const WAP_PAY: &str = "alipay.trade.wap.pay";

impl AlipayGateway {
    /// Signs the form of the product that the request names.
    pub(super) fn sign_form(&self, request: &FormRequest) -> Result<PaymentForm, GatewayError> {
        let is_wap = request.product_code == WAP_PRODUCT_CODE;
        let (channel, method) = if is_wap { (Channel::AlipayWap, WAP_PAY) } else { (Channel::AlipayPage, PAGE_PAY) };
        let operation = Operation::Form;
        let content = content::form_pay(request).map_err(|broken| GatewayError::Refused { channel, operation, code: broken.code() })?;
        let mut members = self.members(method, Some(request.notify_url.as_str()), content.clone());
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
