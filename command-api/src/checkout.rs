//! What a scanner and a browser reach without a bearer token: the link itself is the permission.

mod browser;
mod form_page;
mod jsapi_page;
mod pay;
mod scan;
mod watching;

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use chassis::client_address::ClientAddress;
use chassis::correlation::Correlation;
use chassis::extract::{Json, OptionalJson, Path};
use chassis::language::Language;
use chassis::problem::{Chain, Code, Problem};
use domain::order::{Order, OrderStatus};
use domain::pay_record::{PayRecord, PayRecordStatus};
use domain::{Channel, OrderId};
use futures_util::{Stream, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::caller::{Caller, CallerKey};
use crate::failure::CommandFailure;
use crate::pay_records::PayWish;
use crate::payer::Payer;
use crate::render;
use crate::routes::{ApiState, aggregate_answer, answer, attempt_answer, caller_key, channel_word};
use crate::streams;
use crate::wallet::Wallet;

pub(crate) use pay::pay;
pub(crate) use scan::authorized;
use watching::OpenWatch;
pub(crate) use watching::OpenWatches;

/// The pages that these routes show. They are shells: what they show comes from the routes below.
pub trait Pages: Send + Sync {
    /// The checkout page.
    fn checkout(&self, language: Language) -> Response;
    /// The link's order is paid already.
    fn already_paid(&self, language: Language) -> Response;
    /// The link's order or code is over; the page offers a way to renew, by this checkout link.
    fn over(&self, language: Language, checkout_path: &str) -> Response;
    /// The link opens nothing.
    fn unknown_link(&self, language: Language) -> Response;
    /// The buyer comes back from the channel: the page asks, and shows, how the order stands.
    fn returned(&self, language: Language, checkout_path: &str) -> Response;
}

/// Nothing is allowed in these bodies.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChannelBody {
    channel: String,
}

/// How often an open watch looks at its order although nothing woke it.
const WATCH_POLL: Duration = Duration::from_secs(1);
/// How long a browser that comes back waits for the channel's word; the page then follows the order.
const RETURN_PATIENCE: Duration = Duration::from_secs(2);
/// After how many seconds a page may try again whose stream was one too many.
const WATCH_RETRY_S: u32 = 10;
/// How long a watch lets appends gather before it looks at its order.
const WATCH_PAUSE: Duration = Duration::from_millis(150);

/// `GET /checkout/{token}`
pub(crate) async fn page(State(api): State<ApiState>, Path(token): Path<String>, headers: HeaderMap) -> Response {
    match api.links.open_checkout(&token) {
        Some(_) => api.pages.checkout(Language::of(&headers)),
        None => api.pages.unknown_link(Language::of(&headers)),
    }
}

/// `GET /return/{token}`: shows a state, and changes none by what the query says. That a browser comes back is a reason to
/// ask the channel, and no more than that.
pub(crate) async fn returned(
    State(api): State<ApiState>,
    Path(token): Path<String>,
    Correlation(correlation_id): Correlation,
    headers: HeaderMap,
) -> Response {
    let language = Language::of(&headers);
    let Some(order_id) = api.links.open_return(&token) else { return api.pages.unknown_link(language) };
    match tokio::time::timeout(RETURN_PATIENCE, ask_channels(&api, order_id, correlation_id)).await {
        Ok(Ok(())) => {}
        // The page follows the order all the same, and the channel is asked again by itself.
        Ok(Err(failure)) => tracing::warn!(order.id = %order_id, error = %Chain(&failure), "a browser came back and nothing new is known"),
        Err(_) => tracing::warn!(order.id = %order_id, "a browser came back and the channel takes long to answer"),
    }
    api.pages.returned(language, &api.links.checkout_path(order_id))
}

/// Asks the channel of every attempt that may still be paid and that it can know of. Errors: no channel answers.
async fn ask_channels(api: &ApiState, order_id: OrderId, correlation_id: Uuid) -> Result<(), CommandFailure> {
    let standing = api.commands.orders.load(&streams::order(order_id)).await?;
    let is_known_there = |record: &&PayRecord| record.is_live() && (record.was_shown() || record.status == PayRecordStatus::Preparing);
    let live = standing.state.pay_records.iter().filter(is_known_there);
    let (mut answered, mut failed) = (false, None);
    for pay_no in live.filter_map(|record| record.issued.as_ref()).map(|issued| issued.pay_no) {
        match api.commands.sync_pay_record(&Caller::CheckoutLink, pay_no, None, None, correlation_id).await {
            Ok(_) => answered = true,
            Err(failure @ (CommandFailure::ChannelUnavailable | CommandFailure::ChannelRefused { .. })) => failed = Some(failure),
            Err(failure) => return Err(failure),
        }
    }
    failed.filter(|_| !answered).map_or(Ok(()), Err)
}

/// `GET /checkout/{token}/watch`
pub(crate) async fn watch(State(api): State<ApiState>, Path(token): Path<String>, client: ClientAddress) -> Result<Response, Problem> {
    let order_id = opened(&api, &token)?;
    let open = api.watches.open(order_id, client.network());
    let open = open.ok_or_else(|| Problem::new(Code::RateLimited).retry_after(WATCH_RETRY_S))?;
    // The first state is read before the answer begins, so that a failing store is a problem and not an empty stream.
    let first = load_state(&api, order_id).await?;
    let stream = states(api, order_id, first, open);
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()).into_response())
}

fn states(api: ApiState, order_id: OrderId, first: (Option<u64>, Value), open: OpenWatch) -> impl Stream<Item = Result<Event, Infallible>> {
    let appended = api.commands.ports.log.appended();
    stream::unfold((api, appended, Some(first), None, open), move |(api, mut appended, first, mut sent, open)| async move {
        let mut next = first;
        loop {
            if let Some((revision, state)) = next.take()
                && sent != Some(revision)
            {
                sent = Some(revision);
                let event = Event::default().event("state").data(state.to_string());
                return Some((Ok(event), (api, appended, None, sent, open)));
            }
            // A closed channel means that the log is shutting down; the wait's limit then paces the loop.
            let woken = tokio::time::timeout(WATCH_POLL, appended.changed()).await;
            if matches!(woken, Ok(Err(_))) {
                return None;
            }
            // Every append wakes every page: the pause lets one look answer for many appends.
            tokio::time::sleep(WATCH_PAUSE).await;
            // While the store does not answer the page keeps what it shows; its next state comes when it does.
            next = load_state(&api, order_id).await.ok();
        }
    })
}

async fn load_state(api: &ApiState, order_id: OrderId) -> Result<(Option<u64>, Value), Problem> {
    let standing = api.commands.orders.load(&streams::order(order_id)).await.map_err(CommandFailure::from)?;
    Ok((standing.revision, state(api, &standing.state)?))
}

fn opened(api: &ApiState, token: &str) -> Result<OrderId, Problem> {
    api.links.open_checkout(token).ok_or_else(Problem::not_found)
}

/// What the checkout page shows.
fn state(api: &ApiState, order: &Order) -> Result<Value, Problem> {
    let created = order.created.as_ref().ok_or_else(Problem::not_found)?;
    let draft = &created.draft;
    let record = order.paid.and_then(|(pay_no, _)| order.pay_record(pay_no)).or_else(|| shown_record(order));
    let record = record.map(|record| render::pay_record(order, record, &api.links, &api.images)).transpose();
    let channels: Vec<Channel> = offered(api).collect();
    Ok(json!({
        "order_id": draft.order_id,
        "title": draft.title,
        "amount": draft.amount,
        "amount_text": draft.amount.of(draft.currency).major_text(),
        "currency": draft.currency,
        "status": order.status.as_str(),
        "payment_status": order.payment_status().as_str(),
        "expires_at": render::time(created.expires_at),
        "server_at": render::time(api.commands.now()),
        "closing": order.status == OrderStatus::Closing,
        "channels": channels,
        "wallet_links": wallet_links(api, draft.order_id),
        "pay_record": record.map_err(|error| Problem::internal(&error))?,
        "paid_at": order.paid.map(|(_, paid_at)| render::time(paid_at)),
        "result_url": "/courses",
    }))
}

/// The ways to pay that a button of the page can begin. One inside WeChat, in an app or a mini program cannot be one.
fn offered(api: &ApiState) -> impl Iterator<Item = Channel> + '_ {
    let begins_elsewhere = |channel: &Channel| channel.needs_openid() || matches!(channel, Channel::WechatApp | Channel::WechatAppV2);
    // The old protocol is offered only where there is no other.
    let has_new = api.commands.offers_wallet(Wallet::Wechat);
    let is_old = move |channel: &Channel| has_new && Wallet::of(*channel) == Some(Wallet::WechatV2);
    let both = api.commands.offers_wallet(Wallet::Alipay) && api.commands.offers_wallet(Wallet::Wechat);
    let channels = api.commands.ports.channels.offered().filter(move |channel| !begins_elsewhere(channel) && !is_old(channel));
    channels.chain(both.then_some(Channel::Aggregate))
}

/// Where a page that is open inside a wallet's own app leads to the payment there; null where nobody can pay there. Such an app
/// shows no code to another phone, and opens no page of the other wallet's.
fn wallet_links(api: &ApiState, order_id: OrderId) -> Value {
    let link = api.links.pay_order_url(order_id);
    json!({
        "alipay": scan::pays_in_alipay(api).then_some(&link),
        "wechat": scan::pays_in_wechat(api).then_some(&link),
    })
}

/// `GET /checkout/offer`: the wallets with which a new order can be paid by a button of a page.
pub(crate) async fn offer(State(api): State<ApiState>) -> Response {
    let alipay = api.commands.offers_wallet(Wallet::Alipay);
    let wechat = offered(&api).any(Channel::is_wechat) || scan::pays_in_wechat(&api);
    let wallets: Vec<&str> = [("alipay", alipay), ("wechat", wechat)].into_iter().filter(|(_, is)| *is).map(|(word, _)| word).collect();
    let caching = [(header::CACHE_CONTROL, "no-cache")];
    (caching, Json(json!({ "wallets": wallets }))).into_response()
}

/// The newest live record, else the newest of all.
fn shown_record(order: &Order) -> Option<&PayRecord> {
    let shown = |record: &&PayRecord| matches!(record.status, PayRecordStatus::Preparing | PayRecordStatus::Pending);
    order.pay_records.iter().rev().find(shown).or_else(|| order.newest_pay_record())
}

/// The key of a command that came by a link. The link's order stands for the subject.
fn key_of(headers: &HeaderMap, order_id: OrderId, command: &str, content: &str) -> Result<Option<CallerKey>, Problem> {
    caller_key(headers, &format!("checkout-link:{order_id}"), &format!("POST /checkout/{command}"), content)
}

/// `POST /checkout/{token}/pay-records`
pub(crate) async fn create_pay_record(
    State(api): State<ApiState>,
    Path(token): Path<String>,
    Correlation(correlation_id): Correlation,
    client: ClientAddress,
    headers: HeaderMap,
    Json(body): Json<ChannelBody>,
) -> Result<Response, Problem> {
    let order_id = opened(&api, &token)?;
    let key = key_of(&headers, order_id, "pay-records", &body.channel)?;
    let channel = channel_word(&body.channel)?;
    if channel == Channel::Aggregate {
        let given = api.commands.give_aggregate_code(&Caller::CheckoutLink, order_id, key.as_ref(), None, correlation_id).await?;
        return aggregate_answer(&api, &given);
    }
    let payer = Payer { openid: None, client_ip: client.0 };
    let wish = PayWish { channel, payer, by_scan: false };
    let attempted = api.commands.begin_payment(&Caller::CheckoutLink, order_id, &wish, key.as_ref(), None, correlation_id).await?;
    attempt_answer(&api, &attempted)
}

/// `POST /checkout/{token}/sync`: asks the channel of every attempt that may still be paid. Errors: no channel answers.
pub(crate) async fn sync(
    State(api): State<ApiState>,
    Path(token): Path<String>,
    Correlation(correlation_id): Correlation,
    OptionalJson(_): OptionalJson<Nothing>,
) -> Result<Response, Problem> {
    let order_id = opened(&api, &token)?;
    ask_channels(&api, order_id, correlation_id).await?;
    let standing = api.commands.orders.load(&streams::order(order_id)).await.map_err(CommandFailure::from)?;
    Ok(answer(StatusCode::OK, state(&api, &standing.state)?, standing.position, false))
}

/// `POST /checkout/{token}/renew`: a fresh code for an order whose code is over; a new order for one that has expired.
pub(crate) async fn renew(
    State(api): State<ApiState>,
    Path(token): Path<String>,
    Correlation(correlation_id): Correlation,
    client: ClientAddress,
    headers: HeaderMap,
    OptionalJson(_): OptionalJson<Nothing>,
) -> Result<Response, Problem> {
    let order_id = opened(&api, &token)?;
    let standing = api.commands.orders.load(&streams::order(order_id)).await.map_err(CommandFailure::from)?;
    if standing.state.status == OrderStatus::Expired {
        let renewed = api.commands.renew_expired(&standing.state, correlation_id).await?;
        let body = json!({ "checkout_url": api.links.checkout_url(renewed.order_id) });
        return Ok(answer(StatusCode::CREATED, body, renewed.position, false));
    }
    let newest = standing.state.newest_pay_record().and_then(|record| record.issued.as_ref()).map(|issued| issued.channel);
    // A payment inside WeChat begins with a scan, not with a button of this page.
    let newest = newest.filter(|channel| !channel.needs_openid() && api.commands.ports.channels.offers(*channel));
    let channel = newest.or_else(|| offered(&api).next()).ok_or(CommandFailure::ChannelNotConfigured)?;
    let key = key_of(&headers, order_id, "renew", "")?;
    let wish = PayWish { channel, payer: Payer { openid: None, client_ip: client.0 }, by_scan: false };
    let attempted = api.commands.begin_payment(&Caller::CheckoutLink, order_id, &wish, key.as_ref(), None, correlation_id).await?;
    let body = json!({ "checkout_url": api.links.checkout_url(order_id) });
    Ok(answer(StatusCode::CREATED, body, attempted.order.position, attempted.replayed))
}

#[cfg(test)]
mod tests;
