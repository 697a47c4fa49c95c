//! ReLU: y = max(x, 0).
//!
//! dx = dy where y > 0, and 0 where y = 0: at x = 0 the slope is 0, as in PyTorch. NaN stays NaN, and lets the gradient
//! through. The backward pass needs the output alone, so both are made in place.
//!
//! Reference: V. Nair, G. E. Hinton, "Rectified linear units improve restricted Boltzmann machines", ICML 2010.

use crate::{Real, chunks::ENTRIES, vectorized};
use rayon::prelude::*;

/// `x` ← max(x, 0), entry by entry.
pub fn forward_in_place<F: Real>(x: &mut [F]) {
    x.par_chunks_mut(ENTRIES).for_each(|x| {
        vectorized(
            #[inline(always)]
            || {
                for x in x {
                    // Not `max`, which would hide a NaN.
                    *x = if *x <= F::ZERO { F::ZERO } else { *x };
                }
            },
        );
    });
}

/// `dy` ← dx, from the output `y`.
///
/// # Panics
/// If the lengths differ.
pub fn backward_in_place<F: Real>(y: &[F], dy: &mut [F]) {
    assert_eq!(y.len(), dy.len(), "ReLU");
    y.par_chunks(ENTRIES)
        .zip(dy.par_chunks_mut(ENTRIES))
        .for_each(|(y, dy)| {
            vectorized(
                #[inline(always)]
                || {
                    for (y, dy) in y.iter().zip(dy) {
                        *dy = if *y <= F::ZERO { F::ZERO } else { *dy };
                    }
                },
            );
        });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{same_on_threads, values};

    #[test]
    fn values_and_slopes() {
        for n in [0, 1, 17, 2 * ENTRIES + 5] {
            let (x, dy) = (values::<f32>(n, 1), values::<f32>(n, 2));
            let result = same_on_threads(|| {
                let (mut y, mut dx) = (x.clone(), dy.clone());
                forward_in_place(&mut y);
                backward_in_place(&y, &mut dx);
                [y, dx].concat()
            });
            for i in 0..n {
                let expected = if x[i] > 0.0 {
                    (x[i], dy[i])
                } else {
                    (0.0, 0.0)
                };
                assert_eq!((result[i], result[n + i]), expected, "{i} of {n}");
            }
        }
    }

    #[test]
    fn ends() {
        let infinity = f64::INFINITY;
        let mut y = [0.0, -0.0, infinity, -infinity, f64::NAN, 5e-324];
        forward_in_place(&mut y);
        assert_eq!(y[..4], [0.0, 0.0, infinity, 0.0]);
        assert!(y[1].is_sign_positive() && y[4].is_nan() && y[5] == 5e-324);
        let mut dy = [7.0; 6];
        backward_in_place(&y, &mut dy);
        assert_eq!(dy, [0.0, 0.0, 7.0, 0.0, 7.0, 7.0]);
    }

    #[test]
    #[should_panic(expected = "ReLU")]
    fn a_wrong_length_panics() {
        backward_in_place(&[1.0_f32; 3], &mut [1.0; 4]);
    }
}
