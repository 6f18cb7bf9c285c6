//! What the tests of several files need: files in a folder, a filter, and bitext of them.
#![allow(clippy::unwrap_used)]

use crate::bitext::{Bitext, BitextSource, DataRoots};
use crate::error::CorpusError;
use crate::filter::FilterSettings;
use crate::report::BitextReport;

/// A folder with files, to be read from and to have temporary files in.
pub(crate) fn folder<T: AsRef<[u8]>>(files: &[(&str, T)]) -> (tempfile::TempDir, DataRoots) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let roots = DataRoots {
        base: folder.path().into(),
        cache: folder.path().into(),
    };
    (folder, roots)
}

/// A filter that lets all sentences of some languages pass, with some keys in place of its own.
pub(crate) fn filter(changed: &str) -> FilterSettings {
    let mut table: toml::Table = toml::from_str(
        "seed = 1
         minimum_characters = 1
         maximum_characters = 1000
         minimum_letter_share = 0.0
         minimum_script_share = 0.0
         maximum_length_ratio = 100.0
         drop_copies = false
         pairs_per_language = 0
         maximum_bad_share = 0.0
         [languages]
         swa = { scripts = ['Latin'], length = 1.0 }
         hau = { scripts = ['Latin'], length = 1.0 }
         tgl = { scripts = ['Latin'], length = 1.0 }
         xho = { scripts = ['Latin'], length = 1.0 }
         rus = { scripts = ['Cyrillic'], length = 1.0 }
         zho = { scripts = ['Han'], length = 0.3 }",
    )
    .unwrap();
    table.extend(toml::from_str::<toml::Table>(changed).unwrap());
    table.try_into().unwrap()
}

/// Reads `[[bitext]]` tables through that filter.
pub(crate) fn read(
    sources: &[String],
    roots: &DataRoots,
    changed: &str,
) -> Result<(Bitext, BitextReport), CorpusError> {
    let sources: Vec<BitextSource> = sources
        .iter()
        .map(|source| toml::from_str(source).unwrap())
        .collect();
    Bitext::read(&sources, &filter(changed), roots, 3)
}

/// All pairs of bitext, a text each.
pub(crate) fn pairs_of(mut bitext: Bitext) -> Vec<String> {
    let pairs = bitext.pairs().unwrap().map(Result::unwrap);
    pairs
        .map(|pair| format!("{} = {}", pair.english, pair.foreign))
        .collect()
}
