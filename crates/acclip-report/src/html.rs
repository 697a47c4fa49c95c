//! The page: one HTML file with its style sheet and its figures inside.
//!
//! Nothing is fetched and nothing is run: there is no script, and a content security policy forbids the browser to
//! load anything at all.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::draw::{NARROW, WIDE, draw};
use crate::palette::{Looks, PALETTE};
use crate::shape::Prepared;
use crate::text::escape;
use crate::{Error, Figure, Item, Report, Section, Table};

const STYLE: &str = include_str!("page.css");

/// Renders a report as one self-contained HTML file. The same report gives the same bytes.
///
/// Figures and tables are numbered in order. A figure that cannot be drawn does not stop the report: the reason stands
/// in its place. Points that have no place on their axes are left out, and the caption says how many; a series of more
/// than 600 points is thinned for display, with its peaks, and the caption says so. A name has the same colour in each
/// figure.
pub fn to_html(report: &Report) -> String {
    Page {
        looks: Looks::assign(figures(report)),
        html: String::new(),
        figures: 0,
        tables: 0,
    }
    .render(report)
}

/// Renders one figure as an SVG file, 760 pixels wide, with the colours of a light page. Its title is the SVG's `<title>`;
/// its caption is left out, for the text around it to say.
///
/// # Errors
/// [`Error::Range`] if an axis has an impossible range, [`Error::BandLength`] if a band's edges differ in length.
pub fn figure_svg(figure: &Figure) -> Result<String, Error> {
    draw(
        figure,
        &Prepared::new(figure)?,
        &Looks::assign([figure]),
        WIDE,
    )
}

/// All figures of a report, in order.
fn figures(report: &Report) -> impl Iterator<Item = &Figure> {
    report
        .sections
        .iter()
        .flat_map(|section| &section.items)
        .flat_map(|item| match item {
            Item::Figure(figure) => std::slice::from_ref(figure),
            Item::Grid { figures, .. } => figures,
            Item::Text(_) | Item::Table(_) | Item::Code(_) => &[],
        })
}

/// The page as far as it is written.
struct Page {
    looks: Looks,
    html: String,
    figures: usize,
    tables: usize,
}

/// Appends to the page. Writing to a string cannot fail.
macro_rules! put {
    ($page:expr, $($format:tt)*) => {{
        let _ = writeln!($page.html, $($format)*);
    }};
}

impl Page {
    fn render(mut self, report: &Report) -> String {
        let title = escape(&report.title);
        put!(
            self,
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">"
        );
        put!(
            self,
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
        );
        put!(
            self,
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        );
        put!(
            self,
            "<title>{title}</title>\n<style>\n{STYLE}{}</style>\n</head>\n<body>",
            dark_series()
        );
        put!(self, "<header>\n<h1>{title}</h1>");
        if !report.verdict.is_empty() {
            put!(self, "<div class=\"verdict\">");
            for sentence in &report.verdict {
                put!(self, "<p>{}</p>", escape(sentence));
            }
            put!(self, "</div>");
        }
        if !report.facts.is_empty() {
            put!(self, "<dl class=\"facts\">");
            for (name, value) in &report.facts {
                put!(
                    self,
                    "<div><dt>{}</dt><dd>{}</dd></div>",
                    escape(name),
                    escape(value)
                );
            }
            put!(self, "</dl>");
        }
        put!(self, "</header>\n<main>");
        for section in &report.sections {
            self.section(section);
        }
        put!(self, "</main>\n</body>\n</html>");
        self.html
    }

    fn section(&mut self, section: &Section) {
        put!(self, "<section>\n<h2>{}</h2>", escape(&section.title));
        for item in &section.items {
            match item {
                Item::Text(text) => self.text(text),
                Item::Table(table) => self.table(table),
                Item::Figure(figure) => self.figure(figure),
                Item::Grid {
                    caption,
                    columns,
                    figures,
                } => self.grid(caption, *columns, figures),
                Item::Code(code) => put!(self, "<pre><code>{}</code></pre>", escape(code)),
            }
        }
        put!(self, "</section>");
    }

    fn text(&mut self, text: &str) {
        let text = text.replace("\r\n", "\n");
        for paragraph in text
            .split("\n\n")
            .map(str::trim)
            .filter(|paragraph| !paragraph.is_empty())
        {
            put!(self, "<p>{}</p>", escape(paragraph));
        }
    }

    fn table(&mut self, table: &Table) {
        self.tables += 1;
        let columns = table.columns();
        put!(
            self,
            "<figure>\n<figcaption><b>Table {}.</b> {}</figcaption>",
            self.tables,
            escape(&table.caption)
        );
        put!(self, "<div class=\"scroll\" tabindex=\"0\">\n<table>");
        put!(
            self,
            "<thead>\n{}</thead>\n<tbody>",
            row(
                &table.header,
                columns,
                &table.numeric,
                "th scope=\"col\"",
                ""
            )
        );
        for (i, cells) in table.rows.iter().enumerate() {
            let class = if table.highlight == Some(i) {
                " class=\"best\""
            } else {
                ""
            };
            self.html += &row(cells, columns, &table.numeric, "td", class);
        }
        put!(self, "</tbody>\n</table>\n</div>\n</figure>");
    }

    fn figure(&mut self, figure: &Figure) {
        self.figures += 1;
        put!(self, "<figure>");
        if !figure.title.is_empty() {
            put!(self, "<p class=\"title\">{}</p>", escape(&figure.title));
        }
        let notes = match self.drawings(figure) {
            Ok((wide, narrow, notes)) => {
                self.html += &with_class(&wide, "wide");
                self.html += &with_class(&narrow, "narrow");
                notes
            }
            Err(error) => {
                put!(
                    self,
                    "<p class=\"problem\">{}</p>",
                    escape(&error.to_string())
                );
                String::new()
            }
        };
        let caption = [escape(&figure.caption), escape(&notes)].join(" ");
        put!(
            self,
            "<figcaption><b>Figure {}.</b> {}</figcaption>\n</figure>",
            self.figures,
            caption.trim()
        );
    }

    /// The figure for a wide page and for a narrow one, and what the caption must say of points left out.
    fn drawings(&self, figure: &Figure) -> Result<(String, String, String), Error> {
        let prepared = Prepared::new(figure)?;
        let wide = draw(figure, &prepared, &self.looks, WIDE)?;
        let narrow = draw(figure, &prepared, &self.looks, NARROW)?;
        Ok((wide, narrow, prepared.notes.join(" ")))
    }

    fn grid(&mut self, caption: &str, columns: usize, figures: &[Figure]) {
        self.figures += 1;
        let single = if columns <= 1 { " single" } else { "" };
        put!(self, "<figure>\n<div class=\"grid{single}\">");
        for (i, figure) in figures.iter().enumerate() {
            put!(
                self,
                "<div class=\"cell\">\n<p class=\"title\">({}) {}</p>",
                letter(i),
                escape(&figure.title)
            );
            let drawn = Prepared::new(figure)
                .and_then(|p| draw(figure, &p, &self.looks, NARROW).map(|svg| (svg, p.notes)));
            match drawn {
                Ok((svg, notes)) => {
                    self.html += &svg;
                    let note = [figure.caption.as_str()]
                        .into_iter()
                        .chain(notes.iter().map(String::as_str));
                    let note = note
                        .filter(|part| !part.is_empty())
                        .collect::<Vec<_>>()
                        .join(" ");
                    if !note.is_empty() {
                        put!(self, "<p class=\"note\">{}</p>", escape(&note));
                    }
                }
                Err(error) => put!(
                    self,
                    "<p class=\"problem\">{}</p>",
                    escape(&error.to_string())
                ),
            }
            put!(self, "</div>");
        }
        put!(
            self,
            "</div>\n<figcaption><b>Figure {}.</b> {}</figcaption>\n</figure>",
            self.figures,
            escape(caption)
        );
    }
}

/// A table row of `columns` cells; `class` is an attribute or nothing.
fn row(cells: &[String], columns: usize, numeric: &[usize], cell: &str, class: &str) -> String {
    let end = cell.split(' ').next().unwrap_or(cell);
    let mut row = format!("<tr{class}>");
    for column in 0..columns {
        let text = cells
            .get(column)
            .map_or(Cow::Borrowed(""), |text| Cow::Owned(escape(text)));
        let align = if numeric.contains(&column) {
            " class=\"num\""
        } else {
            ""
        };
        let _ = write!(row, "<{cell}{align}>{text}</{end}>");
    }
    row + "</tr>\n"
}

/// The outer `<svg>` with a class.
fn with_class(svg: &str, class: &str) -> String {
    svg.replacen("<svg ", &format!("<svg class=\"{class}\" "), 1)
}

/// a, b, …, z, aa, ab, …
fn letter(index: usize) -> String {
    let last = char::from(b'a' + (index % 26) as u8);
    if index < 26 {
        last.to_string()
    } else {
        format!("{}{last}", letter(index / 26 - 1))
    }
}

/// The series' colours on a dark page.
fn dark_series() -> String {
    let mut css = String::from("@media screen and (prefers-color-scheme: dark) {\n");
    for (i, swatch) in PALETTE.iter().enumerate() {
        let dark = swatch.dark;
        let _ = writeln!(
            css,
            "  .c{i} [stroke^=\"#\"] {{ stroke: {dark}; }} .c{i} [fill^=\"#\"] {{ fill: {dark}; }}"
        );
    }
    css + "}\n"
}
