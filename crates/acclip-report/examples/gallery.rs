//! Writes a report with made-up data of every kind of item, to look at in a browser:
//! `cargo run --release -p acclip-report --example gallery -- gallery.html`

use std::f64::consts::PI;
use std::process::ExitCode;

use acclip_report::{Axis, Figure, Item, Report, Section, Series, Table, to_html};

fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("usage: gallery FILE.html");
        return ExitCode::from(2);
    };
    if let Err(error) = std::fs::write(&path, to_html(&gallery())) {
        eprintln!("{path}: {error}");
        return ExitCode::from(2);
    }
    ExitCode::SUCCESS
}

const OPTIMIZERS: [&str; 8] = [
    "SGD",
    "SGD with momentum",
    "GClip",
    "CClip",
    "ACClip (paper)",
    "ACClip (normalized)",
    "AdamW",
    "AdamW, clipped",
];

fn gallery() -> Report {
    Report {
        title: "Gallery of made-up data".into(),
        verdict: vec![
            "Nothing here was measured: each number comes from a formula, to show what a report looks like.".into(),
            "AdamW and ACClip are ahead of SGD; the difference between the two is not significant.".into(),
        ],
        facts: [("seed", "1, 2, 3"), ("corpus", "made up"), ("machine", "2 cores"), ("wall time", "8 min 12 s")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        sections: vec![training(), noise(), odd(), again()],
    }
}

fn training() -> Section {
    Section {
        title: "Training".into(),
        items: vec![
            Item::Text(
                "Eight optimizers, three seeds each.\n\nA second paragraph, after a blank line."
                    .into(),
            ),
            Item::Figure(Figure {
                title: "Validation loss against step".into(),
                caption:
                    "Mean over three seeds; the band is one standard deviation to either side."
                        .into(),
                x: Axis::linear("step"),
                y: Axis::linear("validation loss (nats per token)"),
                series: learning_curves(),
            }),
            Item::Figure(Figure {
                title: "Final loss against learning rate".into(),
                caption: "Each optimizer at each learning rate of the grid, 400 steps.".into(),
                x: Axis::log("learning rate"),
                y: Axis::linear("validation loss (nats per token)"),
                series: OPTIMIZERS
                    .iter()
                    .enumerate()
                    .map(|(i, name)| rate_curve(i, name))
                    .collect(),
            }),
            Item::Table(winners()),
        ],
    }
}

fn learning_curves() -> Vec<Series> {
    let mut series = Vec::new();
    for (i, name) in OPTIMIZERS.iter().enumerate() {
        let loss = |step: f64| {
            5.0 + 0.35 * (7 - i) as f64 * 0.4 + 4.0 * (-step * (1.0 + i as f64) / 900.0).exp()
        };
        let curve: Vec<(f64, f64)> = (0..=40)
            .map(|k| f64::from(k) * 10.0)
            .map(|step| (step, loss(step)))
            .collect();
        let spread = |step: f64| 0.02 + 0.06 * (step / 60.0).sin().abs();
        let band: Vec<_> = curve
            .iter()
            .map(|&(step, y)| (step, y - spread(step), y + spread(step)))
            .collect();
        series.push(Series::line(*name, curve));
        series.push(Series::band(*name, &band));
    }
    series
}

fn rate_curve(i: usize, name: &str) -> Series {
    let best = -1.0 - 0.4 * i as f64;
    let point = |exponent: f64| {
        (
            10f64.powf(exponent),
            5.2 + 0.1 * i as f64 + 0.4 * (exponent - best).powi(2),
        )
    };
    Series::line(
        name,
        (0..9).map(|k| point(-4.0 + 0.5 * f64::from(k))).collect(),
    )
}

fn winners() -> Table {
    let rows = OPTIMIZERS.iter().enumerate().map(|(i, name)| {
        let loss = 5.98 - 0.11 * i as f64;
        let p = if i == 6 {
            "–".to_owned()
        } else {
            format!("{:.3}", 0.002 * f64::from(1 << i))
        };
        vec![
            (*name).to_owned(),
            format!("{:.4}", 0.1 / (1 << i) as f64),
            format!("{loss:.3} ± 0.02{i}"),
            p,
        ]
    });
    Table {
        caption:
            "Each optimizer at its best learning rate: mean ± standard deviation over three seeds."
                .into(),
        header: [
            "optimizer",
            "learning rate",
            "validation loss",
            "p against AdamW",
        ]
        .map(String::from)
        .to_vec(),
        rows: rows.collect(),
        numeric: vec![1, 2, 3],
        highlight: Some(6),
    }
}

/// A density over `bins` bins from 0 to `end`.
fn histogram(name: &str, bins: usize, end: f64, density: impl Fn(f64) -> f64) -> Series {
    let edges: Vec<f64> = (0..=bins).map(|i| end * i as f64 / bins as f64).collect();
    let heights: Vec<f64> = edges
        .windows(2)
        .map(|edge| density((edge[0] + edge[1]) / 2.0))
        .collect();
    Series::histogram(name, &edges, &heights)
}

fn gaussian(x: f64, mean: f64, sd: f64) -> f64 {
    (-0.5 * ((x - mean) / sd).powi(2)).exp() / (sd * (2.0 * PI).sqrt())
}

fn heavy(x: f64) -> f64 {
    0.8 * gaussian(x, 1.0, 0.25) + 0.08 / (1.0 + (x - 1.0).max(0.0).powi(2)) * f64::from(x > 1.0)
}

fn norms(title: &str, density: impl Fn(f64) -> f64) -> Figure {
    let curve = |f: &dyn Fn(f64) -> f64| {
        (0..=200)
            .map(|i| f64::from(i) * 0.02)
            .map(|x| (x, f(x)))
            .collect()
    };
    Figure {
        title: title.into(),
        caption: String::new(),
        x: Axis::linear("noise norm / mean norm"),
        y: Axis::linear("density"),
        series: vec![
            histogram("measured", 40, 4.0, density),
            Series::line("Gaussian reference", curve(&|x| gaussian(x, 1.0, 0.3))),
            Series::dashed(
                "α-stable reference, α = 1.5",
                curve(&|x| 0.9 * heavy(x) + 0.02),
            ),
        ],
    }
}

fn noise() -> Section {
    let grid = [
        norms("attention, text", heavy),
        norms("attention, Gaussian input", |x| {
            0.5 * heavy(x) + 0.5 * gaussian(x, 1.0, 0.3)
        }),
        norms("attention-free, text", |x| gaussian(x, 1.05, 0.31)),
        norms("attention-free, Gaussian input", |x| gaussian(x, 1.0, 0.3)),
    ];
    let sizes: Vec<f64> = (0..=30)
        .map(|i| 10f64.powf(1.0 + f64::from(i) * 0.1))
        .collect();
    Section {
        title: "Noise".into(),
        items: vec![
            Item::Figure(norms("Noise norms of the attention model", heavy)),
            Item::Grid {
                caption: "Noise norms of four models.".into(),
                columns: 2,
                figures: grid.to_vec(),
            },
            Item::Figure(Figure {
                title: "Empirical variance against sample size".into(),
                caption: "A finite variance levels off; a heavy tail keeps growing.".into(),
                x: Axis::log("samples n"),
                y: Axis::log("empirical variance"),
                series: vec![
                    Series::line(
                        "measured",
                        sizes.iter().map(|&n| (n, 0.01 * n.powf(0.4))).collect(),
                    ),
                    Series::points(
                        "single batches",
                        sizes
                            .iter()
                            .map(|&n| (n, 0.02 * n.powf(0.35) * (1.2 + n.sin())))
                            .collect(),
                    ),
                    Series::dashed(
                        "Gaussian reference",
                        sizes.iter().map(|&n| (n, 0.03)).collect(),
                    ),
                ],
            }),
            Item::Figure(Figure {
                title: "Hill plot".into(),
                caption: "Thinned from a hundred thousand points.".into(),
                x: Axis::log("upper order statistics k"),
                y: Axis::linear("tail index α").with_range(0.0, 4.0),
                series: vec![
                    Series::line(
                        "Hill estimate",
                        (10..100_000)
                            .map(f64::from)
                            .map(|k| (k, 1.6 + 5.0 * (k * 0.3).sin() / k.sqrt()))
                            .collect(),
                    ),
                    Series::dashed("finite variance, α = 2", vec![(10.0, 2.0), (1e5, 2.0)]),
                ],
            }),
        ],
    }
}

/// Data that a careless plot would choke on.
fn odd() -> Section {
    let figure = |title: &str, y: Axis, series: Vec<Series>| Figure {
        title: title.into(),
        caption: String::new(),
        x: Axis::linear("x"),
        y,
        series,
    };
    let figures = vec![
        figure(
            "nothing at all",
            Axis::linear("y"),
            vec![Series::line("empty", vec![])],
        ),
        figure(
            "one point",
            Axis::log("y"),
            vec![Series::dashed("lonely", vec![(3.0, 5e-7)])],
        ),
        figure(
            "NaN, infinity, zero on a logarithmic axis",
            Axis::log("y"),
            vec![Series::line(
                "a name that is far longer than any legend <b>should</b> ever have to show to anybody",
                vec![
                    (0.0, 1.0),
                    (1.0, f64::NAN),
                    (2.0, 0.0),
                    (3.0, 40.0),
                    (4.0, f64::INFINITY),
                    (5.0, 7.0),
                ],
            )],
        ),
        figure(
            "huge values",
            Axis::linear("an axis label that is much too long for the height of a small figure"),
            vec![Series::line(
                "huge",
                vec![(0.0, 1e12), (1.0, 9e12), (2.0, 4e12)],
            )],
        ),
        figure(
            "a run that leaves the range shown",
            Axis::linear("loss").with_range(0.0, 10.0),
            vec![
                Series::line(
                    "diverging",
                    vec![(0.0, 9.0), (1.0, 7.0), (2.0, 8.0), (3.0, 1e250)],
                ),
                Series::line(
                    "waving",
                    (0..9)
                        .map(f64::from)
                        .map(|x| (x / 2.0, 8.0 + 6.0 * x.sin()))
                        .collect(),
                ),
            ],
        ),
        figure(
            "an impossible range",
            Axis::log("y").with_range(0.0, 1.0),
            vec![],
        ),
    ];
    Section {
        title: "Odd data".into(),
        items: vec![Item::Grid {
            caption: "What a report makes of odd data.".into(),
            columns: 2,
            figures,
        }],
    }
}

fn again() -> Section {
    Section {
        title: "Run it again".into(),
        items: vec![Item::Code(
            "cargo run --release -p acclip-report --example gallery -- gallery.html".into(),
        )],
    }
}
