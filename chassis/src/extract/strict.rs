//! JSON read without forgiving: a member that is there twice is refused instead of one of them being believed.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::shape;
use crate::problem::{Code, Problem, field};

/// Reads `bytes` as one JSON value.
///
/// Errors: 400 `unreadable_json` if it is none, 422 naming the member's path if an object has one twice.
pub(super) fn value(bytes: &[u8]) -> Result<Value, Problem> {
    let repeated = RefCell::new(None);
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let read = Strict { repeated: &repeated }.deserialize(&mut deserializer);
    match read.and_then(|value| deserializer.end().map(|()| value)) {
        Ok(value) => Ok(value),
        Err(error) => Err(match repeated.into_inner() {
            Some(path) => Problem::invalid(path, field::DUPLICATE_FIELD, "is there more than once"),
            // Only the place is told: the reader's own words are about its grammar.
            None => Problem::new(Code::UnreadableJson).detail(format!(
                "The body cannot be read as JSON at line {}, column {}.",
                error.line(),
                error.column()
            )),
        }),
    }
}

/// Builds a value and, once an object repeats a member, notes the member's path on the way out.
#[derive(Clone, Copy)]
struct Strict<'a> {
    repeated: &'a RefCell<Option<String>>,
}

impl Strict<'_> {
    fn under(self, outer: &str) {
        if let Some(path) = self.repeated.borrow_mut().as_mut() {
            *path = shape::join(outer, path);
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(self).inspect_err(|_| self.under(&format!("[{}]", values.len())))? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            if members.contains_key(&name) {
                *self.repeated.borrow_mut() = Some(name);
                return Err(A::Error::custom("repeated member"));
            }
            let value = map.next_value_seed(self).inspect_err(|_| self.under(&name))?;
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }
}
