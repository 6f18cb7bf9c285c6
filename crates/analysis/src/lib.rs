//! How the size of an encoder changes the gap between high- and low-resource languages.
//!
//! The room knows numbers and names only: a [`Table`] is read from a CSV file, a [`Study`] takes the
//! groups to compare from it and refuses what is not balanced, and [`analyse`] gives means, gaps, slopes
//! per decade of size with intervals, tests over languages, a mixed model, power laws and contrasts of
//! methods as an [`Analysis`], which serialises as the output of `optical analyse --json`.
//!
//! Size is a number of parameters; x is log10 of it, so that slopes are changes per decade. Values are in
//! the unit of their measure, which is one for a perfect ranking: errors are one minus a mean.

mod analysis;
mod contrasts;
mod gap;
mod hypothesis;
mod languages;
mod line;
mod mixed;
mod power_law;
mod resample;
mod sheets;
mod study;
mod table;

pub use analysis::{Analysis, Intervals, MethodAnalysis, Settings, SizeAnalysis, Slopes, analyse};
pub use contrasts::Contrast;
pub use gap::Quantity;
pub use hypothesis::{At, Decision, End, Hypothesis, Kind, LEVEL, Verdict, faults, verdicts};
pub use languages::{LanguageTests, Welch};
pub use mixed::{GroupDifference, Mixed, MixedFit};
pub use power_law::{GroupPowerLaw, PowerLaw, PowerLaws};
pub use sheets::{Sheet, sheets};
pub use study::{Groups, Study, StudyError, StudyFault};
pub use table::{COLUMNS, LineFault, Table, TableError};
