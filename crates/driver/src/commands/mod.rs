//! One file per command.

pub mod align;
pub mod analyse;
pub mod baselines;
pub mod bitext;
pub mod cache;
pub mod completions;
pub mod encode;
pub mod evaluate;
pub mod fetch;
pub mod final_test;
pub mod mine;
pub mod ot;
pub mod search;
pub mod study;
pub mod teach;
pub mod train;
pub mod watch;
