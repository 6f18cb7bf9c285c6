//! Tables, plots and pages of results: the only crate of the workspace that draws.
//!
//! It takes plain numbers and names, knows no tensor and no data set, and writes Markdown, JSON,
//! PNG and SVG. Every file appears whole or not at all, but for the event files that TensorBoard
//! reads while they grow ([`tensorboard`]).
//!
//! ```
//! use optical_report::plot::{Axes, Series, curves};
//! use optical_report::{Align, Cell, Table};
//!
//! let mut table = Table::new([("System", Align::Left), ("MAP", Align::Right)]);
//! table.push(["zero-shot".into(), Cell::from("0.076")])?;
//! table.push(["distilled".into(), Cell::best("0.108")])?;
//! assert!(table.to_markdown().ends_with("| distilled | **0.108** |\n"));
//!
//! let folder = tempfile::tempdir()?;
//! let loss = Series::new("training", vec![(0.0, 0.31), (50.0, 0.22), (100.0, 0.19)]);
//! let axes = Axes { title: "Transport loss", x: "step", y: "loss" };
//! let picture = curves(&[loss], &axes)?.save(&folder.path().join("loss"))?;
//! assert!(picture.png.ends_with("loss.png") && picture.svg.is_file());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod course;
mod error;
mod numbers;
pub mod page;
pub mod plot;
mod sparkline;
mod table;
pub mod tensorboard;
mod write;

pub use error::ReportError;
pub use sparkline::sparkline;
pub use table::{Align, Cell, Table};
