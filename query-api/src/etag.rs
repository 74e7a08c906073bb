//! Entity tags of single views.

use http::header::IF_NONE_MATCH;
use http::{HeaderMap, HeaderValue};

/// An entity tag with its quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EntityTag(String);

impl EntityTag {
    /// The tag of a view that is what its stream says up to `revision`.
    pub(crate) fn of_revision(revision: i64) -> Self {
        Self(format!("\"{revision}\""))
    }

    /// The tag of what follows from `revision` and from something else; `what` holds letters, digits and `-` only.
    pub(crate) fn of_revision_and(revision: i64, what: &str) -> Self {
        Self(format!("\"{revision}-{what}\""))
    }

    /// For the header `ETag`.
    pub(crate) fn to_header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).unwrap_or(HeaderValue::from_static("\"\""))
    }

    /// True if the client says that it has this already (`If-None-Match`), so that 304 is the answer.
    pub(crate) fn is_held_by(&self, headers: &HeaderMap) -> bool {
        let texts = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        texts.flat_map(|text| text.split(',')).map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_holds_a_tag_that_it_lists() {
        let tag = EntityTag::of_revision(7);
        assert_eq!(tag.to_header(), "\"7\"");
        let holds = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(IF_NONE_MATCH, text.parse().unwrap());
            tag.is_held_by(&headers)
        };
        assert!(!tag.is_held_by(&HeaderMap::new()));
        for text in ["\"7\"", "*", "W/\"7\"", "\"1\", \"7\""] {
            assert!(holds(text), "{text}");
        }
        for text in ["\"70\"", "7", "", "\"7-Png-200\""] {
            assert!(!holds(text), "{text}");
        }
        assert_eq!(EntityTag::of_revision_and(0, "Png-200").to_header(), "\"0-Png-200\"");
    }
}
