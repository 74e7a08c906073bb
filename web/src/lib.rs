//! The pages that people see: shop, payment guide, own courses, checkout, API reader, and the small pages that say one
//! thing. They are compiled-in shells and hand-written modules that use the public API as any other client does, so
//! nothing here knows of orders or payments. Every shell is rendered in the language that the browser asks for; its
//! modules switch it without a load.

use axum::Router;
use axum::extract::{Path, RawQuery};
use axum::response::Response;
use axum::routing::get;
use chassis::language::Language;
use http::HeaderMap;

mod assets;
mod page;
mod render;
mod text;

pub use page::{Outcome, checkout_shell, outcome_page, return_shell};

/// Whether the shop offers the accounts of the demo data for signing in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DemoAccounts {
    /// The demo data is there: buttons sign in as its buyers.
    Offered,
    /// A real shop: name and password only.
    Absent,
}

/// The pages with an address of their own, and everything that pages load:
/// `/`, `/guide/{selection_id}`, `/courses`, `/docs` and `/assets/{file}`.
///
/// `GET /checkout/{token}`, `/pay/{token}` and `/return/{token}` belong to the write side, which answers them with
/// [`checkout_shell`], [`outcome_page`] and [`return_shell`].
pub fn router<S>(demo: DemoAccounts) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    Router::new()
        .route("/", get(move |headers: HeaderMap| async move { page::shop(Language::of(&headers), demo) }))
        .route("/guide/{selection_id}", get(move |headers: HeaderMap| async move { page::guide(Language::of(&headers), demo) }))
        .route("/courses", get(move |headers: HeaderMap| async move { page::courses(Language::of(&headers), demo) }))
        .route("/docs", get(async |headers: HeaderMap| page::docs(Language::of(&headers))))
        .route("/assets/{file}", get(asset))
}

async fn asset(Path(file): Path<String>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    assets::answer(&file, query.as_deref(), &headers)
}

#[cfg(test)]
mod tests;
