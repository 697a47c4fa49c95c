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
            *x *= inverse_std;
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
            *dy *= *gamma;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, same_on_threads, values};

    /// The inputs of a test, and all that the layer makes of them.
    struct Case<F> {
        x: Vec<F>,
        residual: Option<Vec<F>>,
        gamma: Vec<F>,
        beta: Vec<F>,
        eps: f64,
        dropout: Option<Dropout>,
        dy: Vec<F>,
    }

    impl<F: Real> Case<F> {
        fn new(rows: usize, width: usize, residual: bool, p: Option<f64>) -> Self {
            Self {
                x: values(rows * width, 1),
                residual: residual.then(|| values(rows * width, 2)),
                gamma: values(width, 3),
                beta: values(width, 4),
                eps: 1e-3,
                dropout: p.map(|p| Dropout::new(p, 5, 6)),
                dy: values(rows * width, 7),
            }
        }

        /// y, ds, dx, dγ, dβ, one after the other; dγ and dβ are added to 1.
        fn run(&self) -> Vec<F> {
            let norm = LayerNorm {
                gamma: &self.gamma,
                beta: &self.beta,
                eps: self.eps,
                dropout: self.dropout,
            };
            let (mut x, mut y) = (self.x.clone(), vec![F::of(9.0); self.x.len()]);
            let mut inverse_std = vec![F::of(9.0); x.len() / self.gamma.len()];
            norm.forward(&mut x, self.residual.as_deref(), &mut y, &mut inverse_std);
            let (mut ds, mut dx) = (self.dy.clone(), vec![F::of(9.0); x.len()]);
            let mut dgamma = vec![F::ONE; self.gamma.len()];
            let mut dbeta = dgamma.clone();
            let dx_out = self.dropout.is_some().then_some(&mut dx[..]);
            norm.backward(&x, &inverse_std, &mut ds, dx_out, &mut dgamma, &mut dbeta);
            if self.dropout.is_none() {
                dx.copy_from_slice(&ds);
            }
            [y, ds, dx, dgamma, dbeta].concat()
        }

        fn mask(&self) -> Vec<f64> {
            let mut mask = vec![1.0; self.x.len()];
            if let Some(dropout) = self.dropout {
                dropout.factors(0, &mut mask);
            }
            mask
        }

        /// y for the given s, γ and β, by the definition.
        fn naive(&self, s: &[f64], gamma: &[f64], beta: &[f64]) -> Vec<f64> {
            let width = gamma.len();
            let mut y = Vec::new();
            for s in s.chunks(width) {
                let mean = s.iter().sum::<f64>() / width as f64;
                let variance = s.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / width as f64;
                for ((s, gamma), beta) in s.iter().zip(gamma).zip(beta) {
                    y.push(gamma * (s - mean) / (variance + self.eps).sqrt() + beta);
                }
            }
            y
        }

        /// What `run` makes, with the gradients as central differences of Σ dy ∘ y.
        fn expected(&self) -> Vec<f64> {
            let of = |x: &[F]| -> Vec<f64> { x.iter().map(|x| x.f64()).collect() };
            let (gamma, beta, dy, mask) =
                (of(&self.gamma), of(&self.beta), of(&self.dy), self.mask());
            let mut s = of(&self.x);
            for (i, s) in s.iter_mut().enumerate() {
                *s = *s * mask[i] + self.residual.as_ref().map_or(0.0, |r| r[i].f64());
            }
            let product = |y: Vec<f64>| -> f64 { y.iter().zip(&dy).map(|(y, dy)| y * dy).sum() };
            let differences = |x: &[f64], f: &dyn Fn(&[f64]) -> f64| -> Vec<f64> {
                let h = 1e-5;
                let mut x = x.to_vec();
                (0..x.len())
                    .map(|i| {
                        let x_i = x[i];
                        x[i] = x_i + h;
                        let above = f(&x);
                        x[i] = x_i - h;
                        let below = f(&x);
                        x[i] = x_i;
                        (above - below) / (2.0 * h)
                    })
                    .collect()
            };
            let ds = differences(&s, &|s| product(self.naive(s, &gamma, &beta)));
            let dx = ds.iter().zip(&mask).map(|(ds, m)| ds * m).collect();
            let dgamma = differences(&gamma, &|gamma| product(self.naive(&s, gamma, &beta)));
            let dbeta = differences(&beta, &|beta| product(self.naive(&s, &gamma, beta)));
            let plus_one = |d: Vec<f64>| d.iter().map(|d| d + 1.0).collect();
            [
                self.naive(&s, &gamma, &beta),
                ds,
                dx,
                plus_one(dgamma),
                plus_one(dbeta),
            ]
            .concat()
        }
    }

    #[test]
    fn against_the_definition_and_differences() {
        for (rows, width) in [(0, 3), (1, 1), (1, 5), (3, 16), (4, 37), (2, 70)] {
            for residual in [false, true] {
                for p in [None, Some(0.0), Some(0.4)] {
                    let case = Case::<f64>::new(rows, width, residual, p);
                    let (y, expected) = (case.run(), case.expected());
                    let n = rows * width;
                    assert_close(&y[..n], &expected[..n], 1e-13);
                    assert_close(&y[n..], &expected[n..], 2e-7);
                }
            }
        }
    }

    /// `f32` against `f64`, over more than one chunk: within 2e-6 of 1 + |entry|.
    #[test]
    fn single_precision() {
        for (rows, width) in [(150, 131), (37, 1024), (1, 40_000)] {
            let case = Case::<f32>::new(rows, width, true, Some(0.3));
            let wide = |x: &[f32]| x.iter().map(|x| f64::from(*x)).collect::<Vec<_>>();
            let exact = Case::<f64> {
                x: wide(&case.x),
                residual: case.residual.as_deref().map(wide),
                gamma: wide(&case.gamma),
                beta: wide(&case.beta),
                eps: case.eps,
                dropout: case.dropout,
                dy: wide(&case.dy),
            };
            assert_close(&case.run(), &exact.run(), 2e-6);
        }
    }

    #[test]
    fn same_bits() {
        let case = Case::<f32>::new(501, 131, true, Some(0.1));
        same_on_threads(|| case.run());
        // Sums that differ in their last bits show here.
        let case = Case::<f64>::new(501, 131, true, Some(0.1));
        same_on_threads(|| case.run());
    }

    /// Over many chunks, each row is what it is alone.
    #[test]
    fn rows_by_themselves() {
        let (rows, width) = (400, 131);
        let case = Case::<f64>::new(rows, width, true, Some(0.4));
        let (out, mask, n) = (case.run(), case.mask(), rows * width);
        let (y, ds, dx) = (&out[..n], &out[n..2 * n], &out[2 * n..3 * n]);
        let mut sums = vec![1.0; 2 * width];
        for row in (0..n).step_by(width).map(|start| start..start + width) {
            let mut alone = Case::<f64>::new(1, width, false, None);
            for (x, i) in alone.x.iter_mut().zip(row.clone()) {
                *x = case.x[i] * mask[i] + case.residual.as_ref().unwrap()[i];
            }
            alone.dy.copy_from_slice(&case.dy[row.clone()]);
            let alone = alone.run();
            assert_eq!(y[row.clone()], alone[..width]);
            assert_eq!(ds[row], alone[width..2 * width]);
            for (sum, alone) in sums.iter_mut().zip(&alone[3 * width..]) {
                *sum += alone - 1.0;
            }
        }
        for (i, dx) in dx.iter().enumerate() {
            assert_eq!(*dx, ds[i] * mask[i]);
        }
        assert_close(&out[3 * n..], &sums, 1e-12);
    }

    /// Rows with a mean far above their deviation: the error is that of the data, not of the mean.
    #[test]
    fn large_mean() {
        let mut case = Case::<f32>::new(7, 300, false, None);
        case.eps = 1e-12;
        for x in &mut case.x {
            *x += 30_000.1;
        }
        let s: Vec<f64> = case.x.iter().map(|x| f64::from(*x)).collect();
        let wide = |x: &[f32]| x.iter().map(|x| f64::from(*x)).collect::<Vec<_>>();
        let exact = case.naive(&s, &wide(&case.gamma), &wide(&case.beta));
        assert_close(&case.run()[..s.len()], &exact, 1e-6);
    }

    #[test]
    fn constant_rows_give_beta() {
        let mut case = Case::<f32>::new(5, 33, false, None);
        case.eps = 1e-12;
        case.x.fill(0.1);
        let out = case.run();
        for row in out[..5 * 33].chunks(33) {
            assert_eq!(row, case.beta);
        }
        assert!(out.iter().all(|x| x.is_finite()));
        // x̂ is 0: so is dγ.
        assert_eq!(out[3 * 5 * 33..][..33], [1.0; 33]);
    }
}
