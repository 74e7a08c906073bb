//! Shells into pages: holes filled, texts put in.

use chassis::language::Language;

use crate::text;

/// Replaces each `{{name}}` of `template` by what `values` has for it. A name without a value leaves nothing behind.
pub(crate) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut parts = template.split("{{");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once("}}").unwrap_or((part, ""));
        filled.push_str(values.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value));
        filled.push_str(rest);
    }
    filled
}

/// Puts in the texts: the content of elements with `data-i18n`, the label or alternative text of those with
/// `data-i18n-label` or `data-i18n-alt`. Takes shells as they are written here, where no attribute holds a `>`.
pub(crate) fn translate(html: &str, language: Language) -> String {
    let mut page = String::with_capacity(html.len() * 2);
    for piece in html.split_inclusive('>') {
        let Some(open) = piece.strip_suffix('>') else {
            page.push_str(piece);
            continue;
        };
        let tag = open.rfind('<').map_or("", |at| &open[at..]);
        let words = |attribute| value_of(tag, attribute).map(|key| escaped(text::words(key, language)));
        page.push_str(open);
        for (attribute, told_by) in [(" data-i18n-label=\"", "aria-label"), (" data-i18n-alt=\"", "alt")] {
            if let Some(words) = words(attribute) {
                page.extend([" ", told_by, "=\"", &words, "\""]);
            }
        }
        page.push('>');
        page.push_str(&words(" data-i18n=\"").unwrap_or_default());
    }
    page
}

/// `words` so that HTML shows them as they are, in text and in attributes.
pub(crate) fn escaped(words: &str) -> String {
    let mut html = String::with_capacity(words.len());
    for character in words.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
    }
    html
}

fn value_of<'a>(tag: &'a str, attribute: &str) -> Option<&'a str> {
    tag.split_once(attribute)?.1.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_filled_and_unknown_ones_left_empty() {
        assert_eq!(fill("a {{x}} b {{y}} {{x}}", &[("x", "1")]), "a 1 b  1");
        assert_eq!(fill("no holes", &[]), "no holes");
    }

    #[test]
    fn texts_labels_and_alternatives_are_put_in() {
        let shell = "<p class=\"a\" data-i18n=\"frame.shop\" hidden></p><img data-i18n-alt=\"checkout.code.alt\"><br/>tail";
        assert_eq!(
            translate(shell, Language::En),
            "<p class=\"a\" data-i18n=\"frame.shop\" hidden>Courses</p>\
             <img data-i18n-alt=\"checkout.code.alt\" alt=\"QR code to pay this order\"><br/>tail"
        );
        let button = "<button data-i18n=\"sign_in.submit\" data-i18n-label=\"guide.steps\"></button>";
        assert_eq!(
            translate(button, Language::Zh),
            "<button data-i18n=\"sign_in.submit\" data-i18n-label=\"guide.steps\" aria-label=\"步骤\">登录</button>"
        );
    }

    #[test]
    fn what_is_escaped_ends_neither_text_nor_attribute() {
        assert_eq!(escaped("<a href=\"x\">'&"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;");
    }
}
