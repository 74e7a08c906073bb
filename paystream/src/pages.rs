//! The pages that the write side's links show, and the one of addresses that nothing has.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use axum::response::{IntoResponse, Response};
use chassis::language::Language;
use chassis::problem::Problem;
use command_api::Pages;
use web::Outcome;

/// What an address answers that no route has: a page to whoever asks for one, as browsers do, else a problem.
pub(crate) async fn unknown_address(headers: HeaderMap) -> Response {
    if asks_for_page(&headers) {
        web::outcome_page(Language::of(&headers), Outcome::NoSuchPage)
    } else {
        Problem::not_found().into_response()
    }
}

/// Browsers name HTML when they open an address, and programs do not.
fn asks_for_page(headers: &HeaderMap) -> bool {
    let named = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(','));
    named.map(|range| range.split(';').next().unwrap_or_default().trim()).any(|kind| kind.eq_ignore_ascii_case("text/html"))
}

/// The pages of package `web`.
pub(crate) struct WebPages;

impl Pages for WebPages {
    fn checkout(&self, language: Language) -> Response {
        web::checkout_shell(language)
    }

    fn already_paid(&self, language: Language) -> Response {
        web::outcome_page(language, Outcome::AlreadyPaid)
    }

    fn over(&self, language: Language, checkout_path: &str) -> Response {
        web::outcome_page(language, Outcome::Expired { checkout_path })
    }

    fn unknown_link(&self, language: Language) -> Response {
        web::outcome_page(language, Outcome::Unknown)
    }

    fn returned(&self, language: Language, checkout_path: &str) -> Response {
        web::return_shell(language, checkout_path)
    }
}
