//! The character sets that Alipay writes.

use std::borrow::Cow;

use encoding_rs::{Encoding, GBK, UTF_8};

/// The character set of a notification or an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Charset {
    /// What every request asks for.
    Utf8,
    /// What some notifications and some answers come in all the same.
    Gbk,
}

impl Charset {
    /// Reads the value of the member `charset`; `None` for any that is not supported.
    pub(super) fn parse(name: &[u8]) -> Option<Self> {
        let is = |word: &str| name.eq_ignore_ascii_case(word.as_bytes());
        match () {
            () if is("utf-8") || is("utf8") => Some(Self::Utf8),
            () if is("gbk") || is("gb2312") || is("gb18030") => Some(Self::Gbk),
            () => None,
        }
    }

    /// The text of the bytes; `None` if they are not of this character set.
    pub(super) fn decode(self, bytes: &[u8]) -> Option<Cow<'_, str>> {
        self.encoding().decode_without_bom_handling_and_without_replacement(bytes)
    }

    fn encoding(self) -> &'static Encoding {
        match self {
            Self::Utf8 => UTF_8,
            // The decoder of GBK is that of GB18030, which contains both it and GB2312.
            Self::Gbk => GBK,
        }
    }
}

/// A text of the same length as these GBK bytes, with a `?` for each byte of a character beyond ASCII; `None` if the
/// bytes are not GBK.
///
/// The second byte of such a character may be `\`, `{` or `}`, so the bytes themselves cannot be searched for what
/// means something in JSON. In this text they can, and every place in it is the same place in the bytes.
pub(super) fn masked(gbk: &[u8]) -> Option<String> {
    let mut text = String::with_capacity(gbk.len());
    let mut rest = gbk;
    while let Some((&first, _)) = rest.split_first() {
        let (shown, length) = match (first, rest.get(1), rest.get(2), rest.get(3)) {
            (0..=0x7f, ..) => (char::from(first), 1),
            (0x80, ..) => ('?', 1),
            (0x81..=0xfe, Some(0x40..=0x7e | 0x80..=0xfe), ..) => ('?', 2),
            (0x81..=0xfe, Some(0x30..=0x39), Some(0x81..=0xfe), Some(0x30..=0x39)) => ('?', 4),
            _ => return None,
        };
        text.extend(std::iter::repeat_n(shown, length));
        rest = rest.get(length..)?;
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_read_in_any_case() {
        for name in ["utf-8", "UTF-8", "utf8"] {
            assert_eq!(Charset::parse(name.as_bytes()), Some(Charset::Utf8));
        }
        for name in ["GBK", "gbk", "gb2312", "GB18030"] {
            assert_eq!(Charset::parse(name.as_bytes()), Some(Charset::Gbk));
        }
        for name in ["", "latin1", "utf-16", " utf-8", "gbk\0"] {
            assert_eq!(Charset::parse(name.as_bytes()), None, "{name:?}");
        }
    }

    #[test]
    fn bytes_of_another_character_set_are_no_text() {
        assert_eq!(Charset::Utf8.decode("书".as_bytes()).as_deref(), Some("书"));
        assert_eq!(Charset::Gbk.decode(&[0xca, 0xe9]).as_deref(), Some("书"));
        assert_eq!(Charset::Utf8.decode(&[0xca, 0xe9]), None);
        assert_eq!(Charset::Gbk.decode(&[0xca]), None);
    }

    #[test]
    fn second_bytes_that_look_like_json_are_masked() {
        // Characters whose second byte is a backslash, an opening and a closing brace.
        assert_eq!(masked(b"\"\x95\\\x81{\x81}\"").as_deref(), Some("\"??????\""));
        assert_eq!(masked(b"a\x81\x30\x81\x30b\x80").as_deref(), Some("a????b?"));
        assert_eq!(masked(b"").as_deref(), Some(""));
    }

    #[test]
    fn what_is_not_gbk_has_no_mask() {
        for bytes in [&b"\xff"[..], b"\x81", b"\x81\x20", b"\x81\x30", b"\x81\x30\x81", b"\x81\x30\x81\x41", b"\x81\x7f"] {
            assert_eq!(masked(bytes), None, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn a_mask_has_the_length_of_its_bytes_and_keeps_ascii(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Some(text) = masked(&bytes) {
                prop_assert_eq!(text.len(), bytes.len());
                prop_assert!(text.is_ascii());
            }
            // Whatever decodes as text can be masked, so no readable answer is lost.
            prop_assert!(masked(&bytes).is_some() || Charset::Gbk.decode(&bytes).is_none());
        }

        #[test]
        fn every_text_can_be_masked_in_its_bytes(text in "[ -~一-龥Ａ-ｚ€]{0,40}") {
            let (bytes, _, lacks_some) = GBK.encode(&text);
            prop_assert!(!lacks_some);
            let ascii: usize = text.bytes().filter(u8::is_ascii).count();
            let shown = masked(&bytes).unwrap();
            let kept = shown.bytes().filter(|byte| *byte != b'?').count();
            prop_assert_eq!(kept, ascii - text.bytes().filter(|byte| *byte == b'?').count());
        }
    }
}
