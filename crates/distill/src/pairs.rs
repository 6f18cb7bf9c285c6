//! Training pairs as tokens, and the order in which a run sees them.
//!
//! Every pair says the same thing to the trainer: the student's tokens of `input` shall lie where
//! the frozen teacher's tokens of `target` lie. For bitext the target is the English sentence. For
//! *retention*, which keeps the student from forgetting what the teacher knew, it is the very
//! sentence that the student reads.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use optical_corpus::bitext::SentencePair;
use optical_tokenize::{Role, TokenBatch, TokenSequence, TokenizeError, Tokenizer};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::error::DistillError;
use crate::tokenized::{Renumbering, TokenizedPairs};

/// A sentence for the student and one for the teacher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainingText {
    /// What the frozen teacher reads.
    pub target: String,
    /// What the student reads.
    pub input: String,
    /// What it is drawn with: its language for bitext, [`retention_group`] of it for retention.
    pub group: String,
}

/// The name of a language's retention pairs among the groups.
pub fn retention_group(language: &str) -> String {
    format!("{language} retained")
}

impl TrainingText {
    /// Bitext: the student's foreign sentence belongs where the teacher's English one lies.
    pub fn bitext(pair: &SentencePair) -> Self {
        Self {
            target: pair.english.clone(),
            input: pair.foreign.clone(),
            group: pair.language.clone(),
        }
    }

    /// Retention: a sentence belongs where the teacher itself puts it.
    pub fn retention(sentence: &str, language: &str) -> Self {
        Self {
            target: sentence.to_owned(),
            input: sentence.to_owned(),
            group: retention_group(language),
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
}

impl TrainingPair {
    /// Whether both sides have a kept token and at most `maximum_length` tokens.
    pub(crate) fn is_usable(&self, maximum_length: usize) -> bool {
        let sides = [&self.target, &self.input];
        let usable =
            |side: &TokenSequence| side.ids.len() <= maximum_length && side.kept.contains(&true);
        sides.into_iter().all(usable)
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
    });
    Ok(pairs
        .filter(|pair| pair.is_usable(maximum_length))
        .collect())
}

/// Pairs as batches of one width each for teacher and student.
#[derive(Debug)]
pub struct PairBatch {
    /// What the teacher reads.
    pub target: TokenBatch,
    /// What the student reads.
    pub input: TokenBatch,
}

/// The batches of a run: a pure function of the pairs, the batch size and the seed.
///
/// Tokens are read from the pairs' file when a batch is drawn.
#[derive(Debug)]
pub struct BatchOrder<'a> {
    pairs: &'a TokenizedPairs,
    renumbering: Renumbering,
    groups: Vec<Group<'a>>,
    batch_size: usize,
    seed: u64,
    padding: [u32; 2],
    /// The window drawn last, which the next step most likely needs again.
    drawn: Mutex<Option<(u64, Vec<u32>)>>,
}

/// Pairs that share a sampling weight.
#[derive(Debug)]
struct Group<'a> {
    name: &'a str,
    members: &'a [u32],
    share: f64,
}

/// Batches drawn together and sorted by length, so that little is padded.
const BATCHES_A_WINDOW: u64 = 16;

impl<'a> BatchOrder<'a> {
    /// Sets up the order; `shares` says how often each group's pairs are drawn, relative to the
    /// others, whatever their number. A group without a share is never drawn.
    pub fn new(
        pairs: &'a TokenizedPairs,
        renumbering: Renumbering,
        shares: &BTreeMap<String, f64>,
        batch_size: usize,
        seed: u64,
        padding: [u32; 2],
    ) -> Self {
        let groups = pairs
            .groups()
            .filter_map(|(name, members)| {
                let share = shares.get(name).copied().filter(|&share| 0.0 < share)?;
                Some(Group {
                    name,
                    members,
                    share,
                })
            })
            .collect();
        Self {
            pairs,
            renumbering,
            groups,
            batch_size,
            seed,
            padding,
            drawn: Mutex::new(None),
        }
    }

    /// The batch of step `step`, counted from zero, in `parts` parts of about equal size.
    ///
    /// # Errors
    /// If the pairs cannot be read.
    pub fn batch(&self, step: u64, parts: usize) -> Result<Vec<PairBatch>, DistillError> {
        let window = step / BATCHES_A_WINDOW;
        let mut order: Vec<u64> = (0..BATCHES_A_WINDOW).collect();
        order.shuffle(&mut stream(self.seed, "batches of a window", window));
        let position = order[(step % BATCHES_A_WINDOW) as usize] as usize;
        let places = position * self.batch_size..(position + 1) * self.batch_size;
        let chosen = {
            // Whoever panicked while drawing has left the window before it, which is as good.
            let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
            match &*drawn {
                Some((last, pairs)) if *last == window => pairs[places].to_vec(),
                _ => drawn.insert((window, self.window(window))).1[places].to_vec(),
            }
        };
        let size = chosen.len().div_ceil(parts);
        let part = |chosen: &[u32]| {
            let (mut targets, mut inputs) = (Vec::new(), Vec::new());
            for &index in chosen {
                let [target, mut input] = self.pairs.read(index)?;
                self.renumbering.apply(&mut input);
                targets.push(target);
                inputs.push(input);
            }
            Ok(PairBatch {
                target: TokenBatch::pad(&targets, self.padding[0]),
                input: TokenBatch::pad(&inputs, self.padding[1]),
            })
        };
        chosen.chunks(size).map(part).collect()
    }

    /// Indices of a window's pairs, sorted by length.
    fn window(&self, window: u64) -> Vec<u32> {
        let size = BATCHES_A_WINDOW as usize * self.batch_size;
        let total: f64 = self.groups.iter().map(|group| group.share).sum();
        let mut drawn = Vec::with_capacity(size);
        let mut behind = 0.0;
        let mut rounded = 0;
        for group in &self.groups {
            // Rounding the running sum gives every window exactly its size.
            behind += group.share / total * size as f64;
            let upto = behind.round() as usize;
            drawn.extend(self.draw(group, window, upto - rounded));
            rounded = upto;
        }
        drawn.sort_by_key(|&index| (self.pairs.length(index), index));
        drawn
    }

    /// `count` members of a group: it is shuffled, gone through to its end, and shuffled anew.
    fn draw(&self, group: &Group<'_>, window: u64, count: usize) -> Vec<u32> {
        let size = group.members.len() as u64;
        let first = window * count as u64;
        let mut shuffled = (u64::MAX, Vec::new());
        (first..first + count as u64)
            .map(|position| {
                let round = position / size;
                if shuffled.0 != round {
                    let mut members = group.members.to_vec();
                    members.shuffle(&mut stream(self.seed, group.name, round));
                    shuffled = (round, members);
                }
                shuffled.1[(position % size) as usize]
            })
            .collect()
    }
}

/// A random stream of its own for each purpose and round, so that no draw depends on another.
pub(crate) fn stream(seed: u64, purpose: &str, round: u64) -> ChaCha8Rng {
    // FNV-1a: names, not secrets, are told apart.
    let hash = purpose
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    let mut whole = [0; 32];
    for (part, value) in whole.chunks_exact_mut(8).zip([seed, round, hash]) {
        part.copy_from_slice(&value.to_le_bytes());
    }
    ChaCha8Rng::from_seed(whole)
}
