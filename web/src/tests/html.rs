//! As much reading of HTML as the shells need to be held to: every tag closed by its like, every id given once.

use std::collections::BTreeSet;

const VOID: [&str; 5] = ["meta", "link", "input", "img", "br"];

/// One opening tag.
#[derive(Clone, Debug)]
pub(super) struct Tag {
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
    pub(super) parent: Option<String>,
}

impl Tag {
    pub(super) fn value(&self, attribute: &str) -> Option<&str> {
        self.attributes.iter().find(|(name, _)| name == attribute).map(|(_, value)| value.as_str())
    }

    pub(super) fn has(&self, attribute: &str) -> bool {
        self.value(attribute).is_some()
    }
}

/// The opening tags of a document in their order.
pub(super) fn tags(document: &str) -> Vec<Tag> {
    walk(document).unwrap()
}

/// What is wrong with the document, if anything is.
pub(super) fn check(document: &str) -> Result<(), String> {
    if !document.starts_with("<!doctype html>") {
        return Err("it has no doctype".to_owned());
    }
    if document.contains("{{") || document.contains("}}") {
        return Err("a hole was not filled".to_owned());
    }
    let tags = walk(document)?;
    let mut ids = BTreeSet::new();
    for tag in &tags {
        let names: BTreeSet<_> = tag.attributes.iter().map(|(name, _)| name).collect();
        if names.len() != tag.attributes.len() {
            return Err(format!("an attribute stands twice in {tag:?}"));
        }
        if let Some(id) = tag.value("id").filter(|id| !ids.insert((*id).to_owned())) {
            return Err(format!("the id {id} is given twice"));
        }
    }
    let references = tags.iter().flat_map(|tag| [tag.value("aria-labelledby"), tag.value("aria-describedby"), tag.value("for")]);
    match references.flatten().find(|id| !ids.contains(*id)) {
        Some(id) => Err(format!("nothing has the id {id}")),
        None => Ok(()),
    }
}

fn walk(document: &str) -> Result<Vec<Tag>, String> {
    let (mut tags, mut open) = (Vec::new(), Vec::<String>::new());
    let mut rest = document.strip_prefix("<!doctype html>").unwrap_or(document);
    while let Some((words, from)) = rest.split_once('<') {
        if words.contains('>') {
            return Err(format!("a > stands in the text {words:?}"));
        }
        let (tag, after) = from.split_once('>').ok_or("a tag does not end")?;
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            let expected = open.pop();
            if expected.as_deref() != Some(name) {
                return Err(format!("</{name}> closes {expected:?}"));
            }
            continue;
        }
        let closed = tag.ends_with('/');
        let tag = read_tag(tag.trim_end_matches('/'), open.last().cloned())?;
        if !closed && !VOID.contains(&tag.name.as_str()) {
            open.push(tag.name.clone());
        }
        tags.push(tag);
    }
    if open.is_empty() { Ok(tags) } else { Err(format!("{open:?} are not closed")) }
}

fn read_tag(text: &str, parent: Option<String>) -> Result<Tag, String> {
    let (name, mut rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let mut attributes = Vec::new();
    rest = rest.trim();
    while !rest.is_empty() {
        let end = rest.find(|character: char| character == '=' || character.is_whitespace()).unwrap_or(rest.len());
        let (attribute, after) = rest.split_at(end);
        let value = match after.strip_prefix("=\"") {
            Some(quoted) => {
                let (value, after) = quoted.split_once('"').ok_or_else(|| format!("{attribute} of <{name}> does not end"))?;
                rest = after;
                value
            }
            None if after.starts_with('=') => return Err(format!("{attribute} of <{name}> is not quoted")),
            None => {
                rest = after;
                ""
            }
        };
        attributes.push((attribute.to_owned(), value.to_owned()));
        rest = rest.trim_start();
    }
    Ok(Tag { name: name.to_owned(), attributes, parent })
}

#[test]
fn a_document_with_a_fault_is_told_from_one_without() {
    let document = |body: &str| format!("<!doctype html><html><body>{body}</body></html>");
    assert_eq!(check(&document("<p id=\"a\" hidden>x<br></p><svg/>")), Ok(()));
    for fault in ["<p>", "</p>", "<p id=a></p>", "<p id=\"a\"></p><p id=\"a\"></p>", "{{x}}", "<p class=\"a\" class=\"b\"></p>", "a > b"] {
        assert!(check(&document(fault)).is_err(), "{fault}");
    }
    assert!(check(&document("<p aria-labelledby=\"b\"></p>")).is_err());
    assert!(check("<html></html>").is_err());
}
