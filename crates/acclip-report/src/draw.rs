//! A figure as SVG, drawn with plotters: the frame with grid, ticks and axis titles, the legend above it, and in it
//! an inner `<svg>` with the series, which cuts off what lies outside the axes.
//!
//! The colours are those of a light page. Each part has a class (`frame`, and `c0` to `c7` for the series' colours), by
//! which the page's style sheet recolours it on a dark one.

use std::fmt::Write as _;
use std::ops::Range;

use plotters::coord::ranged1d::Ranged;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::axis::AxisCoord;
use crate::legend::{self, Entry};
use crate::palette::Looks;
use crate::pen::{DrawError, Plot, draw_key, draw_series, fragment};
use crate::shape::{Prepared, Shape};
use crate::text::{TYPE, UNIT, escape, fitted, text_width};
use crate::{Error, Figure, Scale};

const INK: RGBColor = RGBColor(0x33, 0x33, 0x33);
const GRID: RGBColor = RGBColor(0xDD, 0xDD, 0xDD);
const MINOR_GRID: RGBColor = RGBColor(0xF0, 0xF0, 0xF0);
const HAIRLINE: u32 = 10;

/// Room for the x axis: ticks, labels, title.
const BELOW: i32 = 48 * UNIT;
/// Room for half of the last x label.
const RIGHT: i32 = 18 * UNIT;
/// Room for the y axis title and the ticks, beside the labels.
const LEFT: i32 = 36 * UNIT;
const ABOVE: i32 = 8 * UNIT;

/// Width of a figure and its height without the legend, in CSS pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(i32, i32);

/// Over the whole width of the page.
pub(crate) const WIDE: Size = Size(760, 370);
/// On a phone, and in a grid.
pub(crate) const NARROW: Size = Size(380, 270);

/// Draws a prepared figure as one `<svg>` element that can also stand alone as a file.
///
/// # Errors
/// [`Error::Draw`] if plotters refuses.
pub(crate) fn draw(
    figure: &Figure,
    prepared: &Prepared,
    looks: &Looks,
    size: Size,
) -> Result<String, Error> {
    compose(figure, prepared, looks, size).map_err(|error| Error::Draw {
        figure: figure.title.clone(),
        reason: error.to_string(),
    })
}

fn compose(
    figure: &Figure,
    prepared: &Prepared,
    looks: &Looks,
    size: Size,
) -> Result<String, DrawError> {
    let width = size.0 * UNIT;
    let (entries, legend_height) = legend::place(figure, width);
    let top = legend_height + ABOVE;
    let height = top + size.1 * UNIT;

    let y = AxisCoord::new(figure.y.scale, prepared.y, (size.1 / 38) as usize);
    let label_width = y
        .ticks()
        .iter()
        .map(|tick| text_width(&tick.label))
        .max()
        .unwrap_or(0);
    let left = LEFT + label_width.min(width / 3);
    let x = x_axis(figure.x.scale, prepared.x, width - left - RIGHT);

    let mut place = (0..0, 0..0);
    let frame = fragment((width, height), |svg| {
        let canvas = svg.into_drawing_area();
        place = draw_frame(&canvas, figure, (&x, &y), top, left)?;
        for entry in &entries {
            canvas.draw_text(
                &entry.shown,
                &text_style(HPos::Left),
                (entry.text_x(), entry.y),
            )?;
        }
        if prepared.is_empty() {
            let middle = (
                i32::midpoint(place.0.start, place.0.end),
                i32::midpoint(place.1.start, place.1.end),
            );
            canvas.draw_text("no data", &text_style(HPos::Center), middle)?;
        }
        Ok(())
    })?;

    let (plot_width, plot_height) = (place.0.end - place.0.start, place.1.end - place.1.start);
    let base = if figure.y.scale == Scale::Log {
        y.range().start
    } else {
        0.0
    };
    let plot = Plot {
        x: &x,
        y: &y,
        width: plot_width,
        height: plot_height,
        base,
    };

    let mut svg = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" viewBox=\"0 0 {width} {height}\" \
         role=\"img\">\n<title>{}</title>\n<g class=\"frame\">\n{frame}</g>\n{}\
         <svg x=\"{}\" y=\"{}\" width=\"{plot_width}\" height=\"{plot_height}\" \
         viewBox=\"0 0 {plot_width} {plot_height}\">\n{}</svg>\n</svg>",
        width / UNIT,
        height / UNIT,
        escape(&figure.title),
        draw_keys(&entries, looks)?,
        place.0.start,
        place.1.start,
        draw_all_series(figure, prepared, looks, &plot)?,
    );
    Ok(svg)
}

/// The samples of the legend.
fn draw_keys(entries: &[Entry<'_>], looks: &Looks) -> Result<String, DrawError> {
    let mut keys = String::new();
    for entry in entries {
        for mark in &entry.marks {
            keys += &draw_key(mark, looks.of(entry.name), (entry.x, entry.y), legend::KEY)?;
        }
    }
    Ok(keys)
}

/// The series, areas below lines.
fn draw_all_series(
    figure: &Figure,
    prepared: &Prepared,
    looks: &Looks,
    plot: &Plot<'_>,
) -> Result<String, DrawError> {
    let mut order: Vec<_> = figure.series.iter().zip(&prepared.shapes).collect();
    order.sort_by_key(|(_, shape)| match shape {
        Shape::Bars(_) => 0,
        Shape::Band(_) => 1,
        Shape::Path(_) => 2,
    });
    order
        .into_iter()
        .map(|(series, shape)| draw_series(plot, &series.mark, shape, looks.of(&series.name)))
        .collect()
}

/// Text centred vertically on its position.
fn text_style(horizontal: HPos) -> TextStyle<'static> {
    // The SVG backend divides the size by 1.24.
    ("sans-serif", f64::from(TYPE) * 1.24)
        .into_font()
        .color(&INK)
        .pos(Pos::new(horizontal, VPos::Center))
}

/// An x axis of the given length with as many ticks as have room for their labels.
fn x_axis(scale: Scale, extent: (f64, f64), length: i32) -> AxisCoord {
    let fits = |axis: &AxisCoord| {
        axis.ticks().windows(2).all(|pair| {
            let room = (text_width(&pair[0].label) + text_width(&pair[1].label)) / 2 + TYPE;
            axis.map(&pair[1].at, (0, length)) - axis.map(&pair[0].at, (0, length)) >= room
        })
    };
    let most = (length / (70 * UNIT)).max(2) as usize;
    let with_ticks = |target| AxisCoord::new(scale, extent, target);
    let mut axis = (2..=most)
        .rev()
        .map(with_ticks)
        .find(fits)
        .unwrap_or_else(|| with_ticks(2));
    while !fits(&axis) {
        axis.halve_ticks();
    }
    axis
}

/// Draws grid, axes, ticks and axis titles; returns where the plot lies on the canvas.
fn draw_frame(
    canvas: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    figure: &Figure,
    (x, y): (&AxisCoord, &AxisCoord),
    top: i32,
    left: i32,
) -> Result<(Range<i32>, Range<i32>), DrawError> {
    let (width, height) = canvas.dim_in_pixel();
    let mut chart = ChartBuilder::on(canvas)
        .margin_top(top)
        .margin_right(RIGHT)
        .x_label_area_size(BELOW)
        .y_label_area_size(left)
        .build_cartesian_2d(x.clone(), y.clone())?;
    chart
        .configure_mesh()
        .bold_line_style(GRID.stroke_width(HAIRLINE))
        .light_line_style(MINOR_GRID.stroke_width(HAIRLINE))
        .axis_style(INK.stroke_width(HAIRLINE))
        .label_style(text_style(HPos::Center))
        .x_desc(fitted(&figure.x.label, width as i32 - left))
        .y_desc(fitted(&figure.y.label, height as i32 - top))
        .set_all_tick_mark_size(4 * UNIT)
        .draw()?;
    Ok(chart.plotting_area().get_pixel_range())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_the_x_axis_do_not_run_into_each_other() {
        let extents = [
            (0.0, 1.0),
            (0.0, 4e5),
            (-1e-7, 3e-7),
            (99.9, 100.1),
            (3e7, 3.01e7),
            (0.0, 250.0),
        ];
        let log_extents = [
            (-4.0, 0.0),
            (-5.0, -4.0),
            (-6.3, -5.9),
            (0.0, 60.0),
            (-2.9, -2.1),
        ];
        let linear = extents.map(|extent| (Scale::Linear, extent));
        let log = log_extents.map(|extent| (Scale::Log, extent));
        for (scale, extent) in linear.into_iter().chain(log) {
            for length in [2800, 6500] {
                let axis = x_axis(scale, extent, length);
                assert!(axis.ticks().len() >= 2, "{extent:?}: {:?}", axis.ticks());
                let mut end = i32::MIN;
                for tick in axis.ticks() {
                    let (middle, half) =
                        (axis.map(&tick.at, (0, length)), text_width(&tick.label) / 2);
                    assert!(middle - half > end, "{extent:?}: {:?}", axis.ticks());
                    end = middle + half;
                }
            }
        }
    }
}
