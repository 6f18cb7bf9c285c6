#![allow(clippy::unwrap_used)]

use std::fs;

use optical_store::Host;
use serde_json::json;

use super::*;

/// A folder with scoreboards.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn open(&self, name: &str) -> anyhow::Result<Scoreboard> {
        let store = Store {
            cache: self.0.path().to_owned(),
            offline: true,
            hub_token: None,
            host: Host::deaf(),
        };
        Scoreboard::open(&self.path(name), "map".parse()?, &store)
    }

    /// Opens what a file of these lines says.
    fn said(&self, lines: &[&str]) -> anyhow::Result<Scoreboard> {
        fs::write(self.path("said.jsonl"), lines.join("\n"))?;
        self.open("said.jsonl")
    }
}

fn inputs(documents: &str) -> Inputs {
    let inputs = json!({"documents": documents, "questions": "q"});
    serde_json::from_value(inputs).unwrap()
}

fn scores(language: &str, topics: &[(&str, f64)]) -> Scores {
    let topics = topics.iter();
    let topics = topics.map(|(topic, value)| ((*topic).to_owned(), *value));
    Scores::from([(language.to_owned(), topics.collect())])
}

/// A student of two topics that knows all that one can know.
fn student(value: f64) -> StudentScores {
    let recall = scores("swa", &[("q1", 1.0), ("q2", value / 2.0)]);
    let covariates = [("layers", json!(2)), ("model", json!("tiny"))];
    StudentScores {
        scores: scores("swa", &[("q1", value), ("q2", 0.25)]),
        measures: BTreeMap::from([("recall_5".to_owned(), recall)]),
        covariates: covariates
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
        within_sentence_cosine: Some(0.125),
        inputs: Some(inputs("d")),
    }
}

fn untrained(value: f64) -> UntrainedScores {
    let scores = |value| scores("swa", &[("q1", value), ("q2", 0.75)]);
    let systems = [("bm25", scores(value)), ("zero-shot", scores(0.5))];
    UntrainedScores {
        scores: systems
            .map(|(name, scores)| (name.to_owned(), scores))
            .into(),
        inputs: Some(inputs("d")),
        words: WORDS,
    }
}

#[test]
fn what_is_written_is_read_back_in_whatever_order_it_came() {
    let place = Place::new();
    let orders = [["a1", "b1", "a2", "none"], ["none", "a2", "b1", "a1"]];
    for (name, order) in ["one.jsonl", "other.jsonl"].into_iter().zip(orders) {
        let mut board = place.open(name).unwrap();
        for what in order {
            match what {
                "a1" => board.add_student("a", 0, "sa", student(0.5)),
                "a2" => board.add_student("a", 1, "sa", student(0.75)),
                "b1" => board.add_student("b", 0, "sb", student(1.0)),
                _ => board.add_untrained("sa", untrained(0.5)),
            }
            .unwrap();
        }
        let read = place.open(name).unwrap();
        for board in [board, read] {
            let students = BTreeMap::from([(0, student(0.5)), (1, student(0.75))]);
            assert_eq!(board.students("sa", 2, None), students);
            assert_eq!(board.students("sa", 1, None).len(), 1);
            assert_eq!(board.students("sb", 2, None)[&0], student(1.0));
            assert_eq!(board.untrained("sa", None), Some(&untrained(0.5)));
            assert_eq!(board.untrained("sb", None), None);
        }
    }
    let text = |name| fs::read_to_string(place.path(name)).unwrap();
    assert_eq!(text("one.jsonl"), text("other.jsonl"));
}

#[test]
fn lines_of_former_versions_are_read() {
    let place = Place::new();
    let board = place.said(&[
        r#"{"topics": {"measure": "map", "topics": {"swa": ["q1", "q2"]}}}"#,
        r#"{"untrained": {"settings": "s", "scores": {"bm25": {"swa": [0.5, 0.75]}}}}"#,
        r#"{"student": {"variant": "a", "student": 2, "settings": "s", "within_sentence_cosine": null, "scores": {"swa": [0.25, 0.5]}}}"#,
    ]);
    let board = board.unwrap();
    let expected = StudentScores {
        scores: scores("swa", &[("q1", 0.25), ("q2", 0.5)]),
        measures: BTreeMap::new(),
        covariates: BTreeMap::new(),
        within_sentence_cosine: None,
        inputs: None,
    };
    // They may be of any data.
    let today = inputs("d");
    let students = board.students("s", 2, Some(&today));
    assert_eq!(students, BTreeMap::from([(1, expected)]));
    let untrained = board.untrained("s", Some(&today)).unwrap();
    assert_eq!(untrained.words, 1);
    assert_eq!(untrained.scores["bm25"]["swa"]["q2"], 0.75);
    assert!(board.lacks_inputs("s") && !board.has_inputs("s"));
    // Their words are not today's.
    assert_eq!(untrained.without_words().unwrap().scores.len(), 0);
}

/// The same language and other topics: of another collection, or another split.
#[test]
fn files_of_two_data_sets_can_be_joined_end_to_end() {
    let place = Place::new();
    let other = StudentScores {
        scores: scores("swa", &[("v1", 0.5), ("v2", 0.75), ("v3", 1.0)]),
        measures: BTreeMap::new(),
        ..student(0.0)
    };
    let mut board = place.open("one.jsonl").unwrap();
    board.add_student("a", 0, "sa", student(0.5)).unwrap();
    let mut board = place.open("two.jsonl").unwrap();
    board.add_student("b", 0, "sb", other.clone()).unwrap();
    let read = |name: &str| fs::read_to_string(place.path(name)).unwrap();
    let joined = [read("one.jsonl"), read("two.jsonl"), read("one.jsonl")];
    fs::write(place.path("both.jsonl"), joined.concat()).unwrap();
    let mut board = place.open("both.jsonl").unwrap();
    assert_eq!(board.students("sa", 9, None)[&0], student(0.5));
    assert_eq!(board.students("sb", 9, None)[&0], other);
    // They stay side by side in what is written.
    board.add_student("a", 1, "sa", student(0.75)).unwrap();
    let board = place.open("both.jsonl").unwrap();
    assert_eq!(board.students("sa", 9, None)[&1], student(0.75));
    assert_eq!(board.students("sb", 9, None)[&0], other);
    let text = read("both.jsonl");
    assert_eq!(text.matches("\"topics\":{\"measure\"").count(), 2, "{text}");
    assert_eq!(text.matches("\"set\":1").count(), 2, "{text}");
}

#[test]
fn two_who_have_read_the_file_add_to_it_both() {
    let place = Place::new();
    let mut one = place.open("scores.jsonl").unwrap();
    let mut other = place.open("scores.jsonl").unwrap();
    one.add_student("a", 0, "sa", student(0.5)).unwrap();
    other.add_student("a", 1, "sa", student(0.75)).unwrap();
    assert_eq!(other.students("sa", 2, None).len(), 2);
    let read = place.open("scores.jsonl").unwrap();
    assert_eq!(read.students("sa", 2, None).len(), 2);
}

#[test]
fn scores_of_other_data_stay_until_they_are_theirs_again() {
    let place = Place::new();
    let mut board = place.open("scores.jsonl").unwrap();
    let mut changed = student(0.75);
    changed.inputs = Some(inputs("e"));
    board.add_student("a", 0, "s", student(0.5)).unwrap();
    board.add_student("a", 0, "s", changed.clone()).unwrap();
    let of = |board: &Scoreboard, documents: &str| {
        let students = board.students("s", 1, Some(&inputs(documents)));
        students.get(&0).cloned()
    };
    assert_eq!(of(&board, "d"), Some(student(0.5)));
    assert_eq!(of(&board, "e"), Some(changed));
    assert_eq!(of(&board, "f"), None);
    let others = board.others("s", &inputs("e"));
    assert_eq!(others, ["a, student 1: documents"]);
    // What is of the same replaces, and so does what is of something in place of anything.
    board.add_student("a", 0, "s", student(1.0)).unwrap();
    assert_eq!(of(&board, "d"), Some(student(1.0)));
    assert_eq!(board.others("s", &inputs("e")).len(), 1);
}

#[test]
fn what_words_ranked_goes_with_the_words() {
    assert_eq!(untrained(0.5).without_words(), None);
    let mut old = untrained(0.5);
    old.words = WORDS - 1;
    let left = old.without_words().unwrap();
    assert_eq!(left.scores.keys().collect::<Vec<_>>(), ["zero-shot"]);
}

#[test]
fn a_bad_line_is_named() {
    let place = Place::new();
    let topics = r#"{"topics": {"measure": "map", "topics": {"swa": ["q1", "q2"]}}}"#;
    for (line, expected) in [
        (
            r#"{"topics": {"measure": "P_5", "topics": {}}}"#,
            "measure = \"P_5\", expected \"map\"",
        ),
        (
            r#"{"student": {"variant": "a", "student": 0, "settings": "s", "within_sentence_cosine": null, "scores": {}}}"#,
            "student = 0, expected at least 1",
        ),
        (
            r#"{"student": {"variant": "a", "student": 1, "settings": "s", "within_sentence_cosine": null, "scores": {"swa": [0.5]}}}"#,
            "1 values of swa, expected 2",
        ),
        (
            r#"{"untrained": {"settings": "s", "set": 1, "scores": {"bm25": {"swa": [0.5, 0.5]}}}}"#,
            "expected the topics of set 1 first",
        ),
        (
            r#"{"untrained": {"settings": "s", "scores": {"bm25": {"yor": [0.5]}}}}"#,
            "expected topics of yor first",
        ),
        (
            r#"{"student": {"variant": "a", "grade": 1}}"#,
            "unknown field `grade`",
        ),
        ("{", "EOF"),
    ] {
        let error = format!("{:#}", place.said(&[topics, line]).unwrap_err());
        assert!(error.contains("said.jsonl, line 2: "), "{error}");
        assert!(error.contains(expected), "{error}");
    }
}
