use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use chassis::correlation::Correlation;
use chassis::extract::Json;
use chassis::problem::{Problem, field};
use domain::course_selection::SelectionStatus;
use domain::{BuyerId, ProductId};
use serde::Deserialize;

use crate::failure::CommandFailure;
use crate::render;
use crate::routes::role::InBuyer;
use crate::routes::{ApiState, answer, caller_key};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    course_id: String,
}

/// `POST /api/v1/course-selections`
pub(super) async fn create(
    State(api): State<ApiState>,
    InBuyer(identity): InBuyer,
    Correlation(correlation_id): Correlation,
    headers: HeaderMap,
    Json(body): Json<Body>,
) -> Result<Response, Problem> {
    let buyer_id = BuyerId::parse(&identity.subject).map_err(|_| Problem::token_refused())?;
    let key = caller_key(&headers, &identity.subject, "POST /api/v1/course-selections", &body.course_id)?;
    let course_id =
        ProductId::parse(&body.course_id).map_err(|_| Problem::invalid("course_id", field::MALFORMED, "1 to 128 visible characters"))?;
    let (created, standing) = api.commands.select_course(&buyer_id, &course_id, key.as_ref(), correlation_id).await?;
    let selected = standing.state.selected.as_ref().ok_or(CommandFailure::Broken("a created selection holds nothing"))?;
    // A replay answers what the key's own command did: nobody had paid then.
    let status = match selected.price_amount.as_i64() {
        price if price > 0 && created.replayed && created.is_new => SelectionStatus::Unpaid,
        _ if created.replayed => api.commands.selection_status_as_of(selected, Some(created.position)).await?,
        _ => api.commands.selection_status(selected).await?,
    };
    let code = if created.is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(answer(code, render::selection(selected, status), created.position, created.replayed))
}
