//! What is drawn: positions, colours, and what becomes of data that have no place on the axes.

mod common;

use acclip_report::{
    Axis, Error, Figure, Item, Mark, Report, Section, Series, figure_svg, to_html,
};
use common::{Element, figure, line, page, parse};

fn svg(figure: &Figure) -> String {
    figure_svg(figure).expect("the figure can be drawn")
}

/// The elements inside the axes, without grid, ticks and legend.
fn marks(figure: &Figure) -> Vec<Element> {
    let svgs = |element: &Element| element.inside.iter().filter(|name| *name == "svg").count();
    parse(&svg(figure))
        .into_iter()
        .filter(|element| svgs(element) == 2)
        .collect()
}

/// The corners of the only element of a name inside the axes, as shares of the plot's width and height, from below.
fn corners(figure: &Figure, name: &str) -> Vec<(f64, f64)> {
    let elements = parse(&svg(figure));
    let plot = elements
        .iter()
        .filter(|element| element.name == "svg")
        .nth(1)
        .expect("an inner svg");
    let size = |name: &str| {
        plot.attribute(name)
            .and_then(|v| v.parse::<f64>().ok())
            .expect("a number")
    };
    let found: Vec<_> = marks(figure)
        .into_iter()
        .filter(|element| element.name == name)
        .collect();
    assert_eq!(found.len(), 1, "{name}");
    let points = found[0].attribute("points").expect("points");
    let corner = |pair: &str| {
        let (x, y) = pair.split_once(',').expect("x,y");
        let number = |text: &str| text.parse::<f64>().expect("a number");
        (number(x) / size("width"), 1.0 - number(y) / size("height"))
    };
    points.split_whitespace().map(corner).collect()
}

/// Equal up to the canvas's resolution.
fn assert_close(found: &[(f64, f64)], expected: &[(f64, f64)]) {
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (f, e) in found.iter().zip(expected) {
        assert!(
            (f.0 - e.0).abs() < 1e-3 && (f.1 - e.1).abs() < 1e-3,
            "{found:?} is not {expected:?}"
        );
    }
}

#[test]
fn points_lie_where_the_axes_say() {
    let mut linear = figure(vec![line("a", &[(0.0, 10.0), (5.0, 20.0), (10.0, 12.5)])]);
    linear.x.range = Some((0.0, 10.0));
    linear.y.range = Some((10.0, 20.0));
    assert_close(
        &corners(&linear, "polyline"),
        &[(0.0, 0.0), (0.5, 1.0), (1.0, 0.25)],
    );

    let mut log = figure(vec![line("a", &[(1e-4, 1.0), (1e-2, 10.0), (1.0, 100.0)])]);
    log.x = Axis::log("x").with_range(1e-4, 1.0);
    log.y = Axis::log("y").with_range(1.0, 1e4);
    assert_close(
        &corners(&log, "polyline"),
        &[(0.0, 0.0), (0.5, 0.25), (1.0, 0.5)],
    );
}

#[test]
fn a_histogram_is_one_outline_that_stands_on_zero() {
    let mut bars = figure(vec![Series::histogram(
        "a",
        &[0.0, 1.0, 2.0, 4.0],
        &[1.0, 3.0, 2.0],
    )]);
    bars.y.range = Some((0.0, 4.0));
    let outline = [
        (0.0, 0.0),
        (0.0, 0.25),
        (0.25, 0.25),
        (0.25, 0.75),
        (0.5, 0.75),
        (0.5, 0.5),
        (1.0, 0.5),
        (1.0, 0.0),
    ];
    assert_close(&corners(&bars, "polygon"), &outline);
}

#[test]
fn bars_stand_on_the_axis_where_it_is_logarithmic_and_empty_bins_are_no_problem() {
    let mut bars = figure(vec![Series::histogram("a", &[0.0, 1.0, 2.0], &[0.1, 0.0])]);
    bars.y = Axis::log("count").with_range(0.01, 1.0);
    bars.x.range = Some((0.0, 2.0));
    assert_close(
        &corners(&bars, "polygon"),
        &[(0.0, 0.0), (0.0, 0.5), (0.5, 0.5), (0.5, 0.0)],
    );
    assert!(!page(Item::Figure(bars)).contains("not drawn"));
}

#[test]
fn a_band_goes_along_its_lower_edge_and_back_along_its_upper() {
    let mut band = figure(vec![Series::band("a", &[(0.0, 1.0, 2.0), (1.0, 0.0, 4.0)])]);
    band.x.range = Some((0.0, 1.0));
    band.y.range = Some((0.0, 4.0));
    assert_close(
        &corners(&band, "polygon"),
        &[(0.0, 0.25), (1.0, 0.0), (1.0, 1.0), (0.0, 0.5)],
    );
}

#[test]
fn the_legend_shows_a_sample_of_each_mark() {
    let at = |name: &str| {
        let points = vec![(0.0, 0.0), (1.0, 1.0)];
        let series = match name {
            "line" => Series::line(name, points),
            "dashed" => Series::dashed(name, points),
            "points" => Series::points(name, points),
            "bars" => Series::histogram(name, &[0.0, 1.0], &[1.0]),
            _ => Series::band(name, &[(0.0, 0.0, 1.0), (1.0, 0.0, 1.0)]),
        };
        let outside =
            |element: &Element| element.inside.iter().filter(|name| *name == "svg").count() == 1;
        let drawn = svg(&figure(vec![series]));
        assert!(drawn.contains(&format!("\n{name}\n")), "no name in {drawn}");
        // Everything after the frame's group and before the inner svg is the legend's sample.
        let elements = parse(&drawn);
        let sample = elements
            .iter()
            .filter(|element| outside(element) || element.inside.len() == 2);
        let sample = sample.skip_while(|element| {
            !element
                .attribute("class")
                .is_some_and(|c| c.starts_with('c'))
        });
        sample
            .skip(1)
            .take_while(|element| element.name != "svg")
            .map(|e| e.name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(at("line"), ["polyline", "polygon"]);
    assert_eq!(at("dashed"), ["polyline"]);
    assert_eq!(at("points"), ["polygon"]);
    assert_eq!(at("bars"), ["polygon"]);
    assert_eq!(at("band"), ["polygon"]);
}

#[test]
fn only_dashed_lines_are_dashed() {
    let points = [(0.0, 0.0), (1.0, 1.0)];
    assert!(!svg(&figure(vec![line("a", &points)])).contains("stroke-dasharray"));
    assert!(svg(&figure(vec![Series::dashed("a", points.to_vec())])).contains("stroke-dasharray"));
}

#[test]
fn what_has_no_place_is_left_out_and_counted() {
    let bad = [
        (1.0, f64::NAN),
        (f64::INFINITY, 1.0),
        (2.0, 1e301),
        (-1.0, 2.0),
        (3.0, 0.0),
    ];
    let good = [(1.0, 1.0), (10.0, 10.0)];
    let mut log = figure(vec![line("a", &[&bad[..], &good[..]].concat())]);
    (log.x, log.y) = (
        Axis::log("x").with_range(1.0, 10.0),
        Axis::log("y").with_range(1.0, 10.0),
    );
    assert_close(&corners(&log, "polyline"), &[(0.0, 0.0), (1.0, 1.0)]);
    let html = page(Item::Figure(log.clone()));
    assert!(
        html.contains("3 points are not drawn: not a finite number."),
        "{html}"
    );
    assert!(
        html.contains("2 points are not drawn: not positive, on a logarithmic axis."),
        "{html}"
    );

    // On linear axes the last two are ordinary points.
    (log.x, log.y) = (Axis::linear("x"), Axis::linear("y"));
    assert_eq!(corners(&log, "polyline").len(), 4);
    assert!(!page(Item::Figure(log)).contains("logarithmic"));

    // A bar without a height leaves a gap of its own width, and its neighbours as they are.
    let gap = figure(vec![Series::histogram(
        "a",
        &[0.0, 1.0, 2.0, 3.0],
        &[1.0, f64::NAN, 1.0],
    )]);
    assert_eq!(
        marks(&gap)
            .iter()
            .filter(|element| element.name == "polygon")
            .count(),
        2
    );
    assert!(page(Item::Figure(gap)).contains("1 point is not drawn"));
}

#[test]
fn degenerate_data_are_drawn_on_finite_axes() {
    let cases: Vec<Vec<(f64, f64)>> = vec![
        vec![],
        vec![(f64::NAN, f64::NAN)],
        vec![(0.0, 0.0)],
        vec![(3.0, 7.0); 5],
        vec![(1e-320, 5e-324), (2e-320, 1e-323)],
        vec![(-1e300, -1e300), (1e300, 1e300)],
        vec![(1e16, 1.0), (1e16 + 2.0, 1.0 + 1e-15)],
        vec![(1e-300, 1e300), (1.0, 1e-300)],
        vec![(f64::MAX, f64::MIN)],
        vec![(0.0, -5.0), (1.0, -5.0)],
    ];
    type Constructor = fn(&[(f64, f64)]) -> Series;
    let marks: [Constructor; 5] = [
        |points| Series::line("a", points.to_vec()),
        |points| Series::dashed("a", points.to_vec()),
        |points| Series::points("a", points.to_vec()),
        |points| Series {
            name: "a".into(),
            points: points.to_vec(),
            mark: Mark::Bars { end: 10.0 },
        },
        |points| {
            Series::band(
                "a",
                &points.iter().map(|&(x, y)| (x, y, y)).collect::<Vec<_>>(),
            )
        },
    ];
    for points in &cases {
        for mark in marks {
            for (x, y) in [
                (Axis::linear("x"), Axis::linear("y")),
                (Axis::log("x"), Axis::log("y")),
            ] {
                for range in [None, Some((1.0, 2.0))] {
                    let mut figure = figure(vec![mark(points)]);
                    (figure.x, figure.y) = (x.clone(), y.clone());
                    figure.y.range = range;
                    let html = page(Item::Figure(figure));
                    parse(&html);
                    assert!(
                        !html.contains("NaN") && !html.contains("inf\""),
                        "{points:?}"
                    );
                    // At least two labelled ticks an axis, in both sizes.
                    assert!(
                        html.matches("<text").count() >= 2 * (1 + 2 + 2 + 2),
                        "{points:?}"
                    );
                }
            }
        }
    }
    assert!(svg(&figure(vec![])).contains("no data"));
    assert!(!svg(&figure(vec![line("a", &[(1.0, 1.0)])])).contains("no data"));
}

#[test]
fn a_single_point_of_any_mark_is_visible() {
    let lone = [(1.0, 1.0)];
    let series = [
        line("a", &lone),
        Series::dashed("a", lone.to_vec()),
        Series::points("a", lone.to_vec()),
        Series::band("a", &[(1.0, 0.0, 2.0)]),
        Series::histogram("a", &[0.0, 1.0], &[1.0]),
    ];
    for series in series {
        let visible = |element: &Element| element.name == "polygon" || element.name == "polyline";
        assert!(
            marks(&figure(vec![series.clone()])).iter().any(visible),
            "{series:?}"
        );
    }
}

#[test]
fn impossible_figures_are_refused_and_do_not_stop_the_report() {
    let with_range = |axis: Axis, low, high| Figure {
        x: axis.with_range(low, high),
        ..figure(vec![])
    };
    for (low, high) in [
        (1.0, 1.0),
        (1.0, 1.0 + 1e-13),
        (2.0, 1.0),
        (f64::NAN, 1.0),
        (0.0, f64::INFINITY),
    ] {
        let refused = figure_svg(&with_range(Axis::linear("x"), low, high));
        assert!(
            matches!(refused, Err(Error::Range { log: false, .. })),
            "{low} to {high}"
        );
    }
    let zero =
        figure_svg(&with_range(Axis::log("rate"), 0.0, 1.0)).expect_err("zero has no logarithm");
    let message = zero.to_string();
    assert!(
        message.contains("\"rate\"")
            && message.contains("0 to 1")
            && message.contains("above zero"),
        "{message}"
    );

    let mut band = figure(vec![Series::band("spread", &[(0.0, 0.0, 1.0)])]);
    band.series[0].points.push((1.0, 1.0));
    let message = figure_svg(&band).expect_err("edges differ").to_string();
    assert!(
        message.contains("\"spread\"")
            && message.contains("2 lower")
            && message.contains("1 upper"),
        "{message}"
    );

    let html = page(Item::Figure(band));
    parse(&html);
    assert!(
        html.contains("2 lower points")
            && html.contains("Figure 1.")
            && html.ends_with("</html>\n")
    );
}

#[test]
fn what_lies_outside_a_given_range_is_clipped_not_bent() {
    let mut steep = figure(vec![line("a", &[(0.0, 0.0), (1.0, 10.0)])]);
    steep.x.range = Some((0.0, 1.0));
    steep.y.range = Some((0.0, 1.0));
    assert_close(&corners(&steep, "polyline"), &[(0.0, 0.0), (1.0, 10.0)]);
}

/// The class (`c0` … `c7`) and the stroke of each line in the page's figures, by legend name, in order.
fn colors(report: &Report, name: &str) -> Vec<String> {
    let figures = report
        .sections
        .iter()
        .flat_map(|section| &section.items)
        .map(|item| match item {
            Item::Figure(figure) => figure.series.iter().position(|series| series.name == name),
            _ => None,
        });
    let html = to_html(report);
    let groups: Vec<Vec<String>> = html
        .split("<svg class=\"wide\"")
        .skip(1)
        .map(|figure| {
            figure
                .split("<svg class=\"narrow\"")
                .next()
                .expect("a first part")
        })
        .map(|figure| figure.split_once("<svg x=").expect("an inner svg").1)
        .map(|plot| {
            plot.split("<g class=\"")
                .skip(1)
                .map(|group| group[..2].to_owned())
                .collect()
        })
        .collect();
    figures
        .zip(groups)
        .filter_map(|(position, groups)| position.map(|i| groups[i].clone()))
        .collect()
}

#[test]
fn a_name_has_the_same_colour_in_each_figure() {
    let names = ["SGD", "GClip", "CClip", "ACClip", "AdamW"];
    let with = |order: &[usize]| {
        Item::Figure(figure(
            order
                .iter()
                .map(|&i| line(names[i], &[(0.0, i as f64), (1.0, 2.0)]))
                .collect(),
        ))
    };
    let items = vec![
        with(&[0, 1, 2]),
        with(&[4, 2, 0]),
        with(&[3]),
        with(&[4, 3, 2, 1, 0]),
    ];
    let report = Report {
        sections: vec![Section {
            title: String::new(),
            items,
        }],
        ..Report::default()
    };
    let mut seen = Vec::new();
    for (name, figures) in names.iter().zip([3, 2, 3, 2, 2]) {
        let mut found = colors(&report, name);
        assert_eq!(found.len(), figures, "{name}");
        found.dedup();
        assert_eq!(found.len(), 1, "{name} changes colour: {found:?}");
        seen.extend(found);
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), names.len(), "two names share a colour");
}

#[test]
fn a_hundred_thousand_points_stay_small_and_keep_their_peaks() {
    let mut points: Vec<(f64, f64)> = (0..100_000)
        .map(|i| (f64::from(i), (f64::from(i) * 0.01).sin()))
        .collect();
    points[54_321].1 = 50.0;
    points[54_400].1 = -50.0;
    let band: Vec<(f64, f64, f64)> = points.iter().map(|&(x, y)| (x, y - 1.0, y + 1.0)).collect();
    let zigzag = (0..100_000)
        .map(|i| (f64::from(i % 2), f64::from(i)))
        .collect();
    for series in [
        Series::line("a", points.clone()),
        Series::points("a", points.clone()),
        Series::dashed("a", points.clone()),
        Series::band("a", &band),
        Series::line("a", zigzag),
        Series {
            name: "a".into(),
            points: points.clone(),
            mark: Mark::Bars { end: 1e5 },
        },
    ] {
        let html = page(Item::Figure(figure(vec![series.clone()])));
        assert!(
            html.len() < 600_000,
            "{} bytes for {:?}",
            html.len(),
            series.mark
        );
        assert!(
            html.contains("Thinned for display from 100000 to "),
            "{:?}",
            series.mark
        );
    }
    let mut peaks = figure(vec![Series::line("a", points)]);
    peaks.y.range = Some((-50.0, 50.0));
    peaks.x.range = Some((0.0, 99_999.0));
    let drawn = corners(&peaks, "polyline");
    assert!((300..=600).contains(&drawn.len()), "{}", drawn.len());
    let near = |x: f64, y: f64| {
        drawn
            .iter()
            .any(|point| (point.0 - x).abs() < 1e-3 && (point.1 - y).abs() < 1e-3)
    };
    assert!(
        near(0.54321, 1.0)
            && near(0.544, 0.0)
            && near(0.0, 0.5)
            && near(1.0, 0.5 + 0.01 * (999.99f64).sin())
    );
    assert!(
        drawn.windows(2).all(|pair| pair[0].0 <= pair[1].0),
        "out of order"
    );

    // On a logarithmic axis the first decade keeps its points.
    let mut log = figure(vec![Series::line(
        "a",
        (1..100_000)
            .map(|i| (f64::from(i), f64::from(i % 2)))
            .collect(),
    )]);
    log.x = Axis::log("k").with_range(1.0, 1e5);
    assert!(
        corners(&log, "polyline")
            .iter()
            .filter(|point| point.0 < 0.2)
            .count()
            >= 9
    );
}

#[test]
fn a_thinned_histogram_keeps_its_area() {
    let edges: Vec<f64> = (0..=6000).map(f64::from).collect();
    let heights: Vec<f64> = (0..6000).map(|i| f64::from(i % 10)).collect();
    let mut bars = figure(vec![Series::histogram("a", &edges, &heights)]);
    bars.y.range = Some((0.0, 10.0));
    let outline = corners(&bars, "polygon");
    let area: f64 = outline
        .windows(2)
        .map(|pair| (pair[1].0 - pair[0].0) * (pair[0].1 + pair[1].1) / 2.0)
        .sum();
    assert!((area - 0.45).abs() < 2e-3, "{area}");
}

#[test]
fn ticks_are_labelled() {
    let mut small = figure(vec![line("a", &[(1e-5, 3e-5), (4e-5, 9e-5)])]);
    (small.x, small.y) = (Axis::log("x"), Axis::log("y"));
    let labels = svg(&small);
    assert!(
        labels.contains("10⁻⁵") && labels.contains("2·10⁻⁵"),
        "{labels}"
    );
}
