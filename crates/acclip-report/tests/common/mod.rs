//! Shared by the tests: short constructors, and a parser strict enough to notice bad markup.
#![allow(dead_code)] // Each test program uses a part.

use acclip_report::{Axis, Figure, Item, Report, Section, Series, to_html};

pub fn line(name: &str, points: &[(f64, f64)]) -> Series {
    Series::line(name, points.to_vec())
}

pub fn figure(series: Vec<Series>) -> Figure {
    Figure {
        title: "figure".into(),
        caption: "caption".into(),
        x: Axis::linear("x"),
        y: Axis::linear("y"),
        series,
    }
}

/// A page that holds one item.
pub fn page(item: Item) -> String {
    let section = Section {
        title: "section".into(),
        items: vec![item],
    };
    to_html(&Report {
        sections: vec![section],
        ..Report::default()
    })
}

#[derive(Debug, Clone)]
pub struct Element {
    pub name: String,
    pub attributes: Vec<(String, String)>,
    /// Names of the elements around it, outermost first.
    pub inside: Vec<String>,
}

impl Element {
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }
}

/// All elements of a document, in order. Panics unless every element is closed in the right order, attributes are
/// quoted and unique, and `&` and `<` appear only in entities and tags. `<style>` is skipped.
pub fn parse(html: &str) -> Vec<Element> {
    let mut rest = html.strip_prefix("<!DOCTYPE html>").unwrap_or(html);
    let (mut open, mut elements): (Vec<String>, Vec<Element>) = (Vec::new(), Vec::new());
    while let Some(start) = rest.find('<') {
        check_text(&rest[..start]);
        let end = start + rest[start..].find('>').expect("a tag ends");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(
                open.pop().as_deref(),
                Some(name),
                "</{name}> closes another element"
            );
            continue;
        }
        let element = parse_tag(tag.trim_end_matches('/'), &open);
        if element.name == "style" {
            rest = &rest[rest.find("</style>").expect("style ends")..];
        }
        if !tag.ends_with('/') && element.name != "meta" {
            open.push(element.name.clone());
        }
        elements.push(element);
    }
    check_text(rest);
    assert!(open.is_empty(), "never closed: {open:?}");
    elements
}

fn parse_tag(tag: &str, open: &[String]) -> Element {
    let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
    assert!(
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric()),
        "element name in <{tag}>"
    );
    let mut attributes: Vec<(String, String)> = Vec::new();
    rest = rest.trim();
    while !rest.is_empty() {
        let (key, after) = rest
            .split_once("=\"")
            .unwrap_or_else(|| panic!("attribute without quotes in <{tag}>"));
        let (value, after) = after
            .split_once('"')
            .unwrap_or_else(|| panic!("quote never ends in <{tag}>"));
        check_text(value);
        assert!(
            attributes.iter().all(|(other, _)| other != key),
            "{key} twice in <{tag}>"
        );
        attributes.push((key.into(), value.into()));
        rest = after.trim();
    }
    Element {
        name: name.into(),
        attributes,
        inside: open.to_vec(),
    }
}

fn check_text(text: &str) {
    assert!(
        !text.contains(['<', '\0', '\u{1b}']),
        "bare character in {text:?}"
    );
    for part in text.split('&').skip(1) {
        let entity = part
            .split(';')
            .next()
            .expect("split yields at least one part");
        assert!(
            ["amp", "lt", "gt", "quot", "apos", "#39"].contains(&entity),
            "bare & before {part:?}"
        );
    }
}
