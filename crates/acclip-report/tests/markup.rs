//! What holds for every page: it is well formed, loads nothing, and shows text as text.

mod common;

use acclip_report::{Item, Report, Section, Table, figure_svg, to_html};
use common::{figure, line, page, parse};

const HOSTILE: &str = "<script>alert('&')</script>\"><img src=x onerror=\"y\">\u{0}\u{1b}";

/// A report with `text` in every string.
fn everywhere(text: &str) -> Report {
    let mut figure = figure(vec![line(text, &[(0.0, 1.0), (1.0, 2.0)])]);
    (figure.title, figure.caption) = (text.into(), text.into());
    (figure.x.label, figure.y.label) = (text.into(), text.into());
    let mut broken = figure.clone();
    broken.x.range = Some((1.0, 0.0));
    let table = Table {
        caption: text.into(),
        header: vec![text.into()],
        rows: vec![vec![text.into(), text.into()], vec![]],
        numeric: vec![1, 7],
        highlight: Some(0),
    };
    let grid = Item::Grid {
        caption: text.into(),
        columns: 2,
        figures: vec![figure.clone(), broken],
    };
    Report {
        title: text.into(),
        verdict: vec![text.into()],
        facts: vec![(text.into(), text.into())],
        sections: vec![Section {
            title: text.into(),
            items: vec![
                Item::Text(text.into()),
                Item::Table(table),
                Item::Figure(figure),
                grid,
                Item::Code(text.into()),
            ],
        }],
    }
}

#[test]
fn pages_are_well_formed_whatever_the_text() {
    for text in [
        "plain",
        "",
        HOSTILE,
        "a & b < c",
        "many words ".repeat(200).as_str(),
        "日本語 α ± σ²",
    ] {
        parse(&to_html(&everywhere(text)));
    }
    parse(&to_html(&Report::default()));
}

#[test]
fn the_parser_itself_rejects_bad_markup() {
    for bad in [
        "<p><b></p></b>",
        "<p>",
        "</p>",
        "<p>a < b</p>",
        "<p>a & b</p>",
        "<p a=x></p>",
        "<p a=\"1\" a=\"2\"></p>",
    ] {
        assert!(
            std::panic::catch_unwind(|| parse(bad)).is_err(),
            "accepted {bad}"
        );
    }
}

#[test]
fn text_is_never_markup() {
    let elements = parse(&to_html(&everywhere(HOSTILE)));
    for element in &elements {
        assert!(
            !["script", "img", "link", "iframe", "object"].contains(&element.name.as_str()),
            "{element:?}"
        );
        for (name, _) in &element.attributes {
            assert!(!name.starts_with("on"), "{element:?}");
        }
    }
    // Each string arrives whole: title (twice), verdict, facts, heading, prose, code, cells, captions.
    let shown = to_html(&everywhere(HOSTILE))
        .matches("&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;")
        .count();
    assert!(shown >= 16, "only {shown}");
}

#[test]
fn nothing_is_loaded_from_anywhere() {
    let html = to_html(&everywhere("https://example.org/"));
    for element in parse(&html) {
        for (name, value) in &element.attributes {
            let loads = [
                "src",
                "href",
                "xlink:href",
                "data",
                "action",
                "srcset",
                "poster",
                "background",
            ];
            assert!(!loads.contains(&name.as_str()), "{name}=\"{value}\"");
            assert!(
                name == "xmlns" || !value.contains("//"),
                "{name}=\"{value}\""
            );
        }
    }
    assert!(!html.contains("url(") && !html.contains("@import"));
    assert!(html.contains("default-src 'none'"));
}

#[test]
fn figures_are_images_with_a_name() {
    let svgs: Vec<_> = parse(&to_html(&everywhere("loss")))
        .into_iter()
        .filter(|e| e.name == "svg")
        .collect();
    // A figure twice (wide and narrow), one cell of the grid; each with an inner <svg> that clips.
    assert_eq!(svgs.len(), 6);
    assert_eq!(
        svgs.iter()
            .filter(|svg| svg.attribute("role") == Some("img"))
            .count(),
        3
    );
    let alone = figure_svg(&figure(vec![])).expect("an empty figure can be drawn");
    parse(&alone);
    assert!(alone.contains("<title>figure</title>"), "{alone}");
}

#[test]
fn a_table_has_as_many_cells_in_each_row_and_numbers_on_the_right() {
    let table = Table {
        caption: "caption".into(),
        header: vec!["name".into(), "value".into()],
        rows: vec![
            vec!["a".into(), "1".into()],
            vec!["b".into()],
            vec!["c".into(), "3".into(), "extra".into()],
        ],
        numeric: vec![1],
        highlight: Some(2),
    };
    let html = page(Item::Table(table));
    let elements = parse(&html);
    let cells: Vec<_> = elements
        .iter()
        .filter(|e| e.name == "td" || e.name == "th")
        .collect();
    assert_eq!(cells.len(), 4 * 3);
    for (i, cell) in cells.iter().enumerate() {
        assert_eq!(
            cell.attribute("class") == Some("num"),
            i % 3 == 1,
            "cell {i}"
        );
    }
    let rows: Vec<_> = elements
        .iter()
        .filter(|e| e.name == "tr")
        .map(|row| row.attribute("class"))
        .collect();
    assert_eq!(rows, [None, None, None, Some("best")]);
}

#[test]
fn figures_and_tables_are_numbered_in_order() {
    let items = vec![
        Item::Figure(figure(vec![])),
        Item::Table(Table::default()),
        Item::Grid {
            caption: String::new(),
            columns: 2,
            figures: vec![figure(vec![]); 28],
        },
        Item::Table(Table::default()),
    ];
    let report = Report {
        sections: vec![Section {
            title: String::new(),
            items,
        }],
        ..Report::default()
    };
    let html = to_html(&report);
    let at = |text: &str| html.find(text).unwrap_or_else(|| panic!("no {text}"));
    let order = [
        "Figure 1.",
        "Table 1.",
        "(a) ",
        "(z) ",
        "(aa) ",
        "(ab) ",
        "Figure 2.",
        "Table 2.",
    ]
    .map(at);
    assert!(order.is_sorted(), "{order:?}");
    assert!(!html.contains("Figure 3."));
}

#[test]
fn the_same_report_gives_the_same_bytes() {
    assert_eq!(to_html(&everywhere(HOSTILE)), to_html(&everywhere(HOSTILE)));
}
