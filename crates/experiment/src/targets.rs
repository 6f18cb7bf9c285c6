//! What the teacher makes of training sentences, read once for all students and runs that have them.

use std::ops::ControlFlow;

use optical_distill::settings::TeacherReads;
use optical_distill::{TargetStates, Targets, TokenizedPairs};
use optical_store::{Key, Reader, device_kind};

use crate::Experiment;

/// Where the states are in the cache.
const FOLDER: &str = "states";

/// Returns the teacher's states of the targets of pairs, from the cache where they are there; `None` where
/// the run file has them read in every step.
///
/// # Errors
/// If the device fails, the cache cannot be written, or somebody stops it.
pub(crate) fn read_once(
    experiment: &Experiment,
    teacher: &Reader,
    pairs: &TokenizedPairs,
) -> anyhow::Result<Option<TargetStates>> {
    let Experiment { run, site, .. } = experiment;
    if run.distill.teacher_reads != Some(TeacherReads::Once) {
        return Ok(None);
    }
    let (store, device) = (&site.store, site.device());
    let tokens_per_batch = run.retrieval.tokens_per_batch;
    let mut key = Key::of("teacher states")
        .with(&teacher.key)
        .with(device_kind(device))
        .with(tokens_per_batch.to_le_bytes());
    let targets = Targets::of(pairs, |sentence| key.add(sentence))?;
    let path = store.cache.join(FOLDER);
    let path = path.join(format!("{}.safetensors", key.text()));
    if !path.is_file() {
        let _lock = store.lock(&path)?;
        if !path.is_file() {
            let mut progress = None;
            let mut hear = |done: usize, all: usize| {
                let progress = progress.get_or_insert_with(|| {
                    store
                        .host
                        .progress("teacher reads", done as u64, all as u64)
                });
                progress.at(done as u64, "");
                match store.host.is_stopping() {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            };
            let place = (path.as_path(), device);
            targets.write(&teacher.model, pairs, tokens_per_batch, place, &mut hear)?;
            store.host.check()?;
        }
    }
    let width = teacher.model.config.hidden_size;
    Ok(Some(targets.open(&path, width)?))
}
