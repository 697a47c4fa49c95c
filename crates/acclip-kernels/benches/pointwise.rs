//! The layers without a matrix product, in `f32`, beside a plain loop of the same traffic.
//!
//! `cargo bench -p acclip-kernels --bench pointwise`; with `RAYON_NUM_THREADS=1` for one core.

use acclip_kernels::{Dropout, LayerNorm, chunks::ENTRIES, cross_entropy, embedding, gelu};
use divan::{Bencher, counter::ItemsCount};
use rayon::prelude::*;

fn main() {
    divan::main();
}

/// Entries of 2048 tokens of width 1024, and of width 256.
const WIDE: usize = 2048 * 1024;
const TOKENS: usize = 2048;
const WIDTH: usize = 256;

/// Numbers in (−4, 4).
fn values(n: usize) -> Vec<f32> {
    (0..n)
        .map(|i| (i * 7919 % 8191) as f32 / 1024.0 - 4.0)
        .collect()
}

fn items(bencher: Bencher, n: usize, f: impl FnMut()) {
    bencher.counter(ItemsCount::new(n)).bench_local(f);
}

#[divan::bench]
fn a_copy_and_scale_wide(bencher: Bencher) {
    let (x, mut y) = (values(WIDE), values(WIDE));
    items(bencher, WIDE, || {
        x.par_chunks(ENTRIES)
            .zip(y.par_chunks_mut(ENTRIES))
            .for_each(|(x, y)| {
                for (x, y) in x.iter().zip(y) {
                    *y = 1.5 * x;
                }
            });
    });
}

#[divan::bench]
fn gelu_forward_wide(bencher: Bencher) {
    let (x, mut y) = (values(WIDE), values(WIDE));
    items(bencher, WIDE, || gelu::forward(&x, &mut y));
}

#[divan::bench]
fn gelu_backward_wide(bencher: Bencher) {
    let (x, dy, mut dx) = (values(WIDE), values(WIDE), values(WIDE));
    items(bencher, WIDE, || gelu::backward(&x, &dy, &mut dx));
}

#[divan::bench]
fn dropout_factors_in_cache(bencher: Bencher) {
    let mut factors = values(2048);
    let dropout = Dropout::new(0.1, 1, 2);
    items(bencher, 2048, || {
        dropout.factors(64, divan::black_box(&mut factors));
    });
}

#[divan::bench]
fn dropout_apply_wide(bencher: Bencher) {
    let (x, mut y) = (values(WIDE), values(WIDE));
    items(bencher, WIDE, || {
        Dropout::new(0.1, 1, 2).apply(&x, &mut y);
    });
}

#[divan::bench(args = [0.0, 0.1])]
fn layer_norm_forward(bencher: Bencher, p: f64) {
    let size = TOKENS * WIDTH;
    let (mut x, residual, mut y) = (values(size), values(size), values(size));
    let (gamma, beta, mut inverse_std) = (values(WIDTH), values(WIDTH), values(TOKENS));
    let norm = LayerNorm {
        gamma: &gamma,
        beta: &beta,
        eps: 1e-12,
        dropout: (p > 0.0).then(|| Dropout::new(p, 1, 2)),
    };
    items(bencher, size, || {
        norm.forward(&mut x, Some(&residual), &mut y, &mut inverse_std);
    });
}

#[divan::bench(args = [0.0, 0.1])]
fn layer_norm_backward(bencher: Bencher, p: f64) {
    let size = TOKENS * WIDTH;
    let (x, mut dy, mut dx) = (values(size), values(size), values(size));
    let (gamma, beta) = (vec![0.5; WIDTH], values(WIDTH));
    let (mut dgamma, mut dbeta) = (values(WIDTH), values(WIDTH));
    let norm = LayerNorm {
        gamma: &gamma,
        beta: &beta,
        eps: 1e-12,
        dropout: (p > 0.0).then(|| Dropout::new(p, 1, 2)),
    };
    let inverse_std = vec![0.5; TOKENS];
    items(bencher, size, || {
        let dx = (p > 0.0).then_some(&mut dx[..]);
        norm.backward(&x, &inverse_std, &mut dy, dx, &mut dgamma, &mut dbeta);
    });
}

/// 304 masked tokens of a vocabulary of 8192.
#[divan::bench]
fn cross_entropy_forward(bencher: Bencher) {
    let (mut logits, labels) = (values(304 * 8192), vec![17; 304]);
    items(bencher, 304 * 8192, || {
        cross_entropy::forward_in_place(&mut logits, &labels, None);
    });
}

#[divan::bench]
fn cross_entropy_evaluate(bencher: Bencher) {
    let (logits, labels) = (values(304 * 8192), vec![17; 304]);
    items(bencher, 304 * 8192, || {
        cross_entropy::evaluate(&logits, &labels, None);
    });
}

fn ids(vocabulary: usize) -> Vec<i64> {
    (0..TOKENS)
        .map(|i| (i * i * 31 % vocabulary) as i64)
        .collect()
}

#[divan::bench]
fn embedding_gather(bencher: Bencher) {
    let (table, mut out, ids) = (values(8192 * WIDTH), values(TOKENS * WIDTH), ids(8192));
    items(bencher, TOKENS * WIDTH, || {
        embedding::gather(&table, &ids, &mut out, true);
    });
}

#[divan::bench(args = [2, 128, 8192])]
fn embedding_scatter_add(bencher: Bencher, vocabulary: usize) {
    let (mut table, d) = (values(vocabulary * WIDTH), values(TOKENS * WIDTH));
    let ids = ids(vocabulary);
    items(bencher, TOKENS * WIDTH, || {
        embedding::scatter_add(&d, &ids, &mut table);
    });
}
