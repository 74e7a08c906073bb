//! What the pages load: styles, modules and the icon, compiled in.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use chassis::problem::Problem;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, StatusCode};
use sha2::{Digest, Sha256};

use crate::text;

macro_rules! sources {
    ($($name:literal)*) => {
        [$(($name, include_str!(concat!("../assets/", $name)))),*]
    };
}

/// The files as they were written. `texts.js` is made of the dictionary.
const SOURCES: [(&str, &str); 30] = sources!(
    "base.css" "controls.css" "shop.css" "guide.css" "checkout.css" "result.css" "docs.css" "favicon.svg" "language.js"
    "account.js" "api.js" "checkout-state.js" "checkout-view.js" "checkout.js" "countdown.js" "course-table.js" "courses.js"
    "docs-schema.js" "docs.js" "dom.js" "guide.js" "i18n.js" "money.js" "notice.js" "outcome.js" "qr.js" "return.js"
    "session.js" "shop.js" "watch.js"
);
const TEXTS: &str = "texts.js";

/// An address that names this version of the file never means another.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// Any other address is asked for again each time, which costs a 304.
const ASK_AGAIN: &str = "no-cache";

/// How many hexadecimal digits of a hash name a version.
const VERSION_DIGITS: usize = 16;

struct Asset {
    content_type: &'static str,
    body: Bytes,
    etag: String,
}

struct Bundle {
    /// One name for all files as they are together. Modules import each other, so they change together too.
    version: String,
    assets: BTreeMap<&'static str, Asset>,
}

static BUNDLE: LazyLock<Bundle> = LazyLock::new(bundle);

/// The address under which a page loads the file.
pub(crate) fn address(name: &str) -> String {
    format!("/assets/{name}?v={}", BUNDLE.version)
}

/// The module and all that it imports, itself first, each once: what a browser may fetch before it has read any.
pub(crate) fn modules_of(entry: &'static str) -> Vec<&'static str> {
    let mut found = vec![entry];
    let mut next = 0;
    while let Some(name) = found.get(next).copied() {
        for import in imports(source(name)) {
            if !found.contains(&import) {
                found.push(import);
            }
        }
        next += 1;
    }
    found
}

/// Answers `GET /assets/{name}`: the file, 304 where the client has it, or a 404 problem.
pub(crate) fn answer(name: &str, query: Option<&str>, headers: &HeaderMap) -> Response {
    let Some(asset) = BUNDLE.assets.get(name) else {
        return Problem::not_found().into_response();
    };
    let this_version = query.and_then(|query| query.strip_prefix("v=")).is_some_and(|version| version == BUNDLE.version);
    let caching = [(ETAG, asset.etag.as_str()), (CACHE_CONTROL, if this_version { FOR_EVER } else { ASK_AGAIN })];
    if has(headers, &asset.etag) {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    (caching, [(CONTENT_TYPE, asset.content_type)], asset.body.clone()).into_response()
}

/// Whether `If-None-Match` names `etag`; weak names count, as they do for reading.
fn has(headers: &HeaderMap, etag: &str) -> bool {
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    known.map(str::trim).any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == etag)
}

fn bundle() -> Bundle {
    let texts = text::module();
    let mut sources: BTreeMap<&'static str, &str> = SOURCES.into_iter().collect();
    sources.insert(TEXTS, &texts);
    let mut all = Sha256::new();
    for (name, content) in &sources {
        all.update(name);
        all.update([0]);
        all.update(content);
        all.update([0]);
    }
    let version = hex(&all.finalize());
    let assets = sources.iter().map(|(name, content)| (*name, asset(name, content, &version))).collect();
    Bundle { version, assets }
}

fn asset(name: &str, content: &str, version: &str) -> Asset {
    let body = if is_module(name) { with_versions(content, version) } else { content.to_owned() };
    let etag = format!("\"{}\"", hex(&Sha256::digest(&body)));
    Asset { content_type: content_type(name), body: body.into(), etag }
}

/// The module with its imports naming the version, so that they are cached like the module itself.
fn with_versions(content: &str, version: &str) -> String {
    imports(content).into_iter().fold(content.to_owned(), |module, import| {
        module.replace(&format!("from \"./{import}\""), &format!("from \"./{import}?v={version}\""))
    })
}

/// The names of the files that a module imports.
fn imports(content: &str) -> Vec<&'static str> {
    let names = content.split(" from \"./").skip(1).filter_map(|rest| rest.split('"').next());
    names.filter_map(known).collect()
}

fn known(name: &str) -> Option<&'static str> {
    SOURCES.iter().map(|(known, _)| *known).chain([TEXTS]).find(|known| *known == name)
}

fn source(name: &str) -> &'static str {
    SOURCES.iter().find(|(known, _)| *known == name).map_or("", |(_, content)| content)
}

fn is_module(name: &str) -> bool {
    content_type(name).starts_with("text/javascript")
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

fn hex(hash: &[u8]) -> String {
    let digits = hash.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.take(VERSION_DIGITS).filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
}

#[cfg(test)]
mod tests;
