//! Pictures: a function for each kind draws one, and [`Drawing`] gives it as SVG or PNG.
//!
//! Letters are painted with a font inside the program, so a picture is the same on every machine.
//! It holds Latin with African and Vietnamese diacritics, Cyrillic, Greek, Hebrew and Arabic;
//! letters of other scripts are painted as boxes in the PNG, and by the reader's fonts in the SVG.

mod alignment;
mod bars;
mod canvas;
mod colour;
mod curves;
mod dots;
mod ladder;
mod scale;

pub use alignment::{Alignment, alignment};
pub use bars::{Bar, BarChart, BarGroup, BarLayout, bars};
pub use canvas::{Drawing, Picture};
pub use curves::{Axes, Panel, Series, SeriesStyle, curves, panels};
pub use dots::{DotChart, DotRow, dots};
pub use ladder::{Ladder, ladder};

/// Space between a picture's edge and what is in it.
const MARGIN: f64 = 24.0;
/// Size of a picture's title.
const TITLE_SIZE: f64 = 16.0;
/// Size of labels and legends.
const LABEL_SIZE: f64 = 12.0;
/// Size of the numbers along an axis.
const TICK_SIZE: f64 = 11.0;
