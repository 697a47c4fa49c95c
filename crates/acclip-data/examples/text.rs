//! Sentences, pairs and words of a corpus: how many, how fast, and some of them to read.
//!
//! ```text
//! cargo run --release -p acclip-data --example text [FILE OR FOLDER]
//! ```

use acclip_data::{
    Corpus, Masker, Masking, Pairs, Purpose, Tokenizer, VocabularyLimits, WordCorpus, WordStream,
    frequency_bins, sentences,
};
use std::{hint::black_box, time::Instant};

fn main() -> Result<(), acclip_data::Error> {
    let corpus = match std::env::args_os().nth(1) {
        Some(path) => Corpus::read(path)?,
        None => Corpus::embedded()?,
    };
    let (train, valid) = corpus.split(0.1, 0)?;

    let start = Instant::now();
    let count: usize = (train.iter())
        .map(|document| sentences(&document.text).len())
        .sum();
    println!(
        "sentences    {:>8.0?}  {count} in {} documents",
        start.elapsed(),
        train.len()
    );
    let all: Vec<&str> = train
        .iter()
        .flat_map(|document| sentences(&document.text))
        .collect();
    for sentence in all.iter().step_by(all.len() / 8 + 1) {
        println!("  | {}", sentence.replace('\n', " "));
    }

    let tokenizer = Tokenizer::train(&train, 8000)?;
    let start = Instant::now();
    let documents = tokenizer.encode_sentences(&train)?;
    let tokens: usize = documents.iter().flatten().map(Vec::len).sum();
    println!("tokenise     {:>8.0?}  {tokens} ids", start.elapsed());

    let masking = Masking {
        whole_words: true,
        max_predictions: Some(20),
        ..Masking::default()
    };
    let masker = Masker::for_tokenizer(masking, &tokenizer)?;
    for max_len in [128, 512] {
        let start = Instant::now();
        let pairs = Pairs::new(&documents, max_len, &tokenizer.specials(), 0, 0)?;
        let took = start.elapsed();
        let random: u32 = (0..pairs.len()).map(|i| pairs.get(i).next).sum();
        let short = (0..pairs.len())
            .filter(|&i| pairs.get(i).tokens.len() < max_len / 2)
            .count();
        println!(
            "pairs of {max_len} {took:>8.0?}  {}, of which random {:.3}, below half the length {:.3}",
            pairs.len(),
            f64::from(random) / pairs.len() as f64,
            short as f64 / pairs.len() as f64,
        );
        let indices: Vec<usize> = (0..pairs.len()).collect();
        let start = Instant::now();
        black_box(masker.pair_batch(&pairs, &indices, 0, Purpose::MASK, 0));
        println!("  masked     {:>8.0?}", start.elapsed());
    }

    let start = Instant::now();
    let limits = VocabularyLimits {
        min_count: 3,
        ..VocabularyLimits::default()
    };
    let words = WordCorpus::from_documents(&train, &valid, limits)?;
    let vocabulary = &words.vocabulary;
    println!(
        "words        {:>8.0?}  {}, {} different, unknown {:.4} and {:.4}",
        start.elapsed(),
        words.train.len(),
        vocabulary.len(),
        vocabulary.unknown_share(&words.train),
        vocabulary.unknown_share(&words.valid),
    );
    let bins = frequency_bins(vocabulary.counts(), 10)?;
    for bin in 0..10 {
        let ids: Vec<usize> = (0..bins.len()).filter(|&id| bins[id] == bin).collect();
        let count: u64 = ids.iter().map(|&id| vocabulary.counts()[id]).sum();
        let share = count as f64 / words.train.len() as f64;
        println!("  group {bin}: {:>6} words, share {share:.3}", ids.len());
    }
    let stream = WordStream::new(words.train, 32, 70)?;
    let start = Instant::now();
    for k in 0..stream.segments() {
        black_box(stream.segment(k));
    }
    println!(
        "segments     {:>8.0?}  {}",
        start.elapsed(),
        stream.segments()
    );
    Ok(())
}
