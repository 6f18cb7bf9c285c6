//! What readings say of a run that goes wrong, and what to change.

use crate::instruments::Reading;

/// Partners per token at which a plan is too flat to say which belongs to which.
const MANY_PARTNERS: f64 = 8.0;

/// What is left of the teacher's distance within a sentence when tokens are becoming one: healthy
/// runs keep two thirds and more, collapsing ones half.
const DISTANCE_LEFT: f64 = 0.6;

/// Loss in reciprocal rank that is more than chance on a hundred sentences.
const RANK_LOST: f64 = 0.05;

/// How a kind of training is spoken of, and what to change in it.
#[derive(Debug)]
pub(crate) struct Advice {
    /// Whose tokens are looked at.
    pub(crate) text: &'static str,
    /// Where their cosine should stay near.
    pub(crate) reference: &'static str,
    /// What to change where they become one.
    pub(crate) against_collapse: &'static str,
    /// Who finds its mates.
    pub(crate) finds: &'static str,
    /// What to change where they are lost.
    pub(crate) against_loss: &'static str,
}

/// Lists everything that is wrong with the reading `now` of a run that began with `first`, whose
/// last step had the number of `partners` per token.
pub(crate) fn warnings(
    advice: &Advice,
    first: &Reading,
    now: &Reading,
    partners: Option<f64>,
) -> Vec<String> {
    let mut found = Vec::new();
    let apart = |cosine: f64| 1.0 - cosine;
    let (student, teacher) = (
        now.within_sentence_cosine,
        now.teacher_within_sentence_cosine,
    );
    // A student that starts so is not collapsing.
    let grew = first.within_sentence_cosine + 0.02 < student;
    if grew && apart(student) < DISTANCE_LEFT * apart(teacher) {
        found.push(format!(
            "the tokens of a {} are becoming one vector (cosine {student:.2}, {} {teacher:.2}): {}",
            advice.text, advice.reference, advice.against_collapse
        ));
    }
    if let Some(partners) = partners.filter(|&partners| MANY_PARTNERS < partners) {
        found.push(format!(
            "the plan is flat ({partners:.0} partners per token, 2 to 4 are good): lower its epsilon or temperature"
        ));
    }
    for (language, mates) in &now.mates {
        let Some(before) = first.mates.get(language) else {
            continue;
        };
        let (before, now) = (before.reciprocal_rank, mates.reciprocal_rank);
        if now + RANK_LOST < before {
            found.push(format!(
                "{language} {} less well than before training ({before:.3} to {now:.3}): {}",
                advice.finds, advice.against_loss
            ));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::instruments::MateRetrieval;

    const ADVICE: Advice = Advice {
        text: "sentence",
        reference: "teacher",
        against_collapse: "sharpen the plan",
        finds: "finds its translations",
        against_loss: "more bitext",
    };

    fn reading(cosine: f64, rank: f64) -> Reading {
        let mates = MateRetrieval {
            reciprocal_rank: rank,
            margin: 0.1,
        };
        Reading {
            within_sentence_cosine: cosine,
            teacher_within_sentence_cosine: 0.6,
            mates: BTreeMap::from([("hau".into(), mates)]),
        }
    }

    /// Readings of the prototype's runs, good and bad.
    #[test]
    fn good_runs_pass_and_bad_ones_are_told_what_to_change() {
        let first = reading(0.61, 0.95);
        assert!(warnings(&ADVICE, &first, &reading(0.72, 0.99), Some(3.0)).is_empty());
        let collapsed = warnings(&ADVICE, &first, &reading(0.92, 0.7), Some(50.0));
        assert_eq!(collapsed.len(), 3);
        assert!(collapsed[0].contains("tokens of a sentence are becoming one"));
        assert!(collapsed[0].ends_with("teacher 0.60): sharpen the plan"));
        assert!(collapsed[1].contains("flat (50 partners"));
        assert!(collapsed[2].contains("hau finds its translations less well"));
        assert!(collapsed[2].ends_with("more bitext"));
        let always_so = reading(0.9, 0.95);
        assert!(warnings(&ADVICE, &always_so, &always_so, None).is_empty());
    }
}
