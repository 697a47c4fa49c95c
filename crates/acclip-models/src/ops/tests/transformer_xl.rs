//! The ops of Transformer-XL in their two forms, and the whole model.

use super::pairs::MASK;
use super::{Setting, assert_close, compare, flex, numbers};
use crate::ops::{self, Names};
use crate::{Memory, Real, SegmentBatch, TransformerXl, TransformerXlConfig, len};
use acclip_kernels::relative_attention::Shape;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

#[test]
fn linear_layers() {
    for [n, inputs, outputs] in super::pairs::LINEAR {
        let parameters: [(&str, &[usize]); 2] =
            [("l.weight", &[outputs, inputs]), ("l.bias", &[outputs])];
        let setting = Setting::new(&parameters, &[[n, inputs]]);
        for mask in [None, Some(MASK(1))] {
            compare!(setting, |w, x| {
                ops::linear_relu(w, "l", x[0].clone(), mask)
            });
        }
        let setting = Setting::new(&parameters[..1], &[[n, inputs]]);
        compare!(setting, |w, x| {
            ops::unbiased_linear(w, "l.weight", x[0].clone())
        });
    }
}

#[test]
fn scale() {
    let setting = Setting::new(&[], &[[7, 5]]);
    compare!(setting, |w, x| ops::scale(w, x[0].clone(), 410_f64.sqrt()));
}

#[test]
fn after_memory() {
    for [batch, memory, length, hidden] in [[1, 0, 3, 2], [1, 1, 1, 1], [3, 5, 2, 7]] {
        let setting = Setting::new(&[], &[[batch * length, hidden]]);
        compare!(setting, |w, x| {
            let memory = numbers(batch * memory * hidden, 8);
            ops::after_memory(w, &memory, x[0].clone(), batch)
        });
    }
}

/// B, T, M, heads, D.
const ATTENTION: [[usize; 5]; 5] = [
    [1, 1, 0, 1, 1],
    [3, 1, 4, 2, 5],
    [1, 13, 0, 3, 4],
    [2, 7, 9, 2, 3],
    [2, 35, 20, 2, 16],
];

#[test]
fn relative_attention() {
    let names = ["u", "v"].map(String::from);
    for [batch, length, memory, heads, width] in ATTENTION {
        let shape = Shape {
            batch,
            length,
            memory,
            heads,
            width,
        };
        let bias: &[usize] = &[heads, width];
        let inputs = [
            [batch * shape.keys(), 3 * shape.hidden()],
            [shape.keys(), shape.hidden()],
        ];
        let setting = Setting::new(&[("u", bias), ("v", bias)], &inputs);
        for dropout in [None, Some(MASK(1))] {
            compare!(setting, |w, x| {
                let (qkv, r) = (x[0].clone(), x[1].clone());
                ops::relative_attention(w, shape, &names, qkv, r, dropout)
            });
        }
    }
}

const NAMES: Names = Names {
    table: "table",
    bias: "bias",
    clusters: "clusters",
    cluster_bias: "cluster_bias",
};

/// The loss as a number is that on the tape, and its gradient is scaled by what comes.
#[test]
fn adaptive_softmax() {
    let cases: [(usize, usize, usize, &[usize]); 4] = [
        (1, 3, 2, &[1]),
        (7, 5, 11, &[4]),
        (12, 5, 23, &[3, 4, 20]),
        (40, 7, 300, &[100, 299]),
    ];
    for (n, width, vocabulary, cutoffs) in cases {
        let clusters = cutoffs.len();
        let parameters: [(&str, &[usize]); 4] = [
            ("table", &[vocabulary, width]),
            ("bias", &[vocabulary]),
            ("clusters", &[clusters, width]),
            ("cluster_bias", &[clusters]),
        ];
        let targets: Vec<u32> = (0..n)
            .map(|i| ((i * i * 7 + 1) % vocabulary) as u32)
            .collect();
        let setting = Setting::new(&parameters, &[[n, width]]);
        compare!(setting, |w, x| {
            let (loss, output) = ops::adaptive_softmax(w, &NAMES, cutoffs, x[0].clone(), &targets);
            let on_tape = output.clone().into_data().iter::<f64>().next().unwrap();
            assert!((loss - on_tape).abs() <= 1e-7 * loss.abs());
            output.reshape([1, 1])
        });
    }
}

fn config(adaptive: bool) -> TransformerXlConfig {
    TransformerXlConfig {
        vocab_size: 101,
        layers: 2,
        hidden: 20,
        heads: 3,
        head_width: 7,
        feed_forward: 37,
        target_len: 13,
        memory_len: 21,
        dropout: 0.2,
        attention_dropout: 0.1,
        cutoffs: if adaptive { vec![31, 60] } else { vec![] },
        tied: true,
        untie_r: adaptive,
    }
}

/// Of two segments: their losses, the gradients of both, and the memory.
fn run<F: Real>(model: &TransformerXl, batch: usize, length: usize) -> Vec<F> {
    let start: Vec<f32> = model.config().init(&mut ChaCha8Rng::seed_from_u64(2));
    let noise = numbers::<f32>(len(model.parameters()), 3);
    let moved = start.iter().zip(noise).map(|(x, noise)| x + 0.05 * noise);
    let params = Arc::new(moved.map(|x| F::of(f64::from(x))).collect());
    let vocabulary = model.config().vocab_size;
    let mut masks = ChaCha8Rng::seed_from_u64(5);
    let mut memory = Memory::empty();
    let mut all = Vec::new();
    for segment in 0..2 {
        let token = |i: usize| ((i * i * 7919 + segment) % vocabulary) as u32;
        let tokens: Vec<u32> = (0..batch * length).map(token).collect();
        let targets: Vec<u32> = (0..batch * length).map(|i| token(i + 5)).collect();
        let batch = SegmentBatch {
            batch,
            length,
            tokens: &tokens,
            targets: &targets,
        };
        let forward = model
            .forward(&params, &batch, &memory, Some(&mut masks))
            .unwrap();
        all.push(F::of(forward.loss));
        let mut grad = vec![F::of(7.0); len(model.parameters())];
        memory = forward.backward(&mut grad).unwrap();
        all.extend(grad);
    }
    let layers = memory.to_arrays().into_iter();
    all.extend(layers.flat_map(|(_, _, layer)| layer));
    all
}

/// In `f64` within 1e-12 of the largest entry, and in `f32` within 1e-5 of that in `f64`: losses, the gradient of each
/// parameter, and the memory.
#[test]
fn fused_and_stock_agree() {
    for adaptive in [false, true] {
        let model = TransformerXl::new(config(adaptive), &flex()).unwrap();
        let stock = model.clone().with_stock_operations(true);
        let exact = run::<f64>(&stock, 3, 13);
        let (wide, narrow) = (run::<f64>(&model, 3, 13), run::<f32>(&model, 3, 13));
        let mut begin = 0;
        let mut compare = |what: String, size: usize| {
            let own = begin..begin + size;
            begin = own.end;
            assert_close(&what, &wide[own.clone()], &exact[own.clone()], 1e-12);
            assert_close(&what, &narrow[own.clone()], &exact[own], 1e-5);
        };
        for segment in 0..2 {
            compare(format!("loss {segment}"), 1);
            for parameter in model.parameters() {
                compare(format!("{} of {segment}", parameter.name), parameter.len());
            }
        }
        compare("memory".to_string(), 2 * 3 * 21 * 20);
        assert_eq!(begin, exact.len());
    }
}

/// At a size where every kernel cuts its work into several chunks.
#[test]
fn same_bits() {
    fn check<F: Real>(adaptive: bool) {
        let config = TransformerXlConfig {
            vocab_size: 3000,
            hidden: 96,
            feed_forward: 400,
            memory_len: 90,
            cutoffs: if adaptive { vec![500, 1500] } else { vec![] },
            ..config(adaptive)
        };
        let model = TransformerXl::new(config, &flex()).unwrap();
        for batch in [1, 5] {
            let in_pool = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
                let pool = pool.build().unwrap();
                pool.install(|| run::<F>(&model, batch, 70))
            };
            let expected = in_pool(1);
            for threads in [2, 3, 4, 3] {
                assert!(in_pool(threads) == expected, "{threads} threads");
            }
        }
    }
    check::<f32>(false);
    check::<f32>(true);
    check::<f64>(true);
}
