//! A transport problem as other programs state it, and what its method needs of it.

use std::fmt;

use anyhow::{Context, ensure};
use optical_sinkhorn::{CostMatrix, Gradient, Problem};
use serde::{Deserialize, Serialize};

use crate::number::Number;
use crate::weights::{self, Weights};

/// How a problem is solved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Entropic transport.
    #[default]
    Sinkhorn,
    /// Unregularised transport, with potentials that prove it.
    Exact,
    /// The cheapest one-to-one matching.
    Assignment,
    /// The cheapest way to move a part of the mass.
    Partial,
    /// Unregularised transport by proximal point steps.
    Ipot,
}

impl fmt::Display for Method {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(formatter)
    }
}

/// A problem and how to solve it.
///
/// A key that would change the problem is refused where the method cannot honour it. How closely to
/// solve is no such key: an exact answer is within every tolerance, so one problem can be asked by
/// every method.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    cost: Vec<Vec<Number>>,
    a: Option<Weights>,
    b: Option<Weights>,
    /// How to solve it.
    #[serde(default)]
    pub method: Method,
    epsilon: Option<f64>,
    rho: Option<Rho>,
    mass: Option<f64>,
    tolerance: Option<f64>,
    max_iterations: Option<usize>,
    fixed_iterations: Option<usize>,
    gradient: Option<Slope>,
    /// Whether numbers are binary, not written in decimal digits.
    #[serde(skip)]
    binary: bool,
}

/// The derivatives that [`Gradient`] explains.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Slope {
    Envelope,
    Detached,
    Implicit,
    Unrolled,
}

impl Question {
    /// Returns the same question out of an archive, whose numbers are binary.
    pub(crate) fn archived(self) -> Self {
        Self {
            binary: true,
            ..self
        }
    }

    /// Whether numbers stand as they were written, in decimal digits.
    pub(crate) fn is_decimal(&self) -> bool {
        !self.binary
    }

    /// Refuses keys that the method cannot honour, and settings that exclude each other.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let takers = [
            (
                "rho",
                self.rho().iter().any(|rho| rho.is_finite()),
                Method::Sinkhorn,
            ),
            ("mass", self.mass.is_some(), Method::Partial),
            (
                "fixed_iterations",
                self.fixed_iterations.is_some(),
                Method::Sinkhorn,
            ),
            ("gradient", self.gradient.is_some(), Method::Sinkhorn),
        ];
        for (key, given, taker) in takers {
            ensure!(
                !given || self.method == taker,
                "{key} does not apply to method {}: it is for {taker}",
                self.method
            );
        }
        ensure!(
            self.max_iterations.is_none() || self.fixed_iterations.is_none(),
            "max_iterations and fixed_iterations exclude each other"
        );
        ensure!(
            self.gradient != Some(Slope::Unrolled) || self.fixed_iterations.is_some(),
            "missing field `fixed_iterations`: gradient unrolled needs it"
        );
        Ok(())
    }

    /// Returns the costs with their weights, and what was done to these. They may differ in mass if something
    /// can be left unmoved.
    pub(crate) fn problem(&self) -> anyhow::Result<(Problem, Vec<String>)> {
        let n = self.cost.len();
        let m = self.cost.first().map_or(0, Vec::len);
        let mut values = Vec::with_capacity(n * m);
        for (i, row) in self.cost.iter().enumerate() {
            ensure!(
                row.len() == m,
                "cost[{i}] has {} values, cost[0] has {m}",
                row.len()
            );
            values.extend(row.iter().map(|number| number.0));
        }
        let cost = CostMatrix::new(&values, n, m)?;
        let side = |given: &Option<Weights>, count: usize| match given {
            Some(Weights(weights)) => {
                let tolerance = weights::tolerance(weights, self.is_decimal());
                (weights.clone(), tolerance)
            }
            None => (vec![1.0 / count as f64; count], 0.0),
        };
        let ((mut a, of_a), (mut b, of_b)) = (side(&self.a, n), side(&self.b, m));
        let free = self.rho().iter().any(|rho| rho.is_finite());
        Ok(match self.method {
            Method::Sinkhorn if free => (Problem::unbalanced(cost, &a, &b)?, Vec::new()),
            Method::Partial | Method::Assignment => {
                (Problem::unbalanced(cost, &a, &b)?, Vec::new())
            }
            Method::Sinkhorn | Method::Exact | Method::Ipot => {
                let notes = weights::level([&mut a, &mut b], [of_a, of_b]);
                (Problem::new(cost, &a, &b)?, notes)
            }
        })
    }

    /// Returns the regularisation, or the first proximal step.
    pub(crate) fn epsilon(&self) -> Option<f64> {
        self.epsilon
    }

    /// What missing the row and the column weights costs: infinite where they must be met.
    pub(crate) fn rho(&self) -> [f64; 2] {
        match self.rho {
            None => [f64::INFINITY; 2],
            Some(Rho::Both(rho)) => [held(rho); 2],
            Some(Rho::Sides(sides)) => sides.map(held),
        }
    }

    /// Returns the mass to move, of `limit` at most, and what was done to it. All of the mass is meant by what
    /// is more only by the rounding of the weights.
    pub(crate) fn mass(&self, limit: f64) -> anyhow::Result<(f64, Vec<String>)> {
        let mass = self.mass.with_context(|| self.missing("mass"))?;
        let sides = [&self.a, &self.b].into_iter().flatten();
        let tolerances = sides.map(|side| weights::tolerance(&side.0, self.is_decimal()));
        let tolerance = tolerances.fold(0.0, f64::max);
        if mass <= limit * (1.0 + 1e-12) || mass > limit + tolerance {
            return Ok((mass, Vec::new()));
        }
        let note = format!(
            "mass = {mass} is all of the {limit} there is but for the rounding of the weights"
        );
        Ok((limit, vec![note]))
    }

    /// Returns the derivative asked for, and the value that it is a derivative of.
    pub(crate) fn gradient(&self) -> Option<(Gradient, &'static str)> {
        Some(match self.gradient? {
            Slope::Envelope => (Gradient::Envelope, "regularised_cost"),
            Slope::Detached => (
                Gradient::Detached,
                "transport_cost with the plan held fixed",
            ),
            Slope::Implicit => (Gradient::Implicit, "transport_cost"),
            Slope::Unrolled => (Gradient::Unrolled, "transport_cost after fixed_iterations"),
        })
    }

    /// Why a key that the method cannot do without is refused in its absence.
    pub(crate) fn missing(&self, key: &str) -> String {
        format!("missing field `{key}`: method {} needs it", self.method)
    }

    /// When to stop, if the question says so.
    pub(crate) fn tolerance(&self) -> anyhow::Result<Option<f64>> {
        if let Some(tolerance) = self.tolerance {
            ensure!(tolerance >= 0.0, "tolerance = {tolerance} is negative");
        }
        Ok(self.tolerance)
    }

    /// Returns the most iterations, if the question says so.
    pub(crate) fn max_iterations(&self) -> anyhow::Result<Option<usize>> {
        some_work("max_iterations", self.max_iterations)
    }

    /// Returns the number of plain iterations, if the question asks for these.
    pub(crate) fn fixed_iterations(&self) -> anyhow::Result<Option<usize>> {
        some_work("fixed_iterations", self.fixed_iterations)
    }
}

fn some_work(key: &str, iterations: Option<usize>) -> anyhow::Result<Option<usize>> {
    ensure!(iterations != Some(0), "{key} = 0 leaves nothing to do");
    Ok(iterations)
}

/// One price for missing either marginal, or one each.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(
    untagged,
    expecting = "rho is neither a number nor [rows, columns] of numbers or null"
)]
enum Rho {
    Both(Number),
    Sides([Number; 2]),
}

/// A price; what is not a number, as where JSON has null, holds a side as infinity does.
fn held(Number(rho): Number) -> f64 {
    if rho.is_nan() { f64::INFINITY } else { rho }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn question(text: &str) -> Question {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn weights_are_uniform_unless_given() {
        let found = question(r#"{"cost": [[1, 2], [3, 4], [5, 6]], "b": [0.25, 0.75], "a": null}"#);
        let (problem, notes) = found.problem().unwrap();
        assert!(notes.is_empty());
        assert_eq!(problem.a(), [1.0 / 3.0; 3]);
        assert_eq!(problem.b(), [0.25, 0.75]);
        assert_eq!(problem.cost().values(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    }

    #[test]
    fn each_method_has_its_keys() {
        let values = [
            ("epsilon", "0.1"),
            ("rho", "[1, null]"),
            ("mass", "0.5"),
            ("tolerance", "0"),
            ("max_iterations", "10"),
            ("fixed_iterations", "10"),
            ("gradient", "\"implicit\""),
        ];
        for (method, taken) in [
            (
                "sinkhorn",
                "epsilon tolerance max_iterations rho fixed_iterations gradient",
            ),
            ("exact", "epsilon tolerance max_iterations"),
            ("assignment", "epsilon tolerance max_iterations"),
            ("partial", "epsilon tolerance max_iterations mass"),
            ("ipot", "epsilon tolerance max_iterations"),
        ] {
            for (key, value) in values {
                let text = format!(r#"{{"cost": [[1]], "method": "{method}", "{key}": {value}}}"#);
                let checked = question(&text).check();
                if taken.split(' ').any(|taken| taken == key) {
                    checked.unwrap();
                } else {
                    let message = checked.unwrap_err().to_string();
                    let start = format!("{key} does not apply to method {method}: it is for ");
                    assert!(message.starts_with(&start), "{message}");
                }
                let null = text.replace(value, "null");
                question(&null).check().unwrap();
            }
        }
        let both = r#"{"cost": [[1]], "max_iterations": 1, "fixed_iterations": 1}"#;
        assert!(question(both).check().is_err());
        let message = question(r#"{"cost": [[1]], "gradient": "unrolled"}"#)
            .check()
            .unwrap_err();
        assert!(
            message
                .to_string()
                .starts_with("missing field `fixed_iterations`"),
            "{message}"
        );
    }

    #[test]
    fn sides_are_held_or_free() {
        let rho = |text: &str| question(&format!(r#"{{"cost": [[1]], "rho": {text}}}"#)).rho();
        let held = f64::INFINITY;
        assert_eq!(rho("null"), [held, held]);
        assert_eq!(rho("2"), [2.0, 2.0]);
        assert_eq!(rho("[0.5, null]"), [0.5, held]);
        assert_eq!(rho("[null, 0.5]"), [held, 0.5]);
        assert_eq!(rho("[\"NaN\", 0.5]"), [held, 0.5]);
        assert_eq!(rho("[0.5, \"Infinity\"]"), [0.5, held]);
        assert_eq!(rho("\"inf\""), [held, held]);
        // Where one may be missed, masses may differ; where none may, they may not.
        let text = r#"{"cost": [[1]], "b": [2], "rho": [null, 0.5]}"#;
        assert!(question(text).problem().is_ok());
        let message = question(&text.replace("0.5", "null"))
            .problem()
            .unwrap_err();
        assert!(
            message.to_string().contains("a sums to 1 but b to 2"),
            "{message}"
        );
    }

    #[test]
    fn values_are_refused_by_name() {
        for (text, expected) in [
            (
                r#"{"cost": [[1, 2], [3]]}"#,
                "cost[1] has 1 values, cost[0] has 2",
            ),
            (r#"{"cost": []}"#, "0 x 0 cost matrix is empty"),
            (
                r#"{"cost": [[1]], "a": [1, 0]}"#,
                "a has 2 weights, the cost needs 1",
            ),
            (
                r#"{"cost": [[1, 2]], "b": [1.5, -0.5]}"#,
                "b[1] = -0.5 is negative",
            ),
            (
                r#"{"cost": [[1, 2]], "b": [1, null]}"#,
                "b[1] = NaN is negative or not finite",
            ),
            (r#"{"cost": [[1]], "a": [2]}"#, "a sums to 2 but b to 1"),
            (
                r#"{"cost": [[1, "-inf"]]}"#,
                "cost[0][1] = -inf is not finite",
            ),
        ] {
            let message = question(text).problem().unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
        let text =
            r#"{"cost": [[1]], "tolerance": -1, "max_iterations": 0, "fixed_iterations": 0}"#;
        let found = question(text);
        assert_eq!(
            found.tolerance().unwrap_err().to_string(),
            "tolerance = -1 is negative"
        );
        assert!(found.max_iterations().is_err() && found.fixed_iterations().is_err());
        assert!(
            found
                .mass(1.0)
                .unwrap_err()
                .to_string()
                .contains("missing field `mass`")
        );
    }
}
