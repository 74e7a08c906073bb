//! The page inside WeChat that hands a payment to WeChat.

use axum::http::header::{CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use chassis::language::Language;
use gateway::ClientParameters;
use serde_json::Value;

use super::form_page::{escaped, hash_of};

const PAGE: &str = include_str!("jsapi_page.html");
const SCRIPT: &str = include_str!("jsapi_page.js");

/// Shows the page. `return_url` is where the buyer goes once WeChat says that it is over, however it ended: what WeChat's page
/// says proves nothing.
pub(super) fn show(language: Language, parameters: &ClientParameters, return_url: &str, checkout_path: &str) -> Response {
    let policy = format!("default-src 'none'; script-src {}; frame-ancestors 'none'; base-uri 'none'; form-action 'none'", hash_of(SCRIPT));
    let members: serde_json::Map<String, Value> =
        parameters.members.iter().map(|(name, value)| ((*name).to_owned(), Value::String(value.clone()))).collect();
    let (title, words, button, back) = match language {
        Language::Zh => ("微信支付", "正在打开微信支付。如果没有反应，请点击按钮。", "微信支付", "返回收银台"),
        Language::En => {
            ("WeChat Pay", "WeChat Pay is being opened. If nothing happens, press the button.", "Pay with WeChat", "Back to the checkout")
        }
    };
    let html = PAGE
        .replace("{{language}}", language.tag())
        .replace("{{title}}", title)
        .replace("{{words}}", words)
        .replace("{{button}}", button)
        .replace("{{back}}", back)
        .replace("{{script}}", SCRIPT)
        .replace("{{checkout}}", &escaped(checkout_path))
        .replace("{{return}}", &escaped(return_url))
        // What holds the channel's own words comes last, so that nothing in it is taken for a placeholder.
        .replace("{{parameters}}", &escaped(&Value::Object(members).to_string()));
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_LANGUAGE, language.tag()),
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, policy.as_str()),
    ];
    (headers, html).into_response()
}
