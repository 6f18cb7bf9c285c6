//! The frozen space of a run: the teacher, the head after it, and the documents as it reads them.

use std::collections::BTreeMap;

use optical_corpus::collection::Collection;
use optical_encoder::Head;
use optical_evaluation::{Asked, BuiltIn, Evaluations, Queries, System};
use optical_store::{KeptIndex, Key, Reader};

use crate::language_shift::LanguageShift;
use crate::{Experiment, ExperimentData, Lexical};

/// Where queries are put and documents are.
pub struct Space {
    /// Reads the documents, and is what students start from.
    pub teacher: Reader,
    /// Comes after teacher and students.
    pub head: Head,
    /// The documents after the head.
    pub index: KeptIndex,
    raw: Head,
    raw_index: KeptIndex,
    shift: LanguageShift,
}

impl Space {
    /// Indexes the documents of a run's data, after the head and without it.
    ///
    /// # Errors
    /// If the device fails, the bitext cannot be read, the cache cannot be written, or somebody stops it.
    pub fn open(
        experiment: &Experiment,
        teacher: Reader,
        head: Head,
        data: &mut ExperimentData,
    ) -> anyhow::Result<Self> {
        let shift = LanguageShift::draw(experiment, data)?;
        let documents = &data.collection.documents;
        let raw = Head::identity(teacher.model.config.hidden_size);
        let mut indexes = experiment.indexes(&teacher, &[&head, &raw], documents)?;
        let raw_index = indexes.remove(1);
        Ok(Self {
            index: indexes.remove(0),
            teacher,
            head,
            raw,
            raw_index,
            shift,
        })
    }

    /// Reads a collection's documents once for several heads, and for none: where [`Space::open`] is
    /// given one of them, it finds its indexes in the cache.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn prepare(
        experiment: &Experiment,
        teacher: &Reader,
        heads: &[Head],
        collection: &Collection,
    ) -> anyhow::Result<()> {
        let raw = Head::identity(teacher.model.config.hidden_size);
        let heads: Vec<&Head> = heads.iter().chain([&raw]).collect();
        experiment.make_indexes(teacher, &heads, &collection.documents)
    }

    /// Ranks a collection's queries by all systems that are not trained, and measures the rankings.
    ///
    /// # Errors
    /// If a ranking cannot be made or kept, or somebody stops it.
    pub fn evaluate_untrained(
        &self,
        experiment: &Experiment,
        collection: &Collection,
        lexical: &Lexical,
    ) -> anyhow::Result<Evaluations> {
        let queries = experiment.asked(&collection.queries);
        let english = experiment.asked(&collection.english);
        let (raw, after) = ((&self.raw, &self.raw_index), (&self.head, &self.index));
        let unshifted = BTreeMap::new();
        let mut systems = lexical.systems(&queries, &english);
        let named = |system: BuiltIn, space, queries| {
            late_interaction(system.name(), &self.teacher, space, &unshifted, queries)
        };
        // A student of its own is trained on English text before it is anything to compare with.
        let plain = match experiment.run.student {
            Some(_) => BuiltIn::Teacher,
            None => BuiltIn::ZeroShot,
        };
        systems.extend([
            named(BuiltIn::ZeroShotRaw, raw, &queries),
            named(plain, after, &queries),
            named(BuiltIn::English, after, &english),
        ]);
        experiment.evaluator().evaluate(collection, &systems)
    }

    /// Ranks a collection's queries by a student, as the system `name`, and measures the rankings.
    ///
    /// # Errors
    /// As [`evaluate_untrained`](Self::evaluate_untrained).
    pub fn evaluate(
        &self,
        experiment: &Experiment,
        collection: &Collection,
        name: &str,
        student: &Reader,
    ) -> anyhow::Result<Evaluations> {
        let own = experiment.own_index(student, collection)?;
        let queries = experiment.asked(&collection.queries);
        let space = (&student.head, own.as_ref().unwrap_or(&self.index));
        let shifted = self.shift.heads(experiment, student)?;
        let asked = [late_interaction(name, student, space, &shifted, &queries)];
        experiment.evaluator().evaluate(collection, &asked)
    }
}

/// A model that reads queries, and an index after a head.
fn late_interaction<'a>(
    name: &'a str,
    reader: &'a Reader,
    (head, index): (&'a Head, &'a KeptIndex),
    shifted: &'a BTreeMap<String, Head>,
    queries: &'a Queries,
) -> Asked<'a> {
    let mut key = Key::of("late interaction")
        .with(&reader.key)
        .with(&index.key);
    for (language, head) in shifted {
        key.add(language);
        for value in &head.bias {
            key.add(value.to_le_bytes());
        }
    }
    Asked {
        name,
        system: System::LateInteraction {
            model: &reader.model,
            head,
            shifted,
            index: &*index.index,
        },
        key: key.text(),
        queries,
    }
}
