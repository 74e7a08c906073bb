//! `GET /pay/{token}`: what a scanned link, or a button of the checkout, opens.

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Redirect, Response};
use chassis::correlation::Correlation;
use chassis::extract::Path;
use chassis::language::Language;
use chassis::problem::Problem;
use domain::PayNo;
use domain::order::{Order, OrderStatus};
use domain::pay_record::{PayRecord, PayRecordStatus};

use super::form_page;
use crate::failure::CommandFailure;
use crate::routes::ApiState;
use crate::streams;

/// Leads a browser to where the record is paid, or says why it cannot be any more.
pub(crate) async fn pay(
    State(api): State<ApiState>,
    Path(token): Path<String>,
    Correlation(correlation_id): Correlation,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let language = Language::of(&headers);
    let Some(pay_no) = api.links.open_pay(&token) else { return Ok(api.pages.unknown_link(language)) };
    let order = load(&api, pay_no).await?;
    let Some(record) = order.pay_record(pay_no) else { return Ok(api.pages.unknown_link(language)) };
    let takes_form = record.issued.as_ref().is_some_and(|issued| issued.channel.takes_form());
    // WeChat's browser does not open Alipay's pages; the checkout offers what else there is.
    if !takes_form || !is_payable(&api, &order, record) || names(&headers, "MicroMessenger") {
        return Ok(led_on(&api, language, &order, record, &headers));
    }
    match api.commands.open_pay_page(pay_no, api.links.return_url(pay_no.order_id()), correlation_id).await {
        Ok(form) => form_page::show(language, &form, &api.links.checkout_path(pay_no.order_id())),
        // It moved on after it was read, or is not to be paid this way: what has become of it is told.
        Err(CommandFailure::Order(_) | CommandFailure::ChannelRefused { .. } | CommandFailure::ChannelNotConfigured) => {
            let order = load(&api, pay_no).await?;
            let record = order.pay_record(pay_no).ok_or(CommandFailure::NotFound)?;
            Ok(led_on(&api, language, &order, record, &headers))
        }
        Err(failure) => Err(failure.into()),
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
fn led_on(api: &ApiState, language: Language, order: &Order, record: &PayRecord, headers: &HeaderMap) -> Response {
    let checkout_path = record.issued.as_ref().map(|issued| api.links.checkout_path(issued.pay_no.order_id()));
    let Some(checkout_path) = checkout_path else { return api.pages.unknown_link(language) };
    let payable = is_payable(api, order, record);
    match (order.status, &record.code) {
        (OrderStatus::Paid, _) => api.pages.already_paid(language),
        // Alipay's own browser opens the channel's code at once.
        (_, Some((code_url, _))) if payable && names(headers, "AlipayClient") => Redirect::to(code_url).into_response(),
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

/// Whether a wallet's own browser names itself.
fn names(headers: &HeaderMap, wallet: &str) -> bool {
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    agent.contains(wallet)
}
