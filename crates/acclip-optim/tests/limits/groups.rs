//! What is particular to a block: learning-rate scale and decay of its own.

use acclip_optim::{Block, Layout, NAMES, Optimizer};

use super::{LEN, problem};
use crate::common::*;

#[test]
fn a_learning_rate_scale_multiplies_the_step_of_its_block() {
    // From 0, and by powers of two: to the bit. Nothing that a rule looks at changes.
    let layout = |learning_rate_scale| {
        let block = Block {
            learning_rate_scale,
            ..Block::new("w", [LEN], true)
        };
        Layout::new(vec![block]).unwrap()
    };
    let (one, quarter) = (layout(1.0), layout(0.25));
    for optimizer in variants() {
        for one_pass in [true, false] {
            let optimizer = optimizer.clone().with_one_pass(one_pass);
            let grad = &problem(1.0).grads[0];
            let step = |layout| {
                let (mut x, mut state) = (vec![0.0; LEN], optimizer.init(layout));
                let stats = optimizer
                    .step(1e-3, layout, &mut x, grad, &mut state)
                    .unwrap();
                (x, stats.update_norm)
            };
            let ((x, norm), (small, small_norm)) = (step(&one), step(&quarter));
            assert_eq!(
                x.iter().map(|x| x / 4.0).collect::<Vec<_>>(),
                small,
                "{}",
                label(&optimizer)
            );
            assert_eq!(norm / 4.0, small_norm, "{}", label(&optimizer));
        }
    }
}

#[test]
fn a_coefficient_of_decay_of_a_block_stands_for_that_of_the_optimizer() {
    let with = |block: Block| {
        let mut problem = problem(1.0);
        problem.layout = Layout::new(vec![block]).unwrap();
        problem
    };
    let block = |decay| Block::new("w", [LEN], decay);
    for name in NAMES {
        for field in ["weight_decay", "l2"] {
            let own = |x| {
                let (weight_decay, l2) = if field == "l2" {
                    (None, Some(x))
                } else {
                    (Some(x), None)
                };
                Block {
                    weight_decay,
                    l2,
                    ..block(false)
                }
            };
            let other = if field == "l2" {
                "weight_decay = 0"
            } else {
                ""
            };
            let of = |x: f64| Optimizer::new(name, &hyper(&format!("{field} = {x}, {other}")));
            let (Ok(small), Ok(large)) = (of(0.1), of(0.3)) else {
                continue;
            };
            for one_pass in [true, false] {
                let path = |o: &Optimizer, block| {
                    run::<f64, f64>(&o.clone().with_one_pass(one_pass), &with(block))
                };
                let what = format!("{name}, {field}, one pass {one_pass}");
                assert_same_path(&path(&small, own(0.3)), &path(&large, block(true)), &what);
                let own_zero = Block {
                    decay: true,
                    ..own(0.0)
                };
                assert_same_path(&path(&small, own_zero), &path(&small, block(false)), &what);
                assert_ne!(
                    path(&large, block(true)).params,
                    path(&small, block(true)).params
                );
            }
        }
    }
}
