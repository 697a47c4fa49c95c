//! Which random words a noise uses: a slow twin of each, one draw at a time.

use std::collections::HashSet;

use acclip_noise::lanes::{mix, open01};

use super::*;

/// Value `i` of a law, recorded.
fn draw(law: Law, key: u64, i: u64, used: &mut Vec<u64>) -> f64 {
    used.push(i);
    let mut out = [0.0];
    law.fill(&mut out, key, i);
    out[0]
}

/// A slow twin: the noise of n rows from the formulas, one draw at a time, and which draws it took.
type Twin = Box<dyn Fn(Draws, usize, usize, &mut Vec<u64>) -> Vec<f64>>;

fn twins() -> Vec<(Box<dyn Noise>, Twin)> {
    let law = Law::StudentT { nu: 1.5 };
    let scales = [0.5, -2.0, 1.0];
    let chain = ZeroChain::new(3, 2.0, 0.7).unwrap();
    vec![
        (
            Box::new(independent(law, &scales)),
            Box::new(move |at, dim, rows, used| {
                let value =
                    |i: usize| scales[i % dim] * draw(law, at.key, at.first + i as u64, used);
                (0..rows * dim).map(value).collect()
            }),
        ),
        (
            Box::new(OneCoordinate { law, scale: 3.0 }),
            Box::new(move |at, dim, rows, used| {
                let mut out = vec![0.0; rows * dim];
                for row in 0..rows as u64 {
                    let place = at.first + rows as u64 + row;
                    used.push(place);
                    let uniform = open01(mix(at.key, 2 * place));
                    let hit = row as usize * dim + (uniform * dim as f64) as usize;
                    out[hit] = 3.0 * draw(law, at.key, at.first + row, used);
                }
                out
            }),
        ),
        (
            Box::new(SharedScale {
                law,
                scale: -1.5,
                correlation: 0.3,
            }),
            Box::new(move |at, dim, rows, used| {
                let (all, mut out) = ((rows * dim) as u64, Vec::new());
                for row in 0..rows as u64 {
                    let common = draw(Law::Gaussian, at.key, at.first + all + row, used);
                    let factor = -1.5 * draw(law, at.key, at.first + all + rows as u64 + row, used);
                    for i in 0..dim as u64 {
                        let own =
                            draw(Law::Gaussian, at.key, at.first + row * dim as u64 + i, used);
                        out.push(factor * (0.3_f64.sqrt() * common + 0.7_f64.sqrt() * own));
                    }
                }
                out
            }),
        ),
        (
            Box::new(HiddenCoordinate { chain, p: 0.3 }),
            Box::new(move |at, _, rows, used| {
                let (mut out, mut grad) = (Vec::new(), [0.0; 3]);
                chain.gradient(&[0.0; 3], &mut grad);
                for row in 0..rows as u64 {
                    used.push(at.first + row);
                    let hit = open01(mix(at.key, 2 * (at.first + row))) < 0.3;
                    out.extend([if hit { grad[0] / 0.3 } else { 0.0 } - grad[0], 0.0, 0.0]);
                }
                out
            }),
        ),
    ]
}

#[test]
fn noise_is_that_of_its_formula_and_no_draw_is_used_twice_by_coordinates_rows_or_steps() {
    let dim = 3;
    for rows in [1, 2, 7] {
        let stride = (rows * (dim + 2)) as u64;
        for (place, (noise, twin)) in twins().iter().enumerate() {
            let mut used = Vec::new();
            for step in 1..=4 {
                let draws = Draws {
                    key: 11,
                    first: step * stride,
                };
                let before = used.len();
                let expected = twin(draws, dim, rows, &mut used);
                let inside = |&i: &u64| i >= draws.first && i < draws.first + stride;
                assert!(used[before..].iter().all(inside), "noise {place}");
                // Added to a gradient that is not 0, with x = 0; the scratch is that of another step.
                let (x, mut scratch) = (vec![0.0; rows * dim], vec![f64::NAN; 5 * step as usize]);
                let chain = ZeroChain::new(3, 2.0, 0.7).unwrap();
                let mut grad = vec![0.0; rows * dim];
                chain.gradient(&x, &mut grad);
                let true_gradient = grad.clone();
                noise.perturb(draws, dim, &x, &mut grad, &mut scratch);
                for ((found, exact), expected) in grad.iter().zip(&true_gradient).zip(&expected) {
                    let error = (found - exact - expected).abs();
                    assert!(
                        error <= 1e-14 * (1.0 + expected.abs()),
                        "noise {place}: {found} {exact} {expected}"
                    );
                }
            }
            assert!(used.len() >= 4 * rows);
            assert_eq!(
                used.iter().collect::<HashSet<_>>().len(),
                used.len(),
                "noise {place}"
            );
        }
    }
}

#[test]
fn rows_and_steps_are_uncorrelated() {
    let law = Law::Gaussian;
    let noises: [Box<dyn Noise>; 3] = [
        Box::new(independent(law, &[1.0])),
        Box::new(OneCoordinate {
            law,
            scale: 3_f64.sqrt(),
        }),
        Box::new(SharedScale {
            law,
            scale: 1.0,
            correlation: 0.5,
        }),
    ];
    let rows = 50_000;
    for (place, noise) in noises.iter().enumerate() {
        let stride = (rows * 5) as u64;
        let steps = [1, 2].map(|k| {
            noise_at(
                &**noise,
                Draws {
                    key: KEY,
                    first: k * stride,
                },
                3,
                rows,
            )
        });
        let mut largest: f64 = 0.0;
        // Products of values of unit variance, each within four standard errors 1/√n of 0: coordinates i and j of
        // neighbouring rows, and of the same row in two steps.
        for (i, j) in (0..3).flat_map(|i| (0..3).map(move |j| (i, j))) {
            let product = |a: &[f64], b: &[f64]| {
                let pairs = a.chunks_exact(3).zip(b.chunks_exact(3));
                pairs.map(|(a, b)| a[i] * b[j]).sum::<f64>() / rows as f64
            };
            largest = largest.max(product(&steps[0], &steps[0][3..]).abs());
            largest = largest.max(product(&steps[0], &steps[1]).abs());
        }
        assert!(
            largest < 4.0 / (rows as f64).sqrt(),
            "noise {place}: {largest}"
        );
        let variance = steps[0].iter().map(|x| x * x).sum::<f64>() / (3 * rows) as f64;
        assert!((variance - 1.0).abs() < 0.05, "noise {place}: {variance}");
    }
}
