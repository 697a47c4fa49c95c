//! Which entries of a flat gradient belong to which layer, and sums over them.
//!
//! Layers stand back to back, so that d entries are divided by L end points. Every sum over a
//! layer is cut into pieces of 65,536 entries that begin with the layer; the pieces may be
//! summed by any number of threads, each sum in the same order, and are added in index order. A
//! result therefore does not depend on the number of threads, to the bit.

use std::collections::HashSet;
use std::ops::Range;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::Error;

/// Entries in a piece of a sum.
pub(crate) const PIECE: usize = 1 << 16;

/// Names and ranges of L ≥ 1 layers that divide the d entries of a flat gradient.
///
/// ```
/// # use acclip_noise::stream::Layers;
/// let layers = Layers::new([("embedding", 0..600), ("head", 600..650)])?;
/// assert_eq!((layers.count(), layers.dimension()), (2, 650));
/// # Ok::<(), acclip_noise::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<(String, usize)>", into = "Vec<(String, usize)>")]
pub struct Layers {
    names: Vec<String>,
    ends: Vec<usize>,
}

impl Layers {
    /// Layers by name and range: the first begins at 0, each other one where the one before
    /// ends. A layer may be empty.
    ///
    /// # Errors
    /// [`Error::Layer`] without layers, or if there is a gap, an overlap, a range that runs
    /// backwards, or a name that occurs twice.
    pub fn new<S: Into<String>>(
        layers: impl IntoIterator<Item = (S, Range<usize>)>,
    ) -> Result<Self, Error> {
        let (mut names, mut ends, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
        let mut begin = 0;
        for (name, range) in layers {
            let name = name.into();
            let problem = if range.start != begin {
                Some("does not begin where the layer before it ends")
            } else if range.end < range.start {
                Some("ends before it begins")
            } else if !seen.insert(name.clone()) {
                Some("occurs twice")
            } else {
                None
            };
            if let Some(problem) = problem {
                return Err(Error::Layer { name, problem });
            }
            begin = range.end;
            names.push(name);
            ends.push(range.end);
        }
        if names.is_empty() {
            return Err(Error::Layer {
                name: String::new(),
                problem: "is missing: there is none at all",
            });
        }
        Ok(Self { names, ends })
    }

    /// Layers by name and number of entries.
    ///
    /// # Errors
    /// [`Error::Layer`] without layers, if a name occurs twice, or if the entries are more than
    /// a `usize` can count.
    pub fn from_lengths<S: Into<String>>(
        layers: impl IntoIterator<Item = (S, usize)>,
    ) -> Result<Self, Error> {
        let mut begin: usize = 0;
        Self::new(layers.into_iter().map(|(name, length)| {
            let range = begin..begin.wrapping_add(length);
            begin = range.end;
            (name, range)
        }))
    }

    /// A single layer of `d` entries, named "all".
    #[must_use]
    pub fn whole(d: usize) -> Self {
        Self {
            names: vec!["all".into()],
            ends: vec![d],
        }
    }

    /// Number of layers L, at least 1.
    #[must_use]
    pub fn count(&self) -> usize {
        self.ends.len()
    }

    /// Number of entries d.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.ends[self.ends.len() - 1]
    }

    /// Name and range of each layer, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Range<usize>)> {
        let begins = [0].into_iter().chain(self.ends.iter().copied());
        let ranges = begins.zip(&self.ends).map(|(begin, &end)| begin..end);
        self.names.iter().map(String::as_str).zip(ranges)
    }

    /// Range of one layer, or of the whole gradient.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless there is such a layer.
    pub(crate) fn range(&self, layer: Option<usize>) -> Result<Range<usize>, Error> {
        match layer {
            None => Ok(0..self.dimension()),
            Some(layer) => match self.iter().nth(layer) {
                Some((_, range)) => Ok(range),
                None => Err(Error::Parameter {
                    name: "layer",
                    value: layer as f64,
                    expected: "less than the number of layers",
                }),
            },
        }
    }

    /// `piece` of every piece of a layer, combined in index order by `add`, for each layer.
    pub(crate) fn fold<T: Default + Send>(
        &self,
        piece: impl Fn(Range<usize>) -> T + Sync,
        add: impl Fn(&mut T, T),
    ) -> Vec<T> {
        let pieces: Vec<(usize, Range<usize>)> = self
            .iter()
            .enumerate()
            .flat_map(|(layer, (_, range))| pieces(range).map(move |piece| (layer, piece)))
            .collect();
        let parts: Vec<(usize, T)> = (pieces.into_par_iter())
            .map(|(layer, range)| (layer, piece(range)))
            .collect();
        let mut sums: Vec<T> = (0..self.count()).map(|_| T::default()).collect();
        parts
            .into_iter()
            .for_each(|(layer, part)| add(&mut sums[layer], part));
        sums
    }

    /// Sum over each layer of what `piece` gives for its pieces.
    pub(crate) fn sum(&self, piece: impl Fn(Range<usize>) -> f64 + Sync) -> Vec<f64> {
        self.fold(piece, |sum, part| *sum += part)
    }
}

/// `range` in pieces of [`PIECE`] entries, the last one shorter.
pub(crate) fn pieces(range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range
        .step_by(PIECE)
        .map(move |begin| begin..end.min(begin.saturating_add(PIECE)))
}

impl TryFrom<Vec<(String, usize)>> for Layers {
    type Error = Error;

    fn try_from(lengths: Vec<(String, usize)>) -> Result<Self, Error> {
        Self::from_lengths(lengths)
    }
}

impl From<Layers> for Vec<(String, usize)> {
    fn from(layers: Layers) -> Self {
        (layers.iter())
            .map(|(name, range)| (name.to_owned(), range.len()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_must_divide() {
        let problem = |layers: &[(&str, Range<usize>)]| match Layers::new(layers.iter().cloned()) {
            Err(Error::Layer { name, problem }) => (name, problem.split(' ').next().unwrap()),
            other => panic!("{other:?}"),
        };
        assert_eq!(problem(&[]).1, "is");
        assert_eq!(problem(&[("a", 1..2)]), ("a".into(), "does"));
        assert_eq!(problem(&[("a", 0..2), ("b", 3..4)]), ("b".into(), "does"));
        assert_eq!(problem(&[("a", 0..2), ("b", 1..4)]), ("b".into(), "does"));
        #[allow(clippy::reversed_empty_ranges)]
        let backwards = 2..1;
        assert_eq!(problem(&[("a", 0..2), ("b", backwards)]).1, "ends");
        assert_eq!(problem(&[("a", 0..2), ("a", 2..4)]).1, "occurs");
        assert!(Layers::from_lengths([("a", 9), ("b", usize::MAX)]).is_err());
    }

    #[test]
    fn names_and_ranges() {
        let layers = Layers::from_lengths([("a", 2), ("none", 0), ("b", 3)]).unwrap();
        let all: Vec<_> = layers.iter().collect();
        assert_eq!(all, [("a", 0..2), ("none", 2..2), ("b", 2..5)]);
        assert_eq!(layers.range(Some(2)), Ok(2..5));
        assert_eq!(layers.range(None), Ok(0..5));
        assert!(layers.range(Some(3)).is_err());
        assert_eq!(Layers::whole(0).dimension(), 0);
        let text = serde_json::to_string(&layers).unwrap();
        assert_eq!(text, r#"[["a",2],["none",0],["b",3]]"#);
        assert_eq!(serde_json::from_str::<Layers>(&text).unwrap(), layers);
        assert!(serde_json::from_str::<Layers>("[]").is_err());
    }

    #[test]
    fn every_entry_is_in_one_piece_of_its_layer() {
        let lengths = [("a", 2 * PIECE), ("none", 0), ("b", 1), ("c", PIECE + 5)];
        let layers = Layers::from_lengths(lengths).unwrap();
        let counts = layers.sum(|piece| piece.len() as f64);
        assert_eq!(counts, lengths.map(|(_, length)| length as f64));
        let starts = layers.fold(|piece| vec![piece.start], |all, one| all.extend(one));
        let c = 2 * PIECE + 1;
        assert_eq!(
            starts,
            [vec![0, PIECE], vec![], vec![2 * PIECE], vec![c, c + PIECE]]
        );
    }
}
