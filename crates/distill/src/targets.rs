//! What the teacher makes of training sentences, read once: its states do not change.
//!
//! Bitext in several languages has the same English sentences, and every step, seed and student of a study
//! reads them again. Each distinct one is read once and its states are kept in a file, in single precision:
//! 4 bytes times width for each token.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::path::Path;

use burn::prelude::*;
use optical_encoder::{Model, VectorFile, Vectors, batches_by_length};
use optical_tokenize::{TokenBatch, TokenSequence};
use rayon::prelude::*;
use serde_json::json;

use crate::error::DistillError;
use crate::tokenized::TokenizedPairs;

/// Sentences that are read between two commits.
const AT_ONCE: usize = 512;

/// The distinct sentences that a teacher reads in a training.
#[derive(Debug)]
pub struct Targets {
    /// The distinct sentence of each pair.
    of_pairs: Vec<u32>,
    /// The first pair of each distinct sentence.
    first: Vec<u32>,
}

impl Targets {
    /// Finds them, in the order of the pairs; `add` is given what tells each from the others, for a hash of
    /// all.
    ///
    /// # Errors
    /// If the pairs cannot be read.
    pub fn of(pairs: &TokenizedPairs, mut add: impl FnMut(&[u8])) -> Result<Self, DistillError> {
        let mut numbers: HashMap<Vec<u8>, u32> = HashMap::new();
        let (mut of_pairs, mut first) = (Vec::with_capacity(pairs.len()), Vec::new());
        for pair in 0..pairs.len() as u32 {
            let [target, _] = pairs.read(pair)?;
            let next = numbers.len() as u32;
            let bytes = distinct(&target);
            let number = *numbers.entry(bytes).or_insert_with_key(|bytes| {
                add(bytes);
                first.push(pair);
                next
            });
            of_pairs.push(number);
        }
        Ok(Self { of_pairs, first })
    }

    /// Reads all of them with the teacher into the file `path`, in batches of about `tokens_per_batch`, or
    /// resumes where it was stopped; `hear` is told how many of how many are read, and may stop it. Returns
    /// whether the file is whole.
    ///
    /// # Errors
    /// If the device fails, or the file cannot be written.
    pub fn write(
        &self,
        teacher: &Model,
        pairs: &TokenizedPairs,
        tokens_per_batch: usize,
        (path, device): (&Path, &Device),
        hear: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<bool, DistillError> {
        let width = teacher.config.hidden_size;
        let mut file = VectorFile::open(path, width, BTreeMap::new())?;
        let all = self.first.len();
        loop {
            let done = file.texts() as usize;
            if hear(done, all).is_break() {
                return Ok(false);
            }
            if done == all {
                file.finish()?;
                return Ok(true);
            }
            let some = &self.first[done..all.min(done + AT_ONCE)];
            let sequences = some.iter().map(|&pair| {
                let [target, _] = pairs.read(pair)?;
                Ok(target)
            });
            let sequences: Vec<TokenSequence> = sequences.collect::<Result<_, DistillError>>()?;
            for states in read(teacher, &sequences, tokens_per_batch, device)? {
                file.push("", &states)?;
            }
            file.commit(json!(null))?;
        }
    }

    /// Opens a file that was written.
    ///
    /// # Errors
    /// If it cannot be read, or is of other sentences or another width.
    pub fn open(self, path: &Path, width: usize) -> Result<TargetStates, DistillError> {
        let vectors = Vectors::open(path)?;
        let expected = (self.first.len(), width);
        let found = (vectors.texts(), vectors.width());
        if found != expected {
            return Err(DistillError::Targets {
                path: path.to_owned(),
                found,
                expected,
            });
        }
        Ok(TargetStates {
            of_pairs: self.of_pairs,
            vectors,
        })
    }
}

/// States of all distinct sentences.
#[derive(Debug)]
pub struct TargetStates {
    of_pairs: Vec<u32>,
    vectors: Vectors,
}

impl TargetStates {
    /// Returns the states of a batch of pairs, `[rows, width, hidden]`; padding is zero.
    pub(crate) fn of(
        &self,
        pairs: &[u32],
        batch: &TokenBatch,
        device: &Device,
    ) -> Result<Tensor<3>, DistillError> {
        let hidden = self.vectors.width();
        let mut values = vec![0.0; batch.rows * batch.width * hidden];
        for (row, &pair) in values.chunks_mut(batch.width * hidden).zip(pairs) {
            let states = self.vectors.read(self.of_pairs[pair as usize] as usize)?;
            row[..states.len()].copy_from_slice(&states);
        }
        let shape = [batch.rows, batch.width, hidden];
        Ok(Tensor::from_data(TensorData::new(values, shape), device))
    }
}

/// The states of each sequence, in their order.
fn read(
    teacher: &Model,
    sequences: &[TokenSequence],
    tokens_per_batch: usize,
    device: &Device,
) -> Result<Vec<Vec<f32>>, DistillError> {
    let width = teacher.config.hidden_size;
    let padding = teacher.tokenizer.padding_id();
    let batches = batches_by_length(sequences, tokens_per_batch);
    let encoded = batches.par_iter().map(|members| {
        let chosen: Vec<_> = members.iter().map(|&it| sequences[it].clone()).collect();
        let batch = TokenBatch::pad(&chosen, padding);
        let values: Vec<f32> = teacher
            .states(&batch, device)
            .into_data()
            .try_to_vec()
            .map_err(|error| DistillError::Device(format!("{error:?}")))?;
        let rows = values.chunks(batch.width * width).zip(&chosen);
        let rows = rows.map(|(row, sequence)| row[..sequence.ids.len() * width].to_vec());
        Ok(rows.collect())
    });
    let encoded: Vec<Vec<Vec<f32>>> = encoded.collect::<Result<_, DistillError>>()?;
    let mut states = vec![Vec::new(); sequences.len()];
    for (members, rows) in batches.iter().zip(encoded) {
        for (&place, row) in members.iter().zip(rows) {
            states[place] = row;
        }
    }
    Ok(states)
}

/// What a sentence's states follow from: its tokens, and which of them are not attended to.
fn distinct(sequence: &TokenSequence) -> Vec<u8> {
    let attended = sequence.unattended as u32;
    let numbers = std::iter::once(attended).chain(sequence.ids.iter().copied());
    numbers.flat_map(u32::to_le_bytes).collect()
}
