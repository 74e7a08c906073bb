//! The page that posts a signed form to the channel. It submits itself, and has a button where no script runs.

use axum::http::header::{CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::uri::{Authority, Scheme, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chassis::language::Language;
use chassis::problem::Problem;
use gateway::PaymentForm;
use sha2::{Digest, Sha256};

use crate::failure::CommandFailure;

const PAGE: &str = include_str!("form_page.html");
const STYLE: &str = include_str!("form_page.css");
const SCRIPT: &str = "document.forms[0].submit()";

/// Shows the form. `checkout_path` is where a buyer goes back to.
pub(super) fn show(language: Language, form: &PaymentForm, checkout_path: &str) -> Result<Response, Problem> {
    let targets = targets(&form.action).ok_or(CommandFailure::Broken("a form is posted to no web address"))?;
    let policy = format!(
        "default-src 'none'; script-src {}; style-src {}; form-action {targets}; frame-ancestors 'none'; base-uri 'none'",
        hash_of(SCRIPT),
        hash_of(STYLE)
    );
    let headers =
        [(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_LANGUAGE, language.tag()), (CONTENT_SECURITY_POLICY, policy.as_str())];
    Ok((headers, html(language, form, checkout_path)).into_response())
}

fn html(language: Language, form: &PaymentForm, checkout_path: &str) -> String {
    let (title, words, button, back) = match language {
        Language::Zh => ("前往支付宝", "正在前往支付宝付款。如果页面没有跳转，请点击按钮。", "前往支付宝付款", "返回收银台"),
        Language::En => (
            "On to Alipay",
            "You are being taken to Alipay to pay. If nothing happens, press the button.",
            "Pay with Alipay",
            "Back to the checkout",
        ),
    };
    let field =
        |(name, value): &(String, String)| format!("<input type=\"hidden\" name=\"{}\" value=\"{}\">", escaped(name), escaped(value));
    let fields: Vec<String> = form.fields.iter().map(field).collect();
    PAGE.replace("{{language}}", language.tag())
        .replace("{{title}}", title)
        .replace("{{style}}", STYLE)
        .replace("{{script}}", SCRIPT)
        .replace("{{words}}", words)
        .replace("{{button}}", button)
        .replace("{{back}}", back)
        .replace("{{checkout}}", &escaped(checkout_path))
        .replace("{{action}}", &escaped(&form.action))
        // What holds the order's own words comes last, so that nothing in it is taken for a placeholder.
        .replace("{{fields}}", &fields.join("\n"))
}

/// Where the form may go: the origin that it is posted to and, where that is a host of a larger domain, its sister hosts.
/// Browsers hold a form to this along every redirect, and a channel's gateway leads on to its cashier.
fn targets(action: &str) -> Option<String> {
    let uri: Uri = action.parse().ok()?;
    let (scheme, authority) = (uri.scheme()?, uri.authority()?);
    let origin = format!("{scheme}://{authority}");
    let sisters = Some(()).filter(|()| *scheme == Scheme::HTTPS).and_then(|()| domain_above(authority));
    Some(sisters.map_or_else(|| origin.clone(), |domain| format!("{origin} https://*.{domain}")))
}

/// The domain that a host of at least three labels lies in; `None` for addresses.
fn domain_above(authority: &Authority) -> Option<&str> {
    let (_, domain) = authority.host().split_once('.')?;
    let is_address = domain.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') || domain.contains(':');
    Some(domain).filter(|domain| domain.contains('.') && !is_address)
}

/// An inline text as a content policy names it.
pub(super) fn hash_of(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text.as_bytes())))
}

/// The text as it may stand in HTML, also in an attribute.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests;
