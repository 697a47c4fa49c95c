//! From the numbers of a figure to the shapes to be drawn: drops what has no place on the axes, and finds the range of
//! the axes.

use crate::{Axis, Error, Figure, Mark, Scale, Series};

/// Larger values are treated like infinity: differences of them could overflow.
const LARGEST: f64 = 1e300;

/// Differences smaller than this are treated like zero: powers of ten below them lose their precision.
const SMALLEST: f64 = 1e-290;

/// What is drawn of a series, in axis coordinates.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    /// Points, joined or not.
    Path(Vec<(f64, f64)>),
    /// Left edge, right edge, top.
    Bars(Vec<(f64, f64, f64)>),
    /// x, lower edge, upper edge.
    Band(Vec<(f64, f64, f64)>),
}

/// A figure's shapes, in the order of its series, and the range of its axes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Prepared {
    pub shapes: Vec<Shape>,
    /// Lowest and highest axis coordinate shown.
    pub x: (f64, f64),
    /// Likewise.
    pub y: (f64, f64),
    /// Remarks for the caption: what was left out.
    pub notes: Vec<String>,
}

/// How many points had no place on the axes, and why.
#[derive(Default)]
struct Dropped {
    not_finite: usize,
    not_positive: usize,
}

impl Prepared {
    /// Prepares a figure.
    ///
    /// # Errors
    /// [`Error::Range`] if an axis has an impossible range, [`Error::BandLength`] if a band's edges differ in length.
    pub fn new(figure: &Figure) -> Result<Self, Error> {
        let x_range = given_range(figure, &figure.x)?;
        let y_range = given_range(figure, &figure.y)?;

        let mut dropped = Dropped::default();
        let (mut given, mut drawn) = (0, 0);
        let mut shapes = Vec::with_capacity(figure.series.len());
        for series in &figure.series {
            let full = place(figure, series, &mut dropped)?;
            given += full.len();
            let shape = full.thinned();
            drawn += shape.len();
            shapes.push(shape);
        }

        let x = x_range.unwrap_or_else(|| x_extent(&shapes));
        let y = y_range.unwrap_or_else(|| y_extent(&shapes, figure.y.scale));
        Ok(Self {
            shapes,
            x,
            y,
            notes: notes(&dropped, given, drawn),
        })
    }

    /// Whether nothing at all is drawn.
    pub fn is_empty(&self) -> bool {
        self.shapes.iter().all(|shape| shape.len() == 0)
    }
}

/// The range that the caller asked for, in axis coordinates.
fn given_range(figure: &Figure, axis: &Axis) -> Result<Option<(f64, f64)>, Error> {
    let Some((low, high)) = axis.range else {
        return Ok(None);
    };
    let log = axis.scale == Scale::Log;
    let placed = (
        coordinate(axis.scale, low).ok(),
        coordinate(axis.scale, high).ok(),
    );
    match placed {
        (Some(low), Some(high)) if low < high && is_interval(low, high) => Ok(Some((low, high))),
        _ => Err(Error::Range {
            figure: figure.title.clone(),
            axis: axis.label.clone(),
            range: (low, high),
            log,
        }),
    }
}

/// Why a value has no place on an axis.
#[derive(Debug, PartialEq, Eq)]
enum NoPlace {
    NotFinite,
    NotPositive,
}

/// Where a value lies on an axis.
fn coordinate(scale: Scale, value: f64) -> Result<f64, NoPlace> {
    match scale {
        _ if value.is_nan() || value.abs() > LARGEST => Err(NoPlace::NotFinite),
        Scale::Log if value <= 0.0 => Err(NoPlace::NotPositive),
        Scale::Log => Ok(value.log10()),
        Scale::Linear => Ok(value),
    }
}

impl Dropped {
    /// Places all coordinates of a point, or counts the point.
    fn place<const N: usize>(&mut self, values: [(&Axis, f64); N]) -> Option<[f64; N]> {
        let mut at = [0.0; N];
        for (slot, (axis, value)) in at.iter_mut().zip(values) {
            match coordinate(axis.scale, value) {
                Ok(coordinate) => *slot = coordinate,
                Err(NoPlace::NotFinite) => {
                    self.not_finite += 1;
                    return None;
                }
                Err(NoPlace::NotPositive) => {
                    self.not_positive += 1;
                    return None;
                }
            }
        }
        Some(at)
    }
}

/// All of a series that has a place.
fn place(figure: &Figure, series: &Series, dropped: &mut Dropped) -> Result<Shape, Error> {
    let Figure {
        x: x_axis,
        y: y_axis,
        ..
    } = figure;
    let points = &series.points;
    match &series.mark {
        Mark::Line | Mark::Dashed | Mark::Points => {
            let placed = points
                .iter()
                .filter_map(|&(x, y)| dropped.place([(x_axis, x), (y_axis, y)]));
            Ok(Shape::Path(placed.map(|[x, y]| (x, y)).collect()))
        }
        Mark::Bars { end } => {
            let rights = points.iter().skip(1).map(|&(left, _)| left).chain([*end]);
            let mut bars = Vec::with_capacity(points.len());
            for (&(left, height), right) in points.iter().zip(rights) {
                // On a logarithmic axis an empty bin is nothing to draw, but nothing to complain about either.
                let empty = height == 0.0 && y_axis.scale == Scale::Log;
                if !empty
                    && let Some([left, right, top]) =
                        dropped.place([(x_axis, left), (x_axis, right), (y_axis, height)])
                {
                    bars.push((left, right, top));
                }
            }
            Ok(Shape::Bars(bars))
        }
        Mark::Band { upper } => {
            if upper.len() != points.len() {
                return Err(Error::BandLength {
                    figure: figure.title.clone(),
                    series: series.name.clone(),
                    lower: points.len(),
                    upper: upper.len(),
                });
            }
            let edges = points.iter().zip(upper);
            let placed = edges.filter_map(|(&(x, low), &high)| {
                dropped.place([(x_axis, x), (y_axis, low), (y_axis, high)])
            });
            Ok(Shape::Band(
                placed.map(|[x, low, high]| (x, low, high)).collect(),
            ))
        }
    }
}

impl Shape {
    /// How many points, bars or edges there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Path(points) => points.len(),
            Self::Bars(bars) => bars.len(),
            Self::Band(edges) => edges.len(),
        }
    }

    /// Calls `see` with every corner.
    fn each_corner(&self, mut see: impl FnMut(f64, f64)) {
        match self {
            Self::Path(points) => points.iter().for_each(|&(x, y)| see(x, y)),
            Self::Bars(bars) => bars.iter().for_each(|&(left, right, top)| {
                see(left, top);
                see(right, top);
            }),
            Self::Band(edges) => edges.iter().for_each(|&(x, low, high)| {
                see(x, low);
                see(x, high);
            }),
        }
    }
}

/// Lowest and highest of the corners, along x or y; `None` if there are none.
fn corners(shapes: &[Shape], pick: fn(f64, f64) -> f64) -> Option<(f64, f64)> {
    let mut extent: Option<(f64, f64)> = None;
    for shape in shapes {
        shape.each_corner(|x, y| {
            let at = pick(x, y);
            extent = Some(extent.map_or((at, at), |(low, high)| (low.min(at), high.max(at))));
        });
    }
    extent
}

fn has_bars(shapes: &[Shape]) -> bool {
    shapes
        .iter()
        .any(|shape| matches!(shape, Shape::Bars(bars) if !bars.is_empty()))
}

/// The range of the data and a little more; that of the data alone if there are bars.
fn x_extent(shapes: &[Shape]) -> (f64, f64) {
    let Some(extent) = corners(shapes, |x, _| x) else {
        return (0.0, 1.0);
    };
    padded(extent, if has_bars(shapes) { 0.0 } else { 0.02 })
}

/// The range of the data and a little more. Bars stand on zero, and what is nowhere negative does not go below it.
fn y_extent(shapes: &[Shape], scale: Scale) -> (f64, f64) {
    let Some((mut low, mut high)) = corners(shapes, |_, y| y) else {
        return (0.0, 1.0);
    };
    if has_bars(shapes) && scale == Scale::Linear {
        (low, high) = (low.min(0.0), high.max(0.0));
    }
    let (padded_low, padded_high) = padded((low, high), 0.06);
    if scale == Scale::Linear && low >= 0.0 {
        (padded_low.max(0.0), padded_high)
    } else {
        (padded_low, padded_high)
    }
}

/// An extent widened by a share of its length on both sides; one that is (nearly) a single value becomes an interval
/// around it.
fn padded((low, high): (f64, f64), share: f64) -> (f64, f64) {
    let largest = low.abs().max(high.abs());
    let more = match () {
        () if is_interval(low, high) => share * (high - low),
        () if largest > SMALLEST => 0.1 * largest,
        () => 1.0,
    };
    (low - more, high + more)
}

/// Whether `low` and `high` are far enough apart for ticks between them that can be told apart.
fn is_interval(low: f64, high: f64) -> bool {
    high - low > SMALLEST && high - low > 1e-9 * low.abs().max(high.abs())
}

/// What the caption must say about points that are not drawn.
fn notes(dropped: &Dropped, given: usize, drawn: usize) -> Vec<String> {
    let mut notes = Vec::new();
    let points = |count: usize| {
        if count == 1 {
            "1 point is".to_owned()
        } else {
            format!("{count} points are")
        }
    };
    if dropped.not_finite > 0 {
        notes.push(format!(
            "{} not drawn: not a finite number.",
            points(dropped.not_finite)
        ));
    }
    if dropped.not_positive > 0 {
        notes.push(format!(
            "{} not drawn: not positive, on a logarithmic axis.",
            points(dropped.not_positive)
        ));
    }
    if drawn < given {
        notes.push(format!(
            "Thinned for display from {given} to {drawn} points; peaks are kept."
        ));
    }
    notes
}
