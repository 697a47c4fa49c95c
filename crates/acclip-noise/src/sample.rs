//! Checks and order statistics that the estimators share.

use crate::Error;

/// Largest magnitude accepted: its fourth power, summed over 10⁸ values, is
/// still a finite `f64`. The norm of an `f32` gradient is at most 3.4e38·√d.
const LARGEST: f64 = 1e75;

/// At least `needed` values, all finite and of a size that can be squared twice.
pub(crate) fn check(what: &'static str, values: &[f64], needed: usize) -> Result<(), Error> {
    for (index, &value) in values.iter().enumerate() {
        if !value.is_finite() {
            return Err(Error::NotFinite { index, value });
        }
        if value.abs() > LARGEST {
            return Err(Error::TooLarge { index, value });
        }
    }
    if values.len() < needed {
        return Err(Error::TooFew {
            what,
            needed,
            found: values.len(),
        });
    }
    Ok(())
}

/// [`check`], and no value negative.
pub(crate) fn check_norms(what: &'static str, norms: &[f64], needed: usize) -> Result<(), Error> {
    check(what, norms, needed)?;
    match norms.iter().position(|&x| x < 0.0) {
        Some(index) => Err(Error::Negative {
            index,
            value: norms[index],
        }),
        None => Ok(()),
    }
}

/// Ascending copy.
pub(crate) fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

/// Quantile of a non-empty ascending sample, `p` in [0, 1]: linear between
/// order statistics, with the minimum at 0 and the maximum at 1
/// (type 7 of Hyndman & Fan 1996, the default of NumPy and R).
pub(crate) fn quantile(sorted: &[f64], p: f64) -> f64 {
    let position = p * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (position - below as f64) * (sorted[above] - sorted[below])
}

/// Up to `points` different integers from `first` to `last`, both included,
/// evenly spaced in logarithm. Empty if `points` is 0 or the range is.
pub(crate) fn log_spaced(first: usize, last: usize, points: usize) -> Vec<usize> {
    if points == 0 || first == 0 || first > last {
        return Vec::new();
    }
    let ratio = last as f64 / first as f64;
    let mut grid: Vec<usize> = (1..points)
        .map(|i| (i as f64 - 1.0) / (points - 1) as f64)
        .map(|share| (first as f64 * ratio.powf(share)).round() as usize)
        .chain([last])
        .collect();
    grid.dedup();
    grid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_interpolate_between_order_statistics() {
        let x = [1.0, 2.0, 4.0, 8.0, 16.0];
        assert_eq!(quantile(&x, 0.0), 1.0);
        assert_eq!(quantile(&x, 0.25), 2.0);
        assert_eq!(quantile(&x, 0.375), 3.0);
        assert_eq!(quantile(&x, 1.0), 16.0);
        assert_eq!(quantile(&[3.0], 0.7), 3.0);
    }

    #[test]
    fn log_spacing_starts_and_ends_where_asked() {
        assert_eq!(log_spaced(1, 1000, 4), [1, 10, 100, 1000]);
        assert_eq!(log_spaced(1, 5, 50), [1, 2, 3, 4, 5]);
        assert_eq!(log_spaced(2, 9, 1), [9]);
        assert!(log_spaced(3, 2, 5).is_empty());
        assert!(log_spaced(1, 5, 0).is_empty());
    }

    #[test]
    fn the_first_bad_value_is_named() {
        assert_eq!(
            check("x", &[1.0, f64::INFINITY], 1),
            Err(Error::NotFinite {
                index: 1,
                value: f64::INFINITY
            })
        );
        assert!(matches!(
            check("x", &[1.0, -1e76], 1),
            Err(Error::TooLarge { index: 1, .. })
        ));
        assert!(matches!(
            check_norms("x", &[1.0, 0.0, -2.0], 1),
            Err(Error::Negative { index: 2, .. })
        ));
    }
}
