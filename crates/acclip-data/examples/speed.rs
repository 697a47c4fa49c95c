//! How long the crate's parts take on the embedded corpus.
//!
//! ```text
//! cargo run --release -p acclip-data --example speed
//! ```

use acclip_data::{Corpus, Masker, Masking, Order, Purpose, Sequences, Tokenizer};
use std::{hint::black_box, time::Instant};

fn main() -> Result<(), acclip_data::Error> {
    let start = Instant::now();
    let corpus = Corpus::embedded()?;
    println!(
        "unpack       {:>8.0?}  {} bytes",
        start.elapsed(),
        corpus.bytes()
    );
    let (train, _) = corpus.split(0.1, 0)?;

    let start = Instant::now();
    let tokenizer = Tokenizer::train(&train, 8000)?;
    println!(
        "vocabulary   {:>8.0?}  {} tokens",
        start.elapsed(),
        tokenizer.vocab_size()
    );

    let start = Instant::now();
    let tokens = tokenizer.encode_documents(&train)?;
    let count: usize = tokens.iter().map(Vec::len).sum();
    println!("tokenise     {:>8.0?}  {count} ids", start.elapsed());

    let sequences = Sequences::new(&tokens, 64, &tokenizer.specials())?;
    let masker = Masker::new(
        Masking::default(),
        tokenizer.specials(),
        tokenizer.vocab_size(),
    )?;
    let mut order = Order::new(sequences.len(), 16, 0)?;
    const STEPS: u64 = 10_000;
    let start = Instant::now();
    for step in 0..STEPS {
        black_box(masker.batch(&sequences, order.indices(step), 0, Purpose::MASK, step));
    }
    let each = start.elapsed() / STEPS as u32;
    println!("batch 16×64  {each:>8.0?}  {} sequences", sequences.len());
    Ok(())
}
