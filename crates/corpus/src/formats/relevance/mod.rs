//! Readers of relevance data, one per layout; [`crate::relevance`] has what they give.

pub mod judged;
pub mod n_way;
pub mod pairs;
#[cfg(test)]
mod testing;
pub mod triples;
pub mod tuples;
