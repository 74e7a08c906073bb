//! Every event of every stream, by its stored name, and where its forms lie.

use std::path::{Path, PathBuf};

use domain::coupon::CouponEvent;
use domain::course_selection::CourseSelectionEvent;
use domain::idempotency::{IdempotencyEvent, IdempotencyKeyClaimed, IdempotencyKeyFreed, IdempotencyKeyHeld, IdempotencyKeyRedirected};
use domain::operations::{NoticeDismissed, NoticeRejudged, OperationEvent};
use domain::order::{IdempotencyKeyRecorded, OrderEvent, OrderStreamEvent};
use domain::pay_record::PayRecordEvent;
use domain::stock::StockEvent;
use domain::stored::StoredFormError;
use domain::unknown_capture::{UnknownCaptureEvent, UnknownCaptureOutcome, UnknownCaptureStreamEvent};
use serde_json::Value;

/// An event as it would be stored today.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) event_type: &'static str,
    pub(crate) schema_version: u16,
    pub(crate) content: Value,
}

/// The events of one kind of stream.
pub(crate) struct Events {
    pub(crate) stored: &'static [(&'static str, u16)],
    pub(crate) read: fn(&str, u16, &str) -> Result<Written, StoredFormError>,
}

macro_rules! events_of {
    ($stored:ty, $read:ty) => {
        Events {
            stored: <$stored>::STORED,
            read: |event_type, schema_version, data| {
                let event = <$read>::from_stored(event_type, schema_version, data)?;
                let content = serde_json::from_str(&event.to_json()).unwrap();
                Ok(Written { event_type: event.event_type(), schema_version: event.schema_version(), content })
            },
        }
    };
}

/// The events of every kind of stream, read as that stream's reader does.
pub(crate) const ALL: [Events; 9] = [
    events_of!(OrderEvent, OrderStreamEvent),
    events_of!(PayRecordEvent, OrderStreamEvent),
    events_of!(CourseSelectionEvent, CourseSelectionEvent),
    events_of!(IdempotencyEvent, IdempotencyEvent),
    events_of!(CouponEvent, CouponEvent),
    events_of!(StockEvent, StockEvent),
    events_of!(UnknownCaptureEvent, UnknownCaptureStreamEvent),
    events_of!(UnknownCaptureOutcome, UnknownCaptureStreamEvent),
    events_of!(OperationEvent, OperationEvent),
];

/// Every stored name with the number of today's shape and its reader.
pub(crate) fn each() -> impl Iterator<Item = (&'static str, u16, &'static Events)> {
    static ALL_EVENTS: [Events; 9] = ALL;
    ALL_EVENTS.iter().flat_map(|events| events.stored.iter().map(move |(name, version)| (*name, *version, events)))
}

/// The schema of today's shape of any event, published or not.
pub(crate) fn schema(event_type: &str) -> Value {
    let schema = match event_type {
        "IdempotencyKeyRecorded" => schemars::schema_for!(IdempotencyKeyRecorded),
        "IdempotencyKeyClaimed" => schemars::schema_for!(IdempotencyKeyClaimed),
        "IdempotencyKeyRedirected" => schemars::schema_for!(IdempotencyKeyRedirected),
        "IdempotencyKeyFreed" => schemars::schema_for!(IdempotencyKeyFreed),
        "IdempotencyKeyHeld" => schemars::schema_for!(IdempotencyKeyHeld),
        "NoticeRejudged" => schemars::schema_for!(NoticeRejudged),
        "NoticeDismissed" => schemars::schema_for!(NoticeDismissed),
        published => {
            let event = domain::published::events().into_iter().find(|event| event.event_type == published);
            (event.unwrap_or_else(|| panic!("{published} has no schema: publish it, or name it here")).schema)()
        }
    };
    schema.to_value()
}

pub(crate) fn stored_forms() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("stored-forms")
}

pub(crate) fn published_schemas() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/events")
}

/// The names of the files of `folder` that end in `suffix`.
pub(crate) fn files(folder: &Path, suffix: &str) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(suffix)).collect()
}

/// The whole content of a file, or a sentence that says what is missing.
pub(crate) fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
