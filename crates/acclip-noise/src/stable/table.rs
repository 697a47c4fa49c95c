//! The log-density of one law at many points: a table of Chebyshev polynomials.
//!
//! In u = asinh z, z = (x − δ)/γ, the log-density of a stable law is smooth on both sides: it is
//! close to −z²/4 or so in the middle and, in a heavy tail, close to the straight line c − (1 + α)|u|.
//! The range of u is cut in halves until a polynomial of degree [`DEGREE`] has its last two Chebyshev
//! coefficients below [`TOLERANCE`]·max(1, |ln f|); fewer than 200 pieces, mostly 6 to 30, are enough. Where
//! that does not happen (at the edge of a support, where ln f → −∞) the table asks
//! [`Stable::log_pdf`] itself.
//!
//! *Accuracy*: [`LogDensity::at`] is within 1e-8·max(1, |ln f|) of [`Stable::log_pdf`], for α ≥ 0.3.
//!
//! Reference: Trefethen (2013), "Approximation Theory and Approximation Practice", chapters 3 and 8.

use std::f64::consts::PI;

use rayon::prelude::*;

use super::{S0, Stable};

/// Degree of the polynomials, and their number of coefficients.
const DEGREE: usize = 15;
const N: usize = DEGREE + 1;

/// Largest coefficient that is neglected, relative to max(1, |value|); a tenth of the stated error.
pub(crate) const TOLERANCE: f64 = 1e-9;

/// A piece is cut in two at most this many times, and there are at most so many pieces in work.
const DEPTH: usize = 24;
const OPEN: usize = 48;

/// Below this no piece is cut further: e^−800 is not a density that a sample shows.
const NEGLIGIBLE: f64 = -800.0;

/// Largest |z| of a table.
const FARTHEST: f64 = 1e300;

/// Points that one task evaluates. The result does not depend on it.
const CHUNK: usize = 4096;

/// The log-density of one stable law, tabulated.
///
/// ```
/// # use acclip_noise::stable::{LogDensity, S0, Stable};
/// let law = Stable::try_from(S0 { alpha: 1.5, beta: 0.5, scale: 2.0, location: 1.0 })?;
/// let table = LogDensity::new(&law);
/// assert!((table.at(7.0) - law.log_pdf(7.0)).abs() < 1e-8);
/// # Ok::<(), acclip_noise::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct LogDensity {
    standard: Standard,
    scale: f64,
    log_scale: f64,
    location: f64,
}

impl LogDensity {
    /// Builds the table for the whole range of `f64`, on all threads of the current pool.
    #[must_use]
    pub fn new(law: &Stable) -> Self {
        Self::between(law, f64::MIN, f64::MAX)
    }

    /// A table for x from `low` to `high`; outside it is as slow as [`Stable::log_pdf`].
    #[must_use]
    pub fn between(law: &Stable, low: f64, high: f64) -> Self {
        let S0 {
            scale, location, ..
        } = law.s0();
        let z = |x: f64| (x - location) / scale;
        Self {
            standard: Standard::new(law, z(low), z(high), TOLERANCE),
            scale,
            log_scale: scale.ln(),
            location,
        }
    }

    /// ln f(x), f in 1/(unit of x). NaN for NaN, −∞ outside the support and at ±∞.
    #[must_use]
    pub fn at(&self, x: f64) -> f64 {
        self.standard.at((x - self.location) / self.scale) - self.log_scale
    }

    /// ln f at every point of `x`, on all threads of the current pool.
    #[must_use]
    pub fn of(&self, x: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; x.len()];
        let chunks = out.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK));
        chunks.for_each(|(out, x)| {
            for (out, &x) in out.iter_mut().zip(x) {
                *out = self.at(x);
            }
        });
        out
    }
}

/// ln f of the law with scale 1 and location 0.
#[derive(Debug, Clone)]
pub(crate) struct Standard {
    law: Stable,
    table: Table,
    /// Whether f(−z) = f(z), so that one half is enough.
    even: bool,
}

impl Standard {
    /// ln f for the α and β of `law`, tabulated for z from `low` to `high`.
    pub(crate) fn new(law: &Stable, low: f64, high: f64, tolerance: f64) -> Self {
        let law = standard(law);
        let S0 { alpha, beta, .. } = law.s0();
        let even = beta == 0.0 || alpha == 2.0;
        let (low, high) = if even {
            (0.0, low.abs().max(high.abs()))
        } else {
            (low, high)
        };
        let table = Table::new(low, high, tolerance, |z| law.log_pdf(z));
        Self { law, table, even }
    }

    pub(crate) fn at(&self, z: f64) -> f64 {
        let z = if self.even { z.abs() } else { z };
        // NaN marks a place without a polynomial.
        let log = self.table.at(z);
        if log.is_nan() {
            self.law.log_pdf(z)
        } else {
            log
        }
    }
}

/// The law with the same α and β, scale 1 and location 0.
fn standard(law: &Stable) -> Stable {
    let S0 { alpha, beta, .. } = law.s0();
    let standard = S0 {
        alpha,
        beta,
        scale: 1.0,
        location: 0.0,
    };
    Stable::try_from(standard).unwrap_or(*law)
}

/// A function of z as polynomials in u = asinh z.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    /// Lower ends of the pieces in u, ascending, and the upper end of the last; empty for no piece.
    ends: Vec<f64>,
    /// Chebyshev coefficients; NaN where there is no polynomial.
    pieces: Vec<[f64; N]>,
}

impl Table {
    /// Table of `f` for z from `low` to `high`, within about 10 `tolerance`·max(1, |f|).
    pub(crate) fn new(low: f64, high: f64, tolerance: f64, f: impl Fn(f64) -> f64 + Sync) -> Self {
        let (low, high) = (low.max(-FARTHEST).asinh(), high.min(FARTHEST).asinh());
        // Widths grow away from zero, as the tails are smoother than the middle.
        let marks = [
            -256.0, -64.0, -16.0, -4.0, -1.0, 0.0, 1.0, 4.0, 16.0, 64.0, 256.0,
        ];
        let mut ends = vec![low];
        ends.extend(marks.into_iter().filter(|&u| low < u && u < high));
        ends.push(high);
        let mut open: Vec<(f64, f64)> = ends.windows(2).map(|w| (w[0], w[1])).collect();
        let mut done = Vec::new();
        for depth in 0..=DEPTH {
            let tried: Vec<_> = open
                .par_iter()
                .map(|&(a, b)| interpolate(a, b, tolerance, &f))
                .collect();
            let mut next = Vec::new();
            let last = depth == DEPTH || open.len() > OPEN;
            for ((a, b), piece) in open.into_iter().zip(tried) {
                let middle = 0.5 * (a + b);
                match piece {
                    Piece::Polynomial(c) => done.push((a, b, c)),
                    Piece::Rough if !last => next.extend([(a, middle), (middle, b)]),
                    Piece::Rough | Piece::Undefined => done.push((a, b, NOTHING)),
                }
            }
            open = next;
        }
        done.sort_unstable_by(|x, y| x.0.total_cmp(&y.0));
        let mut ends: Vec<f64> = done.iter().map(|piece| piece.0).collect();
        ends.extend(done.last().map(|piece| piece.1));
        Self {
            ends,
            pieces: done.into_iter().map(|piece| piece.2).collect(),
        }
    }

    /// The value at z; NaN where there is no polynomial.
    pub(crate) fn at(&self, z: f64) -> f64 {
        let u = z.asinh();
        let above = self.ends.partition_point(|&end| end <= u);
        // The upper end of the last piece belongs to it.
        let piece = above
            .saturating_sub(1)
            .min(self.pieces.len().saturating_sub(1));
        match self.pieces.get(piece) {
            Some(coefficients) if self.ends[piece] <= u && u <= self.ends[piece + 1] => {
                let (a, b) = (self.ends[piece], self.ends[piece + 1]);
                clenshaw(coefficients, (2.0 * u - a - b) / (b - a))
            }
            _ => f64::NAN,
        }
    }
}

/// Σ cₖ Tₖ(t).
fn clenshaw(c: &[f64; N], t: f64) -> f64 {
    let (mut next, mut after) = (0.0, 0.0);
    for &c in c[1..].iter().rev() {
        (next, after) = (c + 2.0 * t * next - after, next);
    }
    c[0] + t * next - after
}

/// Stands where there is no polynomial.
const NOTHING: [f64; N] = [f64::NAN; N];

/// What became of an interval of u.
enum Piece {
    /// A good polynomial.
    Polynomial([f64; N]),
    /// The last coefficients are too large, or some values are not finite.
    Rough,
    /// The same, and no value is above [`NEGLIGIBLE`]: not worth a cut.
    Undefined,
}

/// Chebyshev interpolation of f(sinh u) over [a, b].
fn interpolate(a: f64, b: f64, tolerance: f64, f: impl Fn(f64) -> f64) -> Piece {
    let mut values = [0.0; N];
    for (j, value) in values.iter_mut().enumerate() {
        let t = (PI * (j as f64 + 0.5) / N as f64).cos();
        *value = f((0.5 * (a + b) + 0.5 * (b - a) * t).sinh());
    }
    match values.iter().filter(|value| value.is_finite()).count() {
        N => {}
        _ if values.iter().all(|&x| x.is_nan() || x < NEGLIGIBLE) => return Piece::Undefined,
        _ => return Piece::Rough,
    }
    let mut c = [0.0; N];
    for (k, c) in c.iter_mut().enumerate() {
        let terms = values.iter().enumerate();
        let sum: f64 = terms
            .map(|(j, value)| value * (PI * (k as f64) * (j as f64 + 0.5) / N as f64).cos())
            .sum();
        *c = sum * if k == 0 { 1.0 } else { 2.0 } / N as f64;
    }
    let least = values
        .iter()
        .fold(f64::INFINITY, |least, x| least.min(x.abs()));
    if c[N - 1].abs() + c[N - 2].abs() <= tolerance * least.max(1.0) {
        Piece::Polynomial(c)
    } else if values.iter().all(|&value| value < NEGLIGIBLE) {
        Piece::Undefined
    } else {
        Piece::Rough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn law(alpha: f64, beta: f64) -> Stable {
        Stable::try_from(S0 {
            alpha,
            beta,
            scale: 0.5,
            location: 3.0,
        })
        .unwrap()
    }

    /// Points on both sides, in the middle and far out, none of them special to the table.
    fn points() -> impl Iterator<Item = f64> {
        (0..400).map(|i| 3.0 + (0.1234 * (i as f64 - 199.7)).sinh())
    }

    #[test]
    fn it_is_within_its_stated_error() {
        let mut worst = 0.0_f64;
        for alpha in [
            0.3, 0.5, 0.9, 0.999, 1.0, 1.001, 1.2, 1.5, 1.8, 1.95, 1.9999, 2.0,
        ] {
            for beta in [-1.0, -0.3, 0.0, 0.6] {
                let law = law(alpha, beta);
                let table = LogDensity::between(&law, -1e11, 1e11);
                for x in points() {
                    let (found, exact) = (table.at(x), law.log_pdf(x));
                    // Outside the support and where the density is asked itself.
                    if found.to_bits() == exact.to_bits() {
                        continue;
                    }
                    let error = (found - exact).abs() / exact.abs().max(1.0);
                    assert!(error <= 1e-8, "{alpha} {beta} {x}: {found} is not {exact}");
                    worst = worst.max(error);
                }
            }
        }
        assert!(worst > 1e-15, "nothing was compared");
    }

    #[test]
    fn outside_its_range_it_is_the_density_itself() {
        let law = law(1.5, 0.4);
        let table = LogDensity::between(&law, 2.0, 4.0);
        for x in [-1e3, 0.0, 1e200] {
            assert_eq!(table.at(x), LogDensity::between(&law, 9.0, 9.0).at(x));
        }
        assert!(table.at(f64::NAN).is_nan());
        assert_eq!(table.at(f64::INFINITY), f64::NEG_INFINITY);
        assert_eq!(table.at(f64::NEG_INFINITY), f64::NEG_INFINITY);
    }

    #[test]
    fn the_whole_range_of_f64_is_tabulated() {
        let law = law(1.2, 0.5);
        let table = LogDensity::new(&law);
        assert!(table.standard.table.pieces.len() < 200);
        for x in [-1e290, -1e100, 1e-300, 1e100, 1e290] {
            let (found, exact) = (table.at(x), law.log_pdf(x));
            assert!(
                (found - exact).abs() <= 1e-8 * exact.abs().max(1.0),
                "{x}: {found}, {exact}"
            );
        }
    }

    #[test]
    fn many_points_are_those_of_one_at_a_time() {
        let table = LogDensity::between(&law(1.5, 0.4), -10.0, 10.0);
        for n in [0, 1, 17, CHUNK - 1, CHUNK, 2 * CHUNK + 3] {
            let x: Vec<f64> = (0..n).map(|i| i as f64 / 1000.0).collect();
            let one: Vec<f64> = x.iter().map(|&x| table.at(x)).collect();
            assert_eq!(table.of(&x), one);
        }
    }
}
