//! The course of a training as its events tell it: read while the file grows, shown in lines, and kept
//! for TensorBoard.

mod curves;
mod history;
mod panel;
mod tail;

pub use self::curves::Curves;
pub use self::history::{Curve, History, Reading};
pub use self::panel::{Panel, line};
pub use self::tail::{News, Tail};
