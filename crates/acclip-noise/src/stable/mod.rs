//! Stable laws: density, distribution function and quantiles, in two parametrisations.
//!
//! A law is stable if sums of independent copies keep its shape. With tail index α in (0, 2],
//! skewness β in [−1, 1] and scale γ > 0, Nolan's two parametrisations of E e^{itX} are
//!
//! ```text
//! S0: exp(−|γt|^α (1 + iβ tan(πα/2) sign t (|γt|^{1−α} − 1)) + i δ₀ t)     α ≠ 1
//!     exp(−|γt|   (1 + iβ (2/π)    sign t ln|γt|)            + i δ₀ t)     α = 1
//! S1: exp(−|γt|^α (1 − iβ tan(πα/2) sign t)                  + i δ₁ t)     α ≠ 1
//!     exp(−|γt|   (1 + iβ (2/π)    sign t ln|t|)             + i δ₁ t)     α = 1
//! ```
//!
//! S0 is continuous in all four parameters, so it is the one to fit; in S1 location is the mean
//! for α > 1 and the edge of the support for α < 1, |β| = 1. The two differ in location only:
//! δ₀ = δ₁ + βγ tan(πα/2), or δ₁ + β(2/π)γ ln γ at α = 1. At α = 2 β has no effect and the law is
//! normal with variance 2γ².
//!
//! # Accuracy
//! Against the characteristic function inverted at 50 digits and more (891 points,
//! `reference/noise/stable_mpmath.py`), the relative error of density, F and 1 − F, each in its own
//! right, is at most 1e-11. The largest one found in each region:
//!
//! | region | density | F, 1 − F |
//! |---|---|---|
//! | 0.25 ≤ α ≤ 1.9, 0.01 ≤ \|x\| ≤ 7 | 3e-15 | 7e-15 |
//! | tails, 30 ≤ \|x\| ≤ 1e20 | 4e-14 | 2e-12 |
//! | far tails, 1e100 and 1e250 | 3e-16 | 6e-14 |
//! | \|α − 1\| from 0 to 1e-2, any β, \|x\| ≤ 1e60 | 3e-15 | 4e-14 |
//! | 2 − α from 0 to 1e-2, \|x\| ≤ 1e9 | 8e-14 | 8e-13 |
//! | α = 0.01 to 0.1 | 6e-16 | 2e-14 |
//! | light side of \|β\| = 1, down to 1e-300 | 2e-14 | 7e-14 |
//! | next to ζ and the edge of a one-sided law | 2e-13 | 8e-14 |
//! | 300 random (α, β, x), three quarters with 1 − α, α − 1 or 2 − α log-uniform down to 1e-14 | 4e-13 | 6e-12 |
//!
//! What is not reached: x is taken as the exact number that it is, but if the law
//! was given in S0, ζ = δ₁ is known to 2e-16 |ζ| only. Within 1e-6 |ζ| of the edge of a one-sided law (α < 1,
//! |β| = 1), where the density falls like exp(−y^{−α/(1−α)}), digits are then lost; a law given in
//! S1 loses none. For α < 0.01 and |x − ζ| < 1e-290 the error of F may reach 1e-3, and below α = 1e-12
//! results may be NaN. Where the density is below e^{−1e13}, its logarithm has 11 digits.
//!
//! Time: 5 to 12 µs for a density or a probability in the body and in the tails, 15 to 40 µs on
//! the light side of |β| = 1 and for α < 0.1, 50 µs where g has a plateau, all bounded by 700 µs
//! (one core of the machine that ran the tests, 2026).
//!
//! References: Nolan (1997), "Numerical calculation of stable densities and distribution
//! functions", Stochastic Models 13; Nolan (2020), "Univariate Stable Distributions", §1.3 and 3.

mod draw;
mod ends;
mod integral;
mod law;
mod parameters;
mod quadrature;
mod quantile;
mod root;
mod side;
mod symmetric;
mod table;

pub use law::Stable;
pub use parameters::{S0, S1};
pub use symmetric::SymmetricStable;
pub use table::LogDensity;
pub(crate) use table::{Standard, Table};
