//! The inner loop of exact search: maxima of dot products, without a matrix of scores.
//!
//! Query tokens are side by side in panels, a few vector registers wide, and document tokens in tiles
//! of a few. A tile's dot products with a panel stay in registers over all dimensions and go straight
//! into the panel's running maxima. Every dot product adds its terms in the order of the dimensions,
//! so it does not depend on its neighbours in panel, tile or block.

use half::f16;
use half::slice::HalfFloatSliceExt;
use pulp::{Arch, Simd, WithSimd};

/// Bytes of a cache line: vector loads across two lines cost double.
const CACHE_LINE: usize = 64;

/// The tokens of many queries, side by side.
pub(super) struct QueryTokens {
    dims: usize,
    /// Token at which each query begins, and the number of tokens at the end.
    starts: Vec<usize>,
    /// `[panel][dimension][lane]`; lanes after the last token are zero and never read.
    panels: Aligned,
}

impl QueryTokens {
    pub(super) fn new<'a>(queries: impl Iterator<Item = &'a [f32]> + Clone, dims: usize) -> Self {
        let mut starts = vec![0];
        let mut tokens = 0;
        for query in queries.clone() {
            tokens += query.len() / dims;
            starts.push(tokens);
        }
        let width = Arch::new().dispatch(PanelWidth);
        let mut panels = Aligned::zeros(tokens.div_ceil(width) * width * dims);
        let values = panels.values_mut();
        for (token, vector) in queries
            .flat_map(|query| query.chunks_exact(dims))
            .enumerate()
        {
            let panel = &mut values[token / width * width * dims..][..width * dims];
            for (row, &value) in panel.chunks_exact_mut(width).zip(vector) {
                row[token % width] = value;
            }
        }
        Self {
            dims,
            starts,
            panels,
        }
    }

    /// Returns the number of tokens with the padding of the last panel.
    fn lanes(&self) -> usize {
        self.panels.len / self.dims
    }
}

/// A few documents, widened to single precision.
pub(super) struct Block {
    dims: usize,
    /// Tokens of each document.
    tokens: Vec<usize>,
    /// `[token][dimension]`
    rows: Vec<f32>,
    tiles: Aligned,
    /// `[document][lane]`
    maxima: Aligned,
}

impl Block {
    pub(super) fn new(dims: usize) -> Self {
        let (tokens, rows) = (Vec::new(), Vec::new());
        Self {
            dims,
            tokens,
            rows,
            tiles: Aligned::zeros(0),
            maxima: Aligned::zeros(0),
        }
    }

    /// Takes the documents of these values, whose rows begin at `starts`, the last of which is the end.
    pub(super) fn fill(&mut self, starts: &[usize], values: &[f16]) {
        self.tokens.clear();
        self.tokens
            .extend(starts.windows(2).map(|row| row[1] - row[0]));
        self.rows.resize(values.len(), 0.0);
        values.convert_to_f32_slice(&mut self.rows);
    }

    /// Returns, for each document, its score for each query.
    pub(super) fn scores<'a>(
        &'a mut self,
        queries: &'a QueryTokens,
    ) -> impl Iterator<Item = impl Iterator<Item = f32> + 'a> + 'a {
        self.maxima.resize(self.tokens.len() * queries.lanes());
        Arch::new().dispatch(Maxima {
            block: self,
            queries,
        });
        self.maxima
            .values()
            .chunks_exact(queries.lanes())
            .map(|maxima| {
                // The sum begins at +0.0, so a score is never -0.0.
                let score =
                    |query: &[usize]| maxima[query[0]..query[1]].iter().fold(0.0, |a, b| a + b);
                queries.starts.windows(2).map(score)
            })
    }
}

/// How many tokens a panel has.
///
/// A panel of 16 stays in a first-level cache of 32 KiB up to some 400 dimensions while the tiles of a
/// block go by; sums of six tokens with it fill the 16 registers of AVX2. The 32 of AVX-512 have room
/// for twelve tokens and a panel of 32, which is read half as often.
struct PanelWidth;

impl WithSimd for PanelWidth {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        if S::F32_LANES == 16 { 32 } else { 16 }
    }
}

/// Fills the block's table of maxima.
struct Maxima<'a> {
    block: &'a mut Block,
    queries: &'a QueryTokens,
}

impl WithSimd for Maxima<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // Sums, one panel row and one broadcast value fill the registers: 32 of 16 lanes with
        // AVX-512, 16 of 8 lanes with AVX2, 32 of 4 lanes on ARM. A row is `PanelWidth` wide.
        match S::F32_LANES {
            16 => maxima::<S, 2, 12>(simd, self.block, self.queries),
            8 => maxima::<S, 2, 6>(simd, self.block, self.queries),
            4 => maxima::<S, 4, 6>(simd, self.block, self.queries),
            2 => maxima::<S, 8, 1>(simd, self.block, self.queries),
            _ => maxima::<S, 16, 1>(simd, self.block, self.queries),
        }
    }
}

#[inline(always)]
fn maxima<S: Simd, const REGISTERS: usize, const TILE: usize>(
    simd: S,
    block: &mut Block,
    queries: &QueryTokens,
) {
    let dims = block.dims;
    transpose::<TILE>(block);
    let (lanes, width) = (queries.lanes(), REGISTERS * S::F32_LANES);
    debug_assert_eq!(width, PanelWidth.with_simd(simd));
    for (panel_number, panel) in queries
        .panels
        .values()
        .chunks_exact(width * dims)
        .enumerate()
    {
        let (panel, _) = S::as_simd_f32s(panel);
        let (panel, _) = panel.as_chunks::<REGISTERS>();
        let mut tiles = block.tiles.values().chunks_exact(TILE * dims);
        for (document, &tokens) in block.tokens.iter().enumerate() {
            let mut maxima = [simd.splat_f32s(f32::NEG_INFINITY); REGISTERS];
            for tile in tiles.by_ref().take(tokens.div_ceil(TILE)) {
                let (columns, _) = tile.as_chunks::<TILE>();
                update::<S, REGISTERS, TILE>(simd, panel, columns, &mut maxima);
            }
            let table = &mut block.maxima.values_mut()[document * lanes + panel_number * width..];
            let (table, _) = S::as_mut_simd_f32s(&mut table[..width]);
            table.copy_from_slice(&maxima);
        }
    }
}

/// Raises a panel's maxima by its dot products with a tile of document tokens.
#[inline(always)]
fn update<S: Simd, const REGISTERS: usize, const TILE: usize>(
    simd: S,
    panel: &[[S::f32s; REGISTERS]],
    tile: &[[f32; TILE]],
    maxima: &mut [S::f32s; REGISTERS],
) {
    let mut sums = [[simd.splat_f32s(0.0); REGISTERS]; TILE];
    for (queries, tokens) in panel.iter().zip(tile) {
        for (sums, &value) in sums.iter_mut().zip(tokens) {
            let value = simd.splat_f32s(value);
            for (sum, &query) in sums.iter_mut().zip(queries) {
                *sum = simd.mul_add_f32s(value, query, *sum);
            }
        }
    }
    for sums in sums {
        for (maximum, sum) in maxima.iter_mut().zip(sums) {
            *maximum = simd.max_f32s(*maximum, sum);
        }
    }
}

/// Lays the documents out as `[tile][dimension][token]`.
///
/// A document's last tile repeats its last token, which leaves every maximum as it is.
#[inline(always)]
fn transpose<const TILE: usize>(block: &mut Block) {
    let dims = block.dims;
    let count: usize = block
        .tokens
        .iter()
        .map(|tokens| tokens.div_ceil(TILE))
        .sum();
    block.tiles.resize(count * TILE * dims);
    let mut tiles = block.tiles.values_mut().chunks_exact_mut(TILE * dims);
    let mut rows = block.rows.as_slice();
    for &tokens in &block.tokens {
        let (document, later) = rows.split_at(tokens * dims);
        rows = later;
        for (first, tile) in (0..tokens).step_by(TILE).zip(tiles.by_ref()) {
            for place in 0..TILE {
                let token = (first + place).min(tokens - 1);
                let row = &document[token * dims..][..dims];
                for (column, &value) in tile.chunks_exact_mut(TILE).zip(row) {
                    column[place] = value;
                }
            }
        }
    }
}

/// A buffer of floats that begins on a cache line.
struct Aligned {
    buffer: Vec<f32>,
    start: usize,
    len: usize,
}

impl Aligned {
    fn zeros(len: usize) -> Self {
        let padding = CACHE_LINE / size_of::<f32>();
        let buffer = vec![0.0; len + padding];
        // No offset is found only where addresses are unknown, as in const evaluation.
        let start = buffer.as_ptr().align_offset(CACHE_LINE).min(padding);
        Self { buffer, start, len }
    }

    /// Changes the length; the content is then unspecified.
    fn resize(&mut self, len: usize) {
        if self.start + len <= self.buffer.len() {
            self.len = len;
        } else {
            *self = Self::zeros(len);
        }
    }

    fn values(&self) -> &[f32] {
        &self.buffer[self.start..self.start + self.len]
    }

    fn values_mut(&mut self) -> &mut [f32] {
        &mut self.buffer[self.start..self.start + self.len]
    }
}
