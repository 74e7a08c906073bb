//! Which media types count as JSON.

use http::HeaderMap;
use http::header::CONTENT_TYPE;

/// True for exactly one `Content-Type` that is JSON in UTF-8, with or without saying the character set.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let Ok(text) = value.to_str() else { return false };
    let mut parts = text.split(';').map(|part| part.trim().to_ascii_lowercase());
    let is_json_type =
        parts.next().is_some_and(|kind| kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json")));
    is_json_type && parts.all(|parameter| is_harmless(&parameter))
}

/// A parameter other than the character set says nothing about how to read JSON.
fn is_harmless(parameter: &str) -> bool {
    match parameter.split_once('=') {
        Some((name, value)) if name.trim() == "charset" => matches!(value.trim().trim_matches('"'), "utf-8" | "utf8"),
        _ => true,
    }
}
