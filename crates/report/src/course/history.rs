//! The events of a run as curves, whatever events there are.
//!
//! An event is a JSON object with its name under `event`. Every number in it is a point of a curve,
//! so that events and quantities that this version knows nothing of are shown like all others.

use std::collections::HashMap;

use serde_json::Value;

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The name of the event.
    pub event: String,
    /// The step it belongs to, if it names one.
    pub step: Option<u64>,
    /// Its numbers by the keys that lead to them, as in `mates/swa/margin`.
    pub values: Vec<(String, f64)>,
}

impl Reading {
    /// The event of a line; `None` where it is none.
    pub fn parse(line: &str) -> Option<Self> {
        let Ok(Value::Object(object)) = serde_json::from_str(line) else {
            return None;
        };
        let mut values = Vec::new();
        for (key, value) in &object {
            if key != "step" {
                numbers(key, value, &mut values);
            }
        }
        Some(Self {
            event: object.get("event")?.as_str()?.to_owned(),
            step: object.get("step").and_then(Value::as_u64),
            values,
        })
    }

    /// One of its numbers.
    pub fn value(&self, name: &str) -> Option<f64> {
        let found = self.values.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| *value)
    }
}

fn numbers(key: &str, value: &Value, found: &mut Vec<(String, f64)>) {
    match value {
        Value::Number(number) => {
            found.extend(number.as_f64().map(|number| (key.to_owned(), number)))
        }
        Value::Object(object) => {
            for (inner, value) in object {
                numbers(&format!("{key}/{inner}"), value, found);
            }
        }
        _ => {}
    }
}

/// A quantity over the steps.
#[derive(Debug, Default)]
pub struct Curve {
    /// Its values so far, in the order of the events.
    pub values: Vec<f64>,
    /// The step of the last value.
    pub step: u64,
}

/// Everything that a run has told.
#[derive(Debug, Default)]
pub struct History {
    /// The last step made.
    pub step: u64,
    /// The step of the last checkpoint.
    pub checkpoint: Option<u64>,
    /// Seconds of every step that was told of.
    pub seconds: Vec<f64>,
    /// Seconds of the steps behind the last checkpoint.
    pub since_checkpoint: f64,
    curves: HashMap<String, Curve>,
    /// The names of the curves, in the order in which they came up.
    names: Vec<String>,
}

impl History {
    /// Takes in an event.
    pub fn hear(&mut self, reading: &Reading) {
        let Some(step) = reading.step else {
            // How a sitting began: it is no point of a curve, but says where it goes on.
            self.step = reading
                .value("resumed_at")
                .map_or(self.step, |step| step as u64);
            return;
        };
        self.step = step;
        if let Some(seconds) = reading.value("seconds") {
            self.seconds.push(seconds);
            self.since_checkpoint += seconds;
        }
        if reading.event == "checkpoint" {
            self.checkpoint = Some(step);
            self.since_checkpoint = 0.0;
        }
        for (name, value) in &reading.values {
            let curve = self.curves.entry(name.clone()).or_insert_with(|| {
                self.names.push(name.clone());
                Curve::default()
            });
            curve.values.push(*value);
            curve.step = step;
        }
    }

    /// All curves by name, in the order in which they came up.
    pub fn curves(&self) -> impl Iterator<Item = (&str, &Curve)> {
        let names = self.names.iter();
        names.map(|name| (name.as_str(), &self.curves[name]))
    }

    /// Seconds that a step takes: the mean of the last ones.
    pub fn seconds_per_step(&self) -> Option<f64> {
        let last = &self.seconds[self.seconds.len().saturating_sub(20)..];
        (!last.is_empty()).then(|| last.iter().sum::<f64>() / last.len() as f64)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn numbers_are_found_wherever_they_are() {
        let line =
            r#"{"event":"new","step":7,"a":1.5,"b":{"swa":{"c":2},"hau":null},"d":"x","e":[3]}"#;
        let reading = Reading::parse(line).unwrap();
        assert_eq!((reading.event.as_str(), reading.step), ("new", Some(7)));
        assert_eq!(reading.values, [("a".into(), 1.5), ("b/swa/c".into(), 2.0)]);
    }

    #[test]
    fn what_is_no_event_is_none() {
        for line in [
            "",
            "7",
            "{\"step\": 1}",
            "{\"event\": 3}",
            "{\"event\": \"step\", \"lo",
        ] {
            assert_eq!(Reading::parse(line), None, "{line}");
        }
        assert!(
            Reading::parse("{\"event\": \"done\", \"step\": -1}")
                .unwrap()
                .step
                .is_none()
        );
    }

    #[test]
    fn steps_become_curves_and_checkpoints_an_age() {
        let mut history = History::default();
        for line in [
            r#"{"event":"prepared","pairs":9,"resumed_at":4}"#,
            r#"{"event":"step","step":5,"loss":0.5,"seconds":1.0}"#,
            r#"{"event":"checkpoint","step":5}"#,
            r#"{"event":"step","step":6,"loss":0.25,"seconds":2.0}"#,
            r#"{"event":"instruments","step":6,"mates":{"swa":{"margin":0.1}}}"#,
        ] {
            history.hear(&Reading::parse(line).unwrap());
            assert!(history.step >= 4);
        }
        let names: Vec<_> = history.curves().map(|(name, _)| name).collect();
        assert_eq!(names, ["loss", "seconds", "mates/swa/margin"]);
        assert_eq!(history.curves["loss"].values, [0.5, 0.25]);
        assert_eq!((history.step, history.checkpoint), (6, Some(5)));
        assert_eq!(
            (history.since_checkpoint, history.seconds_per_step()),
            (2.0, Some(1.5))
        );
    }
}
