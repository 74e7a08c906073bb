//! `alipay.trade.page.pay` and `alipay.trade.wap.pay`: a buyer's browser brings what the merchant signed, and is led to the cashier; after the payment
//! it is led back.

use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use chassis::problem::Chain;
use chrono::{DateTime, Utc};
use reqwest::Url;

use super::account::{Account, trade_no};
use super::answer::{Refusal, Unsuccessful};
use super::asked::{self, Content, PAGE, WAP, asked, is_same};
use super::charset::Charset;
use super::form::{self, Members};
use super::request::{Call, Method, Turned};
use super::{beijing, content, signature};
use crate::trade::{Trade, Wallet};
use crate::{Sandbox, SandboxError, cashier};

/// Leads the browser to the cashier, or shows the buyer why not: the merchant's server hears nothing of either.
pub(super) async fn open(sandbox: &Sandbox, call: &Call) -> Response {
    let content = match content::read(&call.biz_content) {
        Ok(content) => content,
        Err(turned) => return turned_away(&turned),
    };
    match come(sandbox, call, content).await {
        Ok(trade) => (StatusCode::SEE_OTHER, [(LOCATION, cashier::path(&trade.out_trade_no))]).into_response(),
        Err(Unsuccessful::Refused(refusal)) => cashier::refused(refusal.sub_code, &refusal.sub_msg),
        Err(Unsuccessful::Failed(error)) => {
            tracing::error!(error = %Chain(&error), "the sandbox's Alipay could not open its cashier");
            cashier::refused("isp.unknow-error", "系统繁忙")
        }
    }
}

/// Shows the buyer why the gateway itself turned the form away.
pub(super) fn turned_away(turned: &Turned) -> Response {
    cashier::refused(turned.sub_code, turned.sub_msg)
}

/// The buyer comes: the trade exists from here on. The same content leads to the same trade, whatever has become of it.
async fn come(sandbox: &Sandbox, call: &Call, content: Content) -> Result<Trade, Unsuccessful> {
    let known = match content.out_trade_no() {
        Some(number) => sandbox.store().trade(Wallet::Alipay, &number).await?,
        None => None,
    };
    let now = sandbox.now();
    // A form that is brought again is judged as of the time it was first brought: its own time may be over now.
    let product = if call.method == Method::WapPay { &WAP } else { &PAGE };
    let asked = asked(content, product, known.as_ref().map_or(now, |known| known.coded_at))?;
    if let Some(known) = known {
        return same(known, &asked);
    }
    let (notify_url, return_url) = (asked::notify_url(sandbox, call)?, asked::return_url(call)?);
    let asked = Trade { charset: call.charset.as_str().to_owned(), notify_url, return_url, ..asked };
    let trade = asked.scanned(now, || trade_no(now)).map_err(|_| Refusal::invalid("time_expire", "已过期"))?;
    if sandbox.store().insert_trade(&trade).await? {
        tracing::info!(sandbox.out_trade_no = trade.out_trade_no, "a buyer came to the cashier of the sandbox's Alipay");
        return Ok(trade);
    }
    let known = sandbox.store().trade(Wallet::Alipay, &trade.out_trade_no).await?;
    same(known.ok_or_else(Refusal::trade_not_exist)?, &trade)
}

fn same(known: Trade, asked: &Trade) -> Result<Trade, Unsuccessful> {
    if is_same(&known, asked) { Ok(known) } else { Err(Refusal::other_content().into()) }
}

/// The word in a return for where the browser comes from.
fn return_method(trade: &Trade) -> &'static str {
    if WAP.has(&trade.product_code) { "alipay.trade.wap.pay.return" } else { "alipay.trade.page.pay.return" }
}

/// Where the browser of a buyer who has paid is led, signed; none if the merchant named no place. Takes milliseconds of
/// the processor.
pub(crate) fn return_address(account: &Account, trade: &Trade, now: DateTime<Utc>) -> Result<Option<String>, SandboxError> {
    let Some(mut url) = trade.return_url.as_deref().and_then(|url| Url::parse(url).ok()) else { return Ok(None) };
    let charset = Charset::parse(&trade.charset).unwrap_or(Charset::Utf8);
    let mut members = Members::new();
    for (name, text) in [
        ("app_id", account.app_id.as_str()),
        ("auth_app_id", &account.app_id),
        ("charset", charset.as_str()),
        ("method", return_method(trade)),
        ("out_trade_no", &trade.out_trade_no),
        ("seller_id", &account.seller_id),
        ("sign_type", "RSA2"),
        ("timestamp", &beijing::text(now)),
        ("total_amount", &trade.total_amount().major_text()),
        ("trade_no", trade.trade_no.as_deref().unwrap_or_default()),
        ("version", "1.0"),
    ] {
        members.insert(name.to_owned(), text.as_bytes().to_vec());
    }
    if let Some(serial) = account.named_certificate() {
        members.insert("alipay_cert_sn".to_owned(), serial.as_bytes().to_vec());
    }
    // Signed as notifications are: without the type of the signature.
    let sign = signature::sign(&account.platform_key, &signature::canonical_notification(&members))?;
    members.insert("sign".to_owned(), sign.into_bytes());
    let own = form::write(members.iter().map(|(name, value)| (name.as_str(), value.as_slice())));
    let query = url.query().filter(|query| !query.is_empty()).map_or_else(|| own.clone(), |query| format!("{query}&{own}"));
    url.set_query(Some(&query));
    Ok(Some(url.into()))
}

#[cfg(test)]
mod tests;
