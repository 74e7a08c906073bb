use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use chassis::client_address::ClientAddress;
use chassis::correlation::Correlation;
use chassis::extract::{Json, OptionalJson, Path};
use chassis::problem::{Code, Problem};
use domain::{Channel, OrderId, PayNo};
use serde::Deserialize;

use crate::caller::Caller;
use crate::checkout::Nothing;
use crate::failure::CommandFailure;
use crate::pay_records::PayWish;
use crate::payer::Payer;
use crate::render;
use crate::routes::role::{InBuyerOrService, InOperatorOrBuyer};
use crate::routes::{ApiState, aggregate_answer, answer, attempt_answer, caller_key, channel_word, if_match};
use crate::streams;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    channel: String,
    openid: Option<String>,
    payer_client_ip: Option<std::net::IpAddr>,
}

/// `POST /api/v1/orders/{order_id}/pay-records`
pub(super) async fn create(
    State(api): State<ApiState>,
    InBuyerOrService(identity): InBuyerOrService,
    Correlation(correlation_id): Correlation,
    Path(order_id): Path<OrderId>,
    client: ClientAddress,
    headers: HeaderMap,
    Json(body): Json<Body>,
) -> Result<Response, Problem> {
    let caller = Caller::of(&identity, InBuyerOrService::ROLES).ok_or_else(|| Problem::new(Code::Forbidden))?;
    let route = format!("POST /api/v1/orders/{order_id}/pay-records");
    let content = format!("{}\n{:?}\n{:?}", body.channel, body.openid, body.payer_client_ip);
    let key = caller_key(&headers, &identity.subject, &route, &content)?;
    let expected = if_match(&api, &headers, order_id).await?;
    let channel = channel_word(&body.channel)?;
    if channel == Channel::Aggregate {
        let given = api.commands.give_aggregate_code(&caller, order_id, key.as_ref(), expected, correlation_id).await?;
        return aggregate_answer(&api, &given);
    }
    // A buyer's own request comes from the buyer's device; another system speaks for one.
    let own = || matches!(caller, Caller::Buyer(_)).then(|| client.0).flatten();
    let payer = Payer { openid: body.openid, client_ip: body.payer_client_ip.or_else(own) };
    let wish = PayWish { channel, payer, by_scan: false };
    let attempted = api.commands.begin_payment(&caller, order_id, &wish, key.as_ref(), expected, correlation_id).await?;
    attempt_answer(&api, &attempted)
}

/// `POST /api/v1/pay-records/{pay_no}/sync`
pub(super) async fn sync(
    State(api): State<ApiState>,
    InOperatorOrBuyer(identity): InOperatorOrBuyer,
    Correlation(correlation_id): Correlation,
    Path(pay_no): Path<PayNo>,
    headers: HeaderMap,
    OptionalJson(_): OptionalJson<Nothing>,
) -> Result<Response, Problem> {
    let caller = Caller::of(&identity, InOperatorOrBuyer::ROLES).ok_or_else(|| Problem::new(Code::Forbidden))?;
    let key = caller_key(&headers, &identity.subject, &format!("POST /api/v1/pay-records/{pay_no}/sync"), "")?;
    let expected = if_match(&api, &headers, pay_no.order_id()).await?;
    let synced = api.commands.sync_pay_record(&caller, pay_no, key.as_ref(), expected, correlation_id).await;
    let (standing, replayed, channel_answered) = match synced {
        Ok((standing, replayed)) => (standing, replayed, true),
        // What is known is answered all the same; the channel is asked again by itself.
        Err(CommandFailure::ChannelUnavailable | CommandFailure::ChannelRefused { .. }) => {
            let standing = api.commands.orders.load(&streams::order(pay_no.order_id())).await.map_err(CommandFailure::from)?;
            (standing, false, false)
        }
        Err(failure) => return Err(failure.into()),
    };
    let record = standing.state.pay_record(pay_no).ok_or(CommandFailure::NotFound)?;
    let mut body = render::pay_record(&standing.state, record, &api.links, &api.images).map_err(|error| Problem::internal(&error))?;
    body["channel_answered"] = channel_answered.into();
    Ok(answer(StatusCode::OK, body, standing.position, replayed))
}
