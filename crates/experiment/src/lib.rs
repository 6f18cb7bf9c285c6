//! A run from its run file to its report, in stages that any program can call.
//!
//! [`RunFile`] says what to do, [`Site`] where; [`Start`] checks both and opens an [`Experiment`];
//! [`stages`] train, rank, measure and report; a [`Searcher`] asks what a run has indexed.

mod answer;
mod bitext;
mod check;
mod collections;
mod continuation;
mod data;
mod development;
mod english;
mod experiment;
mod findings;
mod inputs;
mod language_shift;
mod lexical;
mod metrics;
mod page;
mod passages;
mod pictures;
mod places;
mod provenance;
mod run_file;
mod run_folder;
mod searcher;
mod site;
mod space;
pub mod stages;
mod summary;
mod targets;
mod teach;
mod teaching;
mod translator;
mod watcher;

pub use self::answer::{Answer, Found, Match};
pub use self::bitext::{read_bitext, table as bitext_table, write_json as write_bitext};
pub use self::check::estimate::{Need, duration, speed};
pub use self::check::lengths::length;
pub use self::check::{Checked, Opened, Start, Started, check};
pub use self::collections::tokenless;
pub use self::data::ExperimentData;
pub use self::english::{StageNote, ZeroShot};
pub use self::experiment::Experiment;
pub use self::findings::{Findings, named};
pub use self::inputs::Inputs;
pub use self::lexical::{Lexical, WORDS};
pub use self::metrics::read_events;
pub use self::pictures::{SoftAlignment, align, draw_alignment};
pub use self::run_file::{
    All, CodeSwitching, EnglishSettings, Languages, Layers, PassageChoice, RunFile, RunSettings,
    SignificanceSettings, StudentSettings, TableSource, TranslationSettings, TranslationSystem,
    Weights,
};
pub use self::run_folder::RunFolder;
pub use self::searcher::Searcher;
pub use self::site::Site;
pub use self::space::Space;
pub use self::summary::systems;
pub use self::teach::{TeachFile, Teaching, tell_empty_negatives};
pub use self::teaching::{Students, head};
