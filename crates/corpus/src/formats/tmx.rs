//! Translation memories (TMX 1.4): units of segments, each in a language.

use std::path::{Path, PathBuf};

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde::{Deserialize, Serialize};

use super::lines::read_bytes;
use super::parallel_lines::keep_full_pair;
use crate::bitext::{BitextReport, DataRoots, SentencePair, files_of};
use crate::error::{CorpusError, LineProblem};

/// Elements within a segment whose text is mark-up of the original document, not words.
const MARK_UP: [&[u8]; 5] = [b"bpt", b"ept", b"it", b"ph", b"ut"];

/// A translation memory, as named in a run file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tmx {
    /// The file, with `{language}` where files of several languages differ.
    pub file: String,
    /// What it calls English: `en` is for `en-GB`, too.
    pub english: String,
    /// What it calls the other language, in which `{language}` stands for the ISO 639-3 code.
    pub foreign: String,
    /// The languages to read, by their ISO 639-3 codes.
    pub languages: Vec<String>,
}

impl Tmx {
    pub(crate) fn read(
        &self,
        roots: &DataRoots,
        report: &mut BitextReport,
    ) -> Result<Vec<SentencePair>, CorpusError> {
        let shared = self.foreign.contains("{language}");
        let pattern = if shared { &self.foreign } else { &self.file };
        files_of(pattern, &self.languages)?;
        let mut pairs = Vec::new();
        for language in &self.languages {
            let named = |pattern: &str| pattern.replace("{language}", language);
            let path = roots.resolve(&PathBuf::from(named(&self.file)));
            let tags = [self.english.clone(), named(&self.foreign)];
            units(&path, |unit| {
                // A unit has a segment a language; of several, the first counts.
                let [english, foreign] = tags.each_ref().map(|tag| {
                    let mut segments = unit.iter();
                    let found = segments.find(|(language, _)| is_of(language, tag));
                    found.map_or("", |(_, text)| text.as_str())
                });
                keep_full_pair(english, foreign, language, &mut pairs, report);
            })?;
        }
        Ok(pairs)
    }
}

/// Whether a language tag is `wanted` or a regional kind of it.
fn is_of(tag: &str, wanted: &str) -> bool {
    let (tag, wanted) = (tag.to_ascii_lowercase(), wanted.to_ascii_lowercase());
    let rest = tag.strip_prefix(&wanted);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
}

/// Gives each unit's segments with their language tags.
fn units(path: &Path, mut give: impl FnMut(&[(String, String)])) -> Result<(), CorpusError> {
    let bytes = read_bytes(path)?;
    let mut reader = Reader::from_reader(bytes.as_slice());
    let mut unit: Vec<(String, String)> = Vec::new();
    let (mut in_segment, mut mark_up) = (false, 0_usize);
    let mut ended = false;
    loop {
        let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        let refuse = |reason: String| {
            let lines = bytes[..at.min(bytes.len())].iter();
            let line = 1 + lines.filter(|&&byte| byte == b'\n').count();
            CorpusError::line(path, line, LineProblem::Xml(reason))
        };
        match reader
            .read_event()
            .map_err(|error| refuse(error.to_string()))?
        {
            Event::Start(element) => match element.local_name().as_ref() {
                b"tu" => unit.clear(),
                b"tuv" => unit.push((tag_of(&element).map_err(refuse)?, String::new())),
                b"seg" => in_segment = true,
                name if MARK_UP.contains(&name) => mark_up += 1,
                _ => {}
            },
            Event::End(element) => match element.local_name().as_ref() {
                b"tu" => give(&unit),
                b"seg" => in_segment = false,
                b"tmx" => ended = true,
                name if MARK_UP.contains(&name) => mark_up = mark_up.saturating_sub(1),
                _ => {}
            },
            Event::Text(text) if in_segment && mark_up == 0 => {
                let text = text.decode().map_err(|error| refuse(error.to_string()))?;
                append(&mut unit, &text);
            }
            Event::CData(text) if in_segment && mark_up == 0 => {
                let text = text.decode().map_err(|error| refuse(error.to_string()))?;
                append(&mut unit, &text);
            }
            Event::GeneralRef(name) if in_segment && mark_up == 0 => {
                let character = name.resolve_char_ref();
                let character = character.map_err(|error| refuse(error.to_string()))?;
                match character {
                    Some(character) => append(&mut unit, character.encode_utf8(&mut [0; 4])),
                    None => {
                        let name = name.decode().map_err(|error| refuse(error.to_string()))?;
                        let text = quick_xml::escape::resolve_predefined_entity(&name);
                        let text =
                            text.ok_or_else(|| refuse(format!("unknown entity &{name};")))?;
                        append(&mut unit, text);
                    }
                }
            }
            Event::Eof if ended => return Ok(()),
            Event::Eof => return Err(refuse("it ends before </tmx>".into())),
            _ => {}
        }
    }
}

fn append(unit: &mut [(String, String)], text: &str) {
    if let Some((_, segment)) = unit.last_mut() {
        segment.push_str(text);
    }
}

/// The language of a variant: `xml:lang`, or `lang` in old files.
fn tag_of(variant: &BytesStart<'_>) -> Result<String, String> {
    for attribute in variant.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        if attribute.key.local_name().as_ref() == b"lang" {
            return String::from_utf8(attribute.value.into_owned())
                .map_err(|error| error.to_string());
        }
    }
    Err("<tuv> has no xml:lang".into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::bitext::{BitextCounts, BitextSource};

    fn read(text: &str) -> Result<(Vec<String>, BitextReport), String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.tmx"), text).unwrap();
        let roots = DataRoots {
            base: folder.path().into(),
            cache: folder.path().into(),
        };
        let source: BitextSource = toml::from_str(
            "format = 'tmx'\nfile = 'a.tmx'\nenglish = 'en'\nforeign = 'sw'\nlanguages = ['swa']",
        )
        .unwrap();
        let (pairs, report) = source.load(&roots).map_err(|error| error.to_string())?;
        let text = |pair: SentencePair| format!("{} = {}", pair.english, pair.foreign);
        Ok((pairs.into_iter().map(text).collect(), report))
    }

    const MEMORY: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE tmx SYSTEM "tmx14.dtd">
<tmx version="1.4"><header srclang="en" datatype="plaintext"/><body>
<tu tuid="1"><tuv xml:lang="EN-gb"><seg>Bread &amp; <bpt i="1">&lt;b&gt;</bpt>water<ept i="1">&lt;/b&gt;</ept>.</seg></tuv>
 <tuv xml:lang="sw"><seg>Mkate na maji&#x2E;</seg></tuv></tu>
<tu><tuv lang="en"><seg><![CDATA[A < B]]></seg></tuv><tuv lang="sw"><seg>A <hi>chini</hi> ya B</seg></tuv></tu>
<tu><tuv xml:lang="en"><seg>One.</seg></tuv><tuv xml:lang="swg"><seg>Oins.</seg></tuv></tu>
<tu><tuv xml:lang="en"><seg>Two.</seg></tuv><tuv xml:lang="sw"><seg/></tuv></tu>
</body></tmx>
"#;

    #[test]
    fn units_become_pairs_without_mark_up() {
        let (pairs, report) = read(MEMORY).unwrap();
        let expected = ["Bread & water. = Mkate na maji.", "A < B = A chini ya B"];
        assert_eq!(pairs, expected);
        let counts = BitextCounts {
            read: 4,
            kept: 2,
            empty: 2,
            ..BitextCounts::default()
        };
        assert_eq!(report.languages["swa"], counts);
    }

    #[test]
    fn damaged_memories_name_file_and_line() {
        for (text, expected) in [
            (
                MEMORY.replace("</body></tmx>", ""),
                "a.tmx:10: is not XML: it ends before </tmx>",
            ),
            (
                MEMORY.replace(
                    "</seg></tuv></tu>\n<tu><tuv lang",
                    "</tuv></tu>\n<tu><tuv lang",
                ),
                "a.tmx:5: is not XML: ",
            ),
            (
                MEMORY.replace(" lang=\"sw\"", ""),
                "a.tmx:6: is not XML: <tuv> has no xml:lang",
            ),
            (
                MEMORY.replace("&amp;", "&nothing;"),
                "a.tmx:4: is not XML: unknown entity &nothing;",
            ),
            (
                "English\tSwahili\n".into(),
                "is not XML: it ends before </tmx>",
            ),
        ] {
            let message = read(&text).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }
}
