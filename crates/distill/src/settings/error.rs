//! Values of a run file that are out of their domain.

use std::fmt::Display;

/// A value is outside its domain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} = {value}, expected {expected}")]
pub struct SettingsError {
    /// The key.
    pub key: String,
    /// What the run file says.
    pub value: String,
    /// What it may say.
    pub expected: String,
}

/// Refuses a value that is not more than zero.
pub(crate) fn positive(key: &str, value: f64) -> Result<(), SettingsError> {
    if 0.0 < value && value.is_finite() {
        return Ok(());
    }
    Err(refuse(key.to_owned(), value, "more than 0"))
}

/// Refuses freezing all that there is to train below a head.
pub(crate) fn frozen(
    key: String,
    layers: usize,
    frozen_layers: usize,
    frozen_vocabulary: bool,
) -> Result<(), SettingsError> {
    if layers < frozen_layers || layers == frozen_layers && frozen_vocabulary {
        let expected = "at most layers, and less with frozen_vocabulary";
        return Err(refuse(key, frozen_layers, expected));
    }
    Ok(())
}

/// Refuses a count of nothing.
pub(crate) fn count(key: &str, value: u64) -> Result<(), SettingsError> {
    if 0 < value {
        return Ok(());
    }
    Err(refuse(key.to_owned(), 0, "at least 1"))
}

/// Refuses more of something than a model has.
pub(crate) fn within(
    key: &str,
    value: usize,
    most: usize,
    what: &str,
) -> Result<(), SettingsError> {
    if value <= most {
        return Ok(());
    }
    let expected = format!("at most {most}, the {what} of the model");
    Err(refuse(key.to_owned(), value, expected))
}

/// Fails with the first of some faults.
pub(crate) fn first(faults: Vec<SettingsError>) -> Result<(), SettingsError> {
    faults.into_iter().next().map_or(Ok(()), Err)
}

/// Returns what is wrong with `key`.
pub(crate) fn refuse(
    key: String,
    value: impl Display,
    expected: impl Into<String>,
) -> SettingsError {
    SettingsError {
        key,
        value: value.to_string(),
        expected: expected.into(),
    }
}
