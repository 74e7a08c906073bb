//! The old protocol, for merchants of old: flat XML, signed with a key that both sides hold.
//!
//! The real one asks for a client certificate at `/secapi/`; over plain HTTP nobody can, so it is not asked for here.

mod bill;
mod notification;
mod order;
mod query;
mod refund;
pub(super) mod signature;
pub(super) mod xml;

use std::sync::Arc;

use axum::Router;
use axum::extract::{OriginalUri, State};
use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use chassis::extract::RawBody;
use chassis::problem::Chain;

pub(super) use notification::compose;
pub(crate) use notification::is_acknowledgement;

use super::account::Account;
use super::{BASE, REQUEST_LIMIT, numbers};
use crate::fault::{Fault, Operation, unanswered};
use crate::store::StoreError;
use crate::trade::Wallet;
use crate::{Sandbox, SandboxError};
use signature::SignType;
use xml::Members;

pub(super) fn routes() -> Router<Arc<Sandbox>> {
    let mut router = Router::new();
    for (path, _) in CALLS {
        router = router.route(&format!("{BASE}{path}"), any(call));
    }
    router
}

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Order,
    Query,
    Close,
    Refund,
    QueryRefund,
    Bill,
}

const CALLS: [(&str, Asked); 6] = [
    ("/pay/unifiedorder", Asked::Order),
    ("/pay/orderquery", Asked::Query),
    ("/pay/closeorder", Asked::Close),
    ("/secapi/pay/refund", Asked::Refund),
    ("/pay/refundquery", Asked::QueryRefund),
    ("/pay/downloadbill", Asked::Bill),
];

impl Asked {
    /// The word of the control routes for it.
    fn operation(self) -> Operation {
        match self {
            Self::Order => Operation::Precreate,
            Self::Query => Operation::Query,
            Self::Close => Operation::Close,
            Self::Refund => Operation::Refund,
            Self::QueryRefund => Operation::QueryRefund,
            Self::Bill => Operation::DownloadStatement,
        }
    }
}

/// A business refusal, signed: understood and authentic, and not done.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Refusal {
    err_code: &'static str,
    err_code_des: String,
}

impl Refusal {
    fn new(err_code: &'static str, err_code_des: impl Into<String>) -> Self {
        Self { err_code, err_code_des: err_code_des.into() }
    }

    /// A member that is missing or not allowed.
    fn invalid(member: &str) -> Self {
        Self::new("PARAM_ERROR", format!("参数错误：{member} 缺失或不符合要求"))
    }

    fn order_not_exist() -> Self {
        Self::new("ORDERNOTEXIST", "订单不存在")
    }
}

/// Why a call has no successful answer.
#[derive(Debug)]
enum Unsuccessful {
    Refused(Refusal),
    /// Ours: the merchant is told of a system error, which says nothing about what was done.
    Failed(SandboxError),
}

impl From<Refusal> for Unsuccessful {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<SandboxError> for Unsuccessful {
    fn from(error: SandboxError) -> Self {
        Self::Failed(error)
    }
}

impl From<StoreError> for Unsuccessful {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// What is answered where something was done.
enum Answer {
    Members(Members),
    /// A file, which is neither XML nor signed.
    File(Vec<u8>),
}

/// Any call: status 200 always, as the real one.
async fn call(
    State(sandbox): State<Arc<Sandbox>>,
    method: Method,
    OriginalUri(uri): OriginalUri,
    RawBody(body): RawBody<REQUEST_LIMIT>,
) -> Response {
    let asked = CALLS.iter().find(|(path, _)| uri.path().strip_prefix(BASE) == Some(path)).map(|(_, asked)| *asked);
    let account = sandbox.wechat();
    let (Some(asked), true) = (asked, method == Method::POST) else { return turned_away("请使用post方法") };
    let (members, sign_type) = match read(&account, &body) {
        Ok(read) => read,
        Err(words) => return turned_away(words),
    };
    let fault = match sandbox.take_fault(Wallet::Wechat, asked.operation()).await {
        Ok(fault) => fault,
        Err(error) => return answered(&account, sign_type, Err(error.into()), false),
    };
    let outcome = match fault {
        Some(Fault::TimeoutBefore) => return unanswered(sandbox.config().fault_hold).await,
        Some(Fault::Refuse) => Err(Refusal::new("NOAUTH", "商户无此接口权限").into()),
        Some(Fault::SystemError) => Err(Refusal::new("SYSTEMERROR", "系统超时").into()),
        Some(Fault::RateLimited) => Err(Refusal::new("FREQUENCY_LIMITED", "频率限制").into()),
        fault => done(&sandbox, &account, asked, &members, sign_type, fault).await,
    };
    if fault == Some(Fault::TimeoutAfter) {
        return unanswered(sandbox.config().fault_hold).await;
    }
    answered(&account, sign_type, outcome, fault == Some(Fault::SignTest))
}

/// Reads a message and checks who sent it. Errors: what the merchant is told, unsigned.
fn read(account: &Account, body: &[u8]) -> Result<(Members, SignType), &'static str> {
    if body.is_empty() {
        return Err("post数据为空");
    }
    let members = xml::read(body, "xml").ok_or("XML格式错误")?;
    let credentials = account.credentials();
    if members.get("appid") != Some(&credentials.appid) {
        return Err("appid不存在");
    }
    if members.get("mch_id") != Some(&credentials.mchid) {
        return Err("商户号mch_id或sub_mch_id不存在");
    }
    if members.get("nonce_str").is_none_or(|nonce| nonce.is_empty() || nonce.len() > 32) {
        return Err("nonce_str参数长度有误");
    }
    let sign_type = SignType::parse(members.get("sign_type").map(String::as_str)).ok_or("sign_type参数错误")?;
    if !signature::verify(&members, &credentials.api_v2_key, sign_type) {
        return Err("签名错误，请检查后再试");
    }
    Ok((members, sign_type))
}

async fn done(
    sandbox: &Sandbox,
    account: &Account,
    asked: Asked,
    members: &Members,
    sign_type: SignType,
    fault: Option<Fault>,
) -> Result<Answer, Unsuccessful> {
    match asked {
        Asked::Order => order::order(sandbox, account, members, sign_type).await,
        Asked::Query => query::query(sandbox, members).await,
        Asked::Close => order::close(sandbox, members).await,
        Asked::Refund => refund::refund(sandbox, members, fault).await,
        Asked::QueryRefund => refund::query(sandbox, members).await,
        Asked::Bill => bill::download(sandbox, members).await,
    }
}

/// A message that was turned away before anything was looked at. It carries no signature.
fn turned_away(words: &str) -> Response {
    response(xml::write("xml", &[("return_code", "FAIL"), ("return_msg", words)]))
}

fn answered(account: &Account, sign_type: SignType, outcome: Result<Answer, Unsuccessful>, is_probe: bool) -> Response {
    let mut members = match outcome {
        Ok(Answer::File(bytes)) => return ([(CONTENT_TYPE, "text/plain")], bytes).into_response(),
        Ok(Answer::Members(members)) => members,
        Err(Unsuccessful::Refused(refusal)) => refused(&refusal),
        Err(Unsuccessful::Failed(error)) => {
            tracing::error!(error = %Chain(&error), "the sandbox's WeChat Pay could not do what it was asked");
            refused(&Refusal::new("SYSTEMERROR", "系统超时"))
        }
    };
    let credentials = account.credentials();
    for (name, value) in [
        ("return_code", "SUCCESS"),
        ("return_msg", "OK"),
        ("appid", &credentials.appid),
        ("mch_id", &credentials.mchid),
        ("nonce_str", &numbers::nonce(32)),
    ] {
        members.insert(name.to_owned(), value.to_owned());
    }
    members.entry("result_code".to_owned()).or_insert_with(|| "SUCCESS".to_owned());
    let sign = signature::sign(&members, &credentials.api_v2_key, sign_type);
    members.insert("sign".to_owned(), if is_probe { sign.chars().rev().collect() } else { sign });
    response(xml::written(&members))
}

fn refused(refusal: &Refusal) -> Members {
    let members = [("result_code", "FAIL"), ("err_code", refusal.err_code), ("err_code_des", &refusal.err_code_des)];
    members.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn response(body: String) -> Response {
    ([(CONTENT_TYPE, "text/xml; charset=utf-8")], body).into_response()
}

/// A member that must be there, at most so long in characters.
fn required(members: &Members, name: &'static str, most: usize) -> Result<String, Refusal> {
    optional(members, name, most)?.ok_or_else(|| Refusal::new("LACK_PARAMS", format!("缺少参数{name}")))
}

/// A member that may be there; an empty one is none.
fn optional(members: &Members, name: &'static str, most: usize) -> Result<Option<String>, Refusal> {
    match members.get(name).filter(|value| !value.is_empty()) {
        Some(value) if value.chars().count() > most => Err(Refusal::invalid(name)),
        value => Ok(value.cloned()),
    }
}

/// A sum in fen, above zero, as plain digits.
fn money(members: &Members, name: &'static str) -> Result<domain::Money, Refusal> {
    let digits = required(members, name, 16)?;
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    let fen = digits.parse().ok().filter(|_| is_plain);
    let money = fen.and_then(|fen| domain::Money::new(fen, domain::Currency::Cny).ok()).filter(|money| !money.is_zero());
    money.ok_or_else(|| Refusal::invalid(name))
}

/// An address for notifications.
fn notify_url(sandbox: &Sandbox, url: String) -> Result<String, Refusal> {
    if url.contains(['?', '#']) || !sandbox.config().may_notify(&url) {
        return Err(Refusal::new("PARAM_ERROR", "notify_url 须为不带参数的网址，且被沙箱允许"));
    }
    Ok(url)
}
