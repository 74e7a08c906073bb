//! The route of the gateway: reads a call, does it, signs the answer.

use std::io;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use chassis::extract::RawBody;
use chassis::problem::Chain;
use futures_util::stream;

use super::answer::{self, Refusal, Unsuccessful};
use super::charset::Charset;
use super::request::{self, Call, Method, Turned};
use super::{REQUEST_LIMIT, bill, close, download, page, precreate, query, refund, signature};
use crate::fault::Fault;
use crate::trade::Wallet;
use crate::{Sandbox, SandboxError};

/// `POST /sandbox/alipay/gateway.do` (or GET): status 200 always, as the real one, but for a browser that is led on.
pub(super) async fn gateway(
    State(sandbox): State<Arc<Sandbox>>,
    RawQuery(query): RawQuery,
    RawBody(body): RawBody<REQUEST_LIMIT>,
) -> Response {
    match request::read(&sandbox.alipay(), query.unwrap_or_default().as_bytes(), &body) {
        Ok(call) if call.method.is_browsers() => page::open(&sandbox, &call).await,
        Ok(call) => answer_call(&sandbox, call).await,
        Err((method, turned)) => {
            tracing::info!(alipay.sub_code = turned.sub_code, "the sandbox's Alipay turned a call away");
            if method.is_some_and(Method::is_browsers) { page::turned_away(&turned) } else { turned_away(method, &turned) }
        }
    }
}

async fn answer_call(sandbox: &Sandbox, call: Call) -> Response {
    let frame = Frame { method: call.method, charset: call.charset, is_certified: call.is_certified };
    let method = call.method;
    let fault = match method.operation() {
        None => Ok(None),
        Some(operation) => sandbox.take_fault(Wallet::Alipay, operation).await,
    };
    let fault = match fault {
        Ok(fault) => fault,
        Err(error) => return signed(sandbox, frame, node_of(Err(error.into()))).await,
    };
    let node = match fault {
        // What else there is are faults of other wallets.
        None
        | Some(
            Fault::SystemError
            | Fault::RateLimited
            | Fault::SignTest
            | Fault::RefundSlow
            | Fault::RefundClosed
            | Fault::RefundAbnormal
            | Fault::NoticeLate,
        ) => match done(sandbox, call).await {
            Ok(node) => node,
            Err(turned) => return turned_away(Some(method), &turned),
        },
        Some(Fault::Refuse) => answer::refusal(&Refusal::new("ACQ.ACCESS_FORBIDDEN", "无权限使用接口")),
        Some(Fault::TimeoutBefore) => return unanswered(sandbox).await,
        Some(Fault::TimeoutAfter) => {
            // The caller learns nothing of what becomes of it; neither a refusal nor a failure may show.
            if done(sandbox, call).await.is_err() {
                tracing::info!(alipay.method = method.as_str(), "a call that goes unanswered could not be read either");
            }
            return unanswered(sandbox).await;
        }
    };
    signed(sandbox, frame, node).await
}

/// Does what is asked. Errors: the content is not readable.
async fn done(sandbox: &Sandbox, call: Call) -> Result<String, Turned> {
    let outcome = match call.method {
        Method::Precreate => precreate::precreate(sandbox, &call, super::content::read(&call.biz_content)?).await,
        Method::Query => query::query(sandbox, super::content::read(&call.biz_content)?).await,
        Method::Close => close::close(sandbox, super::content::read(&call.biz_content)?).await,
        Method::Refund => refund::refund(sandbox, super::content::read(&call.biz_content)?).await,
        Method::QueryRefund => refund::query(sandbox, super::content::read(&call.biz_content)?).await,
        Method::DownloadBill => bill::query(sandbox, super::content::read(&call.biz_content)?).await,
        Method::DownloadCertificate => download::certificate(&sandbox.alipay(), super::content::read(&call.biz_content)?),
        // A browser's call has a page for an answer and does not come here.
        Method::PagePay | Method::WapPay => return Err(Turned::invalid("isv.invalid-method", "不存在的方法名")),
    };
    Ok(node_of(outcome))
}

fn node_of(outcome: Result<String, Unsuccessful>) -> String {
    match outcome {
        Ok(node) => node,
        Err(Unsuccessful::Refused(refusal)) => answer::refusal(&refusal),
        Err(Unsuccessful::Failed(error)) => {
            tracing::error!(error = %Chain(&error), "the sandbox's Alipay could not do what it was asked");
            answer::unavailable()
        }
    }
}

/// What an answer must fit.
#[derive(Clone, Copy)]
struct Frame {
    method: Method,
    charset: Charset,
    is_certified: bool,
}

async fn signed(sandbox: &Sandbox, frame: Frame, node: String) -> Response {
    let Frame { method, charset, is_certified } = frame;
    let account = sandbox.alipay();
    let signing = tokio::task::spawn_blocking(move || {
        let sign = signature::sign(&account.platform_key, &charset.encode(&node))?;
        let serial = is_certified.then_some(account.credentials().certificates.alipay_cert_sn.as_str());
        Ok::<_, SandboxError>(answer::body(&answer::node_name(method.as_str()), &node, serial, Some(&sign)))
    });
    match signing.await.map_err(SandboxError::from).and_then(|signed| signed) {
        Ok(body) => response(charset, charset.encode(&body)),
        Err(error) => {
            tracing::error!(error = %Chain(&error), "the sandbox's Alipay could not sign an answer");
            let name = answer::node_name(method.as_str());
            response(Charset::Utf8, answer::body(&name, &answer::unavailable(), None, None).into_bytes())
        }
    }
}

/// An error of the gateway itself, which carries no signature.
fn turned_away(method: Option<Method>, turned: &Turned) -> Response {
    let node = answer::failure(turned.code, turned.msg, turned.sub_code, turned.sub_msg);
    let name = method.map_or_else(|| "error_response".to_owned(), |method| answer::node_name(method.as_str()));
    response(Charset::Utf8, answer::body(&name, &node, None, None).into_bytes())
}

/// JSON that calls itself HTML, as the real gateway's answers do.
fn response(charset: Charset, body: Vec<u8>) -> Response {
    ([(CONTENT_TYPE, format!("text/html;charset={}", charset.as_str()))], body).into_response()
}

/// Holds the connection and then breaks it off.
async fn unanswered(sandbox: &Sandbox) -> Response {
    tokio::time::sleep(sandbox.config().fault_hold).await;
    let broken = stream::once(async { Err::<Bytes, _>(io::Error::from(io::ErrorKind::ConnectionAborted)) });
    Response::new(Body::from_stream(broken))
}
