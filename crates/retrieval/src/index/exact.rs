//! Exact search: every document is scored.
//!
//! Vectors are kept in half precision, as rows of one buffer. A search reads them once, a block of
//! documents at a time, and scores all its queries against the block, so a batch of queries costs
//! one pass over memory and is limited by arithmetic alone. Memory beyond the index is bounded: the
//! queries of a pass, one block per thread, and `k` entries per query and thread.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use half::f16;
use half::slice::HalfFloatSliceExt;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::kernel::{Block, QueryTokens};
use super::{Index, IndexError, QueryRef, check_document, check_query, file};
use crate::ranking::{Best, Hit};

/// A pass takes queries until they have this many tokens together.
const PASS_TOKENS: usize = 1 << 15;
/// A block takes documents until they have this many tokens together.
const BLOCK_TOKENS: usize = 512;
/// ... or until it has this many documents, which bounds the block's table of maxima.
const BLOCK_DOCUMENTS: usize = 16;

/// An index in memory whose answers are exact up to the rounding of vectors to half precision.
///
/// The score of a document depends on its vectors and the query alone: not on the other documents
/// or queries, the order in which they were given, or the number of threads. Processors with other
/// vector instructions may differ in the last bits.
#[derive(Debug, Clone, PartialEq)]
pub struct ExactIndex {
    dims: usize,
    ids: Vec<String>,
    positions: HashMap<String, usize>,
    /// Row at which each document begins, and the number of rows at the end.
    starts: Vec<usize>,
    values: Vec<f16>,
}

impl ExactIndex {
    /// Returns an empty index of vectors with `dims` dimensions.
    ///
    /// # Errors
    /// If `dims` is zero.
    pub fn new(dims: usize) -> Result<Self, IndexError> {
        if dims == 0 {
            return Err(IndexError::NoDimensions);
        }
        let (ids, positions, values) = (Vec::new(), HashMap::new(), Vec::new());
        Ok(Self {
            dims,
            ids,
            positions,
            starts: vec![0],
            values,
        })
    }

    /// Reads an index that [`Index::save`] wrote.
    ///
    /// # Errors
    /// If the file cannot be read, is not an index, is truncated, or is damaged.
    pub fn load(path: &Path) -> Result<Self, IndexError> {
        let content = file::load(path)?;
        let mut index = Self::new(content.dims)?;
        for (id, tokens) in content.documents {
            index.insert(id, tokens)?;
        }
        index.values = content.values;
        Ok(index)
    }

    /// Returns the number of token vectors in all documents.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.starts[self.ids.len()]
    }

    fn insert(&mut self, id: String, tokens: usize) -> Result<(), IndexError> {
        if self.positions.contains_key(&id) {
            return Err(IndexError::Duplicate(id));
        }
        self.starts.push(self.tokens() + tokens);
        self.positions.insert(id.clone(), self.ids.len());
        self.ids.push(id);
        Ok(())
    }

    /// Returns the documents of each block, as ranges of positions.
    fn blocks(&self) -> Vec<std::ops::Range<usize>> {
        let mut blocks = Vec::new();
        let mut first = 0;
        for next in 1..=self.len() {
            let full = next - first == BLOCK_DOCUMENTS
                || self.starts[next] - self.starts[first] >= BLOCK_TOKENS;
            if full || next == self.len() {
                blocks.push(first..next);
                first = next;
            }
        }
        blocks
    }

    /// Scores one pass of queries against every document.
    fn pass(&self, queries: &[QueryRef<'_>], k: usize) -> Vec<Vec<Hit>> {
        let tokens = QueryTokens::new(queries.iter().map(|query| query.vectors), self.dims);
        let excluded: Vec<Vec<usize>> = queries
            .iter()
            .map(|query| self.positions_of(query.excluded))
            .collect();
        let blocks = self.blocks();
        let next = AtomicUsize::new(0);
        let worker = |_| {
            let mut best: Vec<_> = queries.iter().map(|_| Best::new(k)).collect();
            let mut block = Block::new(self.dims);
            while let Some(documents) = blocks.get(next.fetch_add(1, Ordering::Relaxed)) {
                let rows = &self.starts[documents.start..=documents.end];
                let values = &self.values[rows[0] * self.dims..rows[rows.len() - 1] * self.dims];
                block.fill(rows, values);
                for (document, scores) in documents.clone().zip(block.scores(&tokens)) {
                    let queries = best.iter_mut().zip(&excluded).zip(scores);
                    for ((best, excluded), score) in queries {
                        if excluded.binary_search(&document).is_err() {
                            best.offer(&self.ids[document], score);
                        }
                    }
                }
            }
            best
        };
        let mut merged: Vec<_> = queries.iter().map(|_| Best::new(k)).collect();
        let threads = rayon::current_num_threads().min(blocks.len());
        let parts: Vec<_> = (0..threads).into_par_iter().map(worker).collect();
        for part in parts {
            for (all, best) in merged.iter_mut().zip(part) {
                all.absorb(best);
            }
        }
        merged.into_iter().map(Best::into_hits).collect()
    }

    /// Returns the documents that ids name, in ascending order.
    fn positions_of(&self, ids: &[&str]) -> Vec<usize> {
        let known = ids.iter().filter_map(|&id| self.positions.get(id).copied());
        let mut positions: Vec<usize> = known.collect();
        positions.sort_unstable();
        positions
    }
}

impl Index for ExactIndex {
    fn add(&mut self, id: &str, vectors: &[f32]) -> Result<(), IndexError> {
        let tokens = check_document(id, vectors, self.dims)?;
        self.insert(id.to_owned(), tokens)?;
        let start = self.values.len();
        self.values.resize(start + vectors.len(), f16::ZERO);
        self.values[start..].convert_from_f32_slice(vectors);
        Ok(())
    }

    fn search_many(&self, queries: &[QueryRef<'_>], k: usize) -> Result<Vec<Vec<Hit>>, IndexError> {
        // A query without a vector finds nothing.
        let asks = |query: &&QueryRef<'_>| !query.vectors.is_empty();
        for (position, query) in queries.iter().enumerate().filter(|(_, query)| asks(query)) {
            check_query(position, query.vectors, self.dims)?;
        }
        let asking: Vec<_> = queries.iter().filter(asks).copied().collect();
        let mut rankings = Vec::with_capacity(asking.len());
        let mut rest = &asking[..];
        while !rest.is_empty() {
            let mut values = 0;
            let fitting = rest.iter().take_while(|query| {
                values += query.vectors.len();
                values <= PASS_TOKENS * self.dims
            });
            // A query longer than a whole pass gets one to itself.
            let count = fitting.count().max(1);
            let (pass, later) = rest.split_at(count);
            rankings.extend(self.pass(pass, k));
            rest = later;
        }
        let mut rankings = rankings.into_iter();
        let ranking = |query| if asks(&query) { rankings.next() } else { None };
        Ok(queries
            .iter()
            .map(ranking)
            .map(Option::unwrap_or_default)
            .collect())
    }

    fn score(&self, query: &[f32], id: &str) -> Result<Option<f32>, IndexError> {
        check_query(0, query, self.dims)?;
        let Some(&position) = self.positions.get(id) else {
            return Ok(None);
        };
        let rows = &self.starts[position..position + 2];
        let mut block = Block::new(self.dims);
        block.fill(rows, &self.values[rows[0] * self.dims..rows[1] * self.dims]);
        let tokens = QueryTokens::new(std::iter::once(query), self.dims);
        let mut scores = block.scores(&tokens).flatten();
        Ok(scores.next())
    }

    fn vectors(&self, id: &str) -> Option<Vec<f32>> {
        let position = *self.positions.get(id)?;
        let values = self.starts[position] * self.dims..self.starts[position + 1] * self.dims;
        Some(
            self.values[values]
                .iter()
                .map(|value| value.to_f32())
                .collect(),
        )
    }

    fn contains(&self, id: &str) -> bool {
        self.positions.contains_key(id)
    }

    fn ids(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        Box::new(self.ids.iter().map(String::as_str))
    }

    fn len(&self) -> usize {
        self.ids.len()
    }

    fn dims(&self) -> usize {
        self.dims
    }

    fn save(&self, path: &Path) -> Result<(), IndexError> {
        let documents = self.ids.iter().zip(self.starts.windows(2));
        let documents: Vec<_> = documents
            .map(|(id, row)| (id.as_str(), row[1] - row[0]))
            .collect();
        file::save(path, self.dims, &documents, &self.values)
    }
}
