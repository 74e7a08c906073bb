use proptest::prelude::*;

use super::*;

fn read_text(text: &str) -> Result<Members, XmlError> {
    read(text.as_bytes(), ROOT)
}

fn members<const N: usize>(pairs: [(&str, &str); N]) -> Members {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn texts_are_read_as_they_stand() {
    let expected = members([("a", " 1 "), ("b", "\r\n x\t"), ("c", ""), ("d", ""), ("e", "<&>\"' A"), ("f", "1]]>2")]);
    let text = "<xml>\n <a> 1 </a><b><![CDATA[\r\n x\t]]></b>\n<c></c><d/>\r\n\
                <e>&lt;&amp;&gt;&quot;&apos; &#65;</e><f><![CDATA[1]]]]><![CDATA[>2]]></f></xml>\n";
    assert_eq!(read_text(text), Ok(expected));
    assert_eq!(read_text("<xml/>"), Ok(members([])));
    assert_eq!(read_text("<xml><a>x<![CDATA[<b>]]>y&#x4E2D;</a></xml>"), Ok(members([("a", "x<b>y中")])));
}

#[test]
fn a_mark_and_a_declaration_may_stand_before_the_root() {
    let expected = Ok(members([("a", "1")]));
    assert_eq!(read_text("\u{FEFF}<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<xml><a>1</a></xml>"), expected);
    assert_eq!(read_text("<?xml version='1.0'?><xml><a>1</a></xml>"), expected);
    assert_eq!(read_text("\u{FEFF}\n<xml><a>1</a></xml>"), expected);
    assert_eq!(read(b"<root><a>1</a></root>", "root"), expected);
}

#[test]
fn whatever_could_declare_entities_is_refused() {
    for text in [
        "<!DOCTYPE xml><xml/>",
        "<?xml version=\"1.0\"?><!DOCTYPE xml [<!ENTITY f SYSTEM \"file:///etc/passwd\">]><xml><a>&f;</a></xml>",
        "<!DOCTYPE x [<!ENTITY a \"l\"><!ENTITY b \"&a;&a;&a;&a;\">]><xml><a>&b;</a></xml>",
        "<!DOCTYPE x SYSTEM \"http://127.0.0.1/evil.dtd\"><xml/>",
        "<xml><!DOCTYPE x><a>1</a></xml>",
        "<xml><a>&f;</a></xml>",
        "<xml><a>&nbsp;</a></xml>",
        "<xml/><!DOCTYPE x>",
    ] {
        assert_eq!(read_text(text), Err(XmlError::Unsafe), "{text}");
    }
}

#[test]
fn anything_but_one_root_with_texts_is_refused() {
    for text in [
        "",
        " ",
        "a=1",
        "{\"a\":1}",
        "<xml>",
        "<xml><a>1</xml>",
        "<xml><a>1</a>",
        "<xml><a>1</b></xml>",
        "<xml><a>1</a></xml><xml/>",
        "<xml><a>1</a></xml>x",
        "x<xml/>",
        "<xml>x<a>1</a></xml>",
        "<xml>&#65;</xml>",
        "<xml><![CDATA[ ]]></xml>",
        "<xml><a><b>1</b></a></xml>",
        "<xml><a><b/></a></xml>",
        "<xml><a x=\"1\">1</a></xml>",
        "<xml xmlns=\"u\"><a>1</a></xml>",
        "<xml><a><!-- 1 -->1</a></xml>",
        "<xml><!-- 1 --><a>1</a></xml>",
        "<xml><?php 1 ?><a>1</a></xml>",
        "<?php 1 ?><xml/>",
        "<xml><?xml version=\"1.0\"?><a>1</a></xml>",
        "<?xml version=\"1.0\"?><?xml version=\"1.0\"?><xml/>",
        "\n<?xml version=\"1.0\"?><xml/>",
        "<?xml version=\"1.0\" encoding=\"GBK\"?><xml/>",
        "<XML><a>1</a></XML>",
        "<root><a>1</a></root>",
        "<xml><n:a>1</n:a></xml>",
        "<xml><中>1</中></xml>",
        "<xml><1a>1</1a></xml>",
        "<xml><a>&</a></xml>",
        "<xml><a>&#0;</a></xml>",
        "<xml><a>&#1;</a></xml>",
        "<xml><a>&#xD800;</a></xml>",
        "<xml><a>&#x110000;</a></xml>",
        "<xml><a>\u{0}</a></xml>",
        "<xml><a><![CDATA[\u{1}]]></a></xml>",
        "<xml><a>\u{FFFE}</a></xml>",
        "<xml><a><![CDATA[1</a></xml>",
        "\u{FEFF}\u{FEFF}<xml/>",
    ] {
        assert_eq!(read_text(text), Err(XmlError::Malformed), "{text}");
    }
    for bytes in [&b"<xml><a>\xFF</a></xml>"[..], b"\xFF\xFE<\0x\0m\0l\0/\0>\0", b"<xml><a>\xED\xA0\x80</a></xml>"] {
        assert_eq!(read(bytes, ROOT), Err(XmlError::Malformed), "{bytes:?}");
    }
}

#[test]
fn a_name_that_stands_twice_is_refused() {
    for text in ["<xml><a>1</a><a>1</a></xml>", "<xml><a>1</a><b/><a/></xml>"] {
        assert_eq!(read_text(text), Err(XmlError::Duplicate), "{text}");
    }
    assert_eq!(read_text("<xml><a>1</a><A>2</A></xml>"), Ok(members([("a", "1"), ("A", "2")])));
}

#[test]
fn what_is_too_large_is_not_even_looked_at() {
    let message = |length: usize| format!("<xml><a>{}</a></xml>", "x".repeat(length - "<xml><a></a></xml>".len()));
    assert!(read_text(&message(MESSAGE_LIMIT)).is_ok());
    assert_eq!(read_text(&message(MESSAGE_LIMIT + 1)), Err(XmlError::TooLarge));
}

#[test]
fn deeply_nested_elements_are_refused_at_the_first_one() {
    let bomb = format!("<xml>{}", "<a>".repeat(80_000));
    assert_eq!(read_text(&bomb), Err(XmlError::Malformed));
}

proptest! {
    #[test]
    fn every_text_survives_being_written(values in prop::collection::btree_map("[a-z_][a-z0-9_]{0,8}", ".{0,40}", 0..8)) {
        let values: Members = values.into_iter().map(|(name, value)| (name, value.chars().filter(|c| is_character(*c)).collect())).collect();
        let text = write(values.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        prop_assert_eq!(read_text(&text), Ok(values));
    }

    #[test]
    fn ends_of_texts_inside_texts_survive_being_written(value in "[]>\\[<!CDATA&; ]{0,40}") {
        let text = write([("a", value.as_str())]);
        prop_assert_eq!(read_text(&text), Ok(members([("a", &value)])));
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&bytes, ROOT);
    }

    #[test]
    fn nothing_that_looks_like_xml_makes_the_reader_panic(text in "(<xml>|</xml>|<a>|</a>|<b/>|<!\\[CDATA\\[|\\]\\]>|&a;|&#1;|&#x41;|<!DOCTYPE |<\\?xml|\\?>|<!--|-->|[ -~é中\u{0}]){0,40}") {
        let _ = read_text(&text);
    }
}
