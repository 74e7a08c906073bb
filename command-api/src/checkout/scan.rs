//! What a scan of the order's own code leads to: the app that scans decides.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use chassis::client_address::ClientAddress;
use chassis::correlation::Correlation;
use chassis::extract::{Path, Query};
use chassis::language::Language;
use chassis::problem::{Chain, Problem};
use domain::order::{Order, OrderRejection, OrderStatus};
use domain::pay_record::Prepared;
use domain::{Channel, OrderId};
use gateway::OpenIdError;
use serde::Deserialize;
use uuid::Uuid;

use super::browser::Browser;
use super::{form_page, jsapi_page};
use crate::caller::Caller;
use crate::failure::CommandFailure;
use crate::pay_records::{Attempted, PayWish};
use crate::payer::Payer;
use crate::routes::ApiState;
use crate::streams;

/// Who scanned, and with which request.
pub(super) struct Scan<'a> {
    pub(super) browser: Browser,
    pub(super) client: ClientAddress,
    pub(super) language: Language,
    pub(super) correlation_id: Uuid,
    pub(super) order_id: OrderId,
    pub(super) api: &'a ApiState,
}

impl Scan<'_> {
    /// Leads whoever scanned the order's own code to the payment in their wallet.
    pub(super) async fn lead(&self) -> Result<Response, Problem> {
        let standing = self.api.commands.orders.load(&streams::order(self.order_id)).await.map_err(CommandFailure::from)?;
        if let Err(rejection) = standing.state.may_begin_payment(self.api.commands.now()) {
            return Ok(self.ended(&standing.state, rejection));
        }
        let has = |channel| offers(self.api, channel);
        match self.browser {
            Browser::Alipay if has(Channel::AlipayWap) => self.to_form().await,
            Browser::Alipay if has(Channel::AlipayQr) => self.to_prepared(Channel::AlipayQr).await,
            Browser::WeChat => Ok(self.to_wechat().unwrap_or_else(|| self.to_checkout())),
            Browser::Phone if has(Channel::WechatH5) => self.to_prepared(Channel::WechatH5).await,
            _ => Ok(self.to_checkout()),
        }
    }

    /// To WeChat, which tells who scanned and leads back; `None` where nobody can pay inside WeChat.
    pub(super) fn to_wechat(&self) -> Option<Response> {
        let channels = &self.api.commands.ports.channels;
        let account = channels.official_account().filter(|_| channels.offers(Channel::WechatJsapi))?;
        let back = self.api.links.oauth_url(self.order_id);
        Some(Redirect::to(&account.authorization_url(&back, OAUTH_STATE)).into_response())
    }

    async fn to_form(&self) -> Result<Response, Problem> {
        let begun = match self.begin(Channel::AlipayWap, Payer::default()).await? {
            Ok(attempted) => attempted,
            Err(answer) => return Ok(answer),
        };
        let (commands, links) = (&self.api.commands, &self.api.links);
        match commands.open_pay_page(begun.pay_no, links.return_url(self.order_id), self.correlation_id).await {
            Ok(form) => form_page::show(self.language, &form, &links.checkout_path(self.order_id)),
            Err(failure) => self.led_elsewhere(failure),
        }
    }

    /// To the wallet's own page: what a code holds, or the page of a payment on a phone.
    pub(super) async fn to_prepared(&self, channel: Channel) -> Result<Response, Problem> {
        let payer = Payer { openid: None, client_ip: self.client.0.filter(|_| channel.needs_client_ip()) };
        let begun = match self.begin(channel, payer).await? {
            Ok(attempted) => attempted,
            Err(answer) => return Ok(answer),
        };
        let record = begun.record()?;
        let address = record.prepared.as_ref().filter(|_| record.code_is_usable(self.api.commands.now()));
        Ok(match address {
            Some((Prepared::Link { link_url }, _)) => Redirect::to(&self.back_from(link_url)).into_response(),
            Some((Prepared::Code { code_url }, _)) if is_web_address(code_url) => Redirect::to(code_url).into_response(),
            _ => self.to_checkout(),
        })
    }

    /// The address of WeChat's page with the way back from it.
    pub(super) fn back_from(&self, link_url: &str) -> String {
        let join = if link_url.contains('?') { '&' } else { '?' };
        format!("{link_url}{join}redirect_url={}", percent_encoded(&self.api.links.return_url(self.order_id)))
    }

    /// Begins to pay, or finds the attempt that is on its way; the answer instead, where neither can be.
    async fn begin(&self, channel: Channel, payer: Payer) -> Result<Result<Attempted, Response>, Problem> {
        let wish = PayWish { channel, payer, by_scan: true };
        let begun = self.api.commands.begin_payment(&Caller::CheckoutLink, self.order_id, &wish, None, None, self.correlation_id).await;
        match begun {
            Ok(attempted) => Ok(Ok(attempted)),
            Err(failure) => self.led_elsewhere(failure).map(Err),
        }
    }

    /// Where a payment cannot be begun, the checkout says why, and offers what else there is.
    fn led_elsewhere(&self, failure: CommandFailure) -> Result<Response, Problem> {
        match failure {
            CommandFailure::Order(_)
            | CommandFailure::ChannelRefused { .. }
            | CommandFailure::ChannelUnavailable
            | CommandFailure::ChannelNotConfigured
            | CommandFailure::Invalid { .. } => {
                tracing::info!(order.id = %self.order_id, reason = %Chain(&failure), "a scan leads to the checkout");
                Ok(self.to_checkout())
            }
            failure => Err(failure.into()),
        }
    }

    fn to_checkout(&self) -> Response {
        Redirect::to(&self.api.links.checkout_path(self.order_id)).into_response()
    }

    fn ended(&self, order: &Order, rejection: OrderRejection) -> Response {
        let pages = &self.api.pages;
        match (rejection, order.status) {
            (OrderRejection::AlreadyPaid, _) => pages.already_paid(self.language),
            (OrderRejection::Unknown, _) => pages.unknown_link(self.language),
            // The checkout page says how it ended, and that it cannot be renewed.
            (_, OrderStatus::Cancelled | OrderStatus::Closing) => self.to_checkout(),
            _ => pages.over(self.language, &self.api.links.checkout_path(self.order_id)),
        }
    }
}

fn offers(api: &ApiState, channel: Channel) -> bool {
    api.commands.ports.channels.offers(channel)
}

/// Whether whoever opens the order's own code inside Alipay's app can pay there.
pub(super) fn pays_in_alipay(api: &ApiState) -> bool {
    offers(api, Channel::AlipayWap) || offers(api, Channel::AlipayQr)
}

/// The same for WeChat's app.
pub(super) fn pays_in_wechat(api: &ApiState) -> bool {
    offers(api, Channel::WechatJsapi) && api.commands.ports.channels.official_account().is_some()
}

/// It says nothing: the link itself is the permission.
const OAUTH_STATE: &str = "pay";

/// What WeChat brings back.
#[derive(Debug, Deserialize)]
pub(crate) struct Authorized {
    code: Option<String>,
}

/// `GET /wechat/oauth/{token}`: whoever scanned comes back from WeChat, which told who they are, and pays on this page.
pub(crate) async fn authorized(
    State(api): State<ApiState>,
    Path(token): Path<String>,
    Query(authorized): Query<Authorized>,
    client: ClientAddress,
    Correlation(correlation_id): Correlation,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let language = Language::of(&headers);
    let Some(order_id) = api.links.open_oauth(&token) else { return Ok(api.pages.unknown_link(language)) };
    let scan = Scan { browser: Browser::WeChat, client, language, correlation_id, order_id, api: &api };
    let standing = api.commands.orders.load(&streams::order(order_id)).await.map_err(CommandFailure::from)?;
    if let Err(rejection) = standing.state.may_begin_payment(api.commands.now()) {
        return Ok(scan.ended(&standing.state, rejection));
    }
    let Some(account) = api.commands.ports.channels.official_account() else { return Ok(scan.to_checkout()) };
    // Who does not let WeChat tell pays another way.
    let Some(code) = authorized.code.filter(|code| !code.is_empty()) else { return Ok(scan.to_checkout()) };
    let openid = match account.openid(&code).await {
        Ok(openid) => openid,
        Err(error @ (OpenIdError::Refused { .. } | OpenIdError::Unknown(_))) => {
            tracing::warn!(order.id = %order_id, error = %Chain(&error), "WeChat does not tell who scanned");
            return Ok(scan.to_checkout());
        }
    };
    let begun = match scan.begin(Channel::WechatJsapi, Payer { openid: Some(openid), client_ip: None }).await? {
        Ok(attempted) => attempted,
        Err(answer) => return Ok(answer),
    };
    match api.commands.client_parameters(begun.record()?)? {
        Some(parameters) => {
            Ok(jsapi_page::show(language, &parameters, &api.links.return_url(order_id), &api.links.checkout_path(order_id)))
        }
        None => Ok(scan.to_checkout()),
    }
}

fn is_web_address(address: &str) -> bool {
    address.starts_with("https://") || address.starts_with("http://")
}

/// A text as the value of a query's parameter.
fn percent_encoded(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a text does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests;
