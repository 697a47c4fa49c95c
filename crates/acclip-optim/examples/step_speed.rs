//! Times one step of every optimizer on 10 million `f32` parameters, beside a plain loop that
//! reads and writes as many bytes, and prints the ratio of the two. Memory bandwidth varies with
//! the neighbours' load, so the two alternate and the best time of each counts.
//!
//! ```text
//! cargo run --release -p acclip-optim --example step_speed
//! ```

use std::time::Instant;

use acclip_optim::{Block, Hyper, Layout, NAMES, Optimizer};
use rayon::prelude::*;

const LEN: usize = 10_000_000;
const ROUNDS: usize = 9;

fn main() {
    let layout = Layout::new(vec![Block::new("weight", [LEN], true)]).expect("a valid layout");
    let grad: Vec<f32> = (0..LEN)
        .map(|i| ((i * 7919) % 1001) as f32 / 500.0 - 1.0)
        .collect();
    println!(
        "{:<14}{:>10}{:>12}{:>12}{:>8}",
        "optimizer", "bytes", "step, ms", "loop, ms", "ratio"
    );
    for name in NAMES {
        let optimizer = Optimizer::new(name, &Hyper::default()).expect("defaults are valid");
        let mut params = vec![1.0_f32; LEN];
        let mut state = optimizer.init(&layout);
        let slots = optimizer.slot_names().len();
        let mut buffers = vec![vec![1.0_f32; LEN]; slots + 1];

        let (mut step, mut plain) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..ROUNDS {
            let start = Instant::now();
            optimizer
                .step(1e-3, &layout, &mut params, &grad, &mut state)
                .expect("a valid step");
            step = step.min(start.elapsed().as_secs_f64());

            let start = Instant::now();
            read_modify_write(&mut buffers, &grad);
            plain = plain.min(start.elapsed().as_secs_f64());
        }
        let bytes = 4 * (2 * (slots + 1) + 1);
        println!(
            "{name:<14}{bytes:>10}{:>12.2}{:>12.2}{:>8.2}",
            step * 1e3,
            plain * 1e3,
            step / plain
        );
    }
}

/// Reads and writes every buffer once, and reads `grad` once, as a step in one pass would.
fn read_modify_write(buffers: &mut [Vec<f32>], grad: &[f32]) {
    let chunk = 32 * 1024;
    let (first, others) = buffers.split_first_mut().expect("at least one buffer");
    first
        .par_chunks_mut(chunk)
        .zip(grad.par_chunks(chunk))
        .for_each(|(x, g)| {
            for (x, g) in x.iter_mut().zip(g) {
                *x += 0.001 * g;
            }
        });
    for buffer in others {
        buffer.par_chunks_mut(chunk).for_each(|x| {
            for x in x {
                *x = 0.9 * *x + 0.1;
            }
        });
    }
}
