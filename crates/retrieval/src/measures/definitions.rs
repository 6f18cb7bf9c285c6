//! What each measure is, for one topic.

use super::judged::JudgedRanking;
use super::name::Measure;

/// Returns the value of a measure for a topic, unless it is undefined.
pub(super) fn value(measure: Measure, ranking: &JudgedRanking) -> Option<f64> {
    let retrieved = ranking.grades().len();
    let found = ranking.relevant_retrieved();
    let relevant = ranking.relevant;
    Some(match measure {
        Measure::NumQ => 1.0,
        Measure::NumRet => retrieved as f64,
        Measure::NumRel => relevant as f64,
        Measure::NumRelRet => found as f64,
        Measure::Map | Measure::GmMap => average_precision(ranking, usize::MAX),
        Measure::MapCut(k) => average_precision(ranking, k.get()),
        Measure::Rprec => ratio(ranking.relevant_in(relevant), relevant),
        Measure::Bpref => bpref(ranking),
        Measure::RecipRank => reciprocal_rank(ranking, usize::MAX),
        Measure::RecipRankCut(k) => reciprocal_rank(ranking, k.get()),
        Measure::IprecAtRecall(percent) => interpolated_precision(ranking, percent)?,
        Measure::ElevenPtAvg => {
            let points = (0..=100)
                .step_by(10)
                .map(|it| interpolated_precision(ranking, it));
            points.sum::<Option<f64>>()? / 11.0
        }
        Measure::P(k) => ratio(ranking.relevant_in(k.get()), k.get()),
        Measure::Recall(k) => ratio(ranking.relevant_in(k.get()), relevant),
        Measure::Ndcg => ndcg(ranking, usize::MAX),
        Measure::NdcgCut(k) => ndcg(ranking, k.get()),
        Measure::Success(k) => f64::from(u8::from(ranking.relevant_in(k.get()) > 0)),
        Measure::SetP => ratio(found, retrieved),
        Measure::SetRecall => ratio(found, relevant),
        Measure::SetF => {
            let (precision, recall) = (ratio(found, retrieved), ratio(found, relevant));
            if found == 0 {
                0.0
            } else {
                2.0 * precision * recall / (precision + recall)
            }
        }
        Measure::Judged(k) => {
            let seen = &ranking.grades()[..k.get().min(retrieved)];
            if seen.is_empty() && ranking.retrieved {
                return None;
            }
            ratio(seen.iter().flatten().count(), seen.len())
        }
    })
}

/// Returns a quotient of counts that is zero where there is nothing to count.
fn ratio(count: usize, total: usize) -> f64 {
    if total == 0 {
        0.0
    } else {
        count as f64 / total as f64
    }
}

/// Returns the mean, over all relevant documents, of the precision at the rank of each, zero if it is
/// not within the first `cutoff`.
fn average_precision(ranking: &JudgedRanking, cutoff: usize) -> f64 {
    let (mut found, mut sum) = (0, 0.0);
    for (rank, relevant) in (1..=cutoff).zip(ranking.relevance()) {
        if relevant {
            found += 1;
            sum += ratio(found, rank);
        }
    }
    if found == 0 {
        0.0
    } else {
        sum / ranking.relevant as f64
    }
}

fn reciprocal_rank(ranking: &JudgedRanking, cutoff: usize) -> f64 {
    let first = ranking
        .relevance()
        .take(cutoff)
        .position(|relevant| relevant);
    first.map_or(0.0, |position| 1.0 / (position + 1) as f64)
}

/// Discounted cumulative gain over that of the best ranking there is; the gain is the grade, the
/// discount the binary logarithm of one more than the rank (Järvelin and Kekäläinen, 2002).
fn ndcg(ranking: &JudgedRanking, cutoff: usize) -> f64 {
    let gain = |grades: &mut dyn Iterator<Item = i32>| {
        let ranked = (0..cutoff).zip(grades).filter(|(_, grade)| *grade > 0);
        ranked.fold(0.0, |sum, (position, grade)| {
            sum + f64::from(grade) / (position as f64 + 2.0).log2()
        })
    };
    let ideal = gain(&mut ranking.ideal.iter().copied());
    let achieved = gain(&mut ranking.grades().iter().map(|grade| grade.unwrap_or(0)));
    if ideal > 0.0 { achieved / ideal } else { 0.0 }
}

/// Share of judged non-relevant documents, at most as many as there are relevant ones, that rank
/// after a relevant document; zero for relevant documents that were not retrieved (Buckley and
/// Voorhees, SIGIR 2004).
fn bpref(ranking: &JudgedRanking) -> f64 {
    let bound = ranking.nonrelevant.min(ranking.relevant);
    let (mut ahead, mut sum) = (0, 0.0);
    for (grade, relevant) in ranking.grades().iter().zip(ranking.relevance()) {
        if relevant {
            sum += 1.0 - ratio(ahead.min(ranking.relevant), bound);
        } else if grade.is_some() {
            ahead += 1;
        }
    }
    if ranking.relevant == 0 {
        0.0
    } else {
        sum / ranking.relevant as f64
    }
}

/// Returns the highest precision at any rank with at least `percent` of the relevant documents.
///
/// The documents a recall asks for are rounded as `trec_eval` 9 rounds them: down, after adding 0.9.
fn interpolated_precision(ranking: &JudgedRanking, percent: u8) -> Option<f64> {
    let wanted = (f64::from(percent) / 100.0 * ranking.relevant as f64 + 0.9) as usize;
    if ranking.grades().is_empty() && ranking.retrieved && wanted == 0 {
        return None;
    }
    let (mut found, mut best) = (0, 0.0_f64);
    for (rank, relevant) in (1..).zip(ranking.relevance()) {
        found += usize::from(relevant);
        if found >= wanted {
            best = best.max(ratio(found, rank));
        }
    }
    Some(best)
}
