//! Quantiles of the standard stable laws (S0), as polynomials in α and β.
//!
//! asinh q_p(α, β) at the Chebyshev points of α in [0.3, 2] and β in [−1, 1], for p = 5, 25, 50, 75,
//! 95 %, from [`crate::stable::Stable::quantile`]. Only β ≥ 0 is stored: q_p(−β) = −q_{1−p}(β). Between
//! the points the barycentric formula is within 5e-4 of asinh q_p for α ≥ 0.95, 5e-3 for α ≥ 0.5, 0.02
//! for α ≥ 0.3.
//!
//! The test `the_table_is_that_of_stable_quantile` compares entries, and the ignored test
//! `print_the_table` writes them anew:
//! `cargo test --release -p acclip-noise --lib print_the_table -- --ignored --nocapture`.

use std::f64::consts::PI;

use super::mcculloch::SMALLEST_ALPHA;

/// The five probabilities.
pub(super) const LEVELS: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];

/// Points in α, and in β from −1 to 1 (odd, so that 0 is one).
const ALPHAS: usize = 24;
const BETAS: usize = 21;
const HALF: usize = BETAS / 2 + 1;

/// Chebyshev point `i` of `n` in [−1, 1], ascending.
fn point(i: usize, n: usize) -> f64 {
    let n = n as f64 - 1.0;
    // As a sine, so that the points are symmetric and the middle one is 0.
    (PI * (2.0 * i as f64 - n) / (2.0 * n)).sin()
}

#[cfg(test)]
fn alpha(i: usize) -> f64 {
    0.5 * (2.0 + SMALLEST_ALPHA) + 0.5 * (2.0 - SMALLEST_ALPHA) * point(i, ALPHAS)
}

/// Barycentric interpolation weights at t, summing to one.
fn weights<const N: usize>(t: f64) -> [f64; N] {
    let mut weights = [0.0; N];
    for (i, weight) in weights.iter_mut().enumerate() {
        let distance = t - point(i, N);
        if distance == 0.0 {
            let mut one = [0.0; N];
            one[i] = 1.0;
            return one;
        }
        let sign = if i % 2 == 0 { 1.0 } else { -1.0 };
        let end = if i == 0 || i == N - 1 { 0.5 } else { 1.0 };
        *weight = sign * end / distance;
    }
    let sum: f64 = weights.iter().sum();
    weights.map(|weight| weight / sum)
}

/// The quantiles at [`LEVELS`] of S0(α, β), scale 1, location 0.
pub(super) fn standard_quantiles(alpha: f64, beta: f64) -> [f64; 5] {
    let t = (2.0 * alpha - 2.0 - SMALLEST_ALPHA) / (2.0 - SMALLEST_ALPHA);
    let (by_alpha, by_beta) = (weights::<ALPHAS>(t), weights::<BETAS>(beta));
    let mut sum = [0.0; 5];
    for (row, a) in ASINH_QUANTILES.iter().zip(by_alpha) {
        for (j, b) in by_beta.iter().enumerate() {
            // Points 0 to HALF − 2 are those of negative β.
            let entry = &row[j.abs_diff(HALF - 1)];
            let weight = a * b;
            for (p, sum) in sum.iter_mut().enumerate() {
                *sum += weight
                    * if j + 1 < HALF {
                        -entry[4 - p]
                    } else {
                        entry[p]
                    };
            }
        }
    }
    sum.map(f64::sinh)
}

include!("quantile_values.rs");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stable::{S0, Stable};

    fn exact(alpha: f64, beta: f64) -> [f64; 5] {
        let law = Stable::try_from(S0 {
            alpha,
            beta,
            scale: 1.0,
            location: 0.0,
        })
        .unwrap();
        LEVELS.map(|p| law.quantile(p).unwrap().asinh())
    }

    fn entry(i: usize, j: usize) -> [f64; 5] {
        exact(
            alpha(i).clamp(SMALLEST_ALPHA, 2.0),
            point(j + HALF - 1, BETAS),
        )
    }

    #[test]
    #[ignore = "writes the table"]
    fn print_the_table() {
        println!("/// asinh q_p by α, β ≥ 0 and p, written by `print_the_table`.");
        println!(
            "const ASINH_QUANTILES: [[[f64; 5]; HALF]; ALPHAS] = {:?};",
            {
                let mut table = vec![];
                for i in 0..ALPHAS {
                    table.push((0..HALF).map(|j| entry(i, j)).collect::<Vec<_>>());
                }
                table
            }
        );
    }

    /// Every fifth point of α with every third of β.
    #[test]
    fn the_table_is_that_of_stable_quantile() {
        for i in (0..ALPHAS).step_by(5) {
            for j in (0..HALF).step_by(3) {
                for (found, exact) in ASINH_QUANTILES[i][j].iter().zip(entry(i, j)) {
                    assert!((found - exact).abs() < 1e-8, "{i} {j}: {found}, {exact}");
                }
            }
        }
    }

    #[test]
    fn between_the_points_it_is_within_its_stated_error() {
        for alpha in [0.33, 0.6, 0.97, 1.0, 1.3, 1.77, 1.995] {
            for beta in [-0.93, -0.4, 0.0, 0.7, 1.0] {
                let found = standard_quantiles(alpha, beta).map(f64::asinh);
                let stated = match alpha {
                    0.95.. => 5e-4,
                    0.5.. => 5e-3,
                    _ => 0.02,
                };
                for (found, exact) in found.iter().zip(exact(alpha, beta)) {
                    let error = (found - exact).abs();
                    assert!(error < stated, "{alpha} {beta}: {error}");
                }
            }
        }
    }
}
