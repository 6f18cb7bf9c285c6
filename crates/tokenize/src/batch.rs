//! Texts as token ids, one by one and padded.

/// One text as tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenSequence {
    /// Vocabulary ids, special tokens included.
    pub ids: Vec<u32>,
    /// Whether each token takes part in the late interaction.
    pub kept: Vec<bool>,
    /// Whether each token is of the text itself; the others are special tokens, markers and masks.
    pub text: Vec<bool>,
    /// How many tokens at the end are masks that a ColBERT query is filled up with.
    pub expansion: usize,
    /// How many tokens at the end no token attends to, as with the masks of a ColBERT query.
    pub unattended: usize,
}

impl TokenSequence {
    /// Creates a sequence of tokens of the text itself, all of them kept.
    pub fn plain(ids: Vec<u32>) -> Self {
        Self {
            kept: vec![true; ids.len()],
            text: vec![true; ids.len()],
            ids,
            expansion: 0,
            unattended: 0,
        }
    }
}

/// Texts padded to a common width, row-major.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenBatch {
    /// Number of texts.
    pub rows: usize,
    /// Tokens of the longest text.
    pub width: usize,
    /// `[rows, width]` vocabulary ids; the padding id after the end of a text.
    pub ids: Vec<u32>,
    /// `[rows, width]` true where there is a token that others attend to.
    pub mask: Vec<bool>,
    /// `[rows, width]` true where a token is kept.
    pub kept: Vec<bool>,
    /// `[rows, width]` true where a token is of the text itself.
    pub text: Vec<bool>,
    /// `[rows, width]` true where a token is a mask that the text was filled up with.
    pub expansion: Vec<bool>,
}

impl TokenBatch {
    /// Pads token sequences to the longest of them with `padding_id`.
    pub fn pad(sequences: &[TokenSequence], padding_id: u32) -> Self {
        let rows = sequences.len();
        let width = sequences.iter().map(|s| s.ids.len()).max().unwrap_or(0);
        let mut batch = Self {
            rows,
            width,
            ids: vec![padding_id; rows * width],
            mask: vec![false; rows * width],
            kept: vec![false; rows * width],
            text: vec![false; rows * width],
            expansion: vec![false; rows * width],
        };
        for (row, sequence) in sequences.iter().enumerate() {
            let start = row * width;
            let end = start + sequence.ids.len();
            batch.ids[start..end].copy_from_slice(&sequence.ids);
            batch.mask[start..end - sequence.unattended].fill(true);
            batch.kept[start..end].copy_from_slice(&sequence.kept);
            batch.text[start..end].copy_from_slice(&sequence.text);
            batch.expansion[end - sequence.expansion..end].fill(true);
        }
        batch
    }

    /// Flat positions, in `[rows, width]`, of the kept tokens of one row.
    pub fn kept_tokens(&self, row: usize) -> Vec<usize> {
        let tokens = row * self.width..(row + 1) * self.width;
        tokens.filter(|&token| self.kept[token]).collect()
    }
}
