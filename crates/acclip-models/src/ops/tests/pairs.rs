//! Each op in its two forms.

use super::{EPS, Setting, compare};
use crate::ops::{self, Heads, Table};
use acclip_kernels::Dropout;
use acclip_kernels::attention::Shape;

pub(super) const MASK: fn(u64) -> Dropout = |application| Dropout::new(0.3, 5, application);

/// Rows, inputs and outputs.
pub(super) const LINEAR: [[usize; 3]; 4] = [[1, 1, 1], [7, 5, 3], [33, 17, 65], [300, 70, 41]];

#[test]
fn linear() {
    for [n, inputs, outputs] in LINEAR {
        let parameters: [(&str, &[usize]); 2] =
            [("l.weight", &[outputs, inputs]), ("l.bias", &[outputs])];
        let setting = Setting::new(&parameters, &[[n, inputs]]);
        compare!(setting, |w, x| ops::linear(w, "l", x[0].clone()));
        compare!(setting, |w, x| ops::linear_gelu(w, "l", x[0].clone()));
        compare!(setting, |w, x| {
            ops::tied_decoder(w, "l.weight", "l.bias", x[0].clone())
        });
    }
}

/// With few inputs: the rounding of a sum far beyond ±1 is large beside its tanh.
#[test]
fn linear_tanh() {
    for [n, inputs, outputs] in [[1, 1, 1], [7, 5, 3], [300, 3, 41]] {
        let parameters: [(&str, &[usize]); 2] =
            [("l.weight", &[outputs, inputs]), ("l.bias", &[outputs])];
        let setting = Setting::new(&parameters, &[[n, inputs]]);
        compare!(setting, |w, x| ops::linear_tanh(w, "l", x[0].clone()));
    }
}

#[test]
fn packed_linear() {
    let names = ["q", "k", "v"].map(String::from);
    for [n, inputs, outputs] in LINEAR {
        let (matrix, vector): (&[usize], &[usize]) = (&[outputs, inputs], &[outputs]);
        let parameters = [
            ("q.weight", matrix),
            ("k.weight", matrix),
            ("v.weight", matrix),
            ("q.bias", vector),
            ("k.bias", vector),
            ("v.bias", vector),
        ];
        let setting = Setting::new(&parameters, &[[n, inputs]]);
        compare!(setting, |w, x| ops::packed_linear(w, &names, x[0].clone()));
    }
}

pub(super) fn heads(
    batch: usize,
    length: usize,
    heads: usize,
    width: usize,
    real: &[bool],
) -> Heads {
    let shape = Shape {
        batch,
        length,
        heads,
        width,
    };
    let real = real.iter().copied().cycle().take(batch * length).collect();
    Heads { shape, real }
}

/// Heads of widths D where 1/√D is exact: Burn's gradient of a division by a number takes its reciprocal in `f32`.
#[test]
fn attention() {
    for heads in [
        heads(1, 1, 1, 1, &[true]),
        heads(3, 1, 2, 4, &[true, false, true]),
        heads(1, 13, 3, 4, &[true]),
        heads(4, 11, 1, 1, &[true, true, false]),
        heads(2, 35, 2, 16, &[false]),
    ] {
        let Shape { batch, length, .. } = heads.shape;
        let rows = batch * length;
        let setting = Setting::new(&[], &[[rows, 3 * heads.shape.hidden()]]);
        for dropout in [None, Some(MASK(1))] {
            compare!(setting, |w, x| ops::attention(
                w,
                &heads,
                x[0].clone(),
                dropout
            ));
        }
    }
}

/// Scores beyond ±10⁴.
#[test]
fn attention_with_extreme_scores() {
    let heads = heads(1, 7, 1, 4, &[true]);
    let mut setting = Setting::new(&[], &[[7, 12]]);
    let sign = |i: usize| if i * i % 7 < 3 { 97.0 } else { -97.0 };
    setting.head = (0..80)
        .map(|i| if i % 12 < 8 { sign(i) } else { 0.5 })
        .collect();
    compare!(setting, |w, x| ops::attention(
        w,
        &heads,
        x[0].clone(),
        None
    ));
}

/// Rows, and their width. (The gradient of a LayerNorm of one or two entries is 0 in theory, and rounding in practice.)
const ROWS: [[usize; 2]; 4] = [[1, 3], [1, 37], [50, 5], [150, 131]];

#[test]
fn norms() {
    for [n, width] in ROWS {
        let parameters: [(&str, &[usize]); 2] = [("n.weight", &[width]), ("n.bias", &[width])];
        let one = Setting::new(&parameters, &[[n, width]]);
        compare!(one, |w, x| ops::layer_norm(w, "n", x[0].clone(), EPS));
        let two = Setting::new(&parameters, &[[n, width], [n, width]]);
        for dropout in [None, Some(MASK(2))] {
            compare!(two, |w, x| {
                ops::residual_norm(w, "n", x[0].clone(), x[1].clone(), dropout, EPS)
            });
            // A tensor and itself.
            compare!(two, |w, x| {
                let x = x[0].clone() * x[1].clone();
                ops::residual_norm(w, "n", x.clone(), x, dropout, EPS)
            });
        }
    }
}

#[test]
fn dropout() {
    for shape in ROWS {
        let setting = Setting::new(&[], &[shape]);
        for mask in [None, Some(MASK(3)), Some(Dropout::new(0.0, 1, 1))] {
            compare!(setting, |w, x| ops::dropout(w, x[0].clone(), mask));
        }
    }
}

/// Ids repeat, and not every row of the tables is named.
#[test]
fn embed() {
    for (n, width) in [(1, 1), (9, 5), (300, 67)] {
        let parameters: [(&str, &[usize]); 2] = [("a", &[11, width]), ("b", &[3, width])];
        let ids = |modulus: usize| (0..n).map(|i| (i * i % modulus) as u32).collect();
        let tables = || {
            let a = Table {
                name: "a",
                ids: ids(11),
            };
            let b = Table {
                name: "b",
                ids: ids(2),
            };
            vec![a, b]
        };
        let setting = Setting::new(&parameters, &[]);
        compare!(setting, |w, _| ops::embed(w, tables(), None, [n, width]));
        compare!(setting, |w, _| {
            let vectors = super::numbers(n * width, 4);
            ops::embed(w, tables(), Some(&vectors), [n, width])
        });
    }
}

/// Rows in any order, some more than once, some never.
#[test]
fn select_rows() {
    for [n, width] in ROWS {
        for positions in [&[0][..], &[0, 0, 0], &[7, 3, 7, 0, 7, 41]] {
            let positions: Vec<u32> = positions.iter().map(|p| p % n as u32).collect();
            let setting = Setting::new(&[], &[[n, width]]);
            compare!(setting, |w, x| ops::select_rows(
                w,
                x[0].clone(),
                &positions
            ));
        }
    }
}

/// The loss as a number is that on the tape, and its gradient is scaled by what comes.
#[test]
fn cross_entropy() {
    for [n, vocabulary] in [[1, 1], [1, 7], [5, 3], [40, 1001]] {
        let labels: Vec<u32> = (0..n).map(|i| (i * i * 7 % vocabulary) as u32).collect();
        let mut setting = Setting::new(&[], &[[n, vocabulary]]);
        for head in [vec![], vec![1e4, -1e4, 1e4, 0.0]] {
            setting.head = head;
            compare!(setting, |w, x| {
                let (loss, output) = ops::cross_entropy(w, x[0].clone(), &labels);
                let on_tape = output.clone().into_data().iter::<f64>().next().unwrap();
                assert!((loss - on_tape).abs() <= 1e-7 * loss.abs());
                output.reshape([1, 1])
            });
            let score = |stock: bool| {
                let w = setting.weights::<f64>(stock);
                let x = setting.input::<f64>(0);
                let x = crate::weights::tensor(x, [n, vocabulary], w.device());
                ops::score(&w, x, &labels)
            };
            let (stock, fused) = (score(true), score(false));
            assert!((stock.loss - fused.loss).abs() <= 1e-12 * stock.loss.abs());
            assert_eq!(stock.correct, fused.correct);
            assert_eq!(stock.losses.len(), n);
            for (one, other) in stock.losses.iter().zip(&fused.losses) {
                assert!((one - other).abs() <= 1e-12 * one.abs().max(1.0));
            }
        }
    }
}

/// A block that runs again gives the stock form's gradients, and the very bits of the block that does not.
#[test]
fn recompute() {
    let parameters: [(&str, &[usize]); 4] = [
        ("l.weight", &[13, 13]),
        ("l.bias", &[13]),
        ("n.weight", &[13]),
        ("n.bias", &[13]),
    ];
    let setting = Setting::new(&parameters, &[[9, 13]]);
    macro_rules! block {
        ($w:expr) => {{
            let w = $w.clone();
            move |h: burn::tensor::Tensor<2>| {
                let y = ops::dropout(&w, ops::linear_gelu(&w, "l", h.clone()), Some(MASK(4)));
                ops::residual_norm(&w, "n", h, y, Some(MASK(5)), EPS)
            }
        }};
    }
    compare!(setting, |w, x| {
        ops::recompute(w, ops::recompute(w, x[0].clone(), block!(w)), block!(w))
    });
    let again = setting.run::<f32>(false, |w, x| ops::recompute(w, x[0].clone(), block!(w)));
    let once = setting.run::<f32>(false, |w, x| block!(w)(x[0].clone()));
    assert_eq!(again, once);
}
