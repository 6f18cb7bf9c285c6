//! A page of shapes and letters, written as SVG and painted from that same SVG as PNG.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use resvg::usvg::fontdb::Database;
use resvg::{tiny_skia, usvg};

use super::{MARGIN, TITLE_SIZE};
use crate::ReportError;
use crate::write::write_atomically;

/// Pixels of the PNG per unit of the SVG: enough for a sharp picture on a dense screen.
const SCALE: f32 = 2.0;
/// The face the PNG is painted with comes first; the others serve readers of the SVG without it.
const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";
/// Ink of titles and labels.
pub(super) const INK: &str = "#222222";
/// Ink of what should not draw the eye: tick labels, notes.
pub(super) const FAINT_INK: &str = "#5c5c5c";
/// Lines of axes.
pub(super) const RULE: &str = "#8a8a8a";
/// Lines behind the data.
pub(super) const GRID: &str = "#e4e4e4";

static FONTS: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut fonts = Database::new();
    fonts.load_font_data(dejavu::sans::regular().to_vec());
    fonts.load_font_data(dejavu::sans::bold().to_vec());
    fonts.set_sans_serif_family("DejaVu Sans");
    Arc::new(fonts)
});

/// A picture that was drawn: text until it is painted or written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Drawing {
    svg: String,
}

impl Drawing {
    /// Returns the picture as an SVG document, for a page or a server that shows it.
    pub fn svg(&self) -> &str {
        &self.svg
    }

    /// Paints the picture and returns the bytes of a PNG, twice the size of the SVG in pixels.
    ///
    /// # Errors
    /// If the picture is too large to be held in memory.
    pub fn png(&self) -> Result<Vec<u8>, ReportError> {
        paint(&self.svg)
    }

    /// Writes `stem.png` and `stem.svg`; the stem may contain dots.
    ///
    /// # Errors
    /// If the picture is too large to be painted, or a file cannot be written.
    pub fn save(&self, stem: &Path) -> Result<Picture, ReportError> {
        let png = self.png()?;
        let files = Picture {
            png: with_ending(stem, ".png"),
            svg: with_ending(stem, ".svg"),
        };
        write_atomically(&files.svg, self.svg.as_bytes())?;
        write_atomically(&files.png, &png)?;
        Ok(files)
    }
}

/// The two files of a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// For documents and screens.
    pub png: PathBuf,
    /// For print and for reading the labels as text.
    pub svg: PathBuf,
}

/// Which point of a text stands on its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// How a text looks; made with [`text`] and the methods below.
#[derive(Debug, Clone, Copy)]
pub(super) struct TextStyle {
    size: f64,
    anchor: Anchor,
    bold: bool,
    fill: &'static str,
    turn: f64,
}

/// Returns upright text of `size` units that starts at its position.
pub(super) fn text(size: f64) -> TextStyle {
    TextStyle {
        size,
        anchor: Anchor::Start,
        bold: false,
        fill: INK,
        turn: 0.0,
    }
}

impl TextStyle {
    pub(super) fn anchor(self, anchor: Anchor) -> Self {
        Self { anchor, ..self }
    }

    pub(super) fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    pub(super) fn fill(self, fill: &'static str) -> Self {
        Self { fill, ..self }
    }

    /// Turns it about its position, in degrees clockwise.
    pub(super) fn turn(self, turn: f64) -> Self {
        Self { turn, ..self }
    }
}

/// How a line looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stroke {
    pub(super) colour: &'static str,
    pub(super) width: f64,
    pub(super) opacity: f64,
    pub(super) dashed: bool,
}

impl Stroke {
    /// Creates a full line.
    pub(super) fn solid(colour: &'static str, width: f64) -> Self {
        Self {
            colour,
            width,
            opacity: 1.0,
            dashed: false,
        }
    }

    fn attributes(&self) -> String {
        let mut out = format!(r#"stroke="{}" stroke-width="{}""#, self.colour, self.width);
        if self.opacity < 1.0 {
            out += &format!(r#" stroke-opacity="{}""#, self.opacity);
        }
        if self.dashed {
            out += r#" stroke-dasharray="6 4""#;
        }
        out
    }
}

/// A rectangle: left, top, width, height.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Area {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Area {
    pub(super) fn right(&self) -> f64 {
        self.x + self.width
    }

    pub(super) fn bottom(&self) -> f64 {
        self.y + self.height
    }
}

/// A white page that grows by drawing on it.
pub(super) struct Canvas {
    width: f64,
    height: f64,
    title: String,
    body: String,
}

impl Canvas {
    pub(super) fn new(width: f64, height: f64, title: &str) -> Self {
        Self {
            width: width.ceil(),
            height: height.ceil(),
            title: escape(title),
            body: String::new(),
        }
    }

    pub(super) fn rectangle(&mut self, area: Area, fill: &str) {
        self.area(area, &format!("fill=\"{fill}\""));
    }

    pub(super) fn frame(&mut self, area: Area, stroke: Stroke) {
        self.area(area, &format!("fill=\"none\" {}", stroke.attributes()));
    }

    fn area(&mut self, area: Area, look: &str) {
        self.body += &format!(
            "<rect x=\"{:.2}\" y=\"{:.2}\" width=\"{:.2}\" height=\"{:.2}\" {look}/>\n",
            area.x, area.y, area.width, area.height
        );
    }

    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: Stroke) {
        self.body += &format!(
            "<line x1=\"{:.2}\" y1=\"{:.2}\" x2=\"{:.2}\" y2=\"{:.2}\" {}/>\n",
            from.0,
            from.1,
            to.0,
            to.1,
            stroke.attributes()
        );
    }

    pub(super) fn curve(&mut self, points: &[(f64, f64)], stroke: Stroke) {
        let points: Vec<String> = points
            .iter()
            .map(|(x, y)| format!("{x:.2},{y:.2}"))
            .collect();
        self.body += &format!(
            "<polyline points=\"{}\" fill=\"none\" stroke-linejoin=\"round\" \
             stroke-linecap=\"round\" {}/>\n",
            points.join(" "),
            stroke.attributes()
        );
    }

    pub(super) fn dot(&mut self, (x, y): (f64, f64), radius: f64, fill: &str) {
        self.body +=
            &format!("<circle cx=\"{x:.2}\" cy=\"{y:.2}\" r=\"{radius}\" fill=\"{fill}\"/>\n");
    }

    /// Fills the area within `points`.
    pub(super) fn shape(&mut self, points: &[(f64, f64)], fill: &str) {
        self.polygon(points, &format!("fill=\"{fill}\""));
    }

    /// Fills it so faintly that what lies below is seen.
    pub(super) fn band(&mut self, points: &[(f64, f64)], fill: &str) {
        self.polygon(points, &format!("fill=\"{fill}\" fill-opacity=\"0.12\""));
    }

    fn polygon(&mut self, points: &[(f64, f64)], look: &str) {
        let points: Vec<String> = points
            .iter()
            .map(|(x, y)| format!("{x:.2},{y:.2}"))
            .collect();
        self.body += &format!("<polygon points=\"{}\" {look}/>\n", points.join(" "));
    }

    /// Writes the title into the upper left corner.
    pub(super) fn title(&mut self, title: &str) {
        let baseline = (MARGIN, MARGIN + TITLE_SIZE * 0.8);
        self.text(baseline, title, text(TITLE_SIZE).bold());
    }

    /// Writes `content` with its baseline through (`x`, `y`).
    pub(super) fn text(&mut self, (x, y): (f64, f64), content: &str, style: TextStyle) {
        self.body += &text_element(x, y, content, style);
    }

    /// Ends the drawing.
    pub(super) fn finish(self) -> Drawing {
        let Self {
            width,
            height,
            title,
            body,
        } = self;
        let body = format!("<title>{title}</title>\n{body}");
        Drawing {
            svg: document(width, height, &body),
        }
    }
}

/// Measures each text as painted, in units of the SVG.
pub(super) fn widths<'a>(
    texts: impl IntoIterator<Item = &'a str>,
    style: TextStyle,
) -> Result<Vec<f64>, ReportError> {
    let style = TextStyle {
        turn: 0.0,
        anchor: Anchor::Start,
        ..style
    };
    texts
        .into_iter()
        .map(|content| {
            let svg = document(10.0, 10.0, &text_element(0.0, 0.0, content, style));
            Ok(f64::from(parse(&svg)?.root().abs_bounding_box().width()))
        })
        .collect()
}

fn document(width: f64, height: f64, body: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\" font-family=\"{FAMILY}\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n{body}</svg>\n"
    )
}

fn text_element(x: f64, y: f64, content: &str, style: TextStyle) -> String {
    let anchor = match style.anchor {
        Anchor::Start => "start",
        Anchor::Middle => "middle",
        Anchor::End => "end",
    };
    let weight = if style.bold {
        " font-weight=\"bold\""
    } else {
        ""
    };
    let turn = match style.turn {
        0.0 => String::new(),
        turn => format!(" transform=\"rotate({turn} {x:.2} {y:.2})\""),
    };
    format!(
        "<text x=\"{x:.2}\" y=\"{y:.2}\" font-size=\"{}\" fill=\"{}\" \
         text-anchor=\"{anchor}\"{weight}{turn}>{}</text>\n",
        style.size,
        style.fill,
        escape(content)
    )
}

/// Escapes markup, and replaces what XML cannot hold at all.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\t' | '\n' | '\r' => out.push(' '),
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(letter),
        }
    }
    out
}

fn parse(svg: &str) -> Result<usvg::Tree, ReportError> {
    let options = usvg::Options {
        fontdb: Arc::clone(&FONTS),
        ..usvg::Options::default()
    };
    Ok(usvg::Tree::from_str(svg, &options)?)
}

fn paint(svg: &str) -> Result<Vec<u8>, ReportError> {
    let tree = parse(svg)?;
    let size = tree.size().to_int_size();
    let (width, height) = (
        (size.width() as f32 * SCALE) as u32,
        (size.height() as f32 * SCALE) as u32,
    );
    let mut pixels =
        tiny_skia::Pixmap::new(width, height).ok_or(ReportError::Size { width, height })?;
    let transform = tiny_skia::Transform::from_scale(SCALE, SCALE);
    resvg::render(&tree, transform, &mut pixels.as_mut());
    pixels
        .encode_png()
        .map_err(|error| ReportError::Png(Box::new(error)))
}

fn with_ending(stem: &Path, ending: &str) -> PathBuf {
    let mut path = OsString::from(stem);
    path.push(ending);
    PathBuf::from(path)
}
