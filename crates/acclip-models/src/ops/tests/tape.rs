//! What the tape does with outputs and parameters that are used twice or never, and with passes that end early.

use super::{EPS, Setting, compare, flex, loss};
use crate::ops::{self, Table};
use crate::weights::{Weights, tensor, values};

/// A square linear layer with its norm, and a parameter that no op reads.
fn setting() -> Setting {
    let parameters: [(&str, &[usize]); 5] = [
        ("unused", &[3]),
        ("l.weight", &[7, 7]),
        ("l.bias", &[7]),
        ("n.weight", &[7]),
        ("n.bias", &[7]),
    ];
    Setting::new(&parameters, &[[5, 7]])
}

/// The gradient of a pass through two layers, and of what the pass begins with.
fn gradient(w: &Weights<f32>, grad: &mut Vec<f32>) {
    let x = tensor(setting().input::<f32>(0), [5, 7], w.device()).require_grad();
    let y = ops::layer_norm(w, "n", ops::linear(w, "l", x), EPS);
    w.backward(loss(y), grad).unwrap();
}

#[test]
fn outputs_used_twice() {
    compare!(setting(), |w, x| {
        let y = ops::linear(w, "l", x[0].clone());
        let z = ops::layer_norm(w, "n", y.clone(), EPS);
        y * z.clone() + z + x[0].clone()
    });
}

#[test]
fn parameters_used_twice() {
    compare!(setting(), |w, x| {
        let y = ops::linear_gelu(w, "l", ops::linear(w, "l", x[0].clone()));
        ops::layer_norm(w, "n", ops::layer_norm(w, "n", y, EPS), EPS)
    });
}

/// A table that is the decoder's weight, too; the gradients add in either order.
#[test]
fn tied_tables() {
    let parameters: [(&str, &[usize]); 2] = [("table", &[11, 7]), ("bias", &[11])];
    let table = || Table {
        name: "table",
        ids: [3, 10, 3, 0].into(),
    };
    compare!(Setting::new(&parameters, &[]), |w, _| {
        let x = ops::embed(w, vec![table()], None, [4, 7]);
        ops::tied_decoder(w, "table", "bias", x)
    });
    compare!(Setting::new(&parameters, &[[4, 7]]), |w, x| {
        let y = ops::tied_decoder(w, "table", "bias", x[0].clone());
        y.matmul(
            ops::tied_decoder(
                w,
                "table",
                "bias",
                ops::embed(w, vec![table()], None, [4, 7]),
            )
            .transpose(),
        )
    });
}

#[test]
fn unused_parameters_have_no_gradient() {
    for stock in [false, true] {
        let run = setting().run::<f32>(stock, |w, x| ops::linear(w, "l", x[0].clone()));
        assert_eq!(run.parameters[0], [0.0; 3]);
        assert_eq!(run.parameters[3..], [[0.0; 7]; 2]);
        assert!(run.parameters[1].iter().all(|g| *g != 0.0));
    }
}

/// Off the tape, as in an evaluation, an op gives the same bits.
#[test]
fn inputs_that_are_not_tracked() {
    let tracked = setting().run::<f32>(false, |w, x| ops::linear(w, "l", x[0].clone()));
    let x = tensor(setting().input::<f32>(0), [5, 7], &flex());
    let y = ops::linear(&setting().weights::<f32>(false), "l", x);
    assert_eq!(values::<f32, 2>(y), tracked.output);
}

#[test]
fn a_pass_that_is_dropped_leaves_nothing() {
    let mut expected = vec![7.0; setting().table().len()];
    gradient(&setting().weights(false), &mut expected);
    let w = setting().weights(false);
    let x = tensor(setting().input::<f32>(0), [5, 7], w.device()).require_grad();
    drop(ops::linear_gelu(&w, "l", x));
    let mut grad = vec![f32::NAN; expected.len()];
    gradient(&w, &mut grad);
    assert_eq!(grad, expected);
}

#[test]
fn a_second_backward_pass_overwrites_the_first() {
    let mut expected = vec![7.0; setting().table().len()];
    let w = setting().weights(false);
    gradient(&w, &mut expected);
    let mut grad = expected.clone();
    gradient(&w, &mut grad);
    assert_eq!(grad, expected);
    gradient(&setting().weights(false), &mut grad);
    assert_eq!(grad, expected);
}

/// No rows: empty results, and no gradient. (Burn's own operations do not all take them.)
#[test]
fn nothing() {
    let empty = Setting {
        inputs: vec![[0, 7], [0, 7]],
        ..setting()
    };
    let run = empty.run::<f32>(false, |w, x| {
        let y = ops::linear_gelu(w, "l", ops::linear(w, "l", x[0].clone()));
        let y = ops::residual_norm(w, "n", x[1].clone(), y, None, EPS);
        ops::select_rows(w, ops::layer_norm(w, "n", y, EPS), &[])
    });
    assert!(run.output.is_empty() && run.inputs.iter().all(Vec::is_empty));
    assert!(run.parameters.iter().flatten().all(|g| *g == 0.0));
    let run = setting().run::<f32>(false, |w, x| ops::select_rows(w, x[0].clone(), &[]));
    assert!(run.output.is_empty());
    assert_eq!(run.inputs[0], [0.0; 35]);
    let no_heads = super::pairs::heads(0, 5, 1, 1, &[]);
    let empty = Setting::new(&[], &[[0, 3]]);
    let run = empty.run::<f32>(false, |w, x| {
        ops::attention(w, &no_heads, x[0].clone(), None)
    });
    assert!(run.output.is_empty() && run.inputs[0].is_empty());
}

/// Constant rows have variance 0: the fused form gives the bias, exactly.
#[test]
fn norms_of_constant_rows() {
    let mut constant = setting();
    constant.head = vec![0.1; 35];
    let run = constant.run::<f32>(false, |w, x| ops::layer_norm(w, "n", x[0].clone(), EPS));
    let flat = super::numbers::<f32>(constant.table().len(), 1);
    for row in run.output.chunks(7) {
        assert_eq!(row, &flat[flat.len() - 7..]);
    }
    // x̂ is 0, and so is the gradient of the gain.
    assert_eq!(run.parameters[3], [0.0; 7]);
    assert!(run.inputs[0].iter().all(|g| g.is_finite()));
}
