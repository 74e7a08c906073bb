//! APIv3: JSON over HTTPS, requests signed by the merchant, answers and notifications by WeChat Pay.

mod answer;
mod authorization;
mod bill;
mod certificates;
mod content;
mod notification;
mod prepay;
mod refund;
mod target;
mod transaction;

use std::sync::Arc;

use axum::Router;
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use axum::routing::any;
use chassis::extract::RawBody;
use chassis::problem::Chain;

pub(super) use notification::compose;
pub(crate) use notification::notification_headers;

use super::account::Account;
use super::{BASE, REQUEST_LIMIT};
use crate::Sandbox;
use crate::fault::{Fault, unanswered};
use crate::trade::Wallet;
use answer::{Answer, Refusal, Unsuccessful};
use target::Target;

pub(super) fn routes() -> Router<Arc<Sandbox>> {
    Router::new().route(&format!("{BASE}/v3/{{*rest}}"), any(call))
}

/// A call as it came.
struct Call<'a> {
    method: &'a Method,
    uri: &'a Uri,
    headers: &'a HeaderMap,
    body: &'a [u8],
}

/// Any call under `/sandbox/wechat/v3/`.
async fn call(
    State(sandbox): State<Arc<Sandbox>>,
    method: Method,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    RawBody(body): RawBody<REQUEST_LIMIT>,
) -> Response {
    let call = Call { method: &method, uri: &uri, headers: &headers, body: &body };
    let account = sandbox.wechat();
    let (target, serial) = match read(&sandbox, &account, &call) {
        Ok(read) => read,
        Err(refusal) => {
            tracing::info!(wechat.code = refusal.code, "the sandbox's WeChat Pay turned a call away");
            return refusal.response();
        }
    };
    let fault = match target.operation() {
        None => Ok(None),
        Some(operation) => sandbox.take_fault(Wallet::Wechat, operation).await,
    };
    let (outcome, fault) = match fault {
        Err(error) => (Err(error.into()), None),
        Ok(Some(Fault::TimeoutBefore)) => return unanswered(sandbox.config().fault_hold).await,
        Ok(Some(Fault::Refuse)) => (Err(Refusal::new(StatusCode::FORBIDDEN, "NO_AUTH", "商户无权限").into()), None),
        Ok(Some(Fault::SystemError)) => (Err(Refusal::system_error().into()), None),
        Ok(Some(Fault::RateLimited)) => (Err(Refusal::too_often().into()), None),
        Ok(fault) => (done(&sandbox, &account, target, &call, fault).await, fault),
    };
    match (outcome, fault) {
        (_, Some(Fault::TimeoutAfter)) => unanswered(sandbox.config().fault_hold).await,
        (Ok(answer), fault) => answer::response(&sandbox, account, answer, serial, fault == Some(Fault::SignTest)).await,
        (Err(Unsuccessful::Refused(refusal)), _) => refusal.response(),
        (Err(Unsuccessful::Failed(error)), _) => {
            tracing::error!(error = %Chain(&error), "the sandbox's WeChat Pay could not do what it was asked");
            Refusal::system_error().response()
        }
    }
}

/// Checks who calls, and finds what is asked and by which key of ours the answer is wanted.
fn read(sandbox: &Sandbox, account: &Account, call: &Call<'_>) -> Result<(Target, Option<String>), Refusal> {
    let text = |name: &str| call.headers.get(name).and_then(|value| value.to_str().ok()).filter(|value| !value.trim().is_empty());
    let wanted = text("accept").is_some_and(|accept| accept.contains("application/json") || accept.contains("*/*"));
    if text("user-agent").is_none() || !wanted {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "PARAM_ERROR", "Http头缺少Accept或User-Agent"));
    }
    authorization::check(account, call, sandbox.now())?;
    let serial = text("wechatpay-serial").map(str::to_owned);
    if account.answering_key(serial.as_deref()).is_none() {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "PARAM_ERROR", "平台证书序列号Wechatpay-Serial错误"));
    }
    Ok((target::find(call.method, call.uri)?, serial))
}

async fn done(sandbox: &Sandbox, account: &Account, target: Target, call: &Call<'_>, fault: Option<Fault>) -> Result<Answer, Unsuccessful> {
    match target {
        Target::Prepay(product) => prepay::prepay(sandbox, account, product, call.body).await,
        Target::Query(number) => transaction::query(sandbox, account, number, call.uri).await,
        Target::Close(out_trade_no) => transaction::close(sandbox, account, &out_trade_no, call.body).await,
        Target::Refund => refund::refund(sandbox, call.body, fault).await,
        Target::QueryRefund(request_no) => refund::query(sandbox, &request_no).await,
        Target::Certificates => certificates::list(account),
        Target::Bill(kind) => bill::apply(sandbox, kind, call.uri).await,
        Target::Download => bill::download(sandbox, call.uri).await,
    }
}
