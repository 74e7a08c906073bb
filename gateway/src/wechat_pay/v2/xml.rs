//! The flat messages of API v2: one root, its members in it, each a text.
//!
//! Whatever else XML can say is refused before anything of it is used: document types and entities, members inside members,
//! attributes, comments, a name that stands twice, a second root.

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};

/// The largest message that is read, in bytes. Real ones have two or three thousand, refund queries some ten thousand.
pub const MESSAGE_LIMIT: usize = 256 * 1024;

/// The root of every message.
pub(super) const ROOT: &str = "xml";

/// The members of a message by name, decoded and otherwise as they stand: nothing is trimmed, an empty one is kept.
pub(super) type Members = BTreeMap<String, String>;

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum XmlError {
    /// More than [`MESSAGE_LIMIT`].
    #[error("the message is too large")]
    TooLarge,
    /// Not UTF-8, not well-formed, cut off, or anything but one root with texts in it.
    #[error("the message is not flat XML")]
    Malformed,
    /// A document type, or a reference to an entity that only one could declare.
    #[error("the message declares or uses entities")]
    Unsafe,
    /// A member stands twice: two readers could see two values.
    #[error("a member of the message stands twice")]
    Duplicate,
}

/// Where the reader stands.
enum Place {
    BeforeRoot,
    InRoot,
    InMember { name: String, value: String },
    AfterRoot,
}

/// Reads a message with this root.
pub(super) fn read(bytes: &[u8], root: &str) -> Result<Members, XmlError> {
    if bytes.len() > MESSAGE_LIMIT {
        return Err(XmlError::TooLarge);
    }
    let text = str::from_utf8(bytes).map_err(|_| XmlError::Malformed)?;
    // It skips a byte order mark.
    let mut reader = Reader::from_str(text);
    let config = reader.config_mut();
    config.enable_all_checks(true);
    config.expand_empty_elements = true;
    let mut members = Members::new();
    let mut place = Place::BeforeRoot;
    let mut is_first = true;
    loop {
        let event = reader.read_event().map_err(|_| XmlError::Malformed)?;
        place = match (place, event) {
            (_, Event::DocType(_)) => return Err(XmlError::Unsafe),
            (Place::BeforeRoot, Event::Decl(declaration)) if is_first && is_utf8(&declaration) => Place::BeforeRoot,
            (Place::BeforeRoot, Event::Start(start)) if element(&start)? == root => Place::InRoot,
            (Place::InRoot, Event::Start(start)) => Place::InMember { name: element(&start)?.to_owned(), value: String::new() },
            (Place::InMember { name, value }, Event::Text(text)) => grown(name, value, &text)?,
            (Place::InMember { name, value }, Event::CData(text)) => grown(name, value, &text)?,
            (Place::InMember { name, value }, Event::GeneralRef(reference)) => {
                let character = referred(&reference)?;
                grown(name, value, character.encode_utf8(&mut [0; 4]))?
            }
            // The reader compared the names.
            (Place::InMember { name, value }, Event::End(_)) => {
                if members.insert(name, value).is_some() {
                    return Err(XmlError::Duplicate);
                }
                Place::InRoot
            }
            (Place::InRoot, Event::End(_)) => Place::AfterRoot,
            (Place::AfterRoot, Event::Eof) => return Ok(members),
            (place @ (Place::BeforeRoot | Place::InRoot | Place::AfterRoot), Event::Text(text)) if is_blank(&text) => place,
            _ => return Err(XmlError::Malformed),
        };
        is_first = false;
    }
}

fn is_utf8(declaration: &BytesDecl<'_>) -> bool {
    match declaration.encoding() {
        None => true,
        Some(Ok(name)) => name.eq_ignore_ascii_case("utf-8") || name.eq_ignore_ascii_case("utf8"),
        Some(Err(_)) => false,
    }
}

fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
}

/// The name of an element that has nothing but a name.
fn element<'a>(start: &'a BytesStart<'_>) -> Result<&'a str, XmlError> {
    let name = start.name().into_inner();
    let is_name = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    if is_name && is_blank(start.attributes_raw()) { Ok(name) } else { Err(XmlError::Malformed) }
}

fn grown(name: String, mut value: String, more: &str) -> Result<Place, XmlError> {
    if !more.chars().all(is_character) {
        return Err(XmlError::Malformed);
    }
    value.push_str(more);
    Ok(Place::InMember { name, value })
}

/// Whether XML 1.0 may hold the character.
fn is_character(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// The character that a reference stands for: a number, or one of the five names that need no declaration.
fn referred(reference: &BytesRef<'_>) -> Result<char, XmlError> {
    match reference.as_ref() {
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "amp" => Ok('&'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        _ => reference.resolve_char_ref().map_err(|_| XmlError::Malformed)?.ok_or(XmlError::Unsafe),
    }
}

/// Writes a message. Names are our own; whatever a value holds stays a text.
pub(super) fn write<'a>(members: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut message = format!("<{ROOT}>");
    for (name, value) in members {
        // The end of a text inside it is cut in two, so that no reader sees it.
        let value = value.replace("]]>", "]]]]><![CDATA[>");
        message.extend(["<", name, "><![CDATA[", &value, "]]></", name, ">"]);
    }
    message.extend(["</", ROOT, ">"]);
    message
}

#[cfg(test)]
mod tests;
