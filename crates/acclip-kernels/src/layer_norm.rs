//! Layer normalisation, fused with what BERT does before it: dropout, and the sum with the residual.
//!
//! For each row of N rows of H entries, with the mask m of dropout and the residual r,
//!
//! ```text
//! s = r + m ∘ x          μ = mean(s)    σ² = mean((s − μ)²)
//! x̂ = (s − μ) / √(σ² + ε)               y = γ ∘ x̂ + β
//! ```
//!
//! and backward, with g = γ ∘ dy,
//!
//! ```text
//! ds = (g − mean(g) − x̂ mean(g ∘ x̂)) / √(σ² + ε)    dx = m ∘ ds    dγ = Σ dy ∘ x̂    dβ = Σ dy
//! ```
//!
//! Backward needs x̂, which takes the place of x, and 1/√(σ² + ε), one number a row: nothing else is kept, and
//! the mask is made again. Mean and variance are summed in `f64`, and s − μ is taken with μ in two parts, so a
//! row whose mean is much larger than its deviation loses nothing to the mean. A row of one value gives y = β.
//!
//! Reference: J. L. Ba, J. R. Kiros, G. E. Hinton, "Layer normalization", 2016, arXiv:1607.06450.

use crate::{Dropout, Real, chunks, lanes, vectorized};
use rayon::prelude::*;

/// Layer normalisation of rows of H entries.
#[derive(Debug, Clone, Copy)]
pub struct LayerNorm<'a, F> {
    /// γ (H).
    pub gamma: &'a [F],
    /// β (H).
    pub beta: &'a [F],
    /// ε.
    pub eps: f64,
    /// Dropout of x, before the residual; entry (n, h) has the index n H + h.
    pub dropout: Option<Dropout>,
}

impl<F: Real> LayerNorm<'_, F> {
    /// `y` (N, H) ← LN(residual + dropout(x)). `x` (N, H) becomes x̂, and `inverse_std` (N) 1/√(σ² + ε): they are
    /// what [`backward`](Self::backward) needs.
    ///
    /// # Panics
    /// If the shapes do not fit each other, or H = 0.
    pub fn forward(&self, x: &mut [F], residual: Option<&[F]>, y: &mut [F], inverse_std: &mut [F]) {
        let width = self.width();
        let size = inverse_std.len() * width;
        assert_eq!((x.len(), y.len()), (size, size), "LayerNorm");
        assert!(
            residual.is_none_or(|r| r.len() == size),
            "residual of LayerNorm"
        );
        let rows = chunks::rows(width);
        x.par_chunks_mut(rows * width)
            .zip(y.par_chunks_mut(rows * width))
            .zip(inverse_std.par_chunks_mut(rows))
            .enumerate()
            .for_each(|(i, ((x, y), inverse_std))| {
                vectorized(
                    #[inline(always)]
                    || {
                        let mut start = i * rows * width;
                        for ((x, y), inverse_std) in x
                            .chunks_exact_mut(width)
                            .zip(y.chunks_exact_mut(width))
                            .zip(inverse_std)
                        {
                            if let Some(dropout) = &self.dropout {
                                dropout.multiply_inline(start, x);
                            }
                            if let Some(residual) = residual {
                                for (x, r) in x.iter_mut().zip(&residual[start..]) {
                                    *x += *r;
                                }
                            }
                            *inverse_std = self.forward_row(x, y);
                            start += width;
                        }
                    },
                );
            });
    }

    /// From s (in `x`): x̂ in its place, and y. Returns 1/√(σ² + ε).
    #[inline(always)]
    fn forward_row(&self, x: &mut [F], y: &mut [F]) -> F {
        let width = x.len() as f64;
        let mean = lanes::sum(
            x,
            #[inline(always)]
            |s| s.f64(),
        ) / width;
        let high = F::of(mean);
        let low = F::of(mean - high.f64());
        let variance = lanes::sum_mut(
            x,
            #[inline(always)]
            |s| {
                *s = (*s - high) - low;
                s.f64() * s.f64()
            },
        ) / width;
        let inverse_std = F::of(1.0 / (variance + self.eps).sqrt());
        for (((x, y), gamma), beta) in x.iter_mut().zip(y).zip(self.gamma).zip(self.beta) {
            *x = *x * inverse_std;
            *y = *gamma * *x + *beta;
        }
        inverse_std
    }

    /// `dy` (N, H) becomes ds, the gradient of the residual, and of x where there is no dropout; with dropout `dx`
    /// (N, H) ← m ∘ ds. Adds to `dgamma` (H) and `dbeta` (H). `normalized` and `inverse_std` are what
    /// [`forward`](Self::forward) left.
    ///
    /// # Panics
    /// If the shapes do not fit each other, or `dx` is there without dropout, or dropout without `dx`.
    pub fn backward(
        &self,
        normalized: &[F],
        inverse_std: &[F],
        dy: &mut [F],
        dx: Option<&mut [F]>,
        dgamma: &mut [F],
        dbeta: &mut [F],
    ) {
        let width = self.width();
        let size = inverse_std.len() * width;
        assert_eq!((normalized.len(), dy.len()), (size, size), "LayerNorm");
        assert_eq!((dgamma.len(), dbeta.len()), (width, width), "LayerNorm");
        let dropout = match (&self.dropout, dx) {
            (None, None) => None,
            (Some(dropout), Some(dx)) => Some((dropout, dx)),
            _ => panic!("LayerNorm: dx is for dropout"),
        };
        let rows = chunks::rows(width);
        let mut sums = vec![0.0_f64; 2 * width * inverse_std.len().div_ceil(rows)];
        let chunks = dy
            .par_chunks_mut(rows * width)
            .zip(sums.par_chunks_mut(2 * width))
            .enumerate();
        let chunk = |i: usize, dy: &mut [F], sums: &mut [f64]| {
            let normalized = &normalized[i * rows * width..][..dy.len()];
            let (dgamma, dbeta) = sums.split_at_mut(width);
            vectorized(
                #[inline(always)]
                || {
                    for ((dy, normalized), inverse_std) in dy
                        .chunks_exact_mut(width)
                        .zip(normalized.chunks_exact(width))
                        .zip(&inverse_std[i * rows..])
                    {
                        self.backward_row(normalized, *inverse_std, dy, dgamma, dbeta);
                    }
                },
            );
        };
        match dropout {
            None => chunks.for_each(|(i, (dy, sums))| chunk(i, dy, sums)),
            Some((dropout, dx)) => {
                assert_eq!(dx.len(), size, "LayerNorm");
                chunks
                    .zip(dx.par_chunks_mut(rows * width))
                    .for_each(|((i, (dy, sums)), dx)| {
                        chunk(i, dy, sums);
                        dx.copy_from_slice(dy);
                        dropout.multiply(i * rows * width, dx);
                    });
            }
        }
        for (j, (dgamma, dbeta)) in dgamma.iter_mut().zip(dbeta).enumerate() {
            let total = |j| F::of(sums.chunks_exact(2 * width).map(|sums| sums[j]).sum());
            *dgamma += total(j);
            *dbeta += total(width + j);
        }
    }

    /// From dy: ds in its place, and the row's share of dγ and dβ added.
    #[inline(always)]
    fn backward_row(
        &self,
        normalized: &[F],
        inverse_std: F,
        dy: &mut [F],
        dgamma: &mut [f64],
        dbeta: &mut [f64],
    ) {
        let width = dy.len() as f64;
        for (((dy, x), dgamma), dbeta) in dy.iter().zip(normalized).zip(dgamma).zip(dbeta) {
            *dgamma += (*dy * *x).f64();
            *dbeta += dy.f64();
        }
        for (dy, gamma) in dy.iter_mut().zip(self.gamma) {
            *dy = *dy * *gamma;
        }
        let mean = F::of(
            lanes::sum(
                dy,
                #[inline(always)]
                |g| g.f64(),
            ) / width,
        );
        let slope = F::of(
            lanes::sum_of_two(
                dy,
                normalized,
                #[inline(always)]
                |g, x| (g * x).f64(),
            ) / width,
        );
        for (dy, x) in dy.iter_mut().zip(normalized) {
            *dy = inverse_std * (*dy - mean - *x * slope);
        }
    }

    fn width(&self) -> usize {
        let width = self.gamma.len();
        assert_eq!(self.beta.len(), width, "LayerNorm");
        assert!(width > 0, "LayerNorm of no entries");
        width
    }
}
