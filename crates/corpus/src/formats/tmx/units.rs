//! The units of a translation memory, read as they are asked for.

use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

use optical_files::text::{self, open_xml};
use quick_xml::Reader;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};

use crate::error::{CorpusError, LineProblem};

/// Elements within a segment whose text is mark-up of the original document, not words.
const MARK_UP: [&[u8]; 5] = [b"bpt", b"ept", b"it", b"ph", b"ut"];

/// What a unit has in one language.
#[derive(Debug, Default)]
pub(super) struct Variant {
    /// The language tag.
    pub(super) tag: String,
    /// The segment, if there is one.
    pub(super) text: Option<String>,
}

/// A unit's variants, in their order.
pub(super) type Unit = Vec<Variant>;

/// A unit, or what is wrong with it, after the line where it begins.
type PlacedUnit = (usize, Result<Unit, LineProblem>);

/// The units of a translation memory.
pub(super) struct Units {
    path: PathBuf,
    reader: Reader<LineCounter>,
    buffer: Vec<u8>,
    /// Where the unit begins that is read next, if its beginning has been read.
    begun: Option<usize>,
    ended: bool,
}

impl Units {
    pub(super) fn open(path: &Path) -> Result<Self, CorpusError> {
        let reader = open_xml(path)?;
        let mut reader = Reader::from_reader(LineCounter { reader, line: 1 });
        // Elements that are not closed cost their unit, see `Building`, and not the file.
        let config = reader.config_mut();
        config.check_end_names = false;
        config.allow_unmatched_ends = true;
        config.allow_dangling_amp = true;
        Ok(Self {
            path: path.to_owned(),
            reader,
            buffer: Vec::new(),
            begun: None,
            ended: false,
        })
    }

    /// Reads the next unit and the line where it begins; a unit that cannot be understood is a problem,
    /// a file that is not XML an error. `None` after the last.
    pub(super) fn next(&mut self) -> Result<Option<PlacedUnit>, CorpusError> {
        let mut unit = self.begun.take().map(Building::at);
        loop {
            let line = self.reader.get_ref().line;
            self.buffer.clear();
            let event = self.reader.read_event_into(&mut self.buffer);
            let event = event.map_err(|error| refused(&self.path, line, error))?;
            match event {
                Event::Decl(declaration) => check_encoding(&self.path, line, &declaration)?,
                Event::Start(element) if element.local_name().as_ref() == b"tu" => {
                    if let Some(mut unit) = unit {
                        self.begun = Some(line);
                        unit.fault("<tu> is not closed");
                        return Ok(Some(unit.end()));
                    }
                    unit = Some(Building::at(line));
                }
                Event::End(element) if element.local_name().as_ref() == b"tu" => {
                    let mut unit = unit.unwrap_or_else(|| Building::outside(line));
                    unit.close_variant();
                    return Ok(Some(unit.end()));
                }
                Event::End(element) if element.local_name().as_ref() == b"tmx" => {
                    self.ended = true;
                    if let Some(mut unit) = unit {
                        unit.fault("<tu> is not closed");
                        return Ok(Some(unit.end()));
                    }
                }
                Event::Start(element) if element.local_name().as_ref() == b"tuv" => {
                    let unit = unit.get_or_insert_with(|| Building::outside(line));
                    unit.variant(&element);
                }
                Event::Empty(element) if element.local_name().as_ref() == b"tuv" => {
                    let unit = unit.get_or_insert_with(|| Building::outside(line));
                    unit.variant(&element);
                }
                Event::Eof if self.ended => return Ok(None),
                Event::Eof => return Err(refused(&self.path, line, "it ends before </tmx>")),
                event => {
                    if let Some(unit) = &mut unit {
                        unit.take(&event);
                    }
                }
            }
        }
    }
}

/// A unit while it is read. The first thing that is wrong with it is what is said of it.
struct Building {
    begun: usize,
    variants: Unit,
    fault: Option<LineProblem>,
    in_segment: bool,
    /// How deep in mark-up of the original document.
    mark_up: usize,
}

impl Building {
    fn at(begun: usize) -> Self {
        Self {
            begun,
            variants: Unit::new(),
            fault: None,
            in_segment: false,
            mark_up: 0,
        }
    }

    /// Creates the unit of what belongs to one, where none has begun.
    fn outside(line: usize) -> Self {
        let mut unit = Self::at(line);
        unit.fault("there is no <tu> before it");
        unit
    }

    fn fault(&mut self, reason: impl ToString) {
        let fault = || LineProblem::Xml(reason.to_string());
        self.fault.get_or_insert_with(fault);
    }

    fn end(self) -> PlacedUnit {
        (self.begun, self.fault.map_or(Ok(self.variants), Err))
    }

    fn variant(&mut self, element: &BytesStart<'_>) {
        self.close_variant();
        match tag_of(element) {
            Ok(tag) => self.variants.push(Variant { tag, text: None }),
            Err(reason) => self.fault(reason),
        }
    }

    fn close_variant(&mut self) {
        if self.in_segment {
            self.fault("<seg> is not closed");
        }
    }

    /// Takes what stands within a unit.
    fn take(&mut self, event: &Event<'_>) {
        match event {
            Event::Start(element) => match element.local_name().as_ref() {
                b"seg" => {
                    self.segment();
                    self.in_segment = true;
                }
                name if MARK_UP.contains(&name) => self.mark_up += 1,
                _ => {}
            },
            Event::Empty(element) if element.local_name().as_ref() == b"seg" => self.segment(),
            Event::End(element) => match element.local_name().as_ref() {
                b"seg" if 0 < self.mark_up => self.fault("mark-up in <seg> is not closed"),
                b"seg" if !self.in_segment => self.fault("there is no <seg> before </seg>"),
                b"seg" => self.in_segment = false,
                b"tuv" => self.close_variant(),
                name if MARK_UP.contains(&name) => self.mark_up = self.mark_up.saturating_sub(1),
                _ => {}
            },
            _ if !self.in_segment || 0 < self.mark_up => {}
            Event::Text(text) => self.append(text.decode().map_err(not_utf8)),
            Event::CData(text) => self.append(text.decode().map_err(not_utf8)),
            Event::GeneralRef(name) => self.append(resolved(name)),
            _ => {}
        }
    }

    fn segment(&mut self) {
        self.close_variant();
        match self.variants.last_mut() {
            Some(variant) if variant.text.is_none() => variant.text = Some(String::new()),
            Some(_) => self.fault("<tuv> has more than one <seg>"),
            // Then there is a <tuv> that has no language.
            None => self.fault("there is no <tuv> before <seg>"),
        }
    }

    fn append(&mut self, read: Result<impl AsRef<str>, String>) {
        let segment = self.variants.last_mut().and_then(|it| it.text.as_mut());
        match (segment, read) {
            (Some(segment), Ok(text)) => segment.push_str(text.as_ref()),
            (_, Err(reason)) => self.fault(reason),
            (None, Ok(_)) => {}
        }
    }
}

fn not_utf8(error: impl std::fmt::Display) -> String {
    format!("it is not UTF-8: {error}")
}

/// Refuses a file that is not the XML of a translation memory.
fn refused(path: &Path, line: usize, reason: impl ToString) -> CorpusError {
    CorpusError::line(path, line, LineProblem::Xml(reason.to_string()))
}

/// Refuses a declaration of an encoding that is not read.
fn check_encoding(path: &Path, line: usize, declared: &BytesDecl<'_>) -> Result<(), CorpusError> {
    const READ: [&str; 5] = ["utf-8", "utf8", "us-ascii", "ascii", "utf-16"];
    let Some(Ok(name)) = declared.encoding() else {
        return Ok(());
    };
    let name = String::from_utf8_lossy(&name).into_owned();
    let plain = name.to_ascii_lowercase();
    if READ.contains(&&*plain) || plain.starts_with("utf-16") {
        return Ok(());
    }
    let reason = format!(
        "it says that it is {name}, expected UTF-8 or UTF-16: convert it, and what it says"
    );
    Err(refused(path, line, reason))
}

/// Returns what a character reference or an entity stands for.
fn resolved(name: &BytesRef<'_>) -> Result<String, String> {
    let text = name.decode().map_err(|error| error.to_string())?;
    // An ampersand in a sentence that has a semicolon later on.
    if text.contains(|c: char| c.is_whitespace() || c == '&') {
        return Ok(format!("&{text};"));
    }
    let character = name.resolve_char_ref().map_err(|error| error.to_string())?;
    if let Some(character) = character {
        return Ok(character.to_string());
    }
    let known = quick_xml::escape::resolve_predefined_entity(&text);
    let known = known.ok_or_else(|| format!("unknown entity &{text};"))?;
    Ok(known.to_owned())
}

/// Counts lines as they are read.
struct LineCounter {
    reader: text::Reader,
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
        // What is consumed is in the buffer, so that asking for it reads nothing.
        if let Ok(bytes) = self.reader.fill_buf() {
            self.line += line_ends(&bytes[..count.min(bytes.len())]);
        }
        self.reader.consume(count);
    }
}

fn line_ends(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&byte| byte == b'\n').count()
}

/// Returns the language of a variant: `xml:lang`, or `lang` in old files.
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
