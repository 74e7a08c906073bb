//! Messages: one root with texts in it, and nothing else that XML knows.

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;

/// A message's members.
pub(in super::super) type Members = BTreeMap<String, String>;

/// Reads a message with this root; none if it is anything else: document types, entities, elements in members, a member that
/// stands twice.
pub(in super::super) fn read(bytes: &[u8], root: &str) -> Option<Members> {
    let mut reader = Reader::from_str(str::from_utf8(bytes).ok()?);
    reader.config_mut().expand_empty_elements = true;
    let mut members = Members::new();
    // How deep the reader is, and the member it is in.
    let (mut depth, mut member, mut is_over) = (0, None::<(String, String)>, false);
    loop {
        match reader.read_event().ok()? {
            Event::Eof => return (is_over && depth == 0).then_some(members),
            Event::Decl(_) if depth == 0 && !is_over => {}
            Event::Start(start) if depth == 0 && !is_over && start.name().into_inner() == root => depth = 1,
            Event::Start(start) if depth == 1 => {
                member = Some((start.name().into_inner().to_owned(), String::new()));
                depth = 2;
            }
            Event::End(_) if depth == 2 => {
                let (name, value) = member.take()?;
                if members.insert(name, value).is_some() {
                    return None;
                }
                depth = 1;
            }
            Event::End(_) if depth == 1 => (depth, is_over) = (0, true),
            Event::Text(text) if depth < 2 && text.trim().is_empty() => {}
            Event::Text(text) => member.as_mut()?.1.push_str(&text),
            Event::CData(text) => member.as_mut()?.1.push_str(&text),
            Event::GeneralRef(reference) => {
                let character = reference.resolve_char_ref().ok()?;
                let value = &mut member.as_mut()?.1;
                match character {
                    Some(character) => value.push(character),
                    None => value.push_str(resolve_predefined_entity(&reference)?),
                }
            }
            _ => return None,
        }
    }
}

/// Writes a message; what would end a value is cut in two.
pub(in super::super) fn write(root: &str, members: &[(&str, &str)]) -> String {
    let mut text = format!("<{root}>");
    for (name, value) in members {
        let value = value.replace("]]>", "]]]]><![CDATA[>");
        text.extend(["<", name, "><![CDATA[", &value, "]]></", name, ">"]);
    }
    format!("{text}</{root}>")
}

/// Writes members that were collected.
pub(in super::super) fn written(members: &Members) -> String {
    write("xml", &members.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let members: Members = [("a", " <&]]> "), ("b", ""), ("c", "文")].map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        assert_eq!(read(written(&members).as_bytes(), "xml"), Some(members));
        let plain = "<?xml version=\"1.0\"?>\n<xml> <a>1 &amp; &#50;</a><b/>\n</xml>";
        assert_eq!(read(plain.as_bytes(), "xml").unwrap()["a"], "1 & 2");
    }

    #[test]
    fn anything_but_flat_members_is_refused() {
        for text in [
            "",
            "text",
            "<xml>",
            "<root></root>",
            "<xml><a>1</a><a>2</a></xml>",
            "<xml><a><b>1</b></a></xml>",
            "<xml>1</xml>",
            "<xml></xml><xml></xml>",
            "<!DOCTYPE xml [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><xml><a>&e;</a></xml>",
            "<xml><a>&e;</a></xml>",
        ] {
            assert_eq!(read(text.as_bytes(), "xml"), None, "{text}");
        }
        assert_eq!(read(&[b'<', 0xff], "xml"), None);
    }
}
