//! Noise norms about a centre that one huge gradient cannot move.
//!
//! ∇f is the mean of the gradients measured. Under a tail index near 1 a single gradient may shift that
//! mean, and with it every norm: of n α-stable gradients the largest over n is of the order of
//! n^{1/α − 1}, for α = 1.2 and n = 1000 a third of a typical norm. [`influence`] measures it, and
//! where it exceeds [`LARGEST_INFLUENCE`] the mean of the nine tenths with the smallest norms is
//! the better centre.

use crate::Error;
use crate::sample::{check, quantile, sorted};

/// Largest influence of one gradient on the centre that is left alone.
pub const LARGEST_INFLUENCE: f64 = 0.1;

/// Share of the gradients whose mean is taken where one has too much influence.
const KEPT: f64 = 0.9;

/// By how many typical norms the largest of `norms` (shape: n ≥ 1) moved their mean: max/(n · median).
#[must_use]
pub fn influence(norms: &[f64]) -> f64 {
    let sorted = sorted(norms);
    match sorted.last() {
        Some(&max) if max > 0.0 => max / (norms.len() as f64 * quantile(&sorted, 0.5)),
        _ => 0.0,
    }
}

/// Which gradients to take the mean of, given their norms about the mean of all; `None` where
/// that mean will do.
#[must_use]
pub fn trimmed(norms: &[f64]) -> Option<Vec<usize>> {
    if influence(norms) <= LARGEST_INFLUENCE {
        return None;
    }
    let most = quantile(&sorted(norms), KEPT);
    Some((0..norms.len()).filter(|&i| norms[i] <= most).collect())
}

/// Norms about the centre of `gradients` (shape: n × `d`, n ≥ 1), which are held in memory.
///
/// # Errors
/// [`Error::Parameter`] unless `d` ≥ 1 divides the length; [`Error::TooFew`] without a gradient;
/// [`Error::NotFinite`], [`Error::TooLarge`].
pub fn centred_norms(gradients: &[f64], d: usize) -> Result<Vec<f64>, Error> {
    if d == 0 || !gradients.len().is_multiple_of(d) {
        return Err(Error::Parameter {
            name: "d",
            value: d as f64,
            expected: "at least 1, and a divisor of the number of entries",
        });
    }
    check("noise norms", gradients, 1)?;
    let about_mean = |members: &[usize]| -> Vec<f64> {
        let mut mean = vec![0.0; d];
        for &i in members {
            let gradient = &gradients[i * d..][..d];
            mean.iter_mut().zip(gradient).for_each(|(m, x)| *m += x);
        }
        mean.iter_mut().for_each(|m| *m /= members.len() as f64);
        let norm = |gradient: &[f64]| {
            let squares = gradient.iter().zip(&mean).map(|(x, m)| (x - m).powi(2));
            squares.sum::<f64>().sqrt()
        };
        gradients.chunks(d).map(norm).collect()
    };
    let all: Vec<usize> = (0..gradients.len() / d).collect();
    let norms = about_mean(&all);
    Ok(trimmed(&norms).map_or(norms, |members| about_mean(&members)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_gradients_are_centred_on_their_mean() {
        let norms = centred_norms(&[1.0, 0.0, 3.0, 4.0, 2.0, 2.0], 2).unwrap();
        // Mean (2, 2).
        assert_eq!(norms, [5.0_f64.sqrt(), 5.0_f64.sqrt(), 0.0]);
    }

    #[test]
    fn one_huge_gradient_does_not_move_the_others() {
        let mut gradients = vec![0.0; 40];
        (0..20).for_each(|i| gradients[2 * i] = if i % 2 == 0 { 1.0 } else { -1.0 });
        gradients[1] = 1e6;
        let norms = centred_norms(&gradients, 2).unwrap();
        // About the mean of all, they would be 5e4. About that of the others, 1 ± 1/18.
        assert!(
            norms[1..].iter().all(|x| (x - 1.0).abs() < 0.12),
            "{norms:?}"
        );
        assert!((norms[0] - 1e6).abs() < 1.0);
    }

    #[test]
    fn influence_is_the_shift_of_the_mean_in_typical_norms() {
        assert_eq!(influence(&[1.0, 1.0, 1.0, 8.0]), 2.0);
        assert_eq!(influence(&[0.0; 3]), 0.0);
        assert_eq!(trimmed(&[1.0; 50]), None);
    }

    #[test]
    fn bad_input() {
        assert!(matches!(
            centred_norms(&[1.0; 3], 2),
            Err(Error::Parameter { .. })
        ));
        assert!(matches!(
            centred_norms(&[1.0; 3], 0),
            Err(Error::Parameter { .. })
        ));
        assert!(matches!(centred_norms(&[], 2), Err(Error::TooFew { .. })));
        assert!(matches!(
            centred_norms(&[1.0, f64::NAN], 1),
            Err(Error::NotFinite { index: 1, .. })
        ));
        assert_eq!(centred_norms(&[3.0, 4.0], 2).unwrap(), [0.0]);
    }
}
