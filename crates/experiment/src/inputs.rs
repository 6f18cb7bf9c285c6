//! `inputs.json`: the data and the model that a run folder was begun with, so that nothing trained on
//! some continues with others.

use std::collections::BTreeMap;

use anyhow::bail;
use optical_corpus::collection::{Collection, Document};
use optical_distill::teaching::RankingText;
use optical_store::{Host, Key, Place, Store, key, read_json, write_json};
use serde::{Deserialize, Serialize};

use crate::{ExperimentData, RunFile, RunFolder};

const FILE: &str = "inputs.json";

/// What it is, and a hash of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Inputs(BTreeMap<String, String>);

impl Inputs {
    /// Names what students follow from beside the run file, but for the teacher.
    pub fn of_students(run: &RunFile, data: &ExperimentData) -> Self {
        let mut inputs = BTreeMap::new();
        for (language, key) in &data.bitext_keys {
            inputs.insert(format!("bitext in {language}"), key.clone());
        }
        inputs.insert("documents".into(), documents(&data.collection.documents));
        if let Some(development) = &data.development {
            let judged = run.languages.low.iter().map(String::as_str);
            inputs.insert("development".into(), collection(development, judged));
        }
        Self(inputs)
    }

    /// Adds the model that everything starts from.
    pub fn with_model(mut self, key: &str) -> Self {
        self.0.insert("model".into(), key.to_owned());
        self
    }

    /// Adds what a student of its own begins as, as far as it is at hand, and the files of English text
    /// that it reads.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn with_student(mut self, run: &RunFile, store: &Store) -> anyhow::Result<Self> {
        let Some(student) = &run.student else {
            return Ok(self);
        };
        let name = run.student_model();
        if name != run.model
            && let Place::Here(folder) = store.place(name)?
        {
            self.0.insert("student".into(), key::of_model(&folder)?);
        }
        if !student.english.texts.is_empty() {
            let mut key = Key::of("English text");
            for text in &student.english.texts {
                key.add_file(text.path())?;
            }
            self.0.insert("English text".into(), key.text());
        }
        Ok(self)
    }

    /// Adds the questions that scores are of.
    pub fn with_questions(mut self, run: &RunFile, data: &ExperimentData) -> Self {
        let classes = run.classes();
        let asked = classes.iter().map(|(language, _)| language.as_str());
        let key = collection(&data.collection, asked);
        self.0.insert("questions".into(), key);
        self
    }

    /// Names what a teacher follows from beside its file.
    pub fn of_teacher(model: &str, texts: &[&[RankingText]]) -> Self {
        let mut key = Key::of("relevance");
        for text in texts.iter().copied().flatten() {
            key.add(text.query.as_bytes());
            for document in &text.documents {
                key.add(document.as_bytes());
            }
            for score in &text.scores {
                key.add(score.to_le_bytes());
            }
        }
        Self(BTreeMap::from([("relevance data".into(), key.text())])).with_model(model)
    }

    /// Returns a hash of the questions that scores are of, where it is known.
    pub fn questions(&self) -> Option<&str> {
        self.0.get("questions").map(String::as_str)
    }

    /// Names what is other than in `before`; what only one of the two knows is not compared.
    pub fn changed_since(&self, before: &Self) -> Option<String> {
        let other = |(name, key): &(&String, &String)| {
            before.0.get(*name).is_some_and(|before| before != *key)
        };
        let changed = self.0.iter().filter(other);
        let changed: Vec<&str> = changed.map(|(name, _)| name.as_str()).collect();
        (!changed.is_empty()).then(|| changed.join(", "))
    }

    /// Reads what a folder was begun with; nothing where nobody wrote it down.
    ///
    /// # Errors
    /// If the file is damaged.
    pub fn of_folder(folder: &RunFolder) -> anyhow::Result<Self> {
        read_json(&folder.file(FILE))
    }

    /// Refuses a folder that was begun with something else, if something was trained there since.
    pub fn check(&self, folder: &RunFolder) -> anyhow::Result<()> {
        let before = Self::of_folder(folder)?;
        if let Some(changed) = self.changed_since(&before)
            && folder.is_trained_in()
        {
            bail!(
                "{} was begun with other data or another model: changed since are {changed}; put back \
                 what was there, or choose another folder with --run",
                folder.path().display()
            );
        }
        Ok(())
    }

    /// Notes in the folder what it follows from, if it is not refused. Where nothing was trained, what
    /// has changed is cheap to make anew.
    pub fn note(self, folder: &RunFolder, host: &Host) -> anyhow::Result<()> {
        self.check(folder)?;
        let before = Self::of_folder(folder)?;
        if before.0.is_empty() && folder.is_trained_in() {
            host.say(format_args!(
                "{} is of a former version, which did not write down its data and model: today's are \
                 taken to be the same",
                folder.path().display()
            ));
        }
        let mut all = before.clone();
        all.0.extend(self.0);
        if all != before {
            write_json(&folder.file(FILE), &all)?;
        }
        Ok(())
    }
}

/// Hashes documents.
pub fn documents(documents: &[Document]) -> String {
    let mut key = Key::of("documents");
    for document in documents {
        key.add(&document.id);
        key.add(document.full_text());
    }
    key.text()
}

/// Hashes a collection as far as some languages ask it.
fn collection<'a>(collection: &Collection, languages: impl Iterator<Item = &'a str>) -> String {
    let mut key = Key::of("collection").with(documents(&collection.documents));
    for language in languages {
        for queries in [&collection.queries, &collection.english] {
            for query in queries.get(language).into_iter().flatten() {
                key.add(language);
                key.add(&query.id);
                key.add(&query.text);
                key.add(query.own_document.as_deref().unwrap_or_default());
            }
        }
    }
    for judgement in &collection.judgements {
        key.add(&judgement.query);
        key.add(&judgement.document);
        key.add(judgement.grade.to_le_bytes());
    }
    key.text()
}
