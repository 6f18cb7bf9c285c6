//! Keys of a run file with dots, taken out or given other values.

use std::collections::BTreeMap;

use toml::{Spanned, Table, Value};

/// Keys that go.
pub(crate) type Removed = Vec<Spanned<String>>;
/// Keys with other values; a table replaces a table.
pub(crate) type Set = BTreeMap<Spanned<String>, Value>;

/// What a variant, a grid or a factor's value changes in the run file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change<'a> {
    pub(crate) remove: &'a Removed,
    pub(crate) set: &'a Set,
}

/// What is wrong at a place of the study file, in bytes from its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) place: usize,
    pub(crate) text: String,
}

impl Fault {
    pub(crate) fn at<T>(place: &Spanned<T>, text: impl Into<String>) -> Self {
        Self {
            place: place.span().start,
            text: text.into(),
        }
    }
}

impl Change<'_> {
    /// Takes keys out of a run file, and gives others their values.
    ///
    /// # Errors
    /// If keys are not there, or lead nowhere: all of them.
    pub(crate) fn apply(&self, run: &mut Table) -> Result<(), Vec<Fault>> {
        let mut faults = Vec::new();
        let mut note = |key: &Spanned<String>, done: Result<(), String>| {
            faults.extend(done.err().map(|text| Fault::at(key, text)));
        };
        for key in self.remove {
            let removed = parent(run, key.get_ref()).and_then(|(table, last)| {
                let missing = || format!("remove: the run file has no {}", key.get_ref());
                table.remove(last).map(drop).ok_or_else(missing)
            });
            note(key, removed);
        }
        for (key, value) in self.set {
            let set = parent(run, key.get_ref()).map(|(table, last)| {
                table.insert(last.to_owned(), value.clone());
            });
            note(key, set);
        }
        match faults.is_empty() {
            true => Ok(()),
            false => Err(faults),
        }
    }

    /// Returns the place of the key that an error of the whole run file is about, if it is set here: the
    /// error begins with the key or one above or below it, or names a part of it between backticks.
    pub(crate) fn place_of(&self, error: &str) -> Option<usize> {
        let of_key = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        let end = error.find(|c| !of_key(c)).unwrap_or(error.len());
        let named = error.split('`').nth(1);
        let is_about = |key: &str| {
            let begins = |short: &str, long: &str| {
                let rest = long.strip_prefix(short);
                !short.is_empty() && rest.is_some_and(|it| it.is_empty() || it.starts_with('.'))
            };
            begins(key, &error[..end])
                || begins(&error[..end], key)
                || named.is_some_and(|named| key.split('.').any(|part| part == named))
        };
        let mut keys = self.set.keys();
        let found = keys.find(|key| is_about(key.get_ref()));
        found.map(|key| key.span().start)
    }
}

/// Finds the table that a key with dots is in, made where it is missing, and the key's last part. After the
/// name of a list comes the number of an item.
fn parent<'t, 'k>(
    mut table: &'t mut Table,
    key: &'k str,
) -> Result<(&'t mut Table, &'k str), String> {
    let mut parts = key.split('.').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return Ok((table, part));
        }
        let mut inner = table
            .entry(part)
            .or_insert_with(|| Value::Table(Table::new()));
        if let Value::Array(items) = inner {
            let (number, count) = (parts.next().unwrap_or_default(), items.len());
            let item = number.parse().ok().and_then(|at: usize| items.get_mut(at));
            inner = item.ok_or_else(|| {
                format!("{key}: {number} is none of the {count} items of {part}, counted from 0")
            })?;
        }
        table = inner
            .as_table_mut()
            .ok_or_else(|| format!("{key}: {part} is not a table of the run file"))?;
    }
    Err(format!(
        "{key}: expected a key of the item after its number"
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Changes {
        #[serde(default)]
        remove: Removed,
        #[serde(default)]
        set: Set,
    }

    fn changed(run: &str, changes: &str) -> Result<Table, Vec<Fault>> {
        let mut run = run.parse().unwrap();
        let Changes { remove, set } = toml::from_str(changes).unwrap();
        let (remove, set) = (&remove, &set);
        Change { remove, set }.apply(&mut run)?;
        Ok(run)
    }

    #[test]
    fn changes_replace_add_and_remove_keys() {
        let run = "steps = 1\n[plan]\nkind = \"greedy\"\nwhat = 1\n[[text]]\n[[text]]\nfile = 'a'";
        let changes = "remove = ['plan.what']\n[set]\nsteps = 2\n\"plan.kind\" = \"exact\"\n\
                       \"new.table\" = { a = 1 }\n\"text.1.repeat\" = 2";
        let expected = "steps = 2\n[plan]\nkind = \"exact\"\n[new.table]\na = 1\n\
                        [[text]]\n[[text]]\nfile = 'a'\nrepeat = 2";
        let run = changed(run, changes).unwrap();
        assert_eq!(run, expected.parse::<Table>().unwrap());
    }

    #[test]
    fn what_cannot_be_changed_is_named_with_its_place() {
        for (changes, key, expected) in [
            ("remove = ['step']", "'step", "the run file has no step"),
            (
                "set.\"steps.all\" = 1",
                "\"steps",
                "steps.all: steps is not a table",
            ),
            (
                "set.\"text.1.a\" = 1",
                "\"text",
                "text.1.a: 1 is none of the 1 items",
            ),
            (
                "set.\"text.all\" = 1",
                "\"text",
                "text.all: all is none of the 1 items",
            ),
            ("set.\"text.0\" = 1", "\"text", "text.0: expected a key"),
        ] {
            let faults = changed("steps = 1\n[[text]]", changes).unwrap_err();
            assert!(faults[0].text.contains(expected), "{faults:?}");
            assert_eq!(faults[0].place, changes.find(key).unwrap(), "{faults:?}");
        }
        let both = changed("", "remove = ['a', 'b']").unwrap_err();
        assert_eq!(both.len(), 2);
    }

    #[test]
    fn an_error_is_at_the_key_that_it_is_about() {
        let text = "set.\"plan.kind\" = 1\nset.\"plan.rho\" = 2\nset.steps = 3";
        let Changes { remove, set } = toml::from_str(text).unwrap();
        let change = Change {
            remove: &remove,
            set: &set,
        };
        for (error, key) in [
            ("steps = 3, expected at most 2", Some("steps")),
            ("plan.rho.more = 2, expected at least 3", Some("\"plan.rho")),
            ("unknown field `kind`, expected `what`", Some("\"plan.kind")),
            ("step = 3", None),
            ("missing field `sum`", None),
        ] {
            assert_eq!(
                change.place_of(error),
                key.map(|key| text.find(key).unwrap()),
                "{error}"
            );
        }
    }
}
