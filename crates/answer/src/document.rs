//! A page as a list of parts, which becomes Markdown and HTML.

use std::collections::BTreeMap;

use anyhow::Context;
use optical_analysis::Sheet;
use optical_report::plot::Drawing;
use optical_report::{Align, Table};

const STYLE: &str = "body{font:16px/1.5 sans-serif;color:#222;background:#fff;max-width:60rem;margin:0 auto;padding:1rem}\
h1,h2{line-height:1.2}h2{margin-top:2.5rem;border-bottom:1px solid #999}\
.wide{overflow-x:auto;margin:1rem 0}svg{max-width:100%;min-width:24rem;height:auto}\
table{border-collapse:collapse;font-size:.85rem}caption{text-align:left;font-weight:bold;padding:.3rem 0}\
td,th{border-bottom:1px solid #bbb;padding:.2rem .6rem;text-align:right;vertical-align:top}\
td:first-child,th:first-child{text-align:left}";

enum Part {
    Heading(&'static str),
    Paragraph(String),
    List(Vec<String>),
    Table(Sheet),
    Picture(String, Drawing),
}

/// A page that grows by its parts.
pub(crate) struct Document {
    title: String,
    parts: Vec<Part>,
}

impl Document {
    pub(crate) fn new(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            parts: Vec::new(),
        }
    }

    pub(crate) fn heading(&mut self, text: &'static str) {
        self.parts.push(Part::Heading(text));
    }

    pub(crate) fn paragraph(&mut self, text: impl Into<String>) {
        self.parts.push(Part::Paragraph(text.into()));
    }

    pub(crate) fn list(&mut self, items: &[String]) {
        self.parts.push(Part::List(items.to_vec()));
    }

    /// Adds a table, which is left out if it has no row.
    pub(crate) fn table(&mut self, sheet: Sheet) {
        if !sheet.rows.is_empty() {
            self.parts.push(Part::Table(sheet));
        }
    }

    pub(crate) fn picture(&mut self, name: String, drawing: Drawing) {
        self.parts.push(Part::Picture(name, drawing));
    }

    /// Returns the files of the page by name.
    pub(crate) fn files(&self) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
        let mut files = BTreeMap::new();
        let mut markdown = format!("# {}\n", self.title);
        let title = escape(&self.title);
        let mut html = format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
             <style>{STYLE}</style></head><body>\n<h1>{title}</h1>\n"
        );
        for part in &self.parts {
            match part {
                Part::Heading(text) => {
                    markdown += &format!("\n## {text}\n");
                    html += &format!("<h2>{text}</h2>\n");
                }
                Part::Paragraph(text) => {
                    markdown += &format!("\n{text}\n");
                    html += &format!("<p>{}</p>\n", escape(text));
                }
                Part::List(items) => {
                    let lines: Vec<String> = items.iter().map(|it| format!("- {it}\n")).collect();
                    markdown += &format!("\n{}", lines.concat());
                    let items: Vec<String> = items
                        .iter()
                        .map(|it| format!("<li>{}</li>\n", escape(it)))
                        .collect();
                    html += &format!("<ul>\n{}</ul>\n", items.concat());
                }
                Part::Table(sheet) => {
                    markdown += &format!("\n**{}**\n\n{}", sheet.title, of_markdown(sheet)?);
                    html += &of_html(sheet);
                }
                Part::Picture(name, drawing) => {
                    let file = format!("study-{name}.svg");
                    markdown += &format!("\n![{name}]({file})\n");
                    html += &format!("<div class=\"wide\">{}</div>\n", drawing.svg());
                    files.insert(file, drawing.svg().as_bytes().to_vec());
                }
            }
        }
        html += "</body></html>\n";
        files.insert("study.md".to_owned(), markdown.into_bytes());
        files.insert("study.html".to_owned(), html.into_bytes());
        Ok(files)
    }
}

fn of_markdown(sheet: &Sheet) -> anyhow::Result<String> {
    let align = |place| {
        if place == 0 {
            Align::Left
        } else {
            Align::Right
        }
    };
    let headers = sheet.headers.iter().enumerate();
    let mut table = Table::new(headers.map(|(place, header)| (header.as_str(), align(place))));
    for row in &sheet.rows {
        let row = row.iter().map(String::as_str);
        table.push(row).with_context(|| sheet.title.clone())?;
    }
    Ok(table.to_markdown())
}

fn of_html(sheet: &Sheet) -> String {
    let row = |cells: &[String], tag: &str| {
        let cells = cells
            .iter()
            .map(|it| format!("<{tag}>{}</{tag}>", escape(it)));
        format!("<tr>{}</tr>\n", cells.collect::<String>())
    };
    let rows: String = sheet.rows.iter().map(|it| row(it, "td")).collect();
    format!(
        "<div class=\"wide\"><table><caption>{}</caption>\n{}{rows}</table></div>\n",
        escape(&sheet.title),
        row(&sheet.headers, "th")
    )
}

/// Escapes markup.
fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;").replace('"', "&quot;")
}
