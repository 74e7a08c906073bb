use serde::{Deserialize, Serialize};

/// What kind of thing is sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProductKind {
    /// A seat in a course; ordered through a course selection.
    Course,
    /// Something that is shipped.
    Goods,
    /// Study material to download.
    Material,
    /// An hour with a teacher.
    Tutoring,
}

impl ProductKind {
    /// Every kind there is.
    pub const ALL: [Self; 4] = [Self::Course, Self::Goods, Self::Material, Self::Tutoring];

    /// The contract's word, for instance `course`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Course => "course",
            Self::Goods => "goods",
            Self::Material => "material",
            Self::Tutoring => "tutoring",
        }
    }

    /// The kind of a word, if there is one.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_word_that_reads_back() {
        for kind in ProductKind::ALL {
            assert_eq!(ProductKind::parse(kind.word()), Some(kind));
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{}\"", kind.word()));
        }
        assert_eq!(ProductKind::parse("Course"), None);
        assert_eq!(ProductKind::parse("mixed"), None);
    }
}
