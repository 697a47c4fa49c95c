//! Whole-word masking: of a word, all tokens are chosen or none.
//!
//! A word is a token and the continuations (`##`) that follow it. The words stand in a uniform order; each
//! is taken if the k tokens that may be chosen leave room for it, and passed over otherwise. So fewer than k
//! may be chosen, never more.
//!
//! Departures from the original code: it joins a continuation at the front of segment B to the last word of
//! A, while here it begins a word; and it chooses nothing where every word is longer than k, while here the
//! first word gives its first k tokens, so that every sequence has a label.
//!
//! Reference: `do_whole_word_mask` in `create_pretraining_data.py` of google-research/bert.

/// The `candidates`, ascending places in `sequence`, as words; `continues[id]` says which ids go on.
pub(crate) fn words<'a>(
    sequence: &[u32],
    candidates: &'a [usize],
    continues: &[bool],
) -> Vec<&'a [usize]> {
    candidates
        .chunk_by(|&s, &t| s + 1 == t && continues[sequence[t] as usize])
        .collect()
}

/// The places of the words that fit into `count` tokens, taken in their order.
pub(crate) fn fitting(words: &[&[usize]], count: usize) -> Vec<usize> {
    let mut chosen = Vec::with_capacity(count);
    for word in words {
        if chosen.len() + word.len() <= count {
            chosen.extend_from_slice(word);
        }
    }
    match words.first() {
        Some(first) if chosen.is_empty() => first[..count].to_vec(),
        _ => chosen,
    }
}
