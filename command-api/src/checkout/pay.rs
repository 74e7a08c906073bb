//! `GET /pay/{token}`: what a scanned link, or a button of the checkout, opens.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use chassis::client_address::ClientAddress;
use chassis::correlation::Correlation;
use chassis::extract::Path;
use chassis::language::Language;
use chassis::problem::Problem;
use domain::order::{Order, OrderStatus};
use domain::pay_record::{PayRecord, PayRecordStatus};
use domain::{Channel, PayNo};

use super::browser::Browser;
use super::form_page;
use super::scan::Scan;
use crate::failure::CommandFailure;
use crate::routes::ApiState;
use crate::streams;

/// Leads a browser to where the record is paid, or says why it cannot be any more. The order's own code leads whoever scans
/// it into their wallet.
pub(crate) async fn pay(
    State(api): State<ApiState>,
    Path(token): Path<String>,
    Correlation(correlation_id): Correlation,
    client: ClientAddress,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let language = Language::of(&headers);
    let browser = Browser::of(&headers);
    let scan = |order_id| Scan { browser, client, language, correlation_id, order_id, api: &api };
    if let Some(order_id) = api.links.open_pay_order(&token) {
        return scan(order_id).lead().await;
    }
    let Some(pay_no) = api.links.open_pay(&token) else { return Ok(api.pages.unknown_link(language)) };
    let order = load(&api, pay_no).await?;
    let Some(record) = order.pay_record(pay_no) else { return Ok(api.pages.unknown_link(language)) };
    let is_open = order.status == OrderStatus::AwaitingPayment && record.status == PayRecordStatus::Pending;
    if let Some(channel) = record.issued.as_ref().map(|issued| issued.channel).filter(|_| is_open) {
        let scan = scan(pay_no.order_id());
        if channel.is_wechat() && browser == Browser::WeChat {
            return Ok(scan.to_wechat().unwrap_or_else(|| led_on(&api, language, &order, record, browser)));
        }
        if channel.needs_client_ip() && browser == Browser::Phone {
            return scan.to_prepared(channel).await;
        }
    }
    let takes_form = record.issued.as_ref().is_some_and(|issued| takes_form_of(browser, issued.channel));
    if !takes_form || !is_payable(&api, &order, record) {
        return Ok(led_on(&api, language, &order, record, browser));
    }
    match api.commands.open_pay_page(pay_no, api.links.return_url(pay_no.order_id()), correlation_id).await {
        Ok(form) => form_page::show(language, &form, &api.links.checkout_path(pay_no.order_id())),
        // It moved on after it was read, or is not to be paid this way: what has become of it is told.
        Err(CommandFailure::Order(_) | CommandFailure::ChannelRefused { .. } | CommandFailure::ChannelNotConfigured) => {
            let order = load(&api, pay_no).await?;
            let record = order.pay_record(pay_no).ok_or(CommandFailure::NotFound)?;
            Ok(led_on(&api, language, &order, record, browser))
        }
        Err(failure) => Err(failure.into()),
    }
}

/// Whether a browser is given the channel's form. What is not meant for it, it does not get: the checkout offers it what is.
fn takes_form_of(browser: Browser, channel: Channel) -> bool {
    match (channel, browser) {
        // WeChat's browser does not open Alipay's pages.
        (_, Browser::WeChat) => false,
        // A phone's page hands over to the wallet's app.
        (Channel::AlipayWap, browser) => browser.is_mobile(),
        (channel, _) => channel.takes_form(),
    }
}

async fn load(api: &ApiState, pay_no: PayNo) -> Result<std::sync::Arc<Order>, Problem> {
    let standing = api.commands.orders.load(&streams::order(pay_no.order_id())).await.map_err(CommandFailure::from)?;
    Ok(standing.state)
}

fn is_payable(api: &ApiState, order: &Order, record: &PayRecord) -> bool {
    let is_open = order.status == OrderStatus::AwaitingPayment && record.status == PayRecordStatus::Pending;
    is_open && record.code_is_usable(api.commands.now())
}

/// To the channel's code, to the checkout, or to a page that says that it is paid or over.
fn led_on(api: &ApiState, language: Language, order: &Order, record: &PayRecord, browser: Browser) -> Response {
    let checkout_path = record.issued.as_ref().map(|issued| api.links.checkout_path(issued.pay_no.order_id()));
    let Some(checkout_path) = checkout_path else { return api.pages.unknown_link(language) };
    let payable = is_payable(api, order, record);
    match (order.status, record.code_url()) {
        (OrderStatus::Paid, _) => api.pages.already_paid(language),
        // Alipay's own browser opens the channel's code at once.
        (_, Some(code_url)) if payable && browser == Browser::Alipay => Redirect::to(code_url).into_response(),
        (OrderStatus::AwaitingPayment, _) if payable => Redirect::to(&checkout_path).into_response(),
        // The checkout waits for the code, or offers another way to pay.
        (OrderStatus::AwaitingPayment, _) if matches!(record.status, PayRecordStatus::Preparing | PayRecordStatus::Failed) => {
            Redirect::to(&checkout_path).into_response()
        }
        // The checkout page says how it ended, and that it cannot be renewed.
        (OrderStatus::Cancelled | OrderStatus::Closing, _) => Redirect::to(&checkout_path).into_response(),
        _ => api.pages.over(language, &checkout_path),
    }
}
