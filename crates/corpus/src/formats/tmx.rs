//! Translation memories (TMX 1.4): units of segments, each in a language.

use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};
use serde::{Deserialize, Serialize};

use super::lines::open;
use crate::bitext::{DataRoots, files_of};
use crate::error::{CorpusError, LineProblem};
use crate::intake::Intake;

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
        intake: &mut Intake<'_>,
    ) -> Result<(), CorpusError> {
        let shared = self.foreign.contains("{language}");
        let pattern = if shared { &self.foreign } else { &self.file };
        files_of(pattern, &self.languages)?;
        for language in &self.languages {
            let named = |pattern: &str| pattern.replace("{language}", language);
            let path = roots.resolve(&PathBuf::from(named(&self.file)));
            let tags = [self.english.clone(), named(&self.foreign)];
            let mut units = Units::open(&path)?;
            let mut file = intake.file(&path, language)?;
            while let Some((line, unit)) = units.next()? {
                file.go_to(line);
                match unit {
                    Ok(unit) => {
                        // A unit has a segment a language; of several, the first counts.
                        let [english, foreign] = tags.each_ref().map(|tag| {
                            let mut segments = unit.iter();
                            let found = segments.find(|(language, _)| is_of(language, tag));
                            found.map_or("", |(_, text)| text.as_str())
                        });
                        file.pair(english, foreign)?;
                    }
                    Err(problem) => file.bad(problem),
                }
            }
            file.end()?;
        }
        Ok(())
    }
}

/// Whether a language tag is `wanted` or a regional kind of it.
fn is_of(tag: &str, wanted: &str) -> bool {
    let (tag, wanted) = (tag.to_ascii_lowercase(), wanted.to_ascii_lowercase());
    let rest = tag.strip_prefix(&wanted);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
}

/// A unit's segments with their language tags.
type Unit = Vec<(String, String)>;

/// A unit, or what is wrong with it, behind the line where it begins.
type PlacedUnit = (usize, Result<Unit, LineProblem>);

/// The units of a translation memory, read as they are asked for.
struct Units {
    path: PathBuf,
    reader: Reader<LineCounter>,
    buffer: Vec<u8>,
    ended: bool,
}

impl Units {
    fn open(path: &Path) -> Result<Self, CorpusError> {
        let reader = open(path)?;
        Ok(Self {
            path: path.to_owned(),
            reader: Reader::from_reader(LineCounter { reader, line: 1 }),
            buffer: Vec::new(),
            ended: false,
        })
    }

    /// The next unit and the line where it begins; a unit that cannot be understood is a problem,
    /// a file that is no XML an error. `None` behind the last.
    fn next(&mut self) -> Result<Option<PlacedUnit>, CorpusError> {
        let (mut unit, mut begun) = (Ok(Unit::new()), 1);
        let (mut in_segment, mut mark_up) = (false, 0_usize);
        loop {
            let line = self.reader.get_ref().line;
            self.buffer.clear();
            let event = self.reader.read_event_into(&mut self.buffer);
            let event = event.map_err(|error| refused(&self.path, line, error))?;
            match event {
                Event::Start(element) => match element.local_name().as_ref() {
                    b"tu" => (unit, begun) = (Ok(Unit::new()), line),
                    b"tuv" => change(&mut unit, tag_of(&element), |unit, tag| {
                        unit.push((tag, String::new()));
                    }),
                    b"seg" => in_segment = true,
                    name if MARK_UP.contains(&name) => mark_up += 1,
                    _ => {}
                },
                Event::End(element) => match element.local_name().as_ref() {
                    b"tu" => return Ok(Some((begun, unit))),
                    b"seg" => in_segment = false,
                    b"tmx" => self.ended = true,
                    name if MARK_UP.contains(&name) => mark_up = mark_up.saturating_sub(1),
                    _ => {}
                },
                Event::Text(text) if in_segment && mark_up == 0 => {
                    let text = text.decode().map_err(|error| error.to_string());
                    change(&mut unit, text.map(String::from), append);
                }
                Event::CData(text) if in_segment && mark_up == 0 => {
                    let text = text.decode().map_err(|error| error.to_string());
                    change(&mut unit, text.map(String::from), append);
                }
                Event::GeneralRef(name) if in_segment && mark_up == 0 => {
                    change(&mut unit, resolved(&name), append);
                }
                Event::Eof if self.ended => return Ok(None),
                Event::Eof => return Err(refused(&self.path, line, "it ends before </tmx>")),
                _ => {}
            }
        }
    }
}

/// A file that is not the XML of a translation memory.
fn refused(path: &Path, line: usize, reason: impl ToString) -> CorpusError {
    CorpusError::line(path, line, LineProblem::Xml(reason.to_string()))
}

/// What a character reference or an entity stands for.
fn resolved(name: &BytesRef<'_>) -> Result<String, String> {
    let character = name.resolve_char_ref().map_err(|error| error.to_string())?;
    if let Some(character) = character {
        return Ok(character.to_string());
    }
    let name = name.decode().map_err(|error| error.to_string())?;
    let text = quick_xml::escape::resolve_predefined_entity(&name);
    let text = text.ok_or_else(|| format!("unknown entity &{name};"))?;
    Ok(text.to_owned())
}

/// Adds to a unit what was read; the first thing that is wrong with it is what is said of it.
fn change(
    unit: &mut Result<Unit, LineProblem>,
    read: Result<String, String>,
    add: impl FnOnce(&mut Unit, String),
) {
    match (unit.as_mut(), read) {
        (Ok(unit), Ok(text)) => add(unit, text),
        (Ok(_), Err(reason)) => *unit = Err(LineProblem::Xml(reason)),
        (Err(_), _) => {}
    }
}

fn append(unit: &mut Unit, text: String) {
    if let Some((_, segment)) = unit.last_mut() {
        segment.push_str(&text);
    }
}

/// Counts lines as they are read.
struct LineCounter {
    reader: Box<dyn BufRead>,
    line: usize,
}

impl Read for LineCounter {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        let count = self.reader.read(bytes)?;
        self.line += line_ends(&bytes[..count]);
        Ok(count)
    }
}

impl BufRead for LineCounter {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        self.reader.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        // What is consumed lies in the buffer, so that asking for it reads nothing.
        if let Ok(bytes) = self.reader.fill_buf() {
            self.line += line_ends(&bytes[..count.min(bytes.len())]);
        }
        self.reader.consume(count);
    }
}

fn line_ends(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&byte| byte == b'\n').count()
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

    use crate::report::{BitextReport, DropReason};
    use crate::testing::{folder, pairs_of};

    fn read(text: &str, changed: &str) -> Result<(Vec<String>, BitextReport), String> {
        let (_folder, roots) = folder(&[("a.tmx", text)]);
        let source =
            "format = 'tmx'\nfile = 'a.tmx'\nenglish = 'en'\nforeign = 'sw'\nlanguages = ['swa']";
        let read = crate::testing::read(&[source.to_owned()], &roots, changed);
        let (bitext, report) = read.map_err(|error| error.to_string())?;
        Ok((pairs_of(bitext), report))
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
        let (pairs, report) = read(MEMORY, "").unwrap();
        let expected = ["Bread & water. = Mkate na maji.", "A < B = A chini ya B"];
        assert_eq!(pairs, expected);
        let counts = &report.languages["swa"];
        let found = (counts.read, counts.kept, counts.of(DropReason::Empty));
        assert_eq!(found, (4, 2, 2));
    }

    #[test]
    fn a_unit_that_cannot_be_understood_is_a_bad_line() {
        let text = MEMORY.replace("&amp;", "&nothing; &amp;");
        let (pairs, report) = read(&text, "maximum_bad_share = 0.25").unwrap();
        assert_eq!(pairs, ["A < B = A chini ya B"]);
        let counts = &report.languages["swa"];
        assert_eq!((counts.read, counts.bad_lines), (3, 1));
        let listed = counts.first_bad_lines[0].to_string();
        assert!(
            listed.ends_with("a.tmx:4: is not XML: unknown entity &nothing;"),
            "{listed}"
        );
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
            let message = read(&text, "").unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }
}
