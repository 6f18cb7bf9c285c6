//! Transport problems to measure solvers on, the same for every solver.

pub mod cases;
pub mod measure;
pub mod peers;
pub mod report;
