//! Files that are read as text whatever marks and packing they have, and written whole or not at all.
//!
//! A leaf: it knows no format of ours, and every room that reads or writes files may use it.

pub mod lock;
pub mod scratch;
pub mod text;
pub mod trec;
pub mod whole;
