//! Answers for a reader at a terminal.

use optical_report::{Align, Table};

use crate::answer::Answer;

/// One problem: the numbers wanted first, then the plan with its potentials around it.
pub fn one(answer: &Answer) -> String {
    let mut text = scalars(answer) + &notes(answer, "") + "\n" + &plan(answer);
    if let Some(gradient) = gradient(answer) {
        text += &format!("\n{gradient}");
    }
    text
}

/// A batch: a line for each problem, then the plans if asked for.
pub fn list(answers: &[Answer], plans: bool) -> anyhow::Result<String> {
    let headers = [
        ("problem", Align::Right),
        ("method", Align::Left),
        ("size", Align::Right),
        ("transport cost", Align::Right),
        ("regularised cost", Align::Right),
        ("duality gap", Align::Right),
        ("marginal error", Align::Right),
        ("iterations", Align::Right),
        ("status", Align::Left),
    ];
    let mut table = Table::new(headers);
    let or_dash = |cell: Option<String>| cell.unwrap_or_else(|| "-".to_owned());
    for (index, answer) in answers.iter().enumerate() {
        table.push([
            index.to_string(),
            answer.method.to_string(),
            format!("{} x {}", answer.f.len(), answer.g.len()),
            format!("{:.9}", answer.transport_cost),
            or_dash(answer.regularised_cost.map(|cost| format!("{cost:.9}"))),
            gap(answer),
            or_dash(answer.marginal_error.map(|error| format!("{error:.1e}"))),
            or_dash(answer.iterations.map(|count| count.to_string())),
            answer.status.replace('_', " "),
        ])?;
    }
    let mut text = table.to_terminal();
    for (index, answer) in answers.iter().enumerate() {
        text += &notes(answer, &format!("problem {index}: "));
    }
    if plans {
        for (index, answer) in answers.iter().enumerate() {
            text += &format!("\nproblem {index}\n\n{}", plan(answer));
            if let Some(gradient) = gradient(answer) {
                text += &format!("\n{gradient}");
            }
        }
    }
    Ok(text)
}

/// A line for everything that was done to the problem.
fn notes(answer: &Answer, before: &str) -> String {
    let notes = answer.notes.iter();
    notes
        .map(|note| format!("note: {before}{note}\n"))
        .collect()
}

fn gap(answer: &Answer) -> String {
    if answer.duality_gap.is_finite() {
        format!("{:.1e}", answer.duality_gap)
    } else {
        "unproven".to_owned()
    }
}

fn scalars(answer: &Answer) -> String {
    let mut lines = vec![("transport cost", format!("{:.9}", answer.transport_cost))];
    if let Some(cost) = answer.regularised_cost {
        lines.push(("regularised cost", format!("{cost:.9}")));
    }
    lines.push(("duality gap", gap(answer)));
    lines.push(("mass", format!("{:.9}", answer.mass)));
    if let Some(price) = answer.mass_price {
        lines.push(("mass price", format!("{price:.9}")));
    }
    if let Some(pairs) = &answer.pairs {
        let pairs: Vec<String> = pairs.iter().map(|(i, j)| format!("{i}-{j}")).collect();
        lines.push(("pairs", pairs.join(" ")));
    }
    let mut text = String::new();
    for (name, value) in lines {
        text += &format!("{name:<18}{value}\n");
    }
    text += match answer.status {
        "converged" => "converged",
        "unproven" => "unproven",
        _ => "not converged",
    };
    if let Some(iterations) = answer.iterations {
        text += &format!(" after {iterations} iterations");
    }
    if let Some(error) = answer.marginal_error {
        text += &format!(", marginal error {error:.1e}");
    }
    text + "\n"
}

/// Returns the plan, with row potentials at its left and column potentials above it.
fn plan(answer: &Answer) -> String {
    let columns: Vec<String> = numbers(&answer.g);
    let rows = numbers(&answer.f);
    let cells = numbers(&answer.plan.concat());
    grid(("f \\ g", &columns), &rows, &cells)
}

/// Returns the gradient, with positions at its sides.
fn gradient(answer: &Answer) -> Option<String> {
    let (gradient, of) = (answer.gradient.as_ref()?, answer.gradient_of?);
    let places = |count: usize| {
        (0..count)
            .map(|place| place.to_string())
            .collect::<Vec<_>>()
    };
    let cells = numbers(&gradient.concat());
    let columns = places(answer.g.len());
    let grid = grid(("i \\ j", &columns), &places(answer.f.len()), &cells);
    let of = of.replace('_', " ");
    Some(format!("gradient of the {of} in the costs\n\n{grid}"))
}

/// A ruled grid whose columns are as wide as their widest number, and eleven characters at least.
fn grid((corner, columns): (&str, &[String]), rows: &[String], cells: &[String]) -> String {
    let widest = |numbers: &[String]| numbers.iter().map(String::len).max().unwrap_or(0);
    let left = widest(rows).max(11);
    let width = (widest(columns).max(widest(cells)) + 2).max(11);
    let line = |head: &str, cells: &[String]| {
        let cells: String = cells.iter().map(|cell| format!("{cell:>width$}")).collect();
        format!("{head:>left$} |{cells}\n")
    };
    let mut text = line(corner, columns);
    text += &format!(
        "{}+{}\n",
        "-".repeat(left + 1),
        "-".repeat(width * columns.len())
    );
    for (row, cells) in rows.iter().zip(cells.chunks(columns.len().max(1))) {
        text += &line(row, cells);
    }
    text
}

/// Six decimals, or six digits of numbers that these would not show.
fn numbers(values: &[f64]) -> Vec<String> {
    let largest = values.iter().map(|value| value.abs()).fold(0.0, f64::max);
    let fixed = largest == 0.0 || (1e-3..1e9).contains(&largest);
    let number = |value: &f64| match fixed {
        true => format!("{value:.6}"),
        false => format!("{value:.5e}"),
    };
    values.iter().map(number).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn answer() -> Answer {
        Answer {
            plan: vec![vec![0.25, 0.0, 0.125], vec![0.0, 0.5, 0.125]],
            f: vec![-0.5, 1.25],
            g: vec![0.0, 2.0, -1.0],
            transport_cost: 0.75,
            regularised_cost: Some(1.0 / 3.0),
            duality_gap: 1.5e-12,
            mass: 1.0,
            marginal_error: Some(2e-10),
            iterations: Some(14),
            converged: true,
            status: "converged",
            ..Answer::default()
        }
    }

    #[test]
    fn one_problem_is_numbers_and_a_grid() {
        let expected = "\
transport cost    0.750000000
regularised cost  0.333333333
duality gap       1.5e-12
mass              1.000000000
converged after 14 iterations, marginal error 2.0e-10

      f \\ g |   0.000000   2.000000  -1.000000
------------+---------------------------------
  -0.500000 |   0.250000   0.000000   0.125000
   1.250000 |   0.000000   0.500000   0.125000
";
        assert_eq!(one(&answer()), expected);
    }

    #[test]
    fn columns_are_as_wide_as_their_numbers() {
        let mut answer = answer();
        answer.f = vec![1_234_567.5, 0.0];
        answer
            .plan
            .iter_mut()
            .flatten()
            .for_each(|mass| *mass *= 1e-6);
        answer.gradient = Some(vec![vec![1.0, 2.0, 3.0], vec![4.0, 5.0, 6.0]]);
        answer.gradient_of = Some("transport_cost");
        let text = one(&answer);
        assert!(
            text.contains("1234567.500000 |  2.50000e-7   0.00000e0  1.25000e-7\n"),
            "{text}"
        );
        assert!(
            text.contains("gradient of the transport cost in the costs\n"),
            "{text}"
        );
        assert!(
            text.ends_with("          1 |   4.000000   5.000000   6.000000\n"),
            "{text}"
        );
    }

    #[test]
    fn a_batch_is_a_table_and_plans_on_request() {
        let other = Answer {
            regularised_cost: None,
            iterations: None,
            status: "max_iterations",
            ..answer()
        };
        let text = list(&[answer(), other], false).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        assert!(lines[0].starts_with("problem  method"));
        assert!(
            lines[3].contains(" 2 x 3 ") && lines[3].ends_with("max iterations"),
            "{text}"
        );
        assert!(lines[3].contains(" -  "), "{text}");
        let whole = list(&[answer(), answer()], true).unwrap();
        assert_eq!(whole.matches("f \\ g").count(), 2);
    }
}
