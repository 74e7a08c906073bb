//! How events are stored: a hand-written name, the number of the shape, exact JSON. Old shapes are read through upcasters.

use serde_json::Value;

use crate::product_kind::ProductKind;

/// Why a stored event cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StoredFormError {
    /// The name is none that this stream's events have: a newer version of Paystream may have written it.
    #[error("unknown event {event_type}")]
    UnknownType {
        /// The stored name.
        event_type: String,
    },
    /// The shape is newer than this version of Paystream.
    #[error("{event_type} has the shape {schema_version}, which is newer than this version knows")]
    TooNew {
        /// The stored name.
        event_type: String,
        /// The stored number.
        schema_version: u16,
    },
    /// The content is not what the name and number promise.
    #[error("{event_type} cannot be read")]
    Malformed {
        /// The stored name.
        event_type: String,
        /// What the reader said.
        #[source]
        source: serde_json::Error,
    },
}

/// Turns shape `from` of an event's content into shape `from + 1`.
#[derive(Clone, Copy)]
pub struct Upcaster {
    /// The stored name that it is for.
    pub event_type: &'static str,
    /// The shape that it reads.
    pub from: u16,
    /// The change.
    pub apply: fn(Value) -> Value,
}

/// Every upcaster, in no order. An event whose shape changes gets a line here and a stored form in `stored-forms/`.
pub const UPCASTERS: &[Upcaster] = &[
    // Whom the channel is told of was never told of before: nothing changes.
    Upcaster { event_type: "PayRecordIssued", from: 1, apply: |content| content },
    Upcaster { event_type: "PayRecordPrepared", from: 1, apply: only_codes },
    Upcaster { event_type: "OrderCreated", from: 1, apply: kinds_of_lines },
    Upcaster { event_type: "PaymentConfirmed", from: 1, apply: kinds_of_lines },
    Upcaster { event_type: "RefundSucceeded", from: 1, apply: kinds_of_lines },
    Upcaster { event_type: "IdempotencyKeyClaimed", from: 1, apply: kinds_of_claimed_lines },
];

/// Before lines said what they are, all lines of an order of the catalogue were what the order is.
fn kinds_of_lines(mut content: Value) -> Value {
    let kind = content.get("order_type").and_then(Value::as_str).and_then(ProductKind::parse);
    if let (Some(kind), Some(items)) = (kind, content.get_mut("items").and_then(Value::as_array_mut)) {
        for item in items.iter_mut().filter_map(Value::as_object_mut) {
            item.insert("kind".to_owned(), kind.word().into());
        }
    }
    content
}

/// The same for the lines of a claimed order.
fn kinds_of_claimed_lines(mut content: Value) -> Value {
    if let Some(order) = content.pointer_mut("/intent/order") {
        *order = kinds_of_lines(order.take());
    }
    content
}

/// All that channels gave were codes.
fn only_codes(mut content: Value) -> Value {
    if let Some(members) = content.as_object_mut() {
        if let Some(code_url) = members.remove("code_url") {
            members.insert("prepared".to_owned(), serde_json::json!({ "code_url": code_url }));
        }
        if let Some(expires_at) = members.remove("code_expires_at") {
            members.insert("expires_at".to_owned(), expires_at);
        }
    }
    content
}

/// Brings `content` from shape `from` to shape `to`, one step at a time. `None` where a step is missing.
pub fn upcast(upcasters: &[Upcaster], event_type: &str, from: u16, to: u16, content: Value) -> Option<Value> {
    (from..to).try_fold(content, |content, version| {
        let step = upcasters.iter().find(|step| step.event_type == event_type && step.from == version)?;
        Some((step.apply)(content))
    })
}

/// Reads the content of a stored event as today's shape `T`.
pub(crate) fn read<T: serde::de::DeserializeOwned>(
    event_type: &str,
    stored_version: u16,
    current_version: u16,
    data: &str,
) -> Result<T, StoredFormError> {
    let malformed = |source| StoredFormError::Malformed { event_type: event_type.to_owned(), source };
    if stored_version == current_version {
        return serde_json::from_str(data).map_err(malformed);
    }
    let content = serde_json::from_str(data).map_err(malformed)?;
    let content = upcast(UPCASTERS, event_type, stored_version, current_version, content)
        .filter(|_| (1..current_version).contains(&stored_version))
        .ok_or_else(|| StoredFormError::TooNew { event_type: event_type.to_owned(), schema_version: stored_version })?;
    serde_json::from_value(content).map_err(malformed)
}

/// Defines the events of one kind of stream: an enum with one variant a struct, and their stored names and shapes.
macro_rules! stored_events {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $version:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[allow(clippy::large_enum_variant, reason = "few are held at a time, and a box would stand in every match")]
        pub enum $name {
            $($(#[$variant_doc])* $variant($variant),)+
        }

        impl $name {
            /// The stored names and the number of today's shape of each.
            pub const STORED: &[(&str, u16)] = &[$((stringify!($variant), $version),)+];

            /// The stored name.
            pub fn event_type(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => stringify!($variant),)+
                }
            }

            /// The number of the shape in which it is written today.
            pub fn schema_version(&self) -> u16 {
                match self {
                    $(Self::$variant(_) => $version,)+
                }
            }

            /// The content's exact JSON.
            pub fn to_json(&self) -> String {
                match self {
                    $(Self::$variant(event) => serde_json::to_string(event),)+
                }
                .unwrap_or_else(|error| unreachable!("events hold only what JSON can: {error}"))
            }

            /// Reads what was stored, in whatever shape it was.
            pub fn from_stored(event_type: &str, schema_version: u16, data: &str) -> Result<Self, $crate::stored::StoredFormError> {
                match event_type {
                    $(stringify!($variant) => $crate::stored::read(event_type, schema_version, $version, data).map(Self::$variant),)+
                    _ => Err($crate::stored::StoredFormError::UnknownType { event_type: event_type.to_owned() }),
                }
            }
        }

        $(impl From<$variant> for $name {
            fn from(event: $variant) -> Self {
                Self::$variant(event)
            }
        })+
    };
}
pub(crate) use stored_events;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const STEPS: &[Upcaster] = &[
        Upcaster { event_type: "Renamed", from: 2, apply: |content| json!({"c": content["b"]}) },
        Upcaster { event_type: "Renamed", from: 1, apply: |content| json!({"b": content["a"]}) },
    ];

    #[test]
    fn an_old_shape_takes_every_step_to_todays() {
        assert_eq!(upcast(STEPS, "Renamed", 1, 3, json!({"a": 7})), Some(json!({"c": 7})));
        assert_eq!(upcast(STEPS, "Renamed", 3, 3, json!({"c": 7})), Some(json!({"c": 7})));
    }

    #[test]
    fn a_missing_step_is_told() {
        assert_eq!(upcast(STEPS, "Renamed", 1, 4, json!({"a": 7})), None);
        assert_eq!(upcast(STEPS, "Other", 1, 2, json!({})), None);
    }

    #[test]
    fn a_shape_of_the_future_is_not_guessed() {
        let error = read::<Value>("Renamed", 9, 1, "{}").unwrap_err();
        assert!(matches!(error, StoredFormError::TooNew { schema_version: 9, .. }));
        assert!(matches!(read::<Value>("Renamed", 0, 1, "{}"), Err(StoredFormError::TooNew { .. })));
    }
}
