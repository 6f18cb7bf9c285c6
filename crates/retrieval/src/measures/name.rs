//! Names of measures: `trec_eval`'s and, on the way in, those of `ir_measures`.

use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;

/// A measure; the order is that in which `trec_eval` prints, those it lacks at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Measure {
    /// `num_q`: number of topics.
    NumQ,
    /// `num_ret`: number of retrieved documents.
    NumRet,
    /// `num_rel`: number of relevant documents.
    NumRel,
    /// `num_rel_ret`: number of relevant documents retrieved.
    NumRelRet,
    /// `map`: mean average precision.
    Map,
    /// `gm_map`: geometric mean of average precision.
    GmMap,
    /// `Rprec`: precision at as many documents as are relevant.
    Rprec,
    /// `bpref`: preference of relevant over judged non-relevant documents.
    Bpref,
    /// `recip_rank`: reciprocal rank of the first relevant document.
    RecipRank,
    /// `iprec_at_recall_0.10`: interpolated precision at a recall in percent.
    IprecAtRecall(u8),
    /// `P_10`: precision.
    P(NonZeroUsize),
    /// `recall_100`: recall.
    Recall(NonZeroUsize),
    /// `11pt_avg`: mean of interpolated precision at eleven recalls.
    ElevenPtAvg,
    /// `ndcg`: normalised discounted cumulative gain.
    Ndcg,
    /// `ndcg_cut_10`: the same of the first documents.
    NdcgCut(NonZeroUsize),
    /// `map_cut_100`: average precision of the first documents.
    MapCut(NonZeroUsize),
    /// `success_1`: whether a relevant document is among the first.
    Success(NonZeroUsize),
    /// `set_P`: precision of all that was retrieved.
    SetP,
    /// `set_recall`: recall of all that was retrieved.
    SetRecall,
    /// `set_F`: harmonic mean of the two.
    SetF,
    /// `recip_rank_cut_10`: reciprocal rank, zero after the cut-off.
    RecipRankCut(NonZeroUsize),
    /// `judged_10`: share of the first documents, of at most as many as there are, that are judged.
    Judged(NonZeroUsize),
}

/// Why a name is not one of a measure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MeasureError {
    /// There is no such measure.
    #[error("there is no measure {0:?}; there are {names} (K is a positive integer, R a recall such as 0.10)", names = known_names())]
    Unknown(String),
    /// The parameter of a measure is wrong.
    #[error("{parameter:?} is not a cut-off of {measure}; it takes {expected}")]
    Parameter {
        /// The measure.
        measure: &'static str,
        /// What was given.
        parameter: String,
        /// What it takes.
        expected: &'static str,
    },
    /// The name stands for several measures where one is asked for.
    #[error("{0:?} stands for several measures where one is asked for")]
    Several(String),
}

/// Measures without a parameter: `trec_eval`'s name, another name, the measure.
const PLAIN: [(&str, &str, Measure); 14] = [
    ("num_q", "NumQ", Measure::NumQ),
    ("num_ret", "NumRet", Measure::NumRet),
    ("num_rel", "NumRel", Measure::NumRel),
    ("num_rel_ret", "NumRelRet", Measure::NumRelRet),
    ("map", "AP", Measure::Map),
    ("gm_map", "gm_map", Measure::GmMap),
    ("Rprec", "RPrec", Measure::Rprec),
    ("bpref", "Bpref", Measure::Bpref),
    ("recip_rank", "RR", Measure::RecipRank),
    ("11pt_avg", "11pt_avg", Measure::ElevenPtAvg),
    ("ndcg", "nDCG", Measure::Ndcg),
    ("set_P", "SetP", Measure::SetP),
    ("set_recall", "SetR", Measure::SetRecall),
    ("set_F", "SetF", Measure::SetF),
];

/// A measure of the first documents.
struct Cut {
    name: &'static str,
    /// The name before an `@`.
    alias: &'static str,
    measure: fn(NonZeroUsize) -> Measure,
    defaults: &'static [usize],
}

const CUTOFFS: &[usize] = &[5, 10, 15, 20, 30, 100, 200, 500, 1000];

const CUT: [Cut; 7] = [
    Cut {
        name: "P",
        alias: "P",
        measure: Measure::P,
        defaults: CUTOFFS,
    },
    Cut {
        name: "recall",
        alias: "R",
        measure: Measure::Recall,
        defaults: CUTOFFS,
    },
    Cut {
        name: "ndcg_cut",
        alias: "nDCG",
        measure: Measure::NdcgCut,
        defaults: CUTOFFS,
    },
    Cut {
        name: "map_cut",
        alias: "AP",
        measure: Measure::MapCut,
        defaults: CUTOFFS,
    },
    Cut {
        name: "success",
        alias: "Success",
        measure: Measure::Success,
        defaults: &[1, 5, 10],
    },
    Cut {
        name: "recip_rank_cut",
        alias: "RR",
        measure: Measure::RecipRankCut,
        defaults: CUTOFFS,
    },
    Cut {
        name: "judged",
        alias: "Judged",
        measure: Measure::Judged,
        defaults: &[5, 10, 20],
    },
];

const RECALL: &str = "iprec_at_recall";

/// `trec_eval`'s default set, without its `runid`, which is not a number.
const OFFICIAL: [&str; 11] = [
    "num_q",
    "num_ret",
    "num_rel",
    "num_rel_ret",
    "map",
    "gm_map",
    "Rprec",
    "bpref",
    "recip_rank",
    "iprec_at_recall",
    "P",
];

impl Measure {
    /// Returns the measures that a name stands for.
    ///
    /// A name with a cut-off (`P_10`, `ndcg_cut_10`) is one measure; `ndcg_cut.5,10` is a list;
    /// without one (`P`, `ndcg_cut`, `iprec_at_recall`) it stands for `trec_eval`'s default
    /// cut-offs. `official` is `trec_eval`'s default set, `all_trec` every measure that both have.
    /// `AP`, `nDCG@10`, `R@100`, `RR@10` and their like are understood as well.
    ///
    /// # Errors
    /// If there is no such measure, or a cut-off is not a positive integer.
    pub fn parse(name: &str) -> Result<Vec<Self>, MeasureError> {
        match name {
            "official" => {
                let measures: Result<Vec<_>, _> = OFFICIAL.into_iter().map(Self::parse).collect();
                return Ok(measures?.concat());
            }
            "all_trec" => return Ok(all_trec()),
            _ => {}
        }
        if let Some((.., measure)) = PLAIN
            .iter()
            .find(|(own, other, _)| name == *own || name == *other)
        {
            return Ok(vec![*measure]);
        }
        if let Some(rest) = name
            .strip_prefix(RECALL)
            .or(name.strip_prefix("IPrec@").map(|_| &name[5..]))
        {
            return recalls(rest).unwrap_or_else(|| Err(MeasureError::Unknown(name.to_owned())));
        }
        let known = CUT.iter().find_map(|cut| cut.parse(name));
        known.unwrap_or_else(|| Err(MeasureError::Unknown(name.to_owned())))
    }

    /// Whether the value over all topics is a sum of counts.
    #[must_use]
    pub fn is_count(self) -> bool {
        matches!(
            self,
            Self::NumQ | Self::NumRet | Self::NumRel | Self::NumRelRet
        )
    }

    /// Whether the measure says something about a single topic.
    #[must_use]
    pub fn is_per_topic(self) -> bool {
        !matches!(self, Self::NumQ | Self::GmMap)
    }
}

impl Cut {
    fn parse(&self, name: &str) -> Option<Result<Vec<Measure>, MeasureError>> {
        if name == self.name {
            let defaults = self.defaults.iter().filter_map(|&k| NonZeroUsize::new(k));
            return Some(Ok(defaults.map(self.measure).collect()));
        }
        let own = name
            .strip_prefix(self.name)
            .and_then(|rest| rest.strip_prefix(['_', '.']));
        let other = || {
            name.strip_prefix(self.alias)
                .and_then(|rest| rest.strip_prefix('@'))
        };
        let cutoffs = own.or_else(other)?;
        let measure = |cutoff: &str| match cutoff.parse() {
            Ok(cutoff) => Ok((self.measure)(cutoff)),
            Err(_) => Err(MeasureError::Parameter {
                measure: self.name,
                parameter: cutoff.to_owned(),
                expected: "positive integers",
            }),
        };
        Some(cutoffs.split(',').map(measure).collect())
    }
}

/// Parses what follows `iprec_at_recall`.
fn recalls(rest: &str) -> Option<Result<Vec<Measure>, MeasureError>> {
    if rest.is_empty() {
        return Some(Ok((0..=100)
            .step_by(10)
            .map(Measure::IprecAtRecall)
            .collect()));
    }
    let recalls = rest.strip_prefix(['_', '.', '@'])?;
    let measure = |recall: &str| {
        let percent = recall.parse::<f64>().ok().map(|recall| recall * 100.0);
        let whole =
            percent.filter(|it| (0.0..=100.0).contains(it) && (it - it.round()).abs() < 1e-9);
        match whole {
            Some(percent) => Ok(Measure::IprecAtRecall(percent.round() as u8)),
            None => Err(MeasureError::Parameter {
                measure: RECALL,
                parameter: recall.to_owned(),
                expected: "recalls from 0 to 1 in steps of 0.01",
            }),
        }
    };
    Some(recalls.split(',').map(measure).collect())
}

fn all_trec() -> Vec<Measure> {
    let mut measures: Vec<Measure> = PLAIN.iter().map(|(.., measure)| *measure).collect();
    measures.extend((0..=100).step_by(10).map(Measure::IprecAtRecall));
    for cut in CUT
        .iter()
        .filter(|cut| !["recip_rank_cut", "judged"].contains(&cut.name))
    {
        measures.extend(
            cut.defaults
                .iter()
                .filter_map(|&k| NonZeroUsize::new(k))
                .map(cut.measure),
        );
    }
    measures
}

fn known_names() -> String {
    let plain = PLAIN.iter().map(|(name, ..)| (*name).to_owned());
    let cut = CUT.iter().map(|cut| format!("{}_K", cut.name));
    let sets = [
        format!("{RECALL}_R"),
        "official".to_owned(),
        "all_trec".to_owned(),
    ];
    plain.chain(cut).chain(sets).collect::<Vec<_>>().join(", ")
}

impl FromStr for Measure {
    type Err = MeasureError;

    fn from_str(name: &str) -> Result<Self, MeasureError> {
        match Self::parse(name)?.as_slice() {
            [measure] => Ok(*measure),
            _ => Err(MeasureError::Several(name.to_owned())),
        }
    }
}

/// Writes `trec_eval`'s name.
impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::IprecAtRecall(percent) => {
                format!("{RECALL}_{}.{:02}", percent / 100, percent % 100)
            }
            Self::P(k) => format!("P_{k}"),
            Self::Recall(k) => format!("recall_{k}"),
            Self::NdcgCut(k) => format!("ndcg_cut_{k}"),
            Self::MapCut(k) => format!("map_cut_{k}"),
            Self::Success(k) => format!("success_{k}"),
            Self::RecipRankCut(k) => format!("recip_rank_cut_{k}"),
            Self::Judged(k) => format!("judged_{k}"),
            plain => {
                let named = PLAIN.iter().find(|(.., measure)| measure == plain);
                named.map_or("", |(name, ..)| name).to_owned()
            }
        };
        f.pad(&name)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_name_reads_back_as_itself() {
        let mut measures = all_trec();
        for name in ["recip_rank_cut", "judged", "iprec_at_recall_0.05"] {
            measures.extend(Measure::parse(name).unwrap());
        }
        assert_eq!(measures.len(), 14 + 11 + 4 * 9 + 3 + 9 + 3 + 1);
        for measure in measures {
            assert_eq!(measure.to_string().parse(), Ok(measure));
        }
    }

    #[test]
    fn other_names_are_understood() {
        let pairs = [
            ("AP", "map"),
            ("AP@100", "map_cut_100"),
            ("nDCG@10", "ndcg_cut_10"),
            ("nDCG", "ndcg"),
            ("R@100", "recall_100"),
            ("RR", "recip_rank"),
            ("RR@10", "recip_rank_cut_10"),
            ("P@5", "P_5"),
            ("Judged@10", "judged_10"),
            ("IPrec@0.1", "iprec_at_recall_0.10"),
            ("P.5", "P_5"),
            ("Success@1", "success_1"),
        ];
        for (name, own) in pairs {
            assert_eq!(name.parse::<Measure>().unwrap().to_string(), own);
        }
    }

    #[test]
    fn groups_and_lists_expand() {
        let names = |name| {
            Measure::parse(name)
                .unwrap()
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        assert_eq!(names("success"), ["success_1", "success_5", "success_10"]);
        assert_eq!(names("ndcg_cut.10,3"), ["ndcg_cut_10", "ndcg_cut_3"]);
        assert_eq!(names("P").len(), 9);
        assert_eq!(names("iprec_at_recall")[10], "iprec_at_recall_1.00");
        assert_eq!(names("official").len(), 9 + 11 + 9);
        assert_eq!(
            "P".parse::<Measure>(),
            Err(MeasureError::Several("P".into()))
        );
    }

    #[test]
    fn errors_say_what_there_is() {
        let message = Measure::parse("mapp").unwrap_err().to_string();
        assert!(
            message.starts_with("there is no measure \"mapp\"; there are num_q"),
            "{message}"
        );
        assert!(message.contains("ndcg_cut_K"), "{message}");
        for name in [
            "P_0",
            "ndcg_cut_-1",
            "recall_x",
            "P_",
            "iprec_at_recall_0.123",
            "iprec_at_recall_2",
        ] {
            let error = Measure::parse(name).unwrap_err();
            assert!(
                matches!(error, MeasureError::Parameter { .. }),
                "{name}: {error}"
            );
        }
        for name in ["", "map_", "R", "P10", "iprec_at_recallx", "AP@"] {
            assert!(Measure::parse(name).is_err(), "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_name_is_measures_or_refused(
            name in "(map|P|AP|nDCG|ndcg_cut|recall|iprec_at_recall|judged|success|[a-zé]{0,3})[_.@]?[-0-9.,]{0,20}"
        ) {
            for measure in Measure::parse(&name).unwrap_or_default() {
                prop_assert_eq!(measure.to_string().parse(), Ok(measure), "{}", &name);
            }
        }
    }
}
