//! Markers: small shapes that tell series apart without colour.

use std::f64::consts::PI;

/// A regular polygon or star.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Marker {
    points: u32,
    /// Turn, in half-turns; 0 has a point at the top.
    turn: f64,
    /// Radius of the inner corners of a star, as a share of the outer radius; `None` for a polygon.
    inner: Option<f64>,
}

const fn polygon(points: u32, turn: f64) -> Marker {
    Marker {
        points,
        turn,
        inner: None,
    }
}

const fn star(points: u32, turn: f64, inner: f64) -> Marker {
    Marker {
        points,
        turn,
        inner: Some(inner),
    }
}

const MARKERS: [Marker; 8] = [
    polygon(20, 0.0),    // circle
    polygon(4, 0.25),    // square
    polygon(3, 0.0),     // triangle
    polygon(4, 0.0),     // diamond
    polygon(3, 1.0),     // triangle, point down
    star(5, 0.0, 0.4),   // star
    star(4, 0.25, 0.25), // cross
    star(4, 0.0, 0.25),  // plus
];

impl Marker {
    /// The marker of an index; they repeat after eight.
    pub fn new(index: usize) -> Self {
        MARKERS[index % MARKERS.len()]
    }

    /// The corners of the marker around `(x, y)`, in canvas units. Pointed shapes are a little larger, so that all
    /// look equally heavy.
    pub fn outline(&self, (x, y): (i32, i32), radius: i32) -> Vec<(i32, i32)> {
        let radius = f64::from(radius)
            * if self.inner.is_some() {
                1.6
            } else {
                1.0 + 0.6 / f64::from(self.points)
            };
        let corners = self.points * if self.inner.is_some() { 2 } else { 1 };
        let corner = |i: u32| {
            let angle = PI * (self.turn + 2.0 * f64::from(i) / f64::from(corners));
            let r = radius * self.inner.filter(|_| i % 2 == 1).unwrap_or(1.0);
            (
                x.saturating_add((r * angle.sin()).round() as i32),
                y.saturating_sub((r * angle.cos()).round() as i32),
            )
        };
        (0..corners).map(corner).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_square_has_level_sides_and_a_triangle_points_up() {
        assert_eq!(
            Marker::new(1).outline((0, 0), 100),
            [(81, -81), (81, 81), (-81, 81), (-81, -81)]
        );
        let triangle = Marker::new(2).outline((5, 5), 100);
        assert_eq!((triangle.len(), triangle[0]), (3, (5, -115)));
    }

    #[test]
    fn eight_markers_have_eight_outlines() {
        for i in 0..8 {
            for j in 0..i {
                assert_ne!(
                    Marker::new(i).outline((0, 0), 40),
                    Marker::new(j).outline((0, 0), 40),
                    "{i} and {j}"
                );
            }
        }
    }
}
