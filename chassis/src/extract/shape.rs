//! What a value that does not fit its type is told about which field.

use serde_path_to_error::{Path, Segment};

use crate::problem::{FieldError, field};

/// The longest message in characters: a reader's words may quote the input.
const MESSAGE_LIMIT: usize = 200;

/// Puts two paths together: `a` and `b` are `a.b`, `a` and `[0]` are `a[0]`.
pub(super) fn join(outer: &str, inner: &str) -> String {
    if outer.is_empty() || inner.is_empty() || inner.starts_with('[') { format!("{outer}{inner}") } else { format!("{outer}.{inner}") }
}

/// The error of one field, from where the reader stood and what it said.
///
/// serde gives its refusals as texts only; their first words are fixed by its error trait, and what is
/// recognised in none of them is still told, as `invalid`.
pub(super) fn field_error(path: &Path, message: &str) -> FieldError {
    let place = place(path);
    let named = |code, message: &str| {
        let name = quoted(message).unwrap_or_default();
        let is_there = place == name || place.ends_with(&format!(".{name}"));
        let field = if is_there { place.clone() } else { join(&place, name) };
        FieldError { field, code, message: short(message) }
    };
    let here = |code| FieldError { field: place.clone(), code, message: short(message) };
    match message {
        text if text.starts_with("missing field ") => FieldError { message: "is required".to_owned(), ..named(field::REQUIRED, text) },
        text if text.starts_with("unknown field ") => named(field::UNKNOWN_FIELD, text),
        text if text.starts_with("duplicate field ") => {
            FieldError { message: "is there more than once".to_owned(), ..named(field::DUPLICATE_FIELD, text) }
        }
        text if text.starts_with("unknown variant ") => here(field::UNKNOWN_VALUE),
        text if text.starts_with("invalid type: ") || text.starts_with("invalid length ") => here(field::WRONG_TYPE),
        text if text.starts_with("invalid value: integer ") => here(field::OUT_OF_RANGE),
        text if text.starts_with("invalid value: ") => here(field::MALFORMED),
        _ => here(field::INVALID),
    }
}

fn place(path: &Path) -> String {
    path.iter().fold(String::new(), |outer, segment| match segment {
        Segment::Seq { index } => join(&outer, &format!("[{index}]")),
        Segment::Map { key } => join(&outer, key),
        Segment::Enum { .. } | Segment::Unknown => outer,
    })
}

/// What stands between the first pair of backquotes.
fn quoted(message: &str) -> Option<&str> {
    message.split('`').nth(1)
}

fn short(message: &str) -> String {
    message.chars().take(MESSAGE_LIMIT).collect()
}
