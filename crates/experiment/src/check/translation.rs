//! Dictionaries and programs that a run translates queries with.

use std::ffi::OsStr;
use std::path::Path;

use crate::{Findings, RunFile};

/// Finds dictionaries that are not there, and programs that cannot be started.
pub fn files(run: &RunFile, programs: &OsStr, findings: &mut Findings) {
    let Some(translation) = &run.translation else {
        return;
    };
    for (language, stem) in translation.dictionary.iter().flatten() {
        let with = |suffix: &str| {
            let mut path = stem.as_os_str().to_owned();
            path.push(suffix);
            Path::new(&path).is_file()
        };
        if !with(".index") || !(with(".dict") || with(".dict.dz")) {
            let stem = stem.display();
            findings.fault(format!(
                "translation.dictionary.{language} = {stem}: expected files {stem}.index and {stem}.dict.dz \
                 or {stem}.dict"
            ));
        }
    }
    for (language, command) in translation.command.iter().flatten() {
        if let Some(program) = command.first()
            && !starts(program, programs)
        {
            findings.fault(format!(
                "translation.command.{language}: there is no program {program:?}; is it installed?"
            ));
        }
    }
}

/// Tells whether a program is there, by its path or in one of the folders that `PATH` lists.
fn starts(program: &str, folders: &OsStr) -> bool {
    let path = Path::new(program);
    if 1 < path.components().count() {
        return path.is_file();
    }
    std::env::split_paths(folders).any(|folder| {
        // Programs of Windows are called by their names without the end.
        ["", ".exe", ".cmd", ".bat"]
            .iter()
            .any(|end| folder.join(format!("{program}{end}")).is_file())
    })
}

#[cfg(test)]
mod tests {
    use super::starts;

    #[test]
    fn programs_are_looked_for_where_the_system_does() {
        let here = std::env::current_exe().unwrap_or_default();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let starts = |program: &str| starts(program, &path);
        assert!(starts(&here.display().to_string()));
        assert!(cfg!(not(unix)) || starts("sh"));
        assert!(!starts("no-such-translator") && !starts("./no-such-translator"));
    }
}
