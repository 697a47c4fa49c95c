//! Documents cut into windows of fixed length: `[CLS] t₁ … t_k [SEP]`, k ≤ max_len − 2.
//!
//! A window never crosses from one document into the next. The last window of a document is shorter. A
//! window is kept if it holds at least eight ordinary tokens (ordinary: none of the five special ones;
//! fewer where max_len − 2 < 8): shorter tails, and windows that are nearly all `[UNK]`, teach nothing and
//! are dropped. So every kept sequence has something to mask.

use crate::{Error, Specials};

/// Ordinary tokens that a window must hold, where the sequence length allows it.
const MIN_TOKENS: usize = 8;

/// Token sequences in one flat buffer: sequence `i` is `flat[offsets[i]..offsets[i + 1]]`.
#[derive(Clone, Debug)]
pub struct Sequences {
    flat: Vec<u32>,
    offsets: Vec<usize>,
    max_len: usize,
}

impl Sequences {
    /// Cuts each document's tokens (without special tokens around them) into windows.
    ///
    /// # Errors
    /// [`Error::Setting`] if `max_len < 3`, [`Error::NoSequence`] if nothing is long enough.
    pub fn new(
        documents: &[Vec<u32>],
        max_len: usize,
        specials: &Specials,
    ) -> Result<Sequences, Error> {
        if max_len < 3 {
            return Err(Error::Setting {
                name: "max_len",
                value: max_len.to_string(),
                range: "at least 3: [CLS], one token, [SEP]",
            });
        }
        let needed = MIN_TOKENS.min(max_len - 2);
        let mut flat = Vec::new();
        let mut offsets = vec![0];
        for window in documents
            .iter()
            .flat_map(|tokens| tokens.chunks(max_len - 2))
        {
            if window.iter().filter(|&&id| !specials.contains(id)).count() >= needed {
                flat.push(specials.cls);
                flat.extend_from_slice(window);
                flat.push(specials.sep);
                offsets.push(flat.len());
            }
        }
        if offsets.len() == 1 {
            return Err(Error::NoSequence { needed });
        }
        Ok(Sequences {
            flat,
            offsets,
            max_len,
        })
    }

    /// How many sequences there are; at least one.
    #[expect(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Sequence `i`, `[CLS]` and `[SEP]` included: 3 to `max_len` ids.
    ///
    /// # Panics
    /// If `i ≥ len()`, as indexing a slice does.
    pub fn get(&self, i: usize) -> &[u32] {
        &self.flat[self.offsets[i]..self.offsets[i + 1]]
    }

    /// The length to which batches are padded.
    pub fn max_len(&self) -> usize {
        self.max_len
    }

    /// Tokens in all sequences together, `[CLS]` and `[SEP]` included, padding not.
    pub fn total_tokens(&self) -> usize {
        self.flat.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPECIALS: Specials = Specials {
        pad: 0,
        unk: 1,
        cls: 2,
        sep: 3,
        mask: 4,
    };

    /// Windows of 10 − 2 = 8, worked out by hand.
    #[test]
    fn windows_by_hand() {
        let documents = [
            (10..26).collect(), // 16 tokens: two whole windows
            (30..37).collect(), // 7 tokens: too short
            vec![],
            (40..55).collect(), // 15 tokens: one window, and a tail of 7 that is dropped
        ];
        let sequences = Sequences::new(&documents, 10, &SPECIALS).unwrap();
        assert_eq!(sequences.len(), 3);
        assert_eq!(sequences.max_len(), 10);
        assert_eq!(sequences.total_tokens(), 30);
        assert_eq!(sequences.get(0), [2, 10, 11, 12, 13, 14, 15, 16, 17, 3]);
        assert_eq!(sequences.get(1), [2, 18, 19, 20, 21, 22, 23, 24, 25, 3]);
        assert_eq!(sequences.get(2), [2, 40, 41, 42, 43, 44, 45, 46, 47, 3]);
    }

    #[test]
    fn a_tail_of_eight_is_kept_and_one_of_seven_is_not() {
        let lengths = |n: u32| -> Vec<usize> {
            let sequences = Sequences::new(&[(10..10 + n).collect()], 16, &SPECIALS).unwrap();
            (0..sequences.len())
                .map(|i| sequences.get(i).len())
                .collect()
        };
        assert_eq!(lengths(14 + 8), [16, 10]);
        assert_eq!(lengths(14 + 7), [16]);
    }

    /// Seven words and any number of [UNK] are not enough, eight words are.
    #[test]
    fn unknown_words_do_not_count() {
        let mut document: Vec<u32> = vec![SPECIALS.unk; 14];
        document[..7].fill(9);
        let error = Sequences::new(&[document.clone()], 16, &SPECIALS).unwrap_err();
        assert!(matches!(error, Error::NoSequence { needed: 8 }));
        document[7] = 9;
        assert_eq!(Sequences::new(&[document], 16, &SPECIALS).unwrap().len(), 1);
    }

    #[test]
    fn short_sequences_need_fewer_tokens() {
        let sequences = Sequences::new(&[vec![7, 8, 9]], 3, &SPECIALS).unwrap();
        assert_eq!((sequences.len(), sequences.get(1)), (3, &[2, 8, 3][..]));
        let error = Sequences::new(&[vec![7, 8, 9]], 2, &SPECIALS).unwrap_err();
        assert!(matches!(
            error,
            Error::Setting {
                name: "max_len",
                ..
            }
        ));
        assert!(matches!(
            Sequences::new(&[], 16, &SPECIALS),
            Err(Error::NoSequence { needed: 8 })
        ));
    }
}
