//! What clients of the write side see of orders, pay records and selections.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, SecondsFormat, Utc};
use domain::Channel;
use domain::course_selection::CourseSelected;
use domain::course_selection::SelectionStatus;
use domain::order::{Order, OrderCreated, OrderStatus};
use domain::pay_record::{PayRecord, PayRecordStatus};
use gateway::ClientParameters;
use lru::LruCache;
use qr::{QrError, QrOptions};
use serde_json::{Value, json};

use crate::links::Links;

/// RFC 3339 in UTC.
pub(crate) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// The QR images of codes, rendered once each.
#[derive(Clone)]
pub(crate) struct QrImages {
    rendered: Arc<Mutex<LruCache<String, Arc<str>>>>,
}

const KEPT_IMAGES: NonZeroUsize = NonZeroUsize::new(512).expect("not zero");

impl QrImages {
    pub(crate) fn new() -> Self {
        Self { rendered: Arc::new(Mutex::new(LruCache::new(KEPT_IMAGES))) }
    }

    /// The PNG of a code as a `data:` URL.
    pub(crate) fn data_url(&self, content: &str) -> Result<Arc<str>, QrError> {
        if let Some(image) = self.rendered.lock().unwrap_or_else(PoisonError::into_inner).get(content) {
            return Ok(Arc::clone(image));
        }
        let image: Arc<str> = qr::data_url(content, &QrOptions::default())?.into();
        self.rendered.lock().unwrap_or_else(PoisonError::into_inner).put(content.to_owned(), Arc::clone(&image));
        Ok(image)
    }
}

/// An order as `POST /orders` answers it.
pub(crate) fn order_created(created: &OrderCreated, status: OrderStatus, links: &Links) -> Value {
    let draft = &created.draft;
    json!({
        "order_id": draft.order_id,
        "status": status.as_str(),
        "order_type": draft.order_type,
        "out_business_id": draft.out_business_id,
        "amount": draft.amount,
        "amount_text": draft.amount.of(draft.currency).major_text(),
        "currency": draft.currency,
        "expires_at": time(created.expires_at),
        "checkout_url": links.checkout_url(draft.order_id),
    })
}

/// A pay record as the write side's routes answer it.
pub(crate) fn pay_record(order: &Order, record: &PayRecord, links: &Links, images: &QrImages) -> Result<Value, QrError> {
    let (Some(issued), Some(created)) = (&record.issued, &order.created) else { return Ok(Value::Null) };
    let qr_content = record.code_url();
    let qr_code = qr_content.map(|content| images.data_url(content)).transpose()?;
    let expires_at = record.prepared_until().unwrap_or(created.expires_at);
    let capture = record.captures.first();
    Ok(json!({
        "pay_no": issued.pay_no,
        "order_id": created.draft.order_id,
        "channel": issued.channel,
        "amount": issued.amount.amount_minor(),
        "amount_text": issued.amount.major_text(),
        "currency": issued.amount.currency(),
        "status": record.status.as_str(),
        "qr_content": qr_content,
        "qr_code": qr_code.as_deref(),
        "pay_url": links.pay_url(issued.pay_no),
        "client_parameters": null,
        "expires_at": time(expires_at),
        "issued_at": time(issued.issued_at),
        "trade_no": capture.map(|capture| capture.trade_no.as_str()),
        "paid_at": capture.map(|capture| time(capture.paid_at)),
        "failure_code": record.failure_code,
    }))
}

/// The order's own code, in the shape of a pay record that has no number yet.
pub(crate) fn aggregate(order: &Order, links: &Links, images: &QrImages) -> Result<Value, QrError> {
    let Some(created) = &order.created else { return Ok(Value::Null) };
    let draft = &created.draft;
    let link = links.pay_order_url(draft.order_id);
    let qr_code = images.data_url(&link)?;
    Ok(json!({
        "pay_no": null,
        "order_id": draft.order_id,
        "channel": Channel::Aggregate,
        "amount": draft.amount,
        "amount_text": draft.amount.of(draft.currency).major_text(),
        "currency": draft.currency,
        "status": PayRecordStatus::Pending.as_str(),
        "qr_content": link,
        "qr_code": &*qr_code,
        "pay_url": link,
        "client_parameters": null,
        "expires_at": time(created.expires_at),
        "issued_at": time(created.created_at),
        "trade_no": null,
        "paid_at": null,
        "failure_code": null,
    }))
}

/// What a page or an app hands to the wallet, by name; null where there is nothing to hand over.
pub(crate) fn client_parameters(parameters: Option<ClientParameters>) -> Value {
    parameters.map_or(Value::Null, |parameters| {
        parameters.members.into_iter().map(|(name, value)| (name.to_owned(), Value::String(value))).collect()
    })
}

/// A course selection as `POST /course-selections` answers it.
pub(crate) fn selection(selected: &CourseSelected, status: SelectionStatus) -> Value {
    json!({
        "selection_id": selected.selection_id,
        "course_id": selected.course_id,
        "charge": selected.charge,
        "status": status.as_str(),
        "price_amount": selected.price_amount,
        "price_text": selected.price_amount.of(selected.currency).major_text(),
        "currency": selected.currency,
    })
}
