//! How a problem becomes an answer, and how that answer changes its language.

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, VARY, WWW_AUTHENTICATE};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Code, FieldError, Problem};
use crate::language::Language;

/// The media type of every problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// When to ask again if the problem names no time, in seconds.
const DEFAULT_RETRY_AFTER_S: u32 = 1;

/// The members that the standard and the contract define; extra ones never replace them.
const RESERVED: [&str; 6] = ["type", "title", "status", "detail", "code", "errors"];

#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

impl Problem {
    /// The problem's JSON text in one language.
    pub fn to_json(&self, language: Language) -> String {
        let own_detail = match language {
            Language::En => self.detail.as_deref(),
            Language::Zh => self.detail_zh.as_deref(),
        };
        // Whatever somebody wrote into it: an internal failure tells nothing of its cause.
        let own_detail = own_detail.filter(|_| self.code != Code::Internal);
        let extra = self.extra.iter().filter(|(name, _)| !RESERVED.contains(&name.as_str()));
        let document = Document {
            r#type: self.code.type_uri(),
            title: self.code.title(language),
            status: self.code.status().as_u16(),
            detail: own_detail.unwrap_or_else(|| self.code.detail(language)),
            code: self.code.word(),
            errors: self.errors.iter().map(|error| error.in_language(language)).collect(),
            extra: extra.map(|(name, value)| (name.clone(), value.clone())).collect(),
        };
        serde_json::to_string(&document).expect("texts, numbers and JSON values under text keys can always be written")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.to_json(Language::En)));
        *response.status_mut() = self.code.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(Language::En.tag()));
        if let Some(seconds) = self.retry_after_s.or(self.code.is_temporary().then_some(DEFAULT_RETRY_AFTER_S)) {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.code == Code::Unauthenticated {
            let challenge = if self.token_refused { "Bearer error=\"invalid_token\"" } else { "Bearer" };
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Middleware: puts every problem into the language that the request prefers.
///
/// A problem's answer carries the problem itself as an extension, so that this layer can write it again.
pub async fn localise(request: Request, next: Next) -> Response {
    let language = Language::of(request.headers());
    let mut response = next.run(request).await;
    let Some(problem) = response.extensions().get::<Problem>() else { return response };
    if language != Language::En {
        *response.body_mut() = Body::from(problem.to_json(language));
        response.headers_mut().remove(CONTENT_LENGTH);
        response.headers_mut().insert(CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
    }
    response.headers_mut().append(VARY, HeaderValue::from_static("accept-language"));
    response
}
