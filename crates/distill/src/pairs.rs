//! Training pairs, as texts and as tokens.
//!
//! Every pair says the same thing to the trainer: the student's tokens of `input` shall be where
//! the frozen teacher's tokens of `target` are. For bitext the target is the English sentence. For
//! *retention*, which keeps the student from forgetting what the teacher knew, it is the very
//! sentence that the student reads.

use optical_corpus::bitext::SentencePair;
use optical_tokenize::{Role, TokenSequence, TokenizeError, Tokenizer};

/// A sentence for the student and one for the teacher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainingText {
    /// What the frozen teacher reads.
    pub target: String,
    /// What the student reads.
    pub input: String,
    /// What it is drawn with: its language for bitext, [`retention_group`] of it for retention.
    pub group: String,
    /// Passages that it is scored with, by the numbers that [`Passages`](crate::Passages) knows; as
    /// many for every text, and none where no objective scores passages.
    pub passages: Vec<u32>,
}

/// Returns the name of a language's retention pairs among the groups.
pub fn retention_group(language: &str) -> String {
    format!("{language} retained")
}

/// Returns the name of a language's code-switched pairs among the groups.
pub fn switched_group(language: &str) -> String {
    format!("{language} switched")
}

impl TrainingText {
    /// Makes a text of bitext: the student's foreign sentence belongs where the teacher's English
    /// one is.
    pub fn bitext(pair: &SentencePair) -> Self {
        Self {
            target: pair.english.clone(),
            input: pair.foreign.clone(),
            group: pair.language.clone(),
            passages: Vec::new(),
        }
    }

    /// Makes a code-switched text: an English sentence with words of another language belongs where
    /// the teacher puts the English one.
    pub fn switched(english: &str, switched: String, language: &str) -> Self {
        Self {
            target: english.to_owned(),
            input: switched,
            group: switched_group(language),
            passages: Vec::new(),
        }
    }

    /// Makes a text of retention: a sentence belongs where the teacher itself puts it.
    pub fn retention(sentence: &str, language: &str) -> Self {
        Self {
            target: sentence.to_owned(),
            input: sentence.to_owned(),
            group: retention_group(language),
            passages: Vec::new(),
        }
    }
}

/// A training text as tokens of the teacher and of the student.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainingPair {
    /// Tokens of the teacher's vocabulary.
    pub target: TokenSequence,
    /// Tokens of the student's vocabulary.
    pub input: TokenSequence,
    /// What it is drawn with, as in [`TrainingText::group`].
    pub group: String,
    /// As [`TrainingText::passages`].
    pub passages: Vec<u32>,
}

impl TrainingPair {
    /// Says whether both sides have a token of their texts, and at most `maximum_length` tokens.
    pub(crate) fn is_usable(&self, maximum_length: usize) -> bool {
        let sides = [&self.target, &self.input];
        self.has_tokens() && sides.iter().all(|side| side.ids.len() <= maximum_length)
    }

    /// Says whether both sides have a kept token of their texts; markers and masks are none.
    pub(crate) fn has_tokens(&self) -> bool {
        let has = |side: &TokenSequence| {
            let mut tokens = side.kept.iter().zip(&side.text);
            tokens.any(|(&kept, &text)| kept && text)
        };
        has(&self.target) && has(&self.input)
    }
}

/// Tokenizes texts; those with a side of no kept token or beyond `maximum_length` are left out.
///
/// # Errors
/// If a tokenizer refuses a text.
pub fn tokenize(
    texts: &[TrainingText],
    teacher: &Tokenizer,
    student: &Tokenizer,
    maximum_length: usize,
) -> Result<Vec<TrainingPair>, TokenizeError> {
    // One token more than allowed tells a text that is too long from one that just fits.
    let encode = |tokenizer: &Tokenizer, side: fn(&TrainingText) -> &str| {
        let sides: Vec<&str> = texts.iter().map(side).collect();
        tokenizer.encode_many(&sides, Role::Query, maximum_length + 1)
    };
    let targets = encode(teacher, |text| &text.target)?;
    let inputs = encode(student, |text| &text.input)?;
    let pairs = texts.iter().zip(targets.into_iter().zip(inputs));
    let pairs = pairs.map(|(text, (target, input))| TrainingPair {
        target,
        input,
        group: text.group.clone(),
        passages: text.passages.clone(),
    });
    Ok(pairs
        .filter(|pair| pair.is_usable(maximum_length))
        .collect())
}
