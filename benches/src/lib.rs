//! Measures rooms of the workspace beside the programs people use today.
//!
//! Transport problems, the same for every solver:
//!
//! A [`Case`](case::Case) says what is solved; its [`Input`](input::Input) are the numbers. A
//! [`Solver`](solver::Solver) makes itself ready for an input and is then run and timed, in turns
//! with all others ([`turns`]). What came out of it is a [`Results`](results::Results), which
//! [`tables`], [`summary`] and [`picture`] show and [`compare`] sets beside another. The `encoder`
//! has cases of its own.

pub mod backend;
pub mod case;
pub mod cases;
pub mod compare;
#[cfg(feature = "encoder")]
pub mod encoder;
pub mod environment;
pub mod input;
#[cfg(feature = "tensors")]
mod on_device;
pub mod ours;
pub mod peers;
pub mod picture;
mod python;
pub mod results;
pub mod solver;
pub mod summary;
pub mod tables;
pub mod threads;
pub mod turns;
#[cfg(feature = "peers")]
pub mod wass_crate;
