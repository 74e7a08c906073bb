use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, FromRef};
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chassis::admission::{Admission, AdmissionConfig};
use chassis::identity::{Role, SigningKey, TokenIssuer, TokenVerifier};
use chassis::language::Language;
use chassis::seal::KeyRing;
use futures_util::StreamExt;
use serde_json::Value;
use tower::ServiceExt;

use super::World;
use crate::{ApiState, Commands, Links, Pages, routes};

/// Pages that say which they are.
struct NamedPages;

impl Pages for NamedPages {
    fn checkout(&self, _: Language) -> Response {
        "checkout".into_response()
    }
    fn already_paid(&self, _: Language) -> Response {
        "already paid".into_response()
    }
    fn over(&self, _: Language, checkout_path: &str) -> Response {
        (StatusCode::GONE, format!("over {checkout_path}")).into_response()
    }
    fn unknown_link(&self, _: Language) -> Response {
        (StatusCode::NOT_FOUND, "unknown link").into_response()
    }
    fn returned(&self, _: Language, checkout_path: &str) -> Response {
        format!("returned {checkout_path}").into_response()
    }
}

/// The routes over a world's commands.
pub(crate) struct Api {
    pub(crate) links: Links,
    pub(crate) state: ApiState,
    router: Router,
    issuer: TokenIssuer,
}

/// An answer with its whole body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// Status and problem code.
    pub(crate) fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        (self.status.as_u16(), self.json()["code"].as_str().unwrap().to_owned())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// A request put together from parts.
pub(crate) struct Asking<'a> {
    api: &'a Api,
    request: http::request::Builder,
    body: Body,
}

impl Api {
    pub(crate) fn new(world: &World) -> Self {
        Self::over(world, world.commands.clone())
    }

    pub(crate) fn over(world: &World, commands: Commands) -> Self {
        let ring: KeyRing = KeyRing::new_text().expose().parse().unwrap();
        let links = Links::new(Arc::new(ring), "https://pay.example");
        let issuer = TokenIssuer::new(SigningKey::generate().unwrap(), "paystream", "paystream", world.clock.clone());
        let verifier = TokenVerifier::new([issuer.key().verifying_key()], "paystream", "paystream", world.clock.clone());
        let verifier = Arc::new(verifier);
        let admission = Arc::new(Admission::new(&AdmissionConfig::default(), Arc::clone(&verifier), world.clock.clone()));
        let state = ApiState::new(commands, links.clone(), Arc::new(NamedPages), verifier, admission);
        Self { links, router: routes(state.clone()), state, issuer }
    }

    /// The same with routes beside those of the commands, whose callers `verifier` knows.
    pub(crate) fn with_routes(self, more: impl FnOnce(Arc<TokenVerifier>) -> Router) -> Self {
        let more = more(FromRef::from_ref(&self.state));
        Self { router: self.router.clone().merge(more), ..self }
    }

    pub(crate) fn get(&self, path: &str) -> Asking<'_> {
        Asking { api: self, request: Request::get(path), body: Body::empty() }
    }

    pub(crate) fn post(&self, path: &str) -> Asking<'_> {
        Asking { api: self, request: Request::post(path), body: Body::empty() }
    }

    async fn send(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }
}

impl Asking<'_> {
    pub(crate) fn by(self, subject: &str, role: Role) -> Self {
        let token = self.api.issuer.issue(subject, &[role]).token.into_inner();
        self.with("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn by_alice(self) -> Self {
        self.by("alice", Role::Buyer)
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    pub(crate) fn body(self, media_type: &str, body: impl Into<Body>) -> Self {
        Self { body: body.into(), ..self.with(header::CONTENT_TYPE.as_str(), media_type) }
    }

    async fn response(self) -> Response {
        let peer = ConnectInfo(SocketAddr::from(([192, 0, 2, 1], 5_000)));
        self.api.send(self.request.extension(peer).body(self.body).unwrap()).await
    }

    pub(crate) async fn answer(self) -> Answer {
        let (parts, body) = self.response().await.into_parts();
        let bytes = to_bytes(body, 1_000_000).await.unwrap();
        Answer { status: parts.status, headers: parts.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    /// The first piece of an answer that does not end.
    pub(crate) async fn first_piece(self) -> Answer {
        let (parts, body) = self.response().await.into_parts();
        let piece = body.into_data_stream().next().await.unwrap().unwrap();
        Answer { status: parts.status, headers: parts.headers, text: String::from_utf8(piece.to_vec()).unwrap() }
    }
}
