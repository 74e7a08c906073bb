//! Signing in, going on, signing out.

use axum::extract::State;
use chassis::client_address::ClientAddress;
use chassis::extract::Json;
use chassis::identity::Identity;
use chassis::problem::{Code, Problem, field};
use chassis::secret::Secret;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::RouteState;
use crate::sessions::{SessionError, TokenPair};

/// The longest name, password and refresh token that are looked at, in bytes.
const TEXT_LIMIT: usize = 1024;

/// The body of `POST /api/v1/sessions`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignIn {
    username: String,
    password: Secret<String>,
}

/// The body of `POST /api/v1/sessions/refresh`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Refresh {
    refresh_token: Secret<String>,
}

/// What both answer.
#[derive(Serialize)]
pub(super) struct Tokens {
    access_token: String,
    refresh_token: String,
    token_type: &'static str,
    expires_in: i64,
}

/// `POST /api/v1/sessions`
pub(super) async fn sign_in(
    State(state): State<RouteState>,
    address: ClientAddress,
    Json(body): Json<SignIn>,
) -> Result<Json<Tokens>, Problem> {
    check_length("username", &body.username)?;
    check_length("password", body.password.expose())?;
    Ok(Json(state.sessions.sign_in(&body.username, body.password, address).await?.into()))
}

/// `POST /api/v1/sessions/refresh`
pub(super) async fn refresh(
    State(state): State<RouteState>,
    address: ClientAddress,
    Json(body): Json<Refresh>,
) -> Result<Json<Tokens>, Problem> {
    check_length("refresh_token", body.refresh_token.expose())?;
    Ok(Json(state.sessions.refresh(&body.refresh_token, address).await?.into()))
}

/// `DELETE /api/v1/sessions`
pub(super) async fn sign_out(State(state): State<RouteState>, identity: Identity) -> Result<StatusCode, Problem> {
    state.sessions.sign_out(&identity.token_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn check_length(name: &'static str, text: &str) -> Result<(), Problem> {
    match text.len() {
        0 => Err(Problem::invalid(name, field::TOO_SHORT, "must not be empty")),
        1..=TEXT_LIMIT => Ok(()),
        _ => Err(Problem::invalid(name, field::TOO_LONG, "must be at most 1024 bytes")),
    }
}

impl From<TokenPair> for Tokens {
    fn from(pair: TokenPair) -> Self {
        Self {
            access_token: pair.access_token.into_inner(),
            refresh_token: pair.refresh_token.into_inner(),
            token_type: "Bearer",
            expires_in: pair.expires_in_s,
        }
    }
}

impl From<SessionError> for Problem {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::WrongCredentials => {
                Self::new(Code::Unauthenticated).detail("The name or the password is wrong.").detail_zh("用户名或密码错误。")
            }
            SessionError::RefreshRefused => Self::new(Code::Unauthenticated)
                .detail("The refresh token is no longer good. Please sign in again.")
                .detail_zh("登录已失效，请重新登录。"),
            SessionError::TooMany(wait) => wait.into(),
            SessionError::Busy => Self::new(Code::Busy),
            SessionError::Failed(error) => error.into(),
        }
    }
}
