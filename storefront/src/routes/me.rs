//! Who one is.

use axum::extract::State;
use chassis::extract::Json;
use chassis::identity::{Identity, Role};
use chassis::problem::Problem;
use serde::Serialize;

use super::RouteState;

/// What `GET /api/v1/me` answers. A token may be good without an account here; it then has no names.
#[derive(Serialize)]
pub(super) struct Me {
    account_id: String,
    username: Option<String>,
    display_name: Option<String>,
    roles: Vec<Role>,
}

/// `GET /api/v1/me`
pub(super) async fn show(State(state): State<RouteState>, identity: Identity) -> Result<Json<Me>, Problem> {
    let account = state.accounts.by_id(&identity.subject).await?;
    let (username, display_name) = account.map(|account| (account.username.to_string(), account.display_name)).unzip();
    Ok(Json(Me { account_id: identity.subject, username, display_name, roles: identity.roles }))
}
