//! Numbers that begin at a cache line: a vector load across two lines costs double.

use crate::real::Real;

/// Bytes of a cache line, and of the widest vector register.
const LINE: usize = 64;

/// A growable array of numbers, aligned to a cache line, that keeps its memory.
#[derive(Debug, Default)]
pub(crate) struct Aligned<T> {
    values: Vec<T>,
    start: usize,
    length: usize,
}

impl<T: Real> Aligned<T> {
    /// Makes it `length` numbers long, all of them `value`.
    pub(crate) fn reset(&mut self, length: usize, value: T) {
        self.values.clear();
        self.values.resize(length + LINE / size_of::<T>(), value);
        self.start = self
            .values
            .as_ptr()
            .align_offset(LINE)
            .min(LINE / size_of::<T>());
        self.length = length;
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> &[T] {
        &self.values[self.start..self.start + self.length]
    }

    #[inline(always)]
    pub(crate) fn get_mut(&mut self) -> &mut [T] {
        &mut self.values[self.start..self.start + self.length]
    }
}
