//! Systems that need no encoder: BM25 on queries as they are, translated, and in English.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context, ensure};
use optical_corpus::collection::Query;
use optical_evaluation::{Asked, BuiltIn, Queries, System};
use optical_retrieval::translation::{CodeSwitch, TranslationTable, dictionary, ibm1};
use optical_retrieval::{Bm25Index, Bm25Settings};
use optical_store::{Key, write};

use crate::{
    Experiment, ExperimentData, RunFile, TableSource, TranslationSettings, inputs, translator,
};

/// Counts what the words of the same text have been: rankings and tables by other words are made anew.
pub const WORDS: u32 = optical_retrieval::WORDS_REVISION;

/// Tables by language.
type Tables = BTreeMap<String, TranslationTable>;

/// What these systems search with.
pub struct Lexical {
    settings: Option<TranslationSettings>,
    index: Bm25Index,
    /// A hash of what the index follows from.
    key: String,
    tables: BTreeMap<TableSource, Tables>,
    /// Queries as an external translator has them, of the languages that have one.
    translated: BTreeMap<String, Vec<Query>>,
}

impl Lexical {
    /// Indexes the documents, and makes tables and translations or reads them back.
    ///
    /// # Errors
    /// If a dictionary or a program fails, or somebody stops it.
    pub fn prepare(experiment: &Experiment, data: &mut ExperimentData) -> anyhow::Result<Self> {
        let run = &experiment.run;
        let documents = &data.collection.documents;
        let key = Key::of("bm25")
            .with(WORDS.to_le_bytes())
            .with(inputs::documents(documents))
            .with(run.retrieval.bm25_k1.to_le_bytes())
            .with(run.retrieval.bm25_b.to_le_bytes())
            .text();
        let index = Bm25Index::new(
            documents
                .iter()
                .map(|document| (document.id.clone(), document.full_text())),
            Bm25Settings {
                k1: run.retrieval.bm25_k1,
                b: run.retrieval.bm25_b,
            },
        )?;
        let mut lexical = Self {
            settings: None,
            index,
            key,
            tables: BTreeMap::new(),
            translated: BTreeMap::new(),
        };
        let Some(settings) = &run.translation else {
            return Ok(lexical);
        };
        std::fs::create_dir_all(experiment.folder.translation())
            .with_context(|| experiment.folder.translation().display().to_string())?;
        // What may be missing comes before what takes time.
        if let Some(stems) = &settings.dictionary {
            let tables = stems
                .iter()
                .map(|(language, stem)| Ok((language.clone(), dictionary::read(stem)?)))
                .collect::<anyhow::Result<_>>()
                .context("[translation.dictionary]")?;
            lexical.tables.insert(TableSource::Dictionary, tables);
        }
        for (language, command) in settings.command.iter().flatten() {
            experiment.host().check()?;
            let queries = &data.collection.queries[language];
            let translated = translate(experiment, language, command, queries)
                .with_context(|| format!("translation.command.{language}"))?;
            lexical.translated.insert(language.clone(), translated);
        }
        if let Some(settings) = settings.ibm1 {
            let tables = ibm1_tables(experiment, data, settings)?;
            lexical.tables.insert(TableSource::Ibm1, tables);
        }
        lexical.settings = Some(settings.clone());
        Ok(lexical)
    }

    /// Returns the documents by their words.
    pub fn words(&self) -> &Bm25Index {
        &self.index
    }

    /// Returns what makes English sentences code-switched, by language, if the run file asks for it.
    ///
    /// # Errors
    /// If a language has no table, or none of its words is probable enough.
    pub fn code_switches(&self, run: &RunFile) -> anyhow::Result<BTreeMap<String, CodeSwitch>> {
        let Some(settings) = &run.code_switching else {
            return Ok(BTreeMap::new());
        };
        let tables = &self.tables[&settings.table];
        let languages = run.distill.code_switched.keys();
        let switches = languages.map(|language| {
            let table = tables.get(language);
            let table = table.with_context(|| {
                format!("distill.code_switched.{language}: there is no table of its words")
            })?;
            let switch = CodeSwitch::new(table, settings.minimum_probability);
            ensure!(
                !switch.is_empty(),
                "distill.code_switched.{language}: no word of the table is probable enough"
            );
            Ok((language.clone(), switch))
        });
        switches.collect()
    }

    /// Returns the systems with what each is asked.
    pub fn systems<'b>(&'b self, queries: &'b Queries, english: &'b Queries) -> Vec<Asked<'b>> {
        let bm25 = |system: BuiltIn, queries| Asked {
            name: system.name(),
            system: System::Bm25(&self.index),
            key: self.key.clone(),
            queries,
        };
        let mut systems = vec![bm25(BuiltIn::Bm25, queries)];
        for system in self.settings.iter().flat_map(|it| &it.systems) {
            let translation = system.query_translation();
            systems.push(Asked {
                name: &system.name,
                key: Key::of(&self.key).with(format!("{translation:?}")).text(),
                system: System::Translated {
                    index: &self.index,
                    tables: &self.tables[&system.table],
                    translation,
                },
                queries,
            });
        }
        if !self.translated.is_empty() {
            systems.push(bm25(BuiltIn::Translator, &self.translated));
        }
        systems.push(bm25(BuiltIn::Bm25English, english));
        systems
    }
}

/// Makes a table for each language of the run that has bitext, kept in the run folder.
fn ibm1_tables(
    experiment: &Experiment,
    data: &mut ExperimentData,
    settings: ibm1::Ibm1Settings,
) -> anyhow::Result<Tables> {
    let mut tables = Tables::new();
    let folder = &experiment.folder;
    for (language, _) in experiment.run.classes() {
        experiment.host().check()?;
        let Some(pairs) = data.bitext_keys.get(&language) else {
            continue;
        };
        let path = folder.translation().join(format!("ibm1.{language}.tsv"));
        let key = Key::of("ibm1")
            .with(WORDS.to_le_bytes())
            .with(pairs)
            .with(format!("{settings:?}"))
            .text();
        let mut keys = folder.keys()?;
        if !path.is_file() || keys.of(&path) != Some(&key) {
            let began = Instant::now();
            let pairs = data.training_pairs(&language)?;
            let pairs = pairs.iter().map(|pair| (&*pair.foreign, &*pair.english));
            let table = ibm1::train(pairs, settings).table;
            table.write(&path)?;
            keys.set(&path, key);
            keys.write()?;
            let translations: usize = table.iter().map(|(_, found)| found.len()).sum();
            experiment.host().say(format_args!(
                "translation table {language}: {} words, {translations} translations, {:.1} s",
                table.len(),
                began.elapsed().as_secs_f64()
            ));
        }
        tables.insert(language, TranslationTable::read(&path)?);
    }
    Ok(tables)
}

/// Queries with their texts translated, kept in the run folder.
fn translate(
    experiment: &Experiment,
    language: &str,
    command: &[String],
    queries: &[Query],
) -> anyhow::Result<Vec<Query>> {
    let folder = &experiment.folder;
    let path = &folder.translation().join(format!("command.{language}.txt"));
    let mut key = Key::of("translated queries");
    for part in command {
        key.add(part);
    }
    for query in queries {
        key.add(Key::of("query").with(&query.text).text());
    }
    let key = key.text();
    let mut keys = folder.keys()?;
    // What a former version kept without a key may have taken hours: it is taken as it is.
    if !path.is_file() || keys.of(path).is_some_and(|known| known != key) {
        let texts: Vec<&str> = queries.iter().map(|query| query.text.as_str()).collect();
        let lines = translator::translate(command, &experiment.site.programs, &texts)?;
        write(path, (lines.join("\n") + "\n").as_bytes())?;
    }
    keys.set(path, key);
    keys.write()?;
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let lines: Vec<&str> = text.lines().collect();
    ensure!(
        lines.len() == queries.len(),
        "{} has {} lines for {} queries; delete it to translate again",
        path.display(),
        lines.len(),
        queries.len()
    );
    let translated = queries.iter().zip(lines).map(|(query, line)| Query {
        text: line.to_owned(),
        ..query.clone()
    });
    Ok(translated.collect())
}
