//! The character sets that a merchant may speak.

use encoding_rs::{Encoding, GBK, UTF_8};

/// A character set of requests, answers and notifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Charset {
    Utf8,
    Gbk,
}

impl Charset {
    /// Reads the value of the member `charset`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "utf-8" | "utf8" => Some(Self::Utf8),
            "gbk" | "gb2312" => Some(Self::Gbk),
            _ => None,
        }
    }

    /// The word in notifications and headers.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Gbk => "GBK",
        }
    }

    fn encoding(self) -> &'static Encoding {
        match self {
            Self::Utf8 => UTF_8,
            Self::Gbk => GBK,
        }
    }

    /// The text of bytes; none if they are not of this character set.
    pub(super) fn decode(self, bytes: &[u8]) -> Option<String> {
        self.encoding().decode_without_bom_handling_and_without_replacement(bytes).map(std::borrow::Cow::into_owned)
    }

    /// The bytes of a text; characters that this character set lacks become `?`.
    pub(super) fn encode(self, text: &str) -> Vec<u8> {
        let (whole, _, had_unmappable) = self.encoding().encode(text);
        if !had_unmappable {
            return whole.into_owned();
        }
        // The encoder would write numeric character references, whose `&` must not get into signed text.
        let mut buffer = [0; 4];
        text.chars()
            .flat_map(|character| match self.encoding().encode(character.encode_utf8(&mut buffer)) {
                (bytes, _, false) => bytes.into_owned(),
                (_, _, true) => vec![b'?'],
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chinese_survives_both_character_sets() {
        for charset in [Charset::Utf8, Charset::Gbk] {
            assert_eq!(charset.decode(&charset.encode("系统编程课程 1")).as_deref(), Some("系统编程课程 1"));
            assert_eq!(Charset::parse(charset.as_str()), Some(charset));
        }
        assert_eq!(Charset::Gbk.encode("书"), [0xca, 0xe9]);
    }

    #[test]
    fn what_gbk_lacks_becomes_a_question_mark() {
        assert_eq!(Charset::Gbk.encode("书🎓"), [0xca, 0xe9, b'?']);
    }

    #[test]
    fn bytes_of_another_character_set_are_no_text() {
        assert_eq!(Charset::Utf8.decode(&[0xca, 0xe9]), None);
        assert_eq!(Charset::Gbk.decode(&[0xff, 0xff]), None);
        assert_eq!(Charset::parse("latin1"), None);
    }
}
