//! Tokens per second of a training step (forward and backward) of a Transformer-XL with a full memory, in `f32`.
//!
//! `cargo run --release -p acclip-models --example transformer_xl_speed -- [lab|paper] [batch] [vocabulary]`; beside it,
//! `reference/transformer-xl/bench_torch.py`.

use acclip_models::{Backend, Memory, SegmentBatch, TransformerXl, TransformerXlConfig};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const STEPS: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize, default| arguments.get(i).map_or(Ok(default), |n| n.parse::<usize>());
    let name = arguments.first().map_or("lab", |name| name);
    let (batch, vocabulary) = (number(1, 16)?, number(2, 10_000)?);
    let config = TransformerXlConfig::named(name, vocabulary)?;
    let length = config.target_len;
    let segments = 1 + STEPS + config.memory_len.div_ceil(length);
    let mut generator = ChaCha8Rng::seed_from_u64(1);
    let params = Arc::new(config.init::<f32>(&mut generator));
    let model = TransformerXl::new(config, &Backend::Flex.device()?)?;
    let token = |i: usize| (i * i * 7919 % vocabulary) as u32;
    let tokens: Vec<u32> = (0..batch * length).map(token).collect();
    let targets: Vec<u32> = (0..batch * length).map(|i| token(i + 1)).collect();
    let segment = SegmentBatch {
        batch,
        length,
        tokens: &tokens,
        targets: &targets,
    };
    let (mut grad, mut memory) = (vec![0.0; params.len()], Memory::empty());
    let mut times = Vec::new();
    for _ in 0..segments {
        let begin = Instant::now();
        let forward = model.forward(&params, &segment, &memory, Some(&mut generator))?;
        memory = forward.backward(&mut grad)?;
        times.push(begin.elapsed().as_secs_f64());
    }
    let best = times[segments - STEPS..]
        .iter()
        .copied()
        .fold(f64::INFINITY, f64::min);
    let rate = (batch * length) as f64 / best;
    println!("{name}, {batch} × {length}, V {vocabulary}: {best:.3} s, {rate:.0} tokens/s");
    Ok(())
}
