use super::cells::{duration, estimate, short};
use super::text::{aligned, wrapped};
use super::*;
use acclip_theory::Check;

fn strings<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(String::from).to_vec()
}

fn point(x: f64, y: f64, interval: Option<(f64, f64)>) -> Point {
    Point { x, y, interval }
}

fn check(name: &str, holds: bool) -> Check {
    Check {
        name: name.into(),
        holds,
        detail: "worst ratio 0.97 at k = 64".into(),
    }
}

fn plot() -> Plot {
    let line = |name: &str, kind, scale: f64| Curve {
        name: name.into(),
        kind,
        points: [1.0, 4.0, 16.0].map(|k| point(k, scale / k, None)).to_vec(),
    };
    let measured = vec![
        point(1.0, 0.9, Some((0.8, 1.0))),
        point(4.0, 0.21, Some((-0.1, 0.52))),
        point(16.0, 0.06, Some((f64::NEG_INFINITY, f64::INFINITY))),
    ];
    Plot {
        title: "Gap, α = 1.5".into(),
        caption: "E f − f*.".into(),
        x: "steps k".into(),
        y: "E f − f*".into(),
        log: true,
        curves: vec![
            Curve {
                name: "GClip".into(),
                kind: Kind::Measured,
                points: measured,
            },
            line("GClip", Kind::Upper, 4.0),
            line("least", Kind::Lower, 0.1),
            line("fit", Kind::Fitted, 1.0),
            line("slope", Kind::Proved, 2.0),
        ],
    }
}

/// A summary made by hand.
pub fn example() -> TheorySummary {
    let finding = Finding {
        title: "Theorem 0".into(),
        claim: "The bound x̄ ≤ 1 holds.".into(),
        settings: vec![("seed".into(), "7".into()), ("α".into(), "1.5, 2".into())],
        tables: vec![acclip_theory::Table {
            caption: "Exponents".into(),
            header: strings(["method", "x̄, measured", "proved", "steps"]),
            rows: vec![
                vec![
                    Cell::Text("GClip".into()),
                    Cell::Estimate {
                        value: 0.661_234_567_890_123_4,
                        low: 0.64,
                        high: 0.681,
                    },
                    Cell::Number(2.0 / 3.0),
                    Cell::Number(1_048_576.0),
                ],
                vec![
                    Cell::Text("SGD, plain".into()),
                    Cell::Empty,
                    Cell::Number(f64::NAN),
                    Cell::Number(1e-300),
                ],
            ],
        }],
        plots: vec![plot()],
        checks: vec![
            check("the bound holds", true),
            check("it is attained", false),
        ],
        notes: vec!["A first note.".into(), "A second <note>.".into()],
        steps: 680_000_000,
    };
    TheorySummary {
        command: "acclip theory theorem 0".into(),
        seed: 7,
        version: "1.2.3",
        commit: "abc",
        machine: "a machine".into(),
        threads: 2,
        started: "2026-11-24".into(),
        seconds: 3.2,
        steps_per_second: 680_000_000.0 / 3.2,
        holds: finding.holds(),
        finding,
    }
}

#[test]
fn an_estimate_has_the_digits_that_its_interval_is_worth() {
    let shown = [
        (0.66, 0.64, 0.68, "0.66 [0.64, 0.68]"),
        (0.661_23, 0.6476, 0.6751, "0.661 [0.648, 0.675]"),
        (12.345, 11.9, 12.79, "12.3 [11.9, 12.8]"),
        (54_321.0, 50_000.0, 58_642.0, "54321 [50000, 58642]"),
        (0.001, -0.02, 0.022, "0.00 [-0.02, 0.02]"),
        (-0.001, -0.02, 0.018, "0.00 [-0.02, 0.02]"),
        (3.21e-7, 3.0e-7, 3.42e-7, "3.2e-7 [3.0e-7, 3.4e-7]"),
        (3.21e8, 3.0e8, 3.42e8, "3.2e8 [3.0e8, 3.4e8]"),
        // So narrow that six digits are all alike.
        (
            0.123_456_789,
            0.123_456_788,
            0.123_456_79,
            "0.123457 [0.123457, 0.123457]",
        ),
        (0.5, 0.5, 0.5, "0.5 [0.5, 0.5]"),
        (4.0, f64::NEG_INFINITY, f64::INFINITY, "4 [-∞, ∞]"),
        (f64::INFINITY, 1.0, f64::INFINITY, "∞ [1, ∞]"),
        (0.5, f64::NAN, f64::NAN, "0.5 [NaN, NaN]"),
        (f64::NAN, f64::NAN, f64::NAN, "NaN"),
        (0.0, 0.0, 0.0, "0 [0, 0]"),
    ];
    for (value, low, high, expected) in shown {
        assert_eq!(estimate(value, low, high), expected);
    }
}

#[test]
fn numbers_are_short_integers_whole_and_empty_cells_a_dash() {
    let numbers = [
        0.0,
        1_048_576.0,
        0.123_456,
        1e-5,
        2.5e12,
        f64::NEG_INFINITY,
        f64::NAN,
    ];
    let expected = [
        "0", "1048576", "0.1235", "1.000e-5", "2.500e12", "-∞", "NaN",
    ];
    assert_eq!(numbers.map(short), expected);
    assert_eq!(shown(&Cell::Empty), "–");
    assert_eq!(shown(&Cell::Text("N/A".into())), "N/A");
}

#[test]
fn amounts_and_times_are_in_words() {
    let amounts = [
        0.0, 999.4, 999.6, 12_345.0, 999_499.0, 999_500.0, 2.124e8, 9.996e9, 3e13,
    ];
    let expected = [
        "0",
        "999",
        "1.00 thousand",
        "12.3 thousand",
        "999 thousand",
        "1.00 million",
        "212 million",
        "10.0 billion",
        "30.0 trillion",
    ];
    assert_eq!(amounts.map(amount), expected);
    assert_eq!(
        [0.012, 3.2, 99.99, 100.0, 250.4].map(duration),
        ["12 ms", "3.20 s", "99.99 s", "1 min 40 s", "4 min 10 s"]
    );
}

#[test]
fn exact_numbers_read_back_to_the_same_bits() {
    let hard = [
        0.1,
        -2.0 / 3.0,
        1e-300,
        5e-324,
        f64::MAX,
        1e16,
        123_456_789.0,
        -0.0,
        f64::INFINITY,
        f64::NEG_INFINITY,
        9.999_999_999_999_999e-5,
    ];
    for x in hard {
        let text = exact(x);
        assert_eq!(
            text.parse::<f64>().unwrap().to_bits(),
            x.to_bits(),
            "{text}"
        );
        assert!(text.len() < 26, "{text}");
    }
    assert!(exact(f64::NAN).parse::<f64>().unwrap().is_nan());
}

#[test]
fn the_text_is_what_a_reader_expects() {
    let expected = "\
Theorem 0
The bound x̄ ≤ 1 holds.

seed: 7  α: 1.5, 2

Exponents
method            x̄, measured  proved       steps
GClip       0.66 [0.64, 0.68]  0.6667     1048576
SGD, plain                  –     NaN  1.000e-300

Not reproduced: 1 of 2 checks failed: it is attained.
✓ the bound holds: worst ratio 0.97 at k = 64
✗ it is attained: worst ratio 0.97 at k = 64

A first note.

A second <note>.

3.20 s, 680 million steps, 212 million trajectory·steps/s
";
    assert_eq!(theory_text(&example()), expected);
}

#[test]
fn a_finding_of_few_parts_has_a_short_text() {
    let mut summary = example();
    let finding = &mut summary.finding;
    finding.tables.clear();
    finding.notes.clear();
    finding.checks.clear();
    finding.steps = 0;
    let text = theory_text(&summary);
    assert!(text.ends_with("Nothing was checked.\n\n3.20 s\n"), "{text}");
}

#[test]
fn the_outcome_counts_and_names() {
    let mut finding = example().finding;
    let mut said = |checks: &[(&str, bool)]| {
        finding.checks = checks
            .iter()
            .map(|&(name, holds)| check(name, holds))
            .collect();
        outcome(&finding)
    };
    assert_eq!(said(&[("a", true)]), "Reproduced: the check holds.");
    assert_eq!(
        said(&[("a", false)]),
        "Not reproduced: the check failed: a."
    );
    assert_eq!(
        said(&[("a", true), ("b", true)]),
        "Reproduced: all 2 checks hold."
    );
    assert_eq!(
        said(&[("a", false), ("b", true), ("c", false)]),
        "Not reproduced: 2 of 3 checks failed: a; c."
    );
}

#[test]
fn prose_is_wrapped_between_words() {
    let words = vec!["x̄x"; 120].join(" ");
    let text = wrapped(&words, 2);
    let lines: Vec<&str> = text.lines().collect();
    // 33 words of two columns and a space are 98 columns wide; behind two spaces, 100.
    assert_eq!(lines[0].split(' ').count(), 33);
    assert!(lines[1].starts_with("  x̄x ") && lines[1].trim().split(' ').count() == 33);
    assert_eq!(text.split_whitespace().collect::<Vec<_>>().join(" "), words);
    assert_eq!(wrapped("", 2), "\n");
    let long = "w".repeat(300);
    assert_eq!(
        wrapped(&format!("a {long} b"), 0),
        format!("a\n{long}\nb\n")
    );
}

/// `N/A` among numbers makes a column one of words, which begins on the left; a missing number does not.
#[test]
fn a_column_with_words_is_not_numeric() {
    let number = Cell::Number(0.5);
    let words = Cell::Text("N/A".into());
    let table = acclip_theory::Table {
        caption: String::new(),
        header: strings(["mixed", "numbers", "empty"]),
        rows: vec![
            vec![number.clone(), number.clone(), Cell::Empty],
            vec![words, Cell::Empty, Cell::Empty],
        ],
    };
    assert_eq!(reader_table(&table).numeric, [1]);
}

#[test]
fn a_ragged_table_is_no_panic() {
    let table = Table {
        header: strings(["a", "b"]),
        rows: vec![strings(["1"]), strings(["1", "22", "333"]), vec![]],
        numeric: vec![1],
        ..Table::default()
    };
    assert_eq!(aligned(&table), "a   b\n1\n1  22\n\n");
}

/// What stands in the CSV files is the finding, to the bit.
#[test]
fn csv_files_hold_every_digit() {
    let summary = example();
    let tables = theory_tables(&summary.finding);
    let names: Vec<&str> = tables.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["table-1.csv", "figure-1.csv"]);
    let csv = acclip_report::to_csv(&tables[0].1);
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(
        lines,
        [
            "method,\"x̄, measured\",\"x̄, measured (low)\",\"x̄, measured (high)\",proved,steps",
            "GClip,0.6612345678901234,0.64,0.681,0.6666666666666666,1048576",
            "\"SGD, plain\",,,,NaN,1e-300",
        ]
    );
    let (_, curves) = &tables[1];
    assert_eq!(curves.rows.len(), 15);
    let points = summary.finding.plots[0].curves.iter().flat_map(|curve| {
        let kind = serde_json::to_value(curve.kind).unwrap();
        curve
            .points
            .iter()
            .map(move |p| (curve.name.clone(), kind.clone(), p))
    });
    for (row, (name, kind, point)) in curves.rows.iter().zip(points) {
        assert_eq!((&row[0], Some(row[1].as_str())), (&name, kind.as_str()));
        let number = |column: usize| row[column].parse::<f64>().ok();
        assert_eq!((number(2), number(3)), (Some(point.x), Some(point.y)));
        assert_eq!(number(4).zip(number(5)), point.interval);
    }
}

#[test]
fn a_figure_shows_each_kind_of_curve_in_its_own_way() {
    use acclip_report::{Mark, Scale};
    let figure = figure(&plot());
    let marks: Vec<(&str, &str)> = (figure.series.iter())
        .map(|series| {
            let mark = match series.mark {
                Mark::Line => "line",
                Mark::Dashed => "dashed",
                Mark::Band { .. } => "band",
                _ => "other",
            };
            (series.name.as_str(), mark)
        })
        .collect();
    assert_eq!(
        marks,
        [
            ("GClip", "band"),
            ("GClip", "line"),
            ("GClip", "dashed"),
            ("least", "dashed"),
            ("fit", "line"),
            ("slope", "dashed"),
        ]
    );
    // The lowest point is 0.1/16; what is infinite has no band.
    let foot = 0.1 / 16.0 / 3.0;
    assert_eq!(
        figure.series[0],
        Series::band("GClip", &[(1.0, 0.8, 1.0), (4.0, foot, 0.52)])
    );
    assert_eq!(figure.series[1].points.len(), 3);
    assert_eq!((figure.x.scale, figure.y.scale), (Scale::Log, Scale::Log));
    assert_eq!(
        figure.caption,
        "E f − f*. Bands: 95 % intervals. A band that goes further down is cut off at a third of the lowest \
         point. Broken lines: proved upper bound, proved lower bound, proved slope."
    );
    let linear = super::figure(&Plot {
        log: false,
        ..plot()
    });
    assert_eq!(
        (linear.x.scale, linear.y.scale),
        (Scale::Linear, Scale::Linear)
    );
    assert_eq!(
        linear.series[0],
        Series::band("GClip", &[(1.0, 0.8, 1.0), (4.0, -0.1, 0.52)])
    );
    assert!(!linear.caption.contains("cut off"));
}

#[test]
fn the_report_has_every_part() {
    let mut summary = example();
    summary.finding.plots.push(Plot {
        title: "A second figure".into(),
        ..plot()
    });
    let html = acclip_report::to_html(&of_theory(&summary));
    for part in [
        "<h1>Theorem 0</h1>",
        "<p>Not reproduced: 1 of 2 checks failed: it is attained.</p>",
        "<dt>seed</dt><dd>7</dd>",
        "<dt>time</dt><dd>3.20 s, 680 million steps, 212 million trajectory·steps/s</dd>",
        "The bound x̄ ≤ 1 holds.",
        "<b>Table 1.</b> Exponents",
        "<td class=\"num\">0.66 [0.64, 0.68]</td>",
        "Gap, α = 1.5",
        "A second figure",
        "<b>Figure 2.</b>",
        "✓ holds",
        "✗ FAILED",
        "A second &lt;note&gt;.",
        "<code>acclip theory theorem 0</code>",
    ] {
        assert!(html.contains(part), "no {part}");
    }
    assert_eq!(
        html.matches("<svg class=\"wide\"").count(),
        2,
        "two figures"
    );
    assert!(!html.contains("not drawn") && !html.contains("class=\"problem\""));
    // What is empty has no heading.
    summary.finding.notes.clear();
    let titles = of_theory(&summary).sections;
    let titles: Vec<&str> = titles
        .iter()
        .map(|section| section.title.as_str())
        .collect();
    assert_eq!(
        titles,
        ["The claim", "Numbers", "Figures", "Checks", "Run it again"]
    );
}
