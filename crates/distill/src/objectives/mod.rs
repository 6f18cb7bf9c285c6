//! What the student is trained to do, one file an objective.

pub mod optimal_transport;
