//! The rank of the right class among the scores of an image.
//!
//! ```text
//! rank(i) = #{j : xᵢⱼ > xᵢₜ} + #{j < t : xᵢⱼ = xᵢₜ}        with t the label of row i
//! ```
//!
//! A row is right at rank 0 ("top 1"), and among the five best below rank 5 ("top 5"). Of equal scores the first
//! counts as the largest, as in [`crate::cross_entropy::evaluate`]. NaN counts as larger than the label's score, and a
//! label whose score is NaN has the last rank, so that scores that are not numbers are never a hit (but for a row of
//! fewer scores than ranks that hit).

use crate::Real;
use std::cmp::Ordering;

/// The rank of each label in its row of `scores` (M, V), from 0.
///
/// # Panics
/// If `scores` is no row a label, or a label is not below V.
#[must_use]
pub fn of_labels<F: Real>(scores: &[F], labels: &[u32]) -> Vec<usize> {
    let width = scores.len().checked_div(labels.len()).unwrap_or(0);
    assert_eq!(scores.len(), labels.len() * width, "scores (M, V)");
    let rows = scores.chunks_exact(width.max(1)).zip(labels);
    rows.map(|(row, label)| rank(row, *label as usize))
        .collect()
}

fn rank<F: Real>(row: &[F], label: usize) -> usize {
    let at_label = row[label];
    if at_label.partial_cmp(&at_label).is_none() {
        return row.len() - 1;
    }
    let before = |(j, x): &(usize, &F)| match (**x).partial_cmp(&at_label) {
        Some(Ordering::Less) => false,
        Some(Ordering::Equal) => *j < label,
        Some(Ordering::Greater) | None => true,
    };
    row.iter().enumerate().filter(before).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cross_entropy;
    use crate::testing::values;

    #[test]
    fn ranks_are_places_in_the_sorted_row() {
        let (rows, width) = (40, 13);
        // Few values, so that scores tie.
        let scores: Vec<f32> = values::<f32>(rows * width, 1)
            .iter()
            .map(|x| (3.0 * x).round())
            .collect();
        let labels: Vec<u32> = (0..rows as u32).map(|i| i * 7 % 13).collect();
        let ranks = of_labels(&scores, &labels);
        for ((row, label), rank) in scores.chunks(width).zip(&labels).zip(&ranks) {
            let mut order: Vec<usize> = (0..width).collect();
            order.sort_by(|a, b| row[*b].partial_cmp(&row[*a]).unwrap()); // stable: the first of equals stays
            assert_eq!(order[*rank], *label as usize, "{row:?}");
        }
        let ids: Vec<i64> = labels.iter().map(|l| i64::from(*l)).collect();
        let (_, hits) = cross_entropy::evaluate(&scores, &ids, None);
        assert_eq!(ranks.iter().filter(|rank| **rank == 0).count(), hits);
    }

    #[test]
    fn what_is_no_number_is_no_hit() {
        let nan = f64::NAN;
        assert_eq!(of_labels(&[nan, 1.0, 2.0], &[0]), [2]);
        assert_eq!(of_labels(&[nan, 1.0, 2.0], &[2]), [1]);
        assert_eq!(of_labels(&[2.0, 1.0, nan], &[0]), [1]);
        assert_eq!(of_labels::<f64>(&[], &[]), []);
        assert_eq!(of_labels(&[3.0], &[0]), [0]);
    }

    #[test]
    #[should_panic(expected = "scores (M, V)")]
    fn a_wrong_length_panics() {
        let _ = of_labels(&[1.0_f32; 7], &[0, 1]);
    }
}
