//! The pages that the write side's links show.

use axum::response::Response;
use chassis::language::Language;
use command_api::Pages;
use web::Outcome;

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
