//! The cashier page: what a phone opens that scans the code, and where a browser is led that comes with a form. Opening it is
//! the scan.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chassis::extract::Path;
use chassis::problem::Problem;
use reqwest::Url;
use serde::Deserialize;

use crate::control::problem;
use crate::payment::{Notify, PayError};
use crate::trade::{Standing, Trade, Wallet};
use crate::{Sandbox, SandboxError, alipay, wechat};

const PAGE: &str = include_str!("cashier/page.html");
const STYLE: &str = include_str!("cashier/page.css");
const BACK: &str = include_str!("cashier/back.html");
const BUTTON: &str = include_str!("cashier/button.html");

/// The routes that a buyer's phone opens.
pub(crate) fn routes() -> Router<Arc<Sandbox>> {
    Router::new().route("/sandbox/cashier/{out_trade_no}", get(open).post(pay)).route("/sandbox/assets/cashier.css", get(style))
}

/// Where the page of a trade is on this host. Numbers of known trades need no escaping.
pub(crate) fn path(out_trade_no: &str) -> String {
    format!("/sandbox/cashier/{out_trade_no}")
}

/// What WeChat Pay's addresses of the page carry.
#[derive(Debug, Default, Deserialize)]
struct Brought {
    /// Of the code that was scanned; without it the newest is meant.
    prepay_id: Option<String>,
    /// Where the merchant wants the browser to go after an H5 payment.
    redirect_url: Option<String>,
}

/// Opens the page, which scans the code.
async fn open(
    State(sandbox): State<Arc<Sandbox>>,
    Path(out_trade_no): Path<String>,
    Query(brought): Query<Brought>,
) -> Result<Response, Problem> {
    if sandbox.is_outdated(&out_trade_no, &brought).await.map_err(|error| problem(&error))? {
        return Ok(page(StatusCode::OK, Wallet::Wechat, View::CodeExpired, None, None));
    }
    let trade = sandbox.scan(&out_trade_no, brought.redirect_url.as_deref()).await.map_err(|error| problem(&error))?;
    let Some(trade) = trade else { return Ok(unknown()) };
    let back = sandbox.way_back(&trade).await.map_err(|error| problem(&error))?;
    Ok(page(StatusCode::OK, trade.wallet, trade.standing(sandbox.now()).into(), Some(&trade), back.as_deref()))
}

/// Pays, and leads back to the merchant where one waits; else shows the page again. Its state is the result, also of a second
/// press of the button, and has the way back too.
async fn pay(
    State(sandbox): State<Arc<Sandbox>>,
    Path(out_trade_no): Path<String>,
    Query(brought): Query<Brought>,
) -> Result<Response, Problem> {
    if sandbox.is_outdated(&out_trade_no, &brought).await.map_err(|error| problem(&error))? {
        return Ok(page(StatusCode::OK, Wallet::Wechat, View::CodeExpired, None, None));
    }
    let back = match sandbox.pay(&out_trade_no, Notify::Once).await {
        Ok(paid) => sandbox.way_back(&paid).await.map_err(|error| problem(&error))?,
        Err(PayError::Unpayable(_)) => None,
        Err(PayError::UnknownTrade) => return Ok(unknown()),
        Err(PayError::Failed(error)) => return Err(problem(&error)),
    };
    Ok((StatusCode::SEE_OTHER, [(LOCATION, back.unwrap_or_else(|| path(&out_trade_no)))]).into_response())
}

impl Sandbox {
    /// Whether the page was opened by a code whose place another has taken.
    async fn is_outdated(&self, out_trade_no: &str, brought: &Brought) -> Result<bool, SandboxError> {
        let Some(prepay_id) = &brought.prepay_id else { return Ok(false) };
        let trade = self.store().trade_of_any_wallet(out_trade_no).await?;
        Ok(trade.and_then(|trade| trade.wechat).is_some_and(|prepay| prepay.prepay_id != *prepay_id))
    }

    /// Where the browser of a buyer who has paid is led; none if nothing is paid or the merchant named no place.
    async fn way_back(&self, trade: &Trade) -> Result<Option<String>, SandboxError> {
        let now = self.now();
        if trade.return_url.is_none() || trade.standing(now) != Standing::Paid {
            return Ok(None);
        }
        let (account, trade) = (self.alipay(), trade.clone());
        tokio::task::spawn_blocking(move || match trade.wallet {
            Wallet::Alipay => alipay::return_address(&account, &trade, now),
            // WeChat's browser comes back with nothing to prove.
            Wallet::Wechat => Ok(trade.return_url),
        })
        .await?
    }
}

/// Tells the buyer why there is no cashier for what the merchant sent: the channel's word, and what it means.
pub(crate) fn refused(sub_code: &str, sub_msg: &str) -> Response {
    html(StatusCode::OK, Wallet::Alipay, ("ended", sub_msg, sub_code), "", None)
}

fn unknown() -> Response {
    page(StatusCode::NOT_FOUND, Wallet::Alipay, View::Unknown, None, None)
}

async fn style() -> Response {
    ([(CONTENT_TYPE, "text/css; charset=utf-8"), (CACHE_CONTROL, "public, max-age=3600")], STYLE).into_response()
}

/// What the page shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum View {
    Payable,
    Paid,
    Refunded,
    Closed,
    CodeExpired,
    Unknown,
}

impl From<Standing> for View {
    fn from(standing: Standing) -> Self {
        match standing {
            // A code that has just been scanned is a trade; the two look alike to the buyer.
            Standing::Coded | Standing::AwaitingBuyer => Self::Payable,
            Standing::Paid => Self::Paid,
            Standing::Refunded => Self::Refunded,
            Standing::Closed => Self::Closed,
            Standing::CodeExpired => Self::CodeExpired,
        }
    }
}

impl View {
    /// The class of the page, and what it says in both languages.
    fn texts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Payable => ("payable", "请确认付款", "Please confirm the payment"),
            Self::Paid => ("paid", "支付成功", "Paid"),
            Self::Refunded => ("ended", "已全额退款", "Wholly refunded"),
            Self::Closed => ("ended", "交易已关闭，不能再支付", "This payment is closed and cannot be paid any more"),
            Self::CodeExpired => ("ended", "二维码已过期", "This code has expired"),
            Self::Unknown => ("ended", "没有这笔交易", "There is no such payment"),
        }
    }
}

fn page(status: StatusCode, wallet: Wallet, view: View, trade: Option<&Trade>, back: Option<&str>) -> Response {
    let action = match (view, back) {
        (View::Payable, _) => BUTTON.to_owned(),
        (View::Paid, Some(back)) => BACK.replace("{{back}}", &escaped(back)),
        _ => String::new(),
    };
    html(status, wallet, view.texts(), &action, trade)
}

fn html(status: StatusCode, wallet: Wallet, (class, zh, en): (&str, &str, &str), action: &str, trade: Option<&Trade>) -> Response {
    let wallet = match wallet {
        Wallet::Alipay => "支付宝沙箱 · Alipay sandbox",
        Wallet::Wechat => wechat::CASHIER_TITLE,
    };
    let amount = trade.map(|trade| format!("¥ {}", trade.total_amount().major_text()));
    let html = PAGE
        .replace("{{wallet}}", wallet)
        .replace("{{class}}", class)
        .replace("{{zh}}", &escaped(zh))
        .replace("{{en}}", &escaped(en))
        .replace("{{action}}", action)
        .replace("{{amount}}", &amount.unwrap_or_default())
        .replace("{{out_trade_no}}", &escaped(trade.map_or("", |trade| trade.out_trade_no.as_str())))
        // The merchant's text comes last, so that nothing in it is taken for a placeholder.
        .replace("{{subject}}", &escaped(trade.map_or("", |trade| trade.subject.as_str())));
    let policy = content_policy(trade);
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, policy.as_str()),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    (status, headers, html).into_response()
}

/// The page loads nothing but its own style, runs nothing, and posts only here. Browsers hold a form to that along the whole
/// way it is led, so the merchant's place is named where the buyer is led there after the payment.
fn content_policy(trade: Option<&Trade>) -> String {
    let back = trade.and_then(|trade| Url::parse(trade.return_url.as_deref()?).ok()).map(|url| url.origin().ascii_serialization());
    let targets = ["'self'"].into_iter().chain(back.as_deref()).collect::<Vec<_>>().join(" ");
    format!("default-src 'none'; style-src 'self'; form-action {targets}; frame-ancestors 'none'; base-uri 'none'")
}

/// The text as it may stand in HTML, also in an attribute.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;
    use crate::trade::tests::coded;

    async fn html(view: View, subject: &str) -> String {
        let trade = Trade { subject: subject.to_owned(), ..coded() };
        let response = page(StatusCode::OK, Wallet::Alipay, view, Some(&trade), None);
        String::from_utf8(to_bytes(response.into_body(), 65_536).await.unwrap().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn only_a_payable_trade_has_a_button() {
        for view in [View::Payable, View::Paid, View::Refunded, View::Closed, View::CodeExpired, View::Unknown] {
            let html = html(view, "course").await;
            assert_eq!(html.contains("<form"), view == View::Payable, "{view:?}");
            assert!(!html.contains("{{"), "{html}");
        }
        assert!(html(View::Payable, "course").await.contains("¥ 199.00"));
    }

    #[tokio::test]
    async fn a_merchants_text_stays_text() {
        let html = html(View::Payable, "<script>\"'&{{amount}}").await;
        assert!(html.contains("&lt;script&gt;&quot;&#39;&amp;{{amount}}"), "{html}");
    }
}
