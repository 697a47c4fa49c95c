//! Batch normalisation of the rows of a matrix, with the addition of a residual and a ReLU behind it.
//!
//! With x (R, C), R pixels of C channels, and per channel the mean μ and the biased variance σ² over the rows:
//!
//! ```text
//! x̂ = (x − μ) / √(σ² + ε)        y = max(γ x̂ + β + residual, 0)
//! ```
//!
//! and backward, with g = dy where y > 0, else 0:
//!
//! ```text
//! dresidual = g    dβ += Σ g    dγ += Σ g x̂    dx = γ / √(σ² + ε) · (g − Σ g / R − x̂ Σ g x̂ / R)
//! ```
//!
//! With frozen statistics μ and σ² are constants, and dx = γ / √(σ² + ε) · g. Sums over rows are `f64`.
//! Nothing is saved for the backward pass but the statistics: it reads x again, and of y only the sign.
//!
//! Reference: Ioffe, Szegedy, *Batch normalization*, 2015.

use crate::{Real, chunks};
use rayon::prelude::*;

/// Mean and biased variance of every channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics<F> {
    /// μ (C).
    pub mean: Vec<F>,
    /// σ² (C), the mean square of x − μ.
    pub variance: Vec<F>,
}

impl<F: Real> Statistics<F> {
    /// Of the rows of `x` (R, C). Of no row: 0 and 0.
    ///
    /// One pass: sums of x − s and of its square, in `f64`, with the first row as the shift s.
    ///
    /// # Panics
    /// If `x` is no whole number of rows.
    #[must_use]
    pub fn of(x: &[F], channels: usize) -> Self {
        let rows = rows(x, channels);
        let shift = &x[..channels.min(x.len())];
        let mut sums = vec![0.0; 2 * channels];
        sum_rows(
            &mut sums,
            rows,
            channels,
            #[inline(always)]
            |range, sums, squares| {
                for row in x[range].chunks_exact(channels) {
                    for (((x, shift), sum), square) in
                        row.iter().zip(shift).zip(&mut *sums).zip(&mut *squares)
                    {
                        let d = x.f64() - shift.f64();
                        *sum += d;
                        *square += d * d;
                    }
                }
            },
        );
        let (sums, squares) = sums.split_at(channels);
        let n = rows.max(1) as f64;
        let mean = sums
            .iter()
            .enumerate()
            .map(|(c, sum)| F::of(shift.get(c).map_or(0.0, |shift| shift.f64()) + sum / n));
        let variance = sums.iter().zip(squares).map(|(sum, square)| {
            let mean = sum / n;
            let variance = square / n - mean * mean;
            // Not `max`, which would hide a NaN.
            F::of(if variance < 0.0 { 0.0 } else { variance })
        });
        Self {
            mean: mean.collect(),
            variance: variance.collect(),
        }
    }

    /// Moves running statistics towards these, of `rows` rows:
    /// `running ← (1 − momentum) · running + momentum · new`, with the unbiased variance, σ² R/(R − 1), as
    /// PyTorch does (momentum 0.1). Of one row the unbiased variance is not defined, and σ² stands for it.
    ///
    /// # Panics
    /// If a length is not C.
    pub fn update_running(&self, rows: usize, momentum: f64, running: &mut Self) {
        assert_eq!(self.mean.len(), running.mean.len(), "mean (C)");
        assert_eq!(self.variance.len(), running.variance.len(), "variance (C)");
        let unbiased = if rows > 1 {
            rows as f64 / (rows - 1) as f64
        } else {
            1.0
        };
        let toward = |running: &mut [F], new: &[F], factor: f64| {
            for (running, new) in running.iter_mut().zip(new) {
                let old = running.f64();
                *running = F::of(old + momentum * (new.f64() * factor - old));
            }
        };
        toward(&mut running.mean, &self.mean, 1.0);
        toward(&mut running.variance, &self.variance, unbiased);
    }
}

/// Whether the statistics depend on x.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They are those of x, [`Statistics::of`]: training.
    Batch,
    /// They are constants: evaluation, and measurements with frozen statistics.
    Frozen,
}

/// A layer over C channels, with its statistics.
#[derive(Debug, Clone, Copy)]
pub struct BatchNorm<'a, F> {
    /// μ and σ².
    pub statistics: &'a Statistics<F>,
    /// What they are.
    pub mode: Mode,
    /// γ (C).
    pub gamma: &'a [F],
    /// β (C).
    pub beta: &'a [F],
    /// ε.
    pub eps: f64,
    /// Whether y is cut off below 0.
    pub relu: bool,
}

/// What [`BatchNorm::backward`] fills.
#[derive(Debug)]
pub struct Gradients<'a, F> {
    /// Overwritten (R, C).
    pub dx: &'a mut [F],
    /// Overwritten (R, C), where there was a residual.
    pub dresidual: Option<&'a mut [F]>,
    /// Added to (C).
    pub dgamma: &'a mut [F],
    /// Added to (C).
    pub dbeta: &'a mut [F],
}

impl<F: Real> BatchNorm<'_, F> {
    /// 1/√(σ² + ε) (C).
    fn inverse_std(&self) -> impl Iterator<Item = f64> {
        let variance = self.statistics.variance.iter();
        variance.map(|variance| 1.0 / (variance.f64() + self.eps).sqrt())
    }

    /// C.
    fn channels(&self) -> usize {
        let channels = self.gamma.len();
        assert_eq!(self.beta.len(), channels, "beta (C)");
        assert_eq!(self.statistics.mean.len(), channels, "mean (C)");
        assert_eq!(self.statistics.variance.len(), channels, "variance (C)");
        channels
    }

    /// `y ←`, from x, residual and y (R, C).
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn forward(&self, x: &[F], residual: Option<&[F]>, y: &mut [F]) {
        let channels = self.channels();
        rows(x, channels);
        assert_eq!(x.len(), y.len(), "y (R, C)");
        assert_eq!(residual.unwrap_or(x).len(), x.len(), "residual (R, C)");
        let mean = &self.statistics.mean;
        let scale: Vec<F> = self
            .inverse_std()
            .zip(self.gamma)
            .map(|(inverse, gamma)| F::of(inverse * gamma.f64()))
            .collect();
        let size = chunks::rows(channels) * channels;
        y.par_chunks_mut(size.max(1))
            .enumerate()
            .for_each(|(i, y)| {
                let range = i * size..i * size + y.len();
                let (x, residual) = (&x[range.clone()], residual.map(|residual| &residual[range]));
                crate::vectorized(
                    #[inline(always)]
                    || {
                        for (r, (y, x)) in y
                            .chunks_exact_mut(channels)
                            .zip(x.chunks_exact(channels))
                            .enumerate()
                        {
                            let affine = x.iter().zip(mean).zip(&scale).zip(self.beta);
                            for (y, (((x, mean), scale), beta)) in y.iter_mut().zip(affine) {
                                *y = (*x - *mean) * *scale + *beta;
                            }
                            if let Some(residual) = residual {
                                for (y, residual) in y.iter_mut().zip(&residual[r * channels..]) {
                                    *y += *residual;
                                }
                            }
                            if self.relu {
                                for y in y {
                                    // Not `max`, which would hide a NaN.
                                    *y = if *y < F::ZERO { F::ZERO } else { *y };
                                }
                            }
                        }
                    },
                );
            });
    }

    /// The gradients, from x, y, dy (R, C); `y` is read only with a ReLU.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn backward(&self, x: &[F], y: &[F], dy: &[F], gradients: Gradients<F>) {
        if self.relu {
            self.backward_as::<true>(x, y, dy, gradients);
        } else {
            self.backward_as::<false>(x, x, dy, gradients);
        }
    }

    /// As [`Self::backward`], with the test for the ReLU out of the loops.
    fn backward_as<const RELU: bool>(&self, x: &[F], y: &[F], dy: &[F], gradients: Gradients<F>) {
        let Gradients {
            dx,
            mut dresidual,
            dgamma,
            dbeta,
        } = gradients;
        let channels = self.channels();
        let rows = rows(x, channels);
        assert_eq!(y.len(), x.len(), "y (R, C)");
        assert_eq!(dy.len(), x.len(), "dy (R, C)");
        assert_eq!(dx.len(), x.len(), "dx (R, C)");
        let len = dresidual
            .as_ref()
            .map_or(x.len(), |dresidual| dresidual.len());
        assert_eq!(len, x.len(), "dresidual (R, C)");
        assert_eq!(dgamma.len(), channels, "dgamma (C)");
        assert_eq!(dbeta.len(), channels, "dbeta (C)");
        let mean = &self.statistics.mean[..channels];

        // Σ g and Σ g (x − μ).
        let mut sums = vec![0.0; 2 * channels];
        sum_rows(
            &mut sums,
            rows,
            channels,
            #[inline(always)]
            |range, sums, products| {
                let rows = x[range.clone()]
                    .chunks_exact(channels)
                    .zip(y[range.clone()].chunks_exact(channels))
                    .zip(dy[range].chunks_exact(channels));
                for ((x, y), dy) in rows {
                    add_row::<F, RELU>(sums, products, x, y, dy, mean);
                }
            },
        );
        let (sums, products) = sums.split_at(channels);
        let n = rows.max(1) as f64;
        let mut scale = Vec::with_capacity(channels);
        let mut offset = vec![F::ZERO; channels];
        let mut slope = vec![F::ZERO; channels];
        for (c, inverse) in self.inverse_std().enumerate() {
            dbeta[c] += F::of(sums[c]);
            dgamma[c] += F::of(products[c] * inverse);
            scale.push(F::of(self.gamma[c].f64() * inverse));
            if self.mode == Mode::Batch {
                offset[c] = F::of(sums[c] / n);
                slope[c] = F::of(products[c] * inverse * inverse / n);
            }
        }

        let size = (chunks::rows(channels) * channels).max(1);
        let dresidual: Vec<Option<&mut [F]>> = match &mut dresidual {
            Some(dresidual) => dresidual.chunks_mut(size).map(Some).collect(),
            None => (0..x.len().div_ceil(size)).map(|_| None).collect(),
        };
        dx.par_chunks_mut(size)
            .zip(dresidual)
            .enumerate()
            .for_each(|(i, (dx, mut dresidual))| {
                let range = i * size..i * size + dx.len();
                let (x, y, dy) = (&x[range.clone()], &y[range.clone()], &dy[range]);
                crate::vectorized(
                    #[inline(always)]
                    || {
                        if let Some(dresidual) = &mut dresidual {
                            mask::<F, RELU>(dresidual, dy, y);
                        }
                        let rows = dx
                            .chunks_exact_mut(channels)
                            .zip(x.chunks_exact(channels))
                            .zip(y.chunks_exact(channels))
                            .zip(dy.chunks_exact(channels));
                        for (((dx, x), y), dy) in rows {
                            mask::<F, RELU>(dx, dy, y);
                            row(dx, x, mean, &scale, &offset, &slope);
                        }
                    },
                );
            });
    }
}

// The loops over channels are functions, so that the compiler knows that their slices do not overlap.

/// Σ g and Σ g (x − μ), one row further.
#[inline(always)]
fn add_row<F: Real, const RELU: bool>(
    sums: &mut [f64],
    products: &mut [f64],
    x: &[F],
    y: &[F],
    dy: &[F],
    mean: &[F],
) {
    let row = x.iter().zip(y).zip(dy).zip(mean);
    for ((((x, y), dy), mean), (sum, product)) in row.zip(sums.iter_mut().zip(products)) {
        let g = masked::<F, RELU>(*dy, *y).f64();
        *sum += g;
        *product += g * (x.f64() - mean.f64());
    }
}

/// g.
#[inline(always)]
fn mask<F: Real, const RELU: bool>(g: &mut [F], dy: &[F], y: &[F]) {
    for (g, (dy, y)) in g.iter_mut().zip(dy.iter().zip(y)) {
        *g = masked::<F, RELU>(*dy, *y);
    }
}

/// scale (g − offset − slope (x − μ)), from g and in its place.
#[inline(always)]
fn row<F: Real>(g: &mut [F], x: &[F], mean: &[F], scale: &[F], offset: &[F], slope: &[F]) {
    let row = x.iter().zip(mean).zip(scale.iter().zip(offset).zip(slope));
    for (g, ((x, mean), ((scale, offset), slope))) in g.iter_mut().zip(row) {
        *g = *scale * (*g - *offset - *slope * (*x - *mean));
    }
}

/// dy where y > 0 or there is no ReLU, else 0.
#[inline(always)]
fn masked<F: Real, const RELU: bool>(dy: F, y: F) -> F {
    if !RELU || y > F::ZERO { dy } else { F::ZERO }
}

/// R.
fn rows<F>(x: &[F], channels: usize) -> usize {
    let rows = x.len().checked_div(channels).unwrap_or(0);
    assert_eq!(x.len(), rows * channels, "x (R, C)");
    rows
}

/// Sums over chunks of rows: `partial` gets the range of a chunk's entries, and two zeroed buffers (C).
fn sum_rows(
    sums: &mut [f64],
    rows: usize,
    channels: usize,
    partial: impl Fn(std::ops::Range<usize>, &mut [f64], &mut [f64]) + Send + Sync,
) {
    let chunk = chunks::rows(channels);
    chunks::sum_into(sums, rows.div_ceil(chunk), |i, sums| {
        let (first, second) = sums.split_at_mut(channels);
        let range = i * chunk * channels..((i + 1) * chunk).min(rows) * channels;
        crate::vectorized(
            #[inline(always)]
            || partial(range, first, second),
        );
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convolution::tests::random;

    const EPS: f64 = 1e-5;

    /// A layer with its data, in `f64`.
    #[derive(Clone)]
    struct Case {
        mode: Mode,
        relu: bool,
        running: Statistics<f64>,
        x: Vec<f64>,
        residual: Option<Vec<f64>>,
        gamma: Vec<f64>,
        beta: Vec<f64>,
        dy: Vec<f64>,
    }

    impl Case {
        fn new(mode: Mode, relu: bool, residual: bool, rows: usize, channels: usize) -> Self {
            let len = rows * channels;
            Self {
                mode,
                relu,
                running: Statistics {
                    mean: random(channels, 1),
                    variance: random(channels, 2).iter().map(|x| x + 1.5).collect(),
                },
                x: random(len, 3).iter().map(|x| 3.0 * x + 1.0).collect(),
                residual: residual.then(|| random(len, 4)),
                gamma: random(channels, 5).iter().map(|x| x + 0.1).collect(),
                beta: random(channels, 6),
                dy: random(len, 7),
            }
        }

        fn all() -> Vec<Self> {
            let mut all = Vec::new();
            for mode in [Mode::Batch, Mode::Frozen] {
                for relu in [false, true] {
                    for residual in [false, true] {
                        for (rows, channels) in [(1, 3), (7, 1), (6, 5), (3000, 19)] {
                            all.push(Self::new(mode, relu, residual, rows, channels));
                        }
                    }
                }
            }
            all
        }

        /// y by the definition, two passes, a channel at a time.
        fn definition(&self) -> Vec<f64> {
            let channels = self.gamma.len();
            let rows = self.x.len() / channels;
            let mut y = vec![0.0; self.x.len()];
            for c in 0..channels {
                let column = || (0..rows).map(|r| self.x[r * channels + c]);
                let (mean, variance) = match self.mode {
                    Mode::Batch => {
                        let mean = column().sum::<f64>() / rows as f64;
                        let square: f64 = column().map(|x| (x - mean).powi(2)).sum();
                        (mean, square / rows as f64)
                    }
                    Mode::Frozen => (self.running.mean[c], self.running.variance[c]),
                };
                for (r, x) in column().enumerate() {
                    let at = r * channels + c;
                    y[at] = (x - mean) / (variance + EPS).sqrt() * self.gamma[c] + self.beta[c];
                    y[at] += self.residual.as_ref().map_or(0.0, |residual| residual[at]);
                    if self.relu {
                        y[at] = y[at].max(0.0);
                    }
                }
            }
            y
        }

        /// Σ y dy.
        fn loss(&self) -> f64 {
            self.definition()
                .iter()
                .zip(&self.dy)
                .map(|(y, dy)| y * dy)
                .sum()
        }

        /// y, dx, dresidual, dγ and dβ, the last two added to ones.
        fn run<F: Real>(&self) -> [Vec<F>; 5] {
            let of = |v: &[f64]| v.iter().map(|v| F::of(*v)).collect::<Vec<F>>();
            let (x, gamma, beta, dy) = (of(&self.x), of(&self.gamma), of(&self.beta), of(&self.dy));
            let residual = self.residual.as_deref().map(of);
            let channels = gamma.len();
            let statistics = match self.mode {
                Mode::Batch => Statistics::of(&x, channels),
                Mode::Frozen => Statistics {
                    mean: of(&self.running.mean),
                    variance: of(&self.running.variance),
                },
            };
            let layer = BatchNorm {
                statistics: &statistics,
                mode: self.mode,
                gamma: &gamma,
                beta: &beta,
                eps: EPS,
                relu: self.relu,
            };
            let [mut y, mut dx] = [(); 2].map(|()| vec![F::ONE; x.len()]);
            let mut dresidual = residual.as_ref().map(|_| y.clone());
            let [mut dgamma, mut dbeta] = [(); 2].map(|()| vec![F::ONE; channels]);
            layer.forward(&x, residual.as_deref(), &mut y);
            let gradients = Gradients {
                dx: &mut dx,
                dresidual: dresidual.as_deref_mut(),
                dgamma: &mut dgamma,
                dbeta: &mut dbeta,
            };
            layer.backward(&x, if self.relu { &y } else { &[] }, &dy, gradients);
            [y, dx, dresidual.unwrap_or_default(), dgamma, dbeta]
        }
    }

    fn close<F: Real>(a: &[F], b: &[f64], tolerance: f64, what: &str) {
        assert_eq!(a.len(), b.len(), "{what}");
        for (a, b) in a.iter().zip(b) {
            let error = (a.f64() - b).abs();
            assert!(
                error <= tolerance * b.abs().max(1.0),
                "{what}: {a:?}, not {b}"
            );
        }
    }

    #[test]
    fn forward_agrees_with_the_definition() {
        for case in Case::all() {
            close(&case.run::<f64>()[0], &case.definition(), 1e-12, "f64");
            close(&case.run::<f32>()[0], &case.definition(), 2e-6, "f32");
        }
    }

    #[test]
    fn backward_agrees_with_central_differences() {
        fn differences(case: &Case, of: impl Fn(&mut Case) -> &mut Vec<f64>) -> Vec<f64> {
            let h = 1e-6;
            let len = of(&mut case.clone()).len();
            let at = |i: usize, h: f64| {
                let mut case = case.clone();
                of(&mut case)[i] += h;
                case.loss()
            };
            (0..len)
                .map(|i| (at(i, h) - at(i, -h)) / (2.0 * h))
                .collect()
        }
        for case in Case::all().into_iter().filter(|case| case.x.len() < 100) {
            let [_, dx, dresidual, dgamma, dbeta] = case.run::<f64>();
            close(&dx, &differences(&case, |case| &mut case.x), 1e-7, "dx");
            if case.residual.is_some() {
                let expected = differences(&case, |case| case.residual.as_mut().unwrap());
                close(&dresidual, &expected, 1e-7, "dresidual");
            }
            let minus_one = |v: Vec<f64>| v.iter().map(|v| v - 1.0).collect::<Vec<_>>();
            let expected = differences(&case, |case| &mut case.gamma);
            close(&minus_one(dgamma), &expected, 1e-7, "dgamma");
            let expected = differences(&case, |case| &mut case.beta);
            close(&minus_one(dbeta), &expected, 1e-7, "dbeta");
        }
    }

    #[test]
    fn backward_in_f32_agrees_with_f64() {
        // Without the ReLU, whose edge may lie elsewhere.
        for case in Case::all()
            .into_iter()
            .filter(|case| !case.relu && case.x.len() > 3)
        {
            let expected = case.run::<f64>();
            for (i, (result, expected)) in case.run::<f32>().iter().zip(&expected).enumerate() {
                close(result, expected, 2e-6, &format!("result {i}"));
            }
        }
    }

    #[test]
    fn statistics_of_a_shifted_and_of_a_constant_channel() {
        let x: Vec<f64> = random(5000, 8).iter().map(|x| 1e4 + x).collect();
        let mean = x.iter().sum::<f64>() / 5000.0;
        let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 5000.0;
        let got = Statistics::of(&x, 1);
        close(&got.mean, &[mean], 1e-14, "mean");
        close(&got.variance, &[variance], 1e-12, "variance");

        let constant = Statistics::of(&[7.25_f32; 3 * 1000], 3);
        assert_eq!(
            (constant.mean, constant.variance),
            (vec![7.25; 3], vec![0.0; 3])
        );
        let mut case = Case::new(Mode::Batch, false, false, 10, 2);
        case.x.fill(-3.0);
        let [y, dx, ..] = case.run::<f64>();
        assert_eq!(y, case.beta.repeat(10));
        assert!(dx.iter().all(|dx| dx.is_finite()));
    }

    #[test]
    fn a_nan_stays_visible() {
        let mut case = Case::new(Mode::Batch, true, false, 10, 2);
        case.x[4] = f64::NAN;
        let y = &case.run::<f32>()[0];
        assert!(y.iter().step_by(2).all(|y| y.is_nan()));
        assert!(y.iter().skip(1).step_by(2).all(|y| y.is_finite()));
    }

    #[test]
    fn running_statistics_take_the_unbiased_variance() {
        let new = Statistics {
            mean: vec![2.0],
            variance: vec![3.0],
        };
        let start = Statistics {
            mean: vec![1.0],
            variance: vec![1.0],
        };
        let mut running = start.clone();
        new.update_running(4, 0.1, &mut running);
        close(&running.mean, &[0.9 + 0.2], 1e-15, "mean");
        close(
            &running.variance,
            &[0.9 + 0.1 * 3.0 * 4.0 / 3.0],
            1e-15,
            "variance",
        );
        let mut running = start;
        new.update_running(1, 0.1, &mut running);
        close(
            &running.variance,
            &[0.9 + 0.1 * 3.0],
            1e-15,
            "variance of one row",
        );
    }

    #[test]
    fn an_empty_batch() {
        let case = Case::new(Mode::Batch, true, true, 0, 3);
        let [y, dx, dresidual, dgamma, dbeta] = case.run::<f32>();
        assert!(y.is_empty() && dx.is_empty() && dresidual.is_empty());
        assert_eq!((dgamma, dbeta), (vec![1.0; 3], vec![1.0; 3]));
    }

    #[test]
    fn the_same_bits_on_any_number_of_threads() {
        let case = Case::new(Mode::Batch, true, true, 3001, 19);
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| case.run::<f32>())
        };
        for threads in [1, 2, 3, 4] {
            assert_eq!(on(threads), on(1), "{threads} threads");
        }
    }
}
