//! `optical ot`: solves transport problems that other programs state.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use optical_files::whole;

use crate::say::{print_bytes, written};

/// Solve optimal-transport problems on their own.
#[derive(Debug, clap::Args)]
pub struct OtArgs {
    #[command(subcommand)]
    command: OtCommand,
}

#[derive(Debug, clap::Subcommand)]
enum OtCommand {
    Solve(SolveArgs),
}

/// Solve transport problems given as JSON, or as NumPy arrays
///
/// A problem is a JSON object of the keys below; null is as good as absent. A list
/// of objects is a batch: it is answered by a list in the same order, and one
/// problem that cannot be solved fails it, told by its number, counted from zero.
/// A NumPy archive (.npz) holds the same keys as arrays; costs of shape
/// [batch, n, m] make a batch, in which arrays without a batch index are shared.
///
/// The problem:
///   cost            n rows of m numbers. "inf" forbids a cell: the plan has no
///                   mass there, and a problem that cannot do without is refused
///                   with the rows or columns that stand in the way. Where a row
///                   or a column has no weight, null, "NaN", "inf" and "-inf" are
///                   as good as any number
///   a, b            weights of the n rows and m columns, zero or more; 1/n and
///                   1/m if absent. A row or column of weight zero takes no part.
///                   Sums that miss each other by no more than the rounding of
///                   the weights, that of float32 where they may be of that type
///                   or of the digits given, are scaled, and "notes" say so
///   method          one of the following; sinkhorn if absent
///
/// sinkhorn: the plan P >= 0 with row sums a and column sums b of the least
/// regularised_cost, <P, C> + epsilon KL(P | a b^T), where
/// KL(P | Q) = sum P log(P / Q) - sum P + sum Q. The total mass need not be one.
///   epsilon         regularisation, in units of the cost; needed
///   rho             [rows, columns]: what missing a and b costs. A number r adds
///                   r KL(sums | weights) to the cost and lets the sums differ,
///                   null holds them, as do NaN and inf in an archive; one number
///                   is for both sides
///   tolerance       L1 marginal error to stop at, in units of mass; 1e-9 of the
///                   mass that is moved if absent
///   max_iterations  10000 if absent
///   fixed_iterations
///                   plain iterations to do, no more, no fewer, unaccelerated
///   gradient        adds the n x m matrix "gradient", a derivative in the costs,
///                   and "gradient_of", which says of what. envelope: of
///                   regularised_cost; detached: of transport_cost with the plan
///                   held fixed (the same numbers); implicit: of transport_cost
///                   with the plan moving as the costs do; unrolled: the same,
///                   through all of fixed_iterations, which it needs
/// P_ij = a_i b_j exp((f_i + g_j - C_ij) / epsilon). A constant can move between
/// f and g where no rho is given; then the b-weighted mean of g is zero.
///
/// exact: the plan of the least transport_cost, <P, C>. The potentials prove it:
/// f_i + g_j <= C_ij, and dual_cost = <f, a> + <g, b> is no less.
///
/// ipot: the same by proximal point steps, each an entropic problem.
///   epsilon         the first step, in units of the cost; a tenth of the distance
///                   between the largest and the smallest cost if absent
///   tolerance       duality gap to stop at, as a share of that distance, or of a
///                   hundred times the mean cost above the smallest where that is
///                   less, times the mass; 1e-9 if absent
///   max_iterations  of all steps together; 10000 if absent
///
/// partial: the plan of a given mass of the least transport_cost, with row sums of
/// at most a and column sums of at most b.
///   mass            the mass to move; needed
/// f <= 0 and g <= 0 are prices of weight, mass_price that of one more unit of
/// mass: f_i + g_j + mass_price <= C_ij, and
/// dual_cost = <f, a> + <g, b> + mass_price mass is no less than transport_cost.
///
/// assignment: pairs of rows and columns, as many as the fewer of them, of the
/// least sum of costs: cost, and again transport_cost. The plan is one for a pair
/// and zero elsewhere. Weights are equal or zero. f_i + g_j <= C_ij, the larger
/// side's are at most zero, and dual_cost, the sum of f and g, is no less.
///
/// epsilon, tolerance and max_iterations say how closely to solve, and may stand
/// in a problem whose method needs none; every other key that the method cannot
/// honour is refused.
///
/// Every answer has method, plan, f, g, transport_cost, dual_cost, duality_gap
/// (how far the plan's cost is from the least at most; null where that is not
/// known), mass (of the plan), converged and status: converged, max_iterations, or
/// unproven where rounding left a gap that matters beside the costs in use,
/// however large others are; all but assignment have iterations and
/// marginal_error (the L1 distance of the plan's sums from what they should be).
/// A number that is not finite is null.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
struct SolveArgs {
    /// Read problems from this file instead of standard input
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Write answers to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Text to read, JSON in full precision, or a NumPy archive, in which names
    /// of a batch end in the problem's number: plan_0
    #[arg(long, value_enum, default_value_t, verbatim_doc_comment)]
    format: Format,
    /// Short for --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Show the plans of a batch as text too
    #[arg(long)]
    plans: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, clap::ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
    Npz,
}

impl From<Format> for optical_ot::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Text => Self::Text,
            Format::Json => Self::Json,
            Format::Npz => Self::Npz,
        }
    }
}

/// Runs `optical ot`.
///
/// # Errors
/// If the input does not state problems that can be solved, or the output cannot be written.
pub fn run(args: &OtArgs) -> anyhow::Result<()> {
    let OtCommand::Solve(args) = &args.command;
    let format = if args.json { Format::Json } else { args.format };
    // Before the work, not after it.
    ensure!(
        format != Format::Npz || args.output.is_some() || !std::io::stdout().is_terminal(),
        "an archive is nothing for a terminal: name a file with --output"
    );
    let name = args.input.as_deref();
    let name = name.unwrap_or(Path::new("standard input"));
    let bytes = match &args.input {
        Some(path) => std::fs::read(path),
        None => {
            let mut bytes = Vec::new();
            let read = std::io::stdin().read_to_end(&mut bytes);
            read.map(|_| bytes)
        }
    };
    let bytes = bytes.with_context(|| format!("{} cannot be read", name.display()))?;
    let answer = optical_ot::solve(name, &bytes, format.into(), args.plans)?;
    match &args.output {
        Some(path) => {
            written(whole::write(path, &answer)).with_context(|| path.display().to_string())
        }
        None => print_bytes(&answer),
    }
}
