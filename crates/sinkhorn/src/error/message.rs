//! How errors are worded.

use std::fmt;

use super::{Error, Side};

impl Side {
    fn symbol(self) -> &'static str {
        match self {
            Self::Rows => "a",
            Self::Columns => "b",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Rows => "row",
            Self::Columns => "column",
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Rows => Self::Columns,
            Self::Columns => Self::Rows,
        }
    }

    /// Places of this side by name, the first of many.
    fn listed(self, places: &[usize]) -> String {
        const SHOWN: usize = 8;
        let name = self.name();
        let mut numbers: Vec<String> = places.iter().take(SHOWN).map(usize::to_string).collect();
        if places.len() > SHOWN {
            numbers.push(format!("{} more", places.len() - SHOWN));
        }
        match numbers.pop() {
            Some(last) if numbers.is_empty() => format!("{name} {last}"),
            Some(last) => format!("{name}s {} and {last}", numbers.join(", ")),
            None => format!("no {name}"),
        }
    }

    fn points(self) -> &'static str {
        match self {
            Self::Rows => "x",
            Self::Columns => "y",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyCost { n, m } => write!(formatter, "a {n} x {m} cost matrix is empty"),
            Self::CostLength { n, m, found } => {
                write!(
                    formatter,
                    "a {n} x {m} cost matrix cannot hold {found} values"
                )
            }
            Self::BatchLength { expected, found } => {
                write!(
                    formatter,
                    "the shapes need {expected} cost values, not {found}"
                )
            }
            Self::WeightCount {
                side,
                expected,
                found,
            } => {
                let symbol = side.symbol();
                write!(
                    formatter,
                    "{symbol} has {found} weights, the cost needs {expected}"
                )
            }
            Self::Weight { side, index, value } => {
                let symbol = side.symbol();
                write!(
                    formatter,
                    "{symbol}[{index}] = {value} is negative or not finite"
                )
            }
            Self::Mass { side, value } => {
                write!(
                    formatter,
                    "{} sums to {value}, not to a positive mass",
                    side.symbol()
                )
            }
            Self::MassMismatch { a, b } => {
                write!(
                    formatter,
                    "a sums to {a} but b to {b}: a balanced problem needs equal mass"
                )
            }
            Self::MassBeyond { mass, limit } => write!(
                formatter,
                "mass = {mass} is more than the {limit} that the lighter side has"
            ),
            Self::Cost { i, j, value } => {
                write!(
                    formatter,
                    "cost[{i}][{j}] = {value} is not finite between positive weights"
                )
            }
            Self::Blocked {
                side,
                places,
                mass,
                partners,
                room,
            } => {
                let (side, other) = (*side, side.other());
                write!(formatter, "{} ", side.listed(places))?;
                let (one, many) = match side {
                    Side::Rows => ("sends", "send"),
                    Side::Columns => ("takes", "take"),
                };
                let verb = |list: &[usize], one, many| if list.len() == 1 { one } else { many };
                write!(formatter, "{} {mass}, ", verb(places, one, many))?;
                if partners.is_empty() {
                    let has = verb(places, "has", "have");
                    return write!(
                        formatter,
                        "but {has} no finite cost to any {}",
                        other.name()
                    );
                }
                let theirs = match side {
                    Side::Rows => verb(partners, "takes", "take"),
                    Side::Columns => verb(partners, "sends", "send"),
                };
                let at = other.listed(partners);
                write!(
                    formatter,
                    "but at finite costs only with {at}, which {theirs} {room}"
                )
            }
            Self::PotentialCount { expected, found } => {
                write!(
                    formatter,
                    "g has {found} potentials, the cost needs {expected}"
                )
            }
            Self::Potential { index, value } => {
                write!(formatter, "g[{index}] = {value} is not finite")
            }
            Self::PointLength {
                side,
                dimension,
                found,
            } => {
                let points = side.points();
                write!(
                    formatter,
                    "{points} has {found} coordinates, not a multiple of dimension = {dimension}"
                )
            }
            Self::Point {
                side,
                index,
                coordinate,
                value,
            } => {
                let points = side.points();
                write!(
                    formatter,
                    "{points}[{index}][{coordinate}] = {value} is not finite at a positive weight"
                )
            }
            Self::ZeroPoint { side, index } => {
                let points = side.points();
                write!(
                    formatter,
                    "{points}[{index}] is zero at a positive weight: it has no cosine"
                )
            }
            Self::VectorLength {
                name,
                expected,
                found,
            } => write!(
                formatter,
                "{name} has {found} values, {expected} are needed"
            ),
            Self::NotUnrolled => formatter.write_str(
                "an unrolled derivative needs a solve with a fixed number of iterations",
            ),
            Self::Singular { unknowns } => write!(
                formatter,
                "the {unknowns} equations of the implicit derivative are singular"
            ),
            Self::SelfCostShape {
                side,
                expected,
                found: (n, m),
            } => {
                let symbol = side.symbol();
                write!(
                    formatter,
                    "the cost of {symbol} with itself is {n} x {m}, not {expected} x {expected}"
                )
            }
            Self::Asymmetric {
                side,
                i,
                j,
                value,
                mirrored,
            } => {
                let symbol = side.symbol();
                write!(
                    formatter,
                    "the cost of {symbol} with itself is not symmetric: \
                     cost[{i}][{j}] = {value}, cost[{j}][{i}] = {mirrored}"
                )
            }
            Self::InSelfCost { side, error } => {
                write!(
                    formatter,
                    "the cost of {} with itself: {error}",
                    side.symbol()
                )
            }
            Self::UnequalRho { rows, columns } => write!(
                formatter,
                "a divergence needs one rho for both marginals, not {rows} for rows and {columns} \
                 for columns"
            ),
            Self::Share { index, value } => {
                write!(
                    formatter,
                    "lambda[{index}] = {value} is negative or not finite"
                )
            }
            Self::MeasureMass {
                measure,
                expected,
                found,
            } => write!(
                formatter,
                "measure {measure} sums to {found}, those before it to {expected}: \
                 a barycentre needs equal mass"
            ),
            Self::InMeasure { measure, error } => write!(formatter, "measure {measure}: {error}"),
            Self::Relaxed { rows, columns } => write!(
                formatter,
                "rho = {rows} for rows and {columns} for columns: \
                 a barycentre needs marginals that are met"
            ),
            Self::InBatch { problem, error } => write!(formatter, "problem {problem}: {error}"),
            Self::OutOfRange { epsilon, spread } if *epsilon == 0.0 && spread.is_infinite() => {
                formatter.write_str("the costs or their sum leave the range of f64")
            }
            Self::OutOfRange { epsilon, spread } => {
                if *epsilon != 0.0 {
                    write!(formatter, "epsilon = {epsilon} with ")?;
                }
                let verb = if *epsilon == 0.0 { "leave" } else { "leaves" };
                write!(
                    formatter,
                    "costs that spread over {spread} {verb} the range of f64"
                )
            }
            Self::TooMuchMass {
                epsilon,
                least,
                rho: [rows, columns],
            } => write!(
                formatter,
                "the mass that moves leaves the range of f64: a cost of {least} is too low for \
                 epsilon = {epsilon} and rho = {rows} for rows and {columns} for columns"
            ),
            Self::NotPositive { setting, value } => {
                write!(formatter, "{setting} = {value} is not positive and finite")
            }
            Self::NotShare { setting, value } => {
                write!(formatter, "{setting} = {value} is not between zero and one")
            }
        }
    }
}
