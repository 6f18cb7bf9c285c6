//! The systems that every run may have.

/// A system that every run may have, in the order of tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuiltIn {
    /// BM25 on the query as it is.
    Bm25,
    /// BM25 on what an external program makes of the query.
    Translator,
    /// BM25 on the human English version.
    Bm25English,
    /// The unmodified encoder.
    ZeroShotRaw,
    /// The teacher after the head, where students are models of their own.
    Teacher,
    /// What distillation starts from: the teacher after the head, or a student of its own that has read
    /// English alone.
    ZeroShot,
    /// The student, or the mean of several.
    Distilled,
    /// The teacher on the human English version.
    English,
}

impl BuiltIn {
    /// All of them; those that a run file names come after the first.
    pub const ALL: [Self; 8] = [
        Self::Bm25,
        Self::Translator,
        Self::Bm25English,
        Self::ZeroShotRaw,
        Self::Teacher,
        Self::ZeroShot,
        Self::Distilled,
        Self::English,
    ];

    /// Returns the name in tables and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bm25 => "bm25",
            Self::Translator => "translator",
            Self::Bm25English => "bm25-english",
            Self::ZeroShotRaw => "zero-shot-raw",
            Self::Teacher => "teacher",
            Self::ZeroShot => "zero-shot",
            Self::Distilled => "distilled",
            Self::English => "english",
        }
    }

    /// Returns what it is, for a report.
    pub fn description(self) -> &'static str {
        match self {
            Self::Bm25 => "BM25 on the query as it is",
            Self::Translator => "BM25 on the query as an external program translates it",
            Self::Bm25English => {
                "BM25 on the query's human English version: an upper bound for translation"
            }
            Self::ZeroShotRaw => "the unmodified encoder, on the query as it is",
            Self::Teacher => "the teacher after the head, on the query as it is",
            Self::ZeroShot => {
                "after the head, before any text of other languages: what distillation starts from"
            }
            Self::Distilled => "the student after the same head",
            Self::English => "the teacher on the query's human English version: an upper bound",
        }
    }

    /// Tells whether it has what no query gives: a human translation.
    pub fn is_bound(self) -> bool {
        matches!(self, Self::Bm25English | Self::English)
    }

    /// Tells whether it ranks by vectors of an encoder that is not trained.
    pub fn is_untrained_encoder(self) -> bool {
        matches!(
            self,
            Self::ZeroShotRaw | Self::Teacher | Self::ZeroShot | Self::English
        )
    }

    /// Finds a system by its name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|system| system.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::BuiltIn;

    #[test]
    fn names_are_unique_and_lead_back() {
        for system in BuiltIn::ALL {
            assert_eq!(BuiltIn::named(system.name()), Some(system));
        }
        let names: BTreeSet<_> = BuiltIn::ALL.map(BuiltIn::name).into();
        assert_eq!(names.len(), BuiltIn::ALL.len());
        let descriptions: BTreeSet<_> = BuiltIn::ALL.map(BuiltIn::description).into();
        assert_eq!(descriptions.len(), BuiltIn::ALL.len());
        assert_eq!(BuiltIn::named("psq"), None);
        assert_eq!(BuiltIn::named("distilled-1"), None);
    }

    /// A bound that reads English by an encoder is both.
    #[test]
    fn bounds_and_untrained_encoders_are_told_apart() {
        let those = |is: fn(BuiltIn) -> bool| {
            let all = BuiltIn::ALL.into_iter();
            all.filter(|it| is(*it))
                .map(BuiltIn::name)
                .collect::<Vec<_>>()
        };
        assert_eq!(those(BuiltIn::is_bound), ["bm25-english", "english"]);
        let untrained = those(BuiltIn::is_untrained_encoder);
        assert_eq!(
            untrained,
            ["zero-shot-raw", "teacher", "zero-shot", "english"]
        );
    }
}
