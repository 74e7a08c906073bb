//! The two languages that Paystream answers in.

use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;

/// A language that texts for people exist in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English, also for whoever asks for no language or for one that we do not have.
    #[default]
    En,
    /// Chinese.
    Zh,
}

impl Language {
    /// The language that `Accept-Language` prefers; of equal ones the first named.
    pub fn of(headers: &HeaderMap) -> Self {
        let wishes = headers.get_all(ACCEPT_LANGUAGE).iter().filter_map(|value| value.to_str().ok());
        let mut best = (Self::En, 0);
        for (language, weight) in wishes.flat_map(|text| text.split(',')).filter_map(wish) {
            if weight > best.1 {
                best = (language, weight);
            }
        }
        best.0
    }

    /// The language's tag for `Content-Language` and for `lang` in pages.
    pub fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh",
        }
    }
}

/// One member of the header: the language it names, if it is one of ours, and its weight in thousandths.
fn wish(member: &str) -> Option<(Language, u32)> {
    let mut parts = member.split(';').map(str::trim);
    let range = parts.next()?.to_ascii_lowercase();
    let language = match range.split('-').next()? {
        "zh" => Language::Zh,
        "en" | "*" => Language::En,
        _ => return None,
    };
    let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1000), thousandths)?;
    Some((language, weight))
}

/// Reads a weight such as `0.8` or `1` without floating point.
fn thousandths(text: &str) -> Option<u32> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let whole: u32 = whole.parse().ok().filter(|whole| *whole <= 1)?;
    let fraction: u32 = format!("{fraction:0<3}").parse().ok()?;
    Some((whole * 1000 + fraction).min(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Language {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_LANGUAGE, text.parse().unwrap());
        Language::of(&headers)
    }

    #[test]
    fn no_header_means_english() {
        assert_eq!(Language::of(&HeaderMap::new()), Language::En);
    }

    #[test]
    fn chinese_in_any_region_is_chinese() {
        for text in ["zh", "zh-CN", "ZH-hans-cn", "zh-CN,zh;q=0.9,en;q=0.8", "fr, zh;q=0.1"] {
            assert_eq!(asked(text), Language::Zh, "{text}");
        }
    }

    #[test]
    fn the_heavier_language_wins_and_of_equals_the_first() {
        assert_eq!(asked("zh;q=0.5, en;q=0.9"), Language::En);
        assert_eq!(asked("en;q=0.899, zh;q=0.9"), Language::Zh);
        assert_eq!(asked("zh, en"), Language::Zh);
        assert_eq!(asked("en, zh"), Language::En);
        assert_eq!(asked("*, zh;q=0.5"), Language::En);
    }

    #[test]
    fn a_refused_or_unreadable_wish_is_no_wish() {
        for text in ["zh;q=0", "zh;q=much", "zh;q=0.12345", "zh;q=2", "de", "zhuang"] {
            assert_eq!(asked(text), Language::En, "{text}");
        }
    }
}
