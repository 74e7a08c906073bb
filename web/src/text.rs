//! Every text of the pages, in both languages. A text without one of them cannot be written down here.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use chassis::language::Language;
use serde_json::Value;

mod checkout;
mod docs;
mod frame;
mod guide;
mod outcome;
mod shop;

/// One text. `{words}` in it are holes that the page fills.
pub(crate) struct Text {
    key: &'static str,
    en: &'static str,
    zh: &'static str,
}

impl Text {
    const fn new(key: &'static str, en: &'static str, zh: &'static str) -> Self {
        Self { key, en, zh }
    }

    fn words(&self, language: Language) -> &'static str {
        match language {
            Language::En => self.en,
            Language::Zh => self.zh,
        }
    }
}

const CHAPTERS: [&[Text]; 6] = [frame::TEXTS, shop::TEXTS, guide::TEXTS, checkout::TEXTS, outcome::TEXTS, docs::TEXTS];

static BY_KEY: LazyLock<BTreeMap<&'static str, &'static Text>> =
    LazyLock::new(|| CHAPTERS.into_iter().flatten().map(|text| (text.key, text)).collect());

/// The text of `key`. A key that does not exist is its own text, as in the pages' modules.
pub(crate) fn words(key: &str, language: Language) -> &str {
    BY_KEY.get(key).map_or(key, |text| text.words(language))
}

/// All texts as the ES module that the pages import.
pub(crate) fn module() -> String {
    let dictionary = |language| BY_KEY.iter().map(|(key, text)| (*key, text.words(language))).collect::<Value>();
    let both: Value = [Language::En, Language::Zh].map(|language| (language.tag(), dictionary(language))).into_iter().collect();
    format!("// Every text of the pages, by language and key.\nexport default {both};\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn all() -> impl Iterator<Item = &'static Text> {
        CHAPTERS.into_iter().flatten()
    }

    /// The switch names the other language in that language, and a moment has no words of its own.
    const MIXED: [&str; 3] = ["frame.other_language", "frame.switch_language", "checkout.moment"];

    fn holes(words: &str) -> BTreeSet<&str> {
        words.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect()
    }

    #[test]
    fn no_key_is_written_down_twice() {
        assert_eq!(BY_KEY.len(), all().count());
    }

    #[test]
    fn every_text_is_chinese_in_chinese_and_has_no_chinese_in_english() {
        let is_chinese = |words: &str| words.chars().any(|character| ('\u{4e00}'..='\u{9fff}').contains(&character));
        for text in all().filter(|text| !MIXED.contains(&text.key)) {
            assert!(is_chinese(text.zh), "{}", text.key);
            assert!(!text.en.is_empty() && !is_chinese(text.en), "{}", text.key);
        }
    }

    #[test]
    fn both_languages_have_the_same_holes() {
        for text in all() {
            assert_eq!(holes(text.en), holes(text.zh), "{}", text.key);
        }
    }

    #[test]
    fn the_module_holds_both_dictionaries_as_json() {
        let module = module();
        let json = module.split_once("export default ").unwrap().1.trim_end().strip_suffix(';').unwrap();
        let both: Value = serde_json::from_str(json).unwrap();
        for text in all() {
            assert_eq!((&both["en"][text.key], &both["zh"][text.key]), (&text.en.into(), &text.zh.into()));
        }
    }
}
