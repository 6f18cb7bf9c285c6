//! Training pairs and the texts of the head, as the model's tokenizer has them.

use std::collections::{BTreeMap, BTreeSet};

use optical_distill::pairs::{retention_group, tokenize};
use optical_encoder::Outline;

use crate::ExperimentData;
use crate::Findings;
use crate::RunFile;
use crate::teaching::HeadTexts;

/// Texts that are tokenized together.
const CHUNK: usize = 1024;
/// Pairs that are looked at to say how long pairs are.
const SAMPLE: usize = 16 * CHUNK;

/// Pairs as they are tokenized, judged by the first of them.
#[derive(Debug, Clone, Default)]
pub struct PairSample {
    /// Pairs looked at that are short enough.
    pub pairs: usize,
    /// Their tokens on the teacher's side, and on the student's.
    pub tokens: [usize; 2],
    /// Entries of the vocabulary that the student's side has.
    pub pieces: BTreeSet<u32>,
    /// Bytes of their texts.
    pub bytes: usize,
}

/// Finds groups of pairs that have none short enough, and too little text for a head.
pub fn pairs(
    run: &RunFile,
    [teacher, student]: [&Outline; 2],
    data: &mut ExperimentData,
    findings: &mut Findings,
) -> anyhow::Result<PairSample> {
    let distill = &run.distill;
    let languages = distill.bitext.keys().cloned();
    let retained = distill.retention.keys().map(|it| retention_group(it));
    let mut missing: BTreeSet<String> = languages.chain(retained).collect();
    let mut sample = PairSample::default();
    let [target, input] = [teacher, student].map(|outline| &outline.tokenizer);
    let maximum = distill.maximum_length;
    // What code switching makes of sentences is left out: its tables take long.
    let switches = BTreeMap::new();
    let mut texts = data.training_texts(run, &switches)?;
    let mut read = 0;
    while read < SAMPLE || !missing.is_empty() {
        let chunk: Vec<_> = texts.by_ref().take(CHUNK).collect::<Result<_, _>>()?;
        if chunk.is_empty() {
            break;
        }
        let wanted = chunk
            .into_iter()
            .filter(|it| read < SAMPLE || missing.contains(&it.group));
        let wanted: Vec<_> = wanted.collect();
        sample.bytes += wanted
            .iter()
            .map(|it| it.target.len() + it.input.len())
            .sum::<usize>();
        for pair in tokenize(&wanted, target, input, maximum)? {
            sample.pairs += 1;
            sample.tokens[0] += pair.target.ids.len();
            sample.tokens[1] += pair.input.ids.len();
            sample.pieces.extend(&pair.input.ids);
            missing.remove(&pair.group);
        }
        read += CHUNK;
    }
    drop(texts);
    for group in missing {
        findings.fault(format!(
            "distill.maximum_length = {maximum}: no pair of {group} has a token on both sides and fits"
        ));
    }
    head(run, teacher, data, findings)?;
    Ok(sample)
}

/// Whether there are tokens enough for a head, where one has to be estimated.
fn head(
    run: &RunFile,
    outline: &Outline,
    data: &mut ExperimentData,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    if outline.has_head {
        return Ok(());
    }
    let texts = HeadTexts::draw(run, data)?;
    let settings = &run.distill.head;
    for (key, asked, found) in [
        ("sentences", settings.sentences, texts.sentences.len()),
        ("documents", settings.documents, texts.documents.len()),
    ] {
        if found < asked {
            findings.warn(format!("distill.head.{key} = {asked}: there are {found}"));
        }
    }
    let mut tokens = 0;
    for (texts, encode) in texts.groups(run) {
        let maximum = encode.maximum_length.min(outline.config.maximum_length());
        let sequences = outline
            .tokenizer
            .encode_many(&texts, encode.role, maximum)?;
        let kept = sequences.iter().flat_map(|it| &it.kept);
        tokens += kept.filter(|&&kept| kept).count();
    }
    let hidden = outline.config.hidden_size;
    if tokens < hidden {
        findings.fault(format!(
            "distill.head: {tokens} tokens of {} sentences and {} documents cannot span the {hidden} \
             dimensions of the model; give more",
            texts.sentences.len(),
            texts.documents.len()
        ));
    }
    Ok(())
}
