//! Weighted averages of the iterates, in which later ones weigh more.
//!
//! ```text
//! x̄_k = Σ_j w_j x_j / Σ_j w_j        x̄_k ← x̄_{k−1} + (γ+1)/(k+γ)·(x_k − x̄_{k−1})        k = 1, 2, …
//! ```
//!
//! with w_j = Γ(j+γ)/Γ(j), a polynomial in j of degree γ: γ = 0 is the mean, and γ = 1 has w_j = j,
//! the average of Theorems 4 and 8, x̄_k = 2/(k(k+1)) Σ_j j x_{j−1}, if it is shown x₀, …, x_{k−1}.
//! It needs one buffer and no look back.
//!
//! Reference: O. Shamir, T. Zhang, *Stochastic Gradient Descent for Non-smooth Optimization:
//! Convergence Results and Optimal Averaging Schemes*, 2013, §4; the paper, Theorem 4.

use crate::Real;

/// The running average with weights of degree γ. It is plain data: saved and restored, it continues to
/// the same bits.
#[derive(Debug, Clone, PartialEq)]
pub struct PolynomialAverage<F> {
    degree: f64,
    k: u64,
    values: Vec<F>,
}

impl<F: Real> PolynomialAverage<F> {
    /// An average of nothing yet, of `len` coordinates; γ = `degree` ≥ 0 (a negative one is taken as 0).
    pub fn new(degree: f64, len: usize) -> Self {
        PolynomialAverage {
            degree: degree.max(0.0),
            k: 0,
            values: vec![F::zero(); len],
        }
    }

    /// Takes the next iterate in; coordinates beyond the shorter of the two are left.
    pub fn push(&mut self, x: &[F]) {
        self.k = self.k.saturating_add(1);
        let weight = F::narrow((self.degree + 1.0) / (self.k as f64 + self.degree));
        for (mean, &x) in self.values.iter_mut().zip(x) {
            *mean = *mean + weight * (x - *mean);
        }
    }

    /// The average so far; zeros before the first iterate.
    pub fn values(&self) -> &[F] {
        &self.values
    }

    /// How many iterates it has seen.
    pub fn count(&self) -> u64 {
        self.k
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_average_is_that_of_theorem_4() {
        let x = |j: u64| [(j as f64).sin(), 1.0 / (j as f64 + 1.0)];
        let mut average = PolynomialAverage::new(1.0, 2);
        let mut plain = PolynomialAverage::new(0.0, 2);
        for k in 1..=40 {
            average.push(&x(k - 1));
            plain.push(&x(k - 1));
            for i in 0..2 {
                let weighted: f64 = (1..=k).map(|j| j as f64 * x(j - 1)[i]).sum();
                let weighted = 2.0 / (k * (k + 1)) as f64 * weighted;
                let mean = (0..k).map(|j| x(j)[i]).sum::<f64>() / k as f64;
                assert!((average.values()[i] - weighted).abs() < 1e-14, "{k}");
                assert!((plain.values()[i] - mean).abs() < 1e-14, "{k}");
            }
        }
        assert_eq!(average.count(), 40);
    }

    #[test]
    fn weights_of_any_degree_are_the_ratio_of_gammas() {
        // w_j = Γ(j+γ)/Γ(j) by its recursion w_{j+1} = w_j (j+γ)/j.
        let degree = 2.5;
        let (mut average, mut sum, mut total, mut w) =
            (PolynomialAverage::new(degree, 1), 0.0, 0.0, 1.0);
        for j in 1..=30_u64 {
            let x = (j as f64 * 0.7).cos();
            average.push(&[x]);
            (sum, total) = (sum + w * x, total + w);
            w *= (j as f64 + degree) / j as f64;
            assert!((average.values()[0] - sum / total).abs() < 1e-14);
        }
    }
}
