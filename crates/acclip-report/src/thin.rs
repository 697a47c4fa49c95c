//! Thinning, for display only: the file stays small however long the run.
//!
//! A path longer than [`MAX_POINTS`] is cut into stretches of equal length along the x axis, of which the lowest and the
//! highest point are kept, in order, with the first and the last point of the whole: peaks survive. A band is reduced to
//! the outer edges of each stretch. Bars are merged to their mean height, so that the area stays.

use crate::shape::Shape;

/// Most points drawn of one series.
pub(crate) const MAX_POINTS: usize = 600;

impl Shape {
    /// The shape with at most [`MAX_POINTS`] points; unchanged if it has no more.
    pub fn thinned(self) -> Self {
        if self.len() <= MAX_POINTS {
            return self;
        }
        match self {
            Self::Path(points) => Self::Path(thin_path(&points)),
            Self::Bars(bars) => Self::Bars(
                bars.chunks(bars.len().div_ceil(MAX_POINTS))
                    .map(merge_bars)
                    .collect(),
            ),
            Self::Band(edges) => Self::Band(
                stretches(&edges, |edge| edge.0)
                    .into_iter()
                    .flat_map(merge_band)
                    .collect(),
            ),
        }
    }
}

/// Cuts points into at most `MAX_POINTS / 2 - 1` stretches of equal length along x or, where x goes to and fro so often
/// that this would be more, of equally many points.
fn stretches<T>(points: &[T], x: impl Fn(&T) -> f64) -> Vec<&[T]> {
    let most = MAX_POINTS / 2 - 1;
    let (low, high) = points
        .iter()
        .map(&x)
        .fold((f64::MAX, f64::MIN), |(low, high), x| {
            (low.min(x), high.max(x))
        });
    let column =
        |point: &T| (((x(point) - low) / (high - low) * most as f64) as usize).min(most - 1);
    let columns: Vec<&[T]> = points
        .chunk_by(|this, next| column(this) == column(next))
        .collect();
    if high > low && columns.len() <= most {
        columns
    } else {
        points.chunks(points.len().div_ceil(most)).collect()
    }
}

/// The lowest and the highest point of each stretch, in order, between the first and the last point.
fn thin_path(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let [first, inner @ .., last] = points else {
        return points.to_vec();
    };
    let mut kept = vec![*first];
    for part in stretches(inner, |point| point.0) {
        let by_height = |a: &usize, b: &usize| part[*a].1.total_cmp(&part[*b].1);
        let low = (0..part.len()).min_by(by_height);
        let high = (0..part.len()).max_by(by_height);
        if let (Some(low), Some(high)) = (low, high) {
            kept.push(part[low.min(high)]);
            if low != high {
                kept.push(part[low.max(high)]);
            }
        }
    }
    kept.push(*last);
    kept
}

/// One bar over all of `bars`, of the same area.
fn merge_bars(bars: &[(f64, f64, f64)]) -> (f64, f64, f64) {
    let left = bars.iter().map(|bar| bar.0).fold(f64::INFINITY, f64::min);
    let right = bars
        .iter()
        .map(|bar| bar.1)
        .fold(f64::NEG_INFINITY, f64::max);
    let area: f64 = bars
        .iter()
        .map(|(left, right, top)| (right - left) * top)
        .sum();
    let width = right - left;
    (
        left,
        right,
        if width > 0.0 { area / width } else { bars[0].2 },
    )
}

/// The outer edges of a stretch of a band, at its first and its last x.
fn merge_band(edges: &[(f64, f64, f64)]) -> [(f64, f64, f64); 2] {
    let low = edges
        .iter()
        .map(|edge| edge.1)
        .fold(f64::INFINITY, f64::min);
    let high = edges
        .iter()
        .map(|edge| edge.2)
        .fold(f64::NEG_INFINITY, f64::max);
    [
        (edges[0].0, low, high),
        (edges[edges.len() - 1].0, low, high),
    ]
}
