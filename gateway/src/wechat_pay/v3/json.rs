//! JSON in which no name stands twice in one object, at any depth: whoever reads the first and whoever reads the last of two
//! must not see different payments.

use chassis::extract::read_json;
use chassis::problem::{Code, field};
use serde::de::DeserializeOwned;

/// Why bytes are not the JSON that is expected. It holds nothing of what stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum JsonError {
    /// Not JSON: cut off, not UTF-8, or something else altogether.
    #[error("it is not readable JSON")]
    Unreadable,
    /// A name stands twice in one object.
    #[error("a name stands twice")]
    Duplicate,
    /// JSON, but not of the shape that is expected.
    #[error("it lacks a member, or one is of another kind")]
    Shape,
}

/// Reads an object. Members that `T` does not name are left aside.
pub(super) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonError> {
    read_json(bytes).map_err(|problem| match problem.code {
        Code::UnreadableJson => JsonError::Unreadable,
        _ if problem.errors.iter().any(|error| error.code == field::DUPLICATE_FIELD) => JsonError::Duplicate,
        _ => JsonError::Shape,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;
    use serde_json::Value;

    use super::*;

    #[derive(Debug, PartialEq, Eq, Deserialize)]
    struct Amount {
        total: i64,
    }

    fn amount(text: &str) -> Result<Amount, JsonError> {
        read(text.as_bytes())
    }

    #[test]
    fn what_is_asked_for_is_read_and_the_rest_left_aside() {
        assert_eq!(amount(r#" {"total":19900,"new":{"a":[1,2.5,null,true,"x"]}} "#), Ok(Amount { total: 19900 }));
        assert_eq!(amount(r#"{"total":-1}"#), Ok(Amount { total: -1 }));
    }

    #[test]
    fn a_name_that_stands_twice_is_refused_at_any_depth() {
        for twice in [
            r#"{"total":1,"total":1}"#,
            r#"{"total":1,"\u0074otal":2}"#,
            r#"{"total":1,"a":{"b":1,"b":2}}"#,
            r#"{"total":1,"a":[{"b":1,"c":2,"b":3}]}"#,
        ] {
            assert_eq!(amount(twice), Err(JsonError::Duplicate), "{twice}");
        }
        assert!(amount(r#"{"total":1,"a":{"total":2},"b":{"total":3}}"#).is_ok());
    }

    #[test]
    fn what_is_not_json_and_what_is_other_json_differ() {
        for text in ["", "{", "<xml/>", r#"{"total":1}{"#, r#"{"total":1} x"#, "\u{feff}{\"total\":1}", "{\"total\":01}"] {
            assert_eq!(amount(text), Err(JsonError::Unreadable), "{text}");
        }
        assert_eq!(read::<Amount>(b"{\"total\":1,\"a\":\"\xff\"}"), Err(JsonError::Unreadable));
        for text in
            ["{}", "[]", "[1]", "1", "null", r#"{"total":"1"}"#, r#"{"total":1.0}"#, r#"{"total":1e3}"#, r#"{"total":9223372036854775808}"#]
        {
            assert_eq!(amount(text), Err(JsonError::Shape), "{text}");
        }
    }

    #[test]
    fn depth_has_a_limit() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(read::<Value>(deep.as_bytes()), Err(JsonError::Unreadable));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read::<Amount>(&bytes);
        }
    }
}
