//! Pairs in a file against the same pairs tokenized in memory by a student's own tokenizer.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use burn::tensor::Device;
use optical_distill::pairs::tokenize;
use optical_distill::{DistillError, TokenizedPairs, TrainingText};
use optical_encoder::Model;
use optical_encoder::testing::tiny_checkpoint;

const WORDS: [&str; 8] = [
    "maji", "moto", "nyota", "jua", "water", "fire", "star", "sun",
];

fn text(target: &str, input: &str, group: &str) -> TrainingText {
    TrainingText {
        target: target.into(),
        input: input.into(),
        group: group.into(),
        passages: Vec::new(),
    }
}

fn teacher(folder: &std::path::Path) -> Model {
    tiny_checkpoint(folder, "bert", &WORDS, 5).unwrap();
    Model::load(folder, &Device::flex()).unwrap()
}

#[test]
fn one_pass_of_the_teachers_tokenizer_gives_the_students_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let teacher = teacher(folder.path());
    let texts = [
        text("water fire", "maji moto", "swa"),
        text("water", "maji maji maji maji maji maji maji", "swa"),
        text("fire fire fire fire", "moto moto", "swa"),
        text("", "nyota", "swa"),
        TrainingText::retention("sun", "eng"),
    ];
    let maximum = 6;
    let given = texts.iter().cloned().map(Ok::<_, DistillError>);
    let pairs =
        TokenizedPairs::write(given, [&teacher.tokenizer; 2], maximum, folder.path()).unwrap();
    assert_eq!((pairs.len(), pairs.left_out()), (3, 2));
    assert_eq!(pairs.without_tokens(), 1);
    // What only a text that is left out has, is not in use.
    let used: BTreeSet<String> = pairs
        .used()
        .iter()
        .filter_map(|&id| teacher.tokenizer.piece(id))
        .collect();
    assert!(used.contains("▁moto") && used.contains("▁sun"), "{used:?}");
    assert!(
        !used.contains("▁nyota") && !used.contains("▁star"),
        "{used:?}"
    );

    let student = teacher.clone().prune_vocabulary(pairs.used()).unwrap();
    assert!(student.config.vocab_size < teacher.config.vocab_size);
    let tokenizers = [&teacher.tokenizer, &student.tokenizer];
    let twin = tokenize(&texts, tokenizers[0], tokenizers[1], maximum).unwrap();
    assert_eq!(twin.len(), pairs.len());
    let renumbering = pairs.renumbering(tokenizers[0], tokenizers[1]).unwrap();
    for (index, pair) in (0..).zip(&twin) {
        let [target, mut input] = pairs.read(index).unwrap();
        renumbering.apply(&mut input);
        assert_eq!((&target, &input), (&pair.target, &pair.input));
    }
    let members: Vec<_> = pairs.groups().collect();
    assert_eq!(members, [("eng retained", &[2][..]), ("swa", &[0, 1])]);
}

#[test]
fn a_student_that_was_made_for_other_texts_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let teacher = teacher(folder.path());
    let texts = [Ok::<_, DistillError>(text("water", "maji jua", "swa"))];
    let pairs = TokenizedPairs::write(texts, [&teacher.tokenizer; 2], 9, folder.path()).unwrap();
    let jua = teacher.tokenizer.id("▁jua").unwrap();
    let mut fewer = pairs.used().clone();
    assert!(fewer.remove(&jua));
    let student = teacher.clone().prune_vocabulary(&fewer).unwrap();
    let error = pairs.renumbering(&teacher.tokenizer, &student.tokenizer);
    let message = error.unwrap_err().to_string();
    assert!(message.contains("vocabulary lacks \"▁jua\""), "{message}");
}

#[test]
fn a_text_that_cannot_be_read_ends_the_writing() {
    let folder = tempfile::tempdir().unwrap();
    let teacher = teacher(folder.path());
    let broken = DistillError::Device("gone".into());
    let texts = [Ok(text("water", "maji", "swa")), Err(broken)];
    let result = TokenizedPairs::write(texts, [&teacher.tokenizer; 2], 9, folder.path());
    assert!(matches!(result, Err(DistillError::Device(_))));
}
