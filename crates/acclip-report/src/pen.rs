//! The marks of a series, drawn on plotters' SVG backend.
//!
//! They are drawn on the backend itself: a plotters drawing area moves what lies outside onto its edge, which would
//! bend a line that leaves the plot. And each series is drawn alone, into a fragment, since the backend knows no dash
//! pattern and no classes: a `<g>` around the fragment has both.

use plotters::coord::ranged1d::Ranged;
use plotters::prelude::*;

use crate::Mark;
use crate::axis::AxisCoord;
use crate::marker::Marker;
use crate::palette::{Look, PALETTE};
use crate::shape::Shape;
use crate::text::UNIT;

/// What plotters may answer; nothing known here makes it fail.
pub(crate) type DrawError = DrawingAreaErrorKind<std::io::Error>;

const LINE_WIDTH: u32 = 18;
const MARKER_RADIUS: i32 = 4 * UNIT;

/// Dash patterns, in canvas units.
const DASHES: [&str; 3] = ["70 40", "20 35", "90 35 20 35"];

/// Draws on a fresh canvas and returns the elements drawn, without the `<svg>` around them.
pub(crate) fn fragment(
    (width, height): (i32, i32),
    draw: impl FnOnce(SVGBackend<'_>) -> Result<(), DrawError>,
) -> Result<String, DrawError> {
    let mut svg = String::new();
    draw(SVGBackend::with_string(
        &mut svg,
        (width.unsigned_abs(), height.unsigned_abs()),
    ))?;
    let inside = svg.split_once(">\n").map_or("", |(_, rest)| rest);
    Ok(inside.strip_suffix("</svg>\n").unwrap_or(inside).to_owned())
}

/// The plot between the axes.
pub(crate) struct Plot<'a> {
    pub x: &'a AxisCoord,
    pub y: &'a AxisCoord,
    /// Canvas units.
    pub width: i32,
    /// Canvas units.
    pub height: i32,
    /// Where bars stand, as a y axis coordinate.
    pub base: f64,
}

impl Plot<'_> {
    fn at(&self, (x, y): (f64, f64)) -> (i32, i32) {
        (
            self.x.map(&x, (0, self.width)),
            self.y.map(&y, (self.height, 0)),
        )
    }
}

/// Draws one series as a group.
pub(crate) fn draw_series(
    plot: &Plot<'_>,
    mark: &Mark,
    shape: &Shape,
    look: Look,
) -> Result<String, DrawError> {
    draw_group((plot.width, plot.height), mark, look, |pen| match shape {
        Shape::Path(points) => draw_path(pen, plot, points, mark),
        Shape::Bars(bars) => draw_bars(pen, plot, bars),
        Shape::Band(edges) => draw_band(pen, plot, edges),
    })
}

/// Draws a legend's sample of a mark, `length` long, its left end at `(x, y)`, as a group.
pub(crate) fn draw_key(
    mark: &Mark,
    look: Look,
    (x, y): (i32, i32),
    length: i32,
) -> Result<String, DrawError> {
    let rectangle = || {
        let (left, right, top, bottom) = (
            x + 2 * UNIT,
            x + length - 2 * UNIT,
            y - 6 * UNIT,
            y + 6 * UNIT,
        );
        vec![(left, top), (right, top), (right, bottom), (left, bottom)]
    };
    draw_group((0, 0), mark, look, |pen| {
        if matches!(mark, Mark::Line | Mark::Dashed) {
            pen.line(vec![(x, y), (x + length, y)], 1.0, LINE_WIDTH)?;
        }
        match mark {
            Mark::Line | Mark::Points => pen.marker((x + length / 2, y)),
            Mark::Dashed => Ok(()),
            Mark::Bars { .. } => pen.area(rectangle(), 0.45),
            Mark::Band { .. } => pen.area(rectangle(), 0.2),
        }
    })
}

/// Wraps what is drawn for a mark in a group with the class of its colour, `c0` to `c7`, and its dash pattern.
fn draw_group(
    size: (i32, i32),
    mark: &Mark,
    look: Look,
    draw: impl FnOnce(&mut Pen<'_>) -> Result<(), DrawError>,
) -> Result<String, DrawError> {
    let drawn = fragment(size, |svg| draw(&mut Pen { svg, look }))?;
    let dash = match mark {
        Mark::Dashed => format!(
            " stroke-dasharray=\"{}\"",
            DASHES[look.marker % DASHES.len()]
        ),
        _ => String::new(),
    };
    Ok(format!(
        "<g class=\"c{}\" stroke-linejoin=\"round\"{dash}>\n{drawn}</g>\n",
        look.color
    ))
}

/// A backend and the look of what it draws.
struct Pen<'a> {
    svg: SVGBackend<'a>,
    look: Look,
}

impl Pen<'_> {
    fn color(&self, opacity: f64) -> RGBAColor {
        let (r, g, b) = PALETTE[self.look.color].light;
        RGBColor(r, g, b).mix(opacity)
    }

    fn line(&mut self, points: Vec<(i32, i32)>, opacity: f64, width: u32) -> Result<(), DrawError> {
        let style = self.color(opacity).stroke_width(width);
        self.svg
            .draw_path(points, &style)
            .map_err(DrawError::BackendError)
    }

    fn area(&mut self, outline: Vec<(i32, i32)>, opacity: f64) -> Result<(), DrawError> {
        let style = self.color(opacity).filled();
        self.svg
            .fill_polygon(outline, &style)
            .map_err(DrawError::BackendError)
    }

    fn marker(&mut self, at: (i32, i32)) -> Result<(), DrawError> {
        self.area(
            Marker::new(self.look.marker).outline(at, MARKER_RADIUS),
            1.0,
        )
    }
}

fn draw_path(
    pen: &mut Pen<'_>,
    plot: &Plot<'_>,
    points: &[(f64, f64)],
    mark: &Mark,
) -> Result<(), DrawError> {
    let at: Vec<(i32, i32)> = points.iter().map(|&point| plot.at(point)).collect();
    let marked = match mark {
        Mark::Points => at.clone(),
        Mark::Dashed if at.len() > 1 => Vec::new(),
        _ => marked_points(&at, plot.width, pen.look.marker),
    };
    if !matches!(mark, Mark::Points) && at.len() > 1 {
        pen.line(at, 1.0, LINE_WIDTH)?;
    }
    marked.into_iter().try_for_each(|at| pen.marker(at))
}

/// Which points of a line get a marker: all of a few, otherwise about eight at equal distances along the plot, which
/// start at another place for each marker so that those of lines that coincide do not hide each other.
fn marked_points(points: &[(i32, i32)], width: i32, marker: usize) -> Vec<(i32, i32)> {
    if points.len() <= 12 {
        return points.to_vec();
    }
    let distance = width / 8;
    let mut next = distance * (marker % 8) as i32 / 8;
    let mut marked = Vec::new();
    for &(x, y) in points {
        if x >= next {
            marked.push((x, y));
            next = x.saturating_add(distance);
        }
    }
    marked
}

/// Bars as one filled outline for each run of bars that touch, without seams between them.
fn draw_bars(
    pen: &mut Pen<'_>,
    plot: &Plot<'_>,
    bars: &[(f64, f64, f64)],
) -> Result<(), DrawError> {
    for run in bars.chunk_by(|this, next| this.1 == next.0) {
        let tops = run
            .iter()
            .flat_map(|&(left, right, top)| [(left, top), (right, top)]);
        let first = (run[0].0, plot.base);
        let last = (run[run.len() - 1].1, plot.base);
        let outline: Vec<_> = [first]
            .into_iter()
            .chain(tops)
            .chain([last])
            .map(|point| plot.at(point))
            .collect();
        pen.area(outline.clone(), 0.35)?;
        pen.line(outline, 0.8, 10)?;
    }
    Ok(())
}

fn draw_band(
    pen: &mut Pen<'_>,
    plot: &Plot<'_>,
    edges: &[(f64, f64, f64)],
) -> Result<(), DrawError> {
    if let [(x, low, high)] = *edges {
        return pen.line(vec![plot.at((x, low)), plot.at((x, high))], 0.5, LINE_WIDTH);
    }
    let lower = edges.iter().map(|&(x, low, _)| (x, low));
    let upper = edges.iter().rev().map(|&(x, _, high)| (x, high));
    let outline: Vec<_> = lower.chain(upper).map(|point| plot.at(point)).collect();
    if outline.is_empty() {
        Ok(())
    } else {
        pen.area(outline, 0.2)
    }
}
