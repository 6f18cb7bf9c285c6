//! Training pairs as tokens, and the order in which a run sees them.
//!
//! Every pair says the same thing to the trainer: the student's tokens of `input` shall lie where
//! the frozen teacher's tokens of `target` lie. For bitext the target is the English sentence. For
//! *retention*, which keeps the student from forgetting what the teacher knew, it is the very
//! sentence that the student reads.

use std::collections::BTreeMap;

use optical_corpus::bitext::SentencePair;
use optical_tokenize::{Role, TokenBatch, TokenSequence, TokenizeError, Tokenizer};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

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
    /// Tokens of the longer side.
    fn length(&self) -> usize {
        self.target.ids.len().max(self.input.ids.len())
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
    let usable =
        |tokens: &TokenSequence| tokens.ids.len() <= maximum_length && tokens.kept.contains(&true);
    let targets = encode(teacher, |text| &text.target)?;
    let inputs = encode(student, |text| &text.input)?;
    let pairs = texts.iter().zip(targets.into_iter().zip(inputs));
    Ok(pairs
        .filter(|(_, (target, input))| usable(target) && usable(input))
        .map(|(text, (target, input))| TrainingPair {
            target,
            input,
            group: text.group.clone(),
        })
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
#[derive(Debug)]
pub struct BatchOrder {
    pairs: Vec<TrainingPair>,
    groups: Vec<Group>,
    batch_size: usize,
    seed: u64,
    padding: [u32; 2],
}

/// Pairs that share a sampling weight.
#[derive(Debug)]
struct Group {
    name: String,
    members: Vec<usize>,
    share: f64,
}

/// Batches drawn together and sorted by length, so that little is padded.
const BATCHES_A_WINDOW: u64 = 16;

impl BatchOrder {
    /// Sets up the order; `shares` says how often each group's pairs are drawn, relative to the
    /// others, whatever their number. A group without a share is never drawn.
    pub fn new(
        pairs: Vec<TrainingPair>,
        shares: &BTreeMap<String, f64>,
        batch_size: usize,
        seed: u64,
        padding: [u32; 2],
    ) -> Self {
        let mut members: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, pair) in pairs.iter().enumerate() {
            members.entry(&pair.group).or_default().push(index);
        }
        let groups = members
            .into_iter()
            .filter_map(|(group, members)| {
                let share = shares.get(group).copied().filter(|&share| 0.0 < share)?;
                Some(Group {
                    name: group.to_owned(),
                    share,
                    members,
                })
            })
            .collect();
        Self {
            pairs,
            groups,
            batch_size,
            seed,
            padding,
        }
    }

    /// Number of pairs.
    pub fn pair_count(&self) -> usize {
        self.pairs.len()
    }

    /// The batch of step `step`, counted from zero, in `parts` parts of about equal size.
    pub fn batch(&self, step: u64, parts: usize) -> Vec<PairBatch> {
        let window = step / BATCHES_A_WINDOW;
        let drawn = self.window(window);
        let mut order: Vec<u64> = (0..BATCHES_A_WINDOW).collect();
        order.shuffle(&mut stream(self.seed, "batches of a window", window));
        let position = order[(step % BATCHES_A_WINDOW) as usize] as usize;
        let chosen = &drawn[position * self.batch_size..(position + 1) * self.batch_size];
        let side = |chosen: &[usize], side: fn(&TrainingPair) -> &TokenSequence, padding: u32| {
            let members: Vec<_> = chosen
                .iter()
                .map(|&index| side(&self.pairs[index]).clone())
                .collect();
            TokenBatch::pad(&members, padding)
        };
        let size = chosen.len().div_ceil(parts);
        let parts = chosen.chunks(size).map(|chosen| PairBatch {
            target: side(chosen, |pair| &pair.target, self.padding[0]),
            input: side(chosen, |pair| &pair.input, self.padding[1]),
        });
        parts.collect()
    }

    /// Indices of a window's pairs, sorted by length.
    fn window(&self, window: u64) -> Vec<usize> {
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
        drawn.sort_by_key(|&index| (self.pairs[index].length(), index));
        drawn
    }

    /// `count` members of a group: it is shuffled, gone through to its end, and shuffled anew.
    fn draw(&self, group: &Group, window: u64, count: usize) -> Vec<usize> {
        let size = group.members.len() as u64;
        let first = window * count as u64;
        let mut shuffled = (u64::MAX, Vec::new());
        (first..first + count as u64)
            .map(|position| {
                let round = position / size;
                if shuffled.0 != round {
                    let mut members = group.members.clone();
                    members.shuffle(&mut stream(self.seed, &group.name, round));
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
