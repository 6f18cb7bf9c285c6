//! TREC's files: judgements (qrels) and runs, read by one rule everywhere.
//!
//! The rule is that of `trec_eval` 10: columns are separated by blanks or tabs, however many; blank
//! lines say nothing, nor do lines that begin with `#`, in runs after blanks, too; a judgement has four
//! columns and no more, a retrieved document six or more, of which those after the tag are passed
//! over. Ids are compared byte by byte. So a topic cannot begin with `#`, but a document can.
//!
//! Where `trec_eval` guesses, this refuses: a grade or score that is not a number (`trec_eval` takes it
//! for 0), a document that is judged twice for a topic, and judgements that are none. Where `trec_eval`
//! refuses, this reads: blank lines and several remarks in a row among judgements, and a first line of
//! column names, which is passed over; BEIR's (`query-id corpus-id score`) says that there is no
//! iteration.

use std::path::{Path, PathBuf};

use crate::text::{Lines, TextError};

const JUDGEMENT: &str = "topic iteration document grade";
const RETRIEVED: &str = "topic Q0 document rank score tag";

/// Why a file of judgements or a run cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrecError {
    /// The file cannot be read as text.
    #[error(transparent)]
    Text(#[from] TextError),
    /// A line is not what the format asks for.
    #[error("{}:{line}: {fault}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        fault: TrecFault,
    },
    /// A file of judgements has blank lines, remarks and names of columns alone.
    #[error("{} has no judgement, expected lines of {JUDGEMENT}", path.display())]
    NoJudgement {
        /// The file.
        path: PathBuf,
    },
}

/// What is wrong with a line of a file of judgements or a run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrecFault {
    /// The line has too few or too many columns.
    #[error("has {found} columns where {} are expected: {layout}", layout.split(' ').count())]
    Columns {
        /// The number of columns found.
        found: usize,
        /// The names of the columns expected.
        layout: &'static str,
    },
    /// The grade is not an integer.
    #[error("grade {0:?} is not an integer")]
    Grade(String),
    /// The score is not a number.
    #[error("score {0:?} is not a number")]
    Score(String),
    /// The topic already has an entry for the document.
    #[error("topic {topic:?} already has document {document:?}, in line {first}")]
    Duplicate {
        /// The topic.
        topic: String,
        /// The document.
        document: String,
        /// The line of the first entry.
        first: usize,
    },
}

impl TrecError {
    /// Says what is wrong with a line.
    pub fn line(path: &Path, line: usize, fault: TrecFault) -> Self {
        let path = path.to_owned();
        Self::Line { path, line, fault }
    }
}

/// A line of a file of judgements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The line, counted from 1.
    pub line: usize,
    /// The topic, or query.
    pub topic: String,
    /// The document.
    pub document: String,
    /// The grade; of one below zero, the document was in the pool and has not been judged.
    pub grade: i32,
}

/// A line of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Retrieved<'a> {
    /// The line, counted from 1.
    pub line: usize,
    /// The topic, or query.
    pub topic: &'a str,
    /// The document.
    pub document: &'a str,
    /// The score, which is not NaN.
    pub score: f64,
    /// The name of the system.
    pub tag: &'a str,
}

/// Reads judgements, in the order of the file.
///
/// # Errors
/// If the file cannot be read or has no judgement, or a line has other columns, a grade that is not an
/// integer, or a document that an earlier line judged for the topic.
pub fn judgements(path: &Path) -> Result<Vec<Judgement>, TrecError> {
    let mut all: Vec<Judgement> = Vec::new();
    let mut without_iteration = false;
    let is_remark = |line: &str| line.starts_with('#');
    each_line(path, is_remark, |line, is_first, words| {
        if is_first && names_columns(words, &["score", "grade", "rel", "relevance", "label"]) {
            without_iteration = words.len() == 3;
            return Ok(());
        }
        let (topic, document, grade) = match *words {
            [topic, document, grade] if without_iteration => (topic, document, grade),
            [topic, _, document, grade] if !without_iteration => (topic, document, grade),
            _ => {
                let layout = if without_iteration {
                    "topic document grade"
                } else {
                    JUDGEMENT
                };
                let found = words.len();
                return Err(TrecError::line(
                    path,
                    line,
                    TrecFault::Columns { found, layout },
                ));
            }
        };
        // `1.0` is an integer to trec_eval as well.
        let whole = grade.trim_end_matches('0').strip_suffix('.');
        let parsed = whole
            .filter(|whole| !whole.is_empty())
            .unwrap_or(grade)
            .parse();
        let refused = |_| TrecError::line(path, line, TrecFault::Grade(grade.to_owned()));
        all.push(Judgement {
            line,
            topic: topic.to_owned(),
            document: document.to_owned(),
            grade: parsed.map_err(refused)?,
        });
        Ok(())
    })?;
    match duplicate(&all) {
        None if all.is_empty() => Err(TrecError::NoJudgement { path: path.into() }),
        None => Ok(all),
        Some((first, again)) => {
            let (topic, document) = (again.topic.clone(), again.document.clone());
            let first = first.line;
            let fault = TrecFault::Duplicate {
                topic,
                document,
                first,
            };
            Err(TrecError::line(path, again.line, fault))
        }
    }
}

/// Calls `receive` with every line of a run, in the order of the file.
///
/// # Errors
/// If the file cannot be read, a line has too few columns or a score that is not a number, or
/// `receive` refuses it.
pub fn retrieved<E: From<TrecError>>(
    path: &Path,
    mut receive: impl FnMut(Retrieved<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let is_remark = |line: &str| line.trim_start_matches(is_blank).starts_with('#');
    each_line(path, is_remark, |line, is_first, words| {
        let [topic, _, document, _, score, tag, ..] = *words else {
            let (found, layout) = (words.len(), RETRIEVED);
            return Err(TrecError::line(path, line, TrecFault::Columns { found, layout }).into());
        };
        if is_first && names_columns(&words[..5], &["score", "sim", "similarity"]) {
            return Ok(());
        }
        let number = score.parse().ok().filter(|number: &f64| !number.is_nan());
        let refused = || TrecError::line(path, line, TrecFault::Score(score.to_owned()));
        receive(Retrieved {
            line,
            topic,
            document,
            score: number.ok_or_else(refused)?,
            tag,
        })
    })
}

/// Returns what keeps an id from being a column, if anything does; the first column has the topic.
pub fn not_a_column(id: &str, is_topic: bool) -> Option<&'static str> {
    match id {
        "" => Some("is empty"),
        id if is_topic && id.starts_with('#') => Some("begins with #"),
        id if id.contains(is_blank) => Some("has a blank"),
        _ => None,
    }
}

/// Only what C's isspace counts: ids may contain wider blanks.
fn is_blank(character: char) -> bool {
    character.is_ascii_whitespace() || character == '\x0b'
}

/// Calls `entry` with the number and the columns of each line that is neither blank nor a remark, and
/// whether it is the first.
fn each_line<E: From<TrecError>>(
    path: &Path,
    is_remark: fn(&str) -> bool,
    mut entry: impl FnMut(usize, bool, &[&str]) -> Result<(), E>,
) -> Result<(), E> {
    let mut lines = Lines::open(path).map_err(TrecError::from)?;
    let mut is_first = true;
    while let Some((number, line)) = lines.next_good().map_err(TrecError::from)? {
        // What stands after a tag is not looked at, however much it is.
        let (mut words, mut found) = ([""; 8], 0);
        let columns = line.split(is_blank).filter(|word| !word.is_empty());
        for (place, word) in words.iter_mut().zip(columns) {
            (*place, found) = (word, found + 1);
        }
        if found == 0 || is_remark(line) {
            continue;
        }
        entry(number, is_first, &words[..found])?;
        is_first = false;
    }
    Ok(())
}

/// Whether the first and the last column are names of columns.
fn names_columns(words: &[&str], last: &[&str]) -> bool {
    const TOPICS: [&str; 7] = [
        "query-id", "qid", "topic", "query", "topic-id", "queryid", "id",
    ];
    let plain = |word: &&str| word.to_ascii_lowercase().replace('_', "-");
    let (Some(topic), Some(value)) = (words.first().map(plain), words.last().map(plain)) else {
        return false;
    };
    2 < words.len() && TOPICS.contains(&&*topic) && last.contains(&&*value)
}

/// Returns the earliest judgement of a document that was judged before for its topic, after the first
/// one.
fn duplicate(all: &[Judgement]) -> Option<(&Judgement, &Judgement)> {
    let mut sorted: Vec<&Judgement> = all.iter().collect();
    sorted.sort_unstable_by_key(|it| (&*it.topic, &*it.document, it.line));
    let pairs = sorted.windows(2).map(|pair| (pair[0], pair[1]));
    pairs
        .filter(|(first, again)| (&first.topic, &first.document) == (&again.topic, &again.document))
        .min_by_key(|(_, again)| again.line)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn with<T>(
        content: &[u8],
        read: impl FnOnce(&Path) -> Result<T, TrecError>,
    ) -> Result<T, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, content).unwrap();
        let name = path.display().to_string();
        read(&path).map_err(|error| error.to_string().replace(&name, "file"))
    }

    fn judged(content: impl AsRef<[u8]>) -> Result<Vec<String>, String> {
        let all = with(content.as_ref(), judgements)?;
        let shown =
            |it: &Judgement| format!("{} {} {} {}", it.line, it.topic, it.document, it.grade);
        Ok(all.iter().map(shown).collect())
    }

    fn run(content: impl AsRef<[u8]>) -> Result<Vec<String>, String> {
        let mut all = Vec::new();
        with(content.as_ref(), |path| {
            retrieved(path, |it| {
                let Retrieved {
                    line,
                    topic,
                    document,
                    score,
                    tag,
                } = it;
                all.push(format!("{line} {topic} {document} {score} {tag}"));
                Ok::<_, TrecError>(())
            })
        })?;
        Ok(all)
    }

    #[test]
    fn blanks_tabs_comments_and_line_ends_of_other_systems_are_read() {
        let text =
            "\u{feff}# grades 0 to 3\nq1 0 d1 3\r\n\n \t\nq1\t \tx\td2\t-1 \n  q2 0 d\u{a0}1 1.0";
        let expected = ["2 q1 d1 3", "5 q1 d2 -1", "6 q2 d\u{a0}1 1"];
        assert_eq!(judged(text).unwrap(), expected);
        let text =
            "\u{feff}q1 Q0 d1 1 2.5 my run\n#\n\nq1\tQ0\td2\t2\t-1e0\tmy\r\nq2 Q0 d1 1 inf t";
        let expected = ["1 q1 d1 2.5 my", "4 q1 d2 -1 my", "5 q2 d1 inf t"];
        assert_eq!(run(text).unwrap(), expected);
    }

    /// What `get_qrels.c` and `get_trec_results.c` of `trec_eval` 10 do: the one takes a line for a remark
    /// by its first character, the other by the first that is not a blank, and no other column counts.
    #[test]
    fn a_number_sign_is_a_remark_at_the_beginning_of_a_line() {
        let text = "#q1 0 d1 1\n #q1 0 #d1 1\nq2 # #d1 2\n";
        assert_eq!(judged(text).unwrap(), ["2 #q1 #d1 1", "3 q2 #d1 2"]);
        let text = "#q1 Q0 d1 1 1 t\n \t#q1 Q0 d1 1 1 t\nq2 # #d1 # 2 #t\n";
        assert_eq!(run(text).unwrap(), ["3 q2 #d1 2 #t"]);
    }

    #[test]
    fn judgements_that_are_none_are_refused() {
        for text in ["\n", " \t\n\n", "# none\n#\n", "query-id corpus-id score\n"] {
            let expected =
                "file has no judgement, expected lines of topic iteration document grade";
            assert_eq!(judged(text).unwrap_err(), expected);
            assert_eq!(run("# none\n").unwrap(), [""; 0]);
        }
    }

    #[test]
    fn names_of_columns_are_no_entry() {
        let text = "query-id\tcorpus-id\tscore\nq1\td1\t1\n";
        assert_eq!(judged(text).unwrap(), ["2 q1 d1 1"]);
        let message = judged(format!("{text}q1 0 d2 1\n")).unwrap_err();
        let expected = "file:3: has 4 columns where 3 are expected: topic document grade";
        assert_eq!(message, expected);
        let text = "# made\nquery_id iter docno relevance\nq1 0 d1 1\n";
        assert_eq!(judged(text).unwrap(), ["3 q1 d1 1"]);
        let text = "qid Q0 docid rank score tag\nq1 Q0 d1 1 2 t\n";
        assert_eq!(run(text).unwrap(), ["2 q1 d1 2 t"]);
        // Later, and with other words, it is an entry like any other.
        let message = judged("q1 0 d1 1\nqid 0 docid rel\n").unwrap_err();
        assert_eq!(message, "file:2: grade \"rel\" is not an integer");
        assert!(run("q1 Q0 d1 1 score t\n").is_err());
    }

    #[test]
    fn bad_lines_are_refused_with_file_and_line() {
        let columns = "columns where 4 are expected: topic iteration document grade";
        for (text, message) in [
            ("q1 0 d1 1\nq1 0 d2\n", format!("file:2: has 3 {columns}")),
            ("q1 0 d1 1 x\n", format!("file:1: has 5 {columns}")),
            (
                "\n#\nq1 0 d1 1.5\n",
                "file:3: grade \"1.5\" is not an integer".into(),
            ),
            (
                "q1 0 d1 .0\n",
                "file:1: grade \".0\" is not an integer".into(),
            ),
            (
                "q1 0 d1 high\n",
                "file:1: grade \"high\" is not an integer".into(),
            ),
            (
                "q1 0 d1 1\nq2 0 d1 1\nq2 0 d2 1\nq1 0 d1 1\nq1 0 d1 1\nq2 0 d2 0\n",
                "file:4: topic \"q1\" already has document \"d1\", in line 1".into(),
            ),
        ] {
            assert_eq!(judged(text).unwrap_err(), message);
        }
        let message = judged(b"q1 0 d1 1\nq1 0 caf\xe9 1\n").unwrap_err();
        assert!(
            message.starts_with("file:2: is not UTF-8: byte 0xe9 after 8 "),
            "{message}"
        );
        let columns = "columns where 6 are expected: topic Q0 document rank score tag";
        for (text, message) in [
            ("q1 Q0 d1 1 2.0\n", format!("file:1: has 5 {columns}")),
            (
                "q1 Q0 d1 1 2 t\nq1 Q0 d2 2 nan t\n",
                "file:2: score \"nan\" is not a number".into(),
            ),
            (
                "q1 Q0 d1 1 high t\n",
                "file:1: score \"high\" is not a number".into(),
            ),
        ] {
            assert_eq!(run(text).unwrap_err(), message);
        }
        assert_eq!(run("").unwrap_err(), "file is empty");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            entries in prop::collection::btree_map(("[^\\s#\\p{Cc}\u{feff}][^\\s\\p{Cc}]{0,4}", "[^\\s\\p{Cc}]{1,5}"), (-2..9, -1e3..1e3), 1..9)
        ) {
            // A column may have any character but a blank of ASCII.
            prop_assume!(entries.keys().all(|(topic, document)| not_a_column(topic, true).or(not_a_column(document, false)).is_none()));
            let lines: Vec<_> = entries.iter().collect();
            let text: String = lines.iter().map(|((topic, document), (grade, _))| format!("{topic} 0 {document} {grade}\n")).collect();
            let expected: Vec<_> = (1..).zip(&lines).map(|(line, ((topic, document), (grade, _)))| format!("{line} {topic} {document} {grade}")).collect();
            prop_assert_eq!(judged(text).unwrap(), expected);
            let text: String = lines.iter().map(|((topic, document), (_, score))| format!("{topic} Q0 {document} 1 {score} t\n")).collect();
            let expected: Vec<_> = (1..).zip(&lines).map(|(line, ((topic, document), (_, score)))| format!("{line} {topic} {document} {score} t")).collect();
            prop_assert_eq!(run(text).unwrap(), expected);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(prop::sample::select(b"q 1.#\n\t\r-e0n\xff".to_vec()), 0..99)) {
            let _ = judged(&bytes);
            let _ = run(&bytes);
        }
    }
}
