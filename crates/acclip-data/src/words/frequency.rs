//! How often each id occurs, and ids in groups of equal frequency.
//!
//! A loss averaged over all words is mostly that of the frequent ones. To see the others, the ids are
//! ordered from the rarest to the most frequent and cut into groups that hold about the same share of the
//! occurrences each; the loss is then followed group by group.
//!
//! Reference: Kunstner et al., "Heavy-tailed class imbalance and why Adam outperforms gradient descent on
//! language models" (2024), figure 1.

use crate::Error;
use std::cmp::Reverse;

/// How often each id below `vocab_size` occurs among `ids`.
///
/// # Panics
/// If an id is not below `vocab_size`.
pub fn counts(ids: &[u32], vocab_size: usize) -> Vec<u64> {
    let mut counts = vec![0; vocab_size];
    for &id in ids {
        counts[id as usize] += 1;
    }
    counts
}

/// The group of each id: 0 for the rarest to `bins − 1` for the most frequent.
///
/// With the ids in order of their counts (of two equal ones, the higher id is the rarer), c the count of an
/// id, s the sum of the counts before it and N that of all counts, its group is ⌊bins · (s + c/2) / N⌋: the
/// middle of its share of the occurrences decides. So a group's share differs from 1/bins by no more than
/// half of that of its first id and half of that of the id after its last, or of those at its borders if it
/// is empty, as it may be where one id has more than 1/bins of all occurrences. Ids that do not occur are in
/// group 0. The arithmetic is exact.
///
/// # Errors
/// [`Error::Setting`] if `bins` is 0.
///
/// ```
/// // The two words that occur once or twice hold as much as the one that occurs three times.
/// assert_eq!(acclip_data::frequency_bins(&[3, 2, 1], 2)?, [1, 0, 0]);
/// # Ok::<(), acclip_data::Error>(())
/// ```
pub fn frequency_bins(counts: &[u64], bins: usize) -> Result<Vec<u32>, Error> {
    if bins == 0 {
        return Err(Error::Setting {
            name: "bins",
            value: "0".into(),
            range: "at least 1",
        });
    }
    let mut order: Vec<usize> = (0..counts.len()).collect();
    order.sort_unstable_by_key(|&id| (counts[id], Reverse(id)));

    let total: u128 = counts.iter().map(|&count| u128::from(count)).sum();
    let mut before = 0;
    let mut bin_of = vec![0; counts.len()];
    for id in order {
        let count = u128::from(counts[id]);
        if count > 0 {
            bin_of[id] = (bins as u128 * (2 * before + count) / (2 * total)) as u32;
        }
        before += count;
    }
    Ok(bin_of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_hand() {
        assert_eq!(counts(&[2, 0, 2, 2, 4], 5), [1, 0, 3, 0, 1]);
        assert_eq!(counts(&[], 2), [0, 0]);
    }

    /// N = 20, by hand: rising 1 (id 3), 1 (2), 2 (4), 6 (1), 10 (0); the middles are
    /// 0.5, 1.5, 3, 7, 15 of 20. In two groups the border is 10, in five 4, 8, 12, 16.
    #[test]
    fn groups_by_hand() {
        let counts = [10, 6, 1, 1, 2, 0];
        assert_eq!(frequency_bins(&counts, 1).unwrap(), [0; 6]);
        assert_eq!(frequency_bins(&counts, 2).unwrap(), [1, 0, 0, 0, 0, 0]);
        assert_eq!(frequency_bins(&counts, 5).unwrap(), [3, 1, 0, 0, 0, 0]);
        // Borders at 1, 2, …: id 3 is in [0, 1), id 2 in [1, 2).
        assert_eq!(frequency_bins(&counts, 20).unwrap(), [15, 7, 1, 0, 3, 0]);
    }

    /// A middle on a border belongs to the group above it.
    #[test]
    fn equal_counts_go_by_id() {
        assert_eq!(frequency_bins(&[1, 1, 1, 1], 2).unwrap(), [1, 1, 0, 0]);
        assert_eq!(frequency_bins(&[1, 1, 1], 2).unwrap(), [1, 1, 0]);
    }

    /// Zipf's law over 10 000 words: ten groups within the stated distance of a tenth.
    #[test]
    fn shares_are_about_equal() {
        let counts: Vec<u64> = (1..=10_000).map(|rank| 1_000_000 / rank).collect();
        let total: u64 = counts.iter().sum();
        let bins = frequency_bins(&counts, 10).unwrap();
        assert!(bins.is_sorted_by(|a, b| a >= b));
        for bin in 0..10 {
            let ids: Vec<usize> = (0..counts.len()).filter(|&id| bins[id] == bin).collect();
            let share: u64 = ids.iter().map(|&id| counts[id]).sum();
            let (most, least) = (ids[0], ids[ids.len() - 1]);
            let above = if most > 0 { counts[most - 1] } else { 0 };
            let allowed = (counts[least] + above) as f64 / 2.0;
            let difference = share as f64 - total as f64 / 10.0;
            assert!(
                difference.abs() <= allowed,
                "{bin}: {difference}, {allowed}"
            );
        }
    }

    #[test]
    fn extremes() {
        assert_eq!(frequency_bins(&[], 3).unwrap(), [0; 0]);
        assert_eq!(frequency_bins(&[0, 0], 3).unwrap(), [0, 0]);
        assert_eq!(frequency_bins(&[u64::MAX, u64::MAX], 4).unwrap(), [3, 1]);
        assert!(matches!(
            frequency_bins(&[1], 0),
            Err(Error::Setting { name: "bins", .. })
        ));
    }
}
