//! Noise vectors: their moments, and how coordinates depend on each other.

mod draws;
mod hidden;

use super::*;
use crate::problems::{Problem, ZeroChain};

const ROWS: usize = 200_000;
const KEY: u64 = 20_201_206;

/// Noise alone, rows of `dim`: what is added to a gradient of zeros.
fn noise_at(noise: &dyn Noise, draws: Draws, dim: usize, rows: usize) -> Vec<f64> {
    let mut grad = vec![0.0; rows * dim];
    let x = grad.clone();
    noise.perturb(draws, dim, &x, &mut grad, &mut Vec::new());
    grad
}

fn noise_of(noise: &dyn Noise, dim: usize, rows: usize) -> Vec<f64> {
    noise_at(noise, Draws { key: KEY, first: 0 }, dim, rows)
}

/// Whether the mean of `values` is `exact` within four standard errors, which are at most 2 % of it.
#[track_caller]
fn assert_mean(values: impl Iterator<Item = f64> + Clone, exact: f64, what: &str) {
    let n = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / n;
    let error = (values.map(|x| (x - mean).powi(2)).sum::<f64>() / (n * n)).sqrt();
    assert!(error < 0.02 * exact, "{what}: cannot tell, {error:e}");
    assert!(
        (mean - exact).abs() < 4.0 * error,
        "{what}: {mean} ± {error}, not {exact}"
    );
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-13 * b.abs()
}

fn at(moment: Moment) -> f64 {
    match moment {
        Moment::Exact(value) => value,
        other => panic!("{other:?}"),
    }
}

/// Laws whose moment of order 3 exists, so that those of order 1.5 can be measured.
const LIGHT: [Law; 6] = [
    Law::Gaussian,
    Law::StudentT { nu: 6.0 },
    Law::Pareto { index: 5.0 },
    Law::Stable {
        alpha: 2.0,
        beta: 0.0,
    },
    Law::TwoPoint { p: 0.2 },
    Law::Spike { p: 0.1 },
];

fn independent(law: Law, scales: &[f64]) -> Independent {
    Independent {
        law,
        scales: scales.to_vec(),
    }
}

#[test]
fn moments_of_samples_are_those_stated() {
    for law in LIGHT {
        let noises: [(Box<dyn Noise>, usize); 7] = [
            (Box::new(independent(law, &[-1.7])), 1),
            (Box::new(independent(law, &[1.7, -0.6, 0.2])), 3),
            (Box::new(independent(law, &[0.3])), 3),
            (Box::new(OneCoordinate { law, scale: -3.0 }), 3),
            (
                Box::new(SharedScale {
                    law,
                    scale: 2.5,
                    correlation: 0.0,
                }),
                3,
            ),
            (
                Box::new(SharedScale {
                    law,
                    scale: -2.5,
                    correlation: 0.4,
                }),
                3,
            ),
            (
                Box::new(SharedScale {
                    law,
                    scale: 0.1,
                    correlation: 1.0,
                }),
                3,
            ),
        ];
        for (place, (noise, dim)) in noises.iter().enumerate() {
            for alpha in [1.2, 1.5, 2.0] {
                let what = format!("{law:?}, noise {place}, α = {alpha}");
                if alpha == 2.0 && matches!(law, Law::Pareto { .. } | Law::StudentT { .. }) {
                    continue;
                }
                let draws = noise_of(&**noise, *dim, ROWS);
                for (i, exact) in noise
                    .coordinate_moments(alpha, *dim)
                    .into_iter()
                    .enumerate()
                {
                    let own = draws.iter().skip(i).step_by(*dim);
                    assert_mean(own.map(|x| x.abs().powf(alpha)), exact, &what);
                }
                let norms = draws.chunks_exact(*dim).map(|row| {
                    let square: f64 = row.iter().map(|x| x * x).sum();
                    square.powf(0.5 * alpha)
                });
                match noise.norm_moment(alpha, *dim) {
                    Moment::Exact(exact) => assert_mean(norms, exact, &what),
                    Moment::Between(low, high) => {
                        let mean = norms.sum::<f64>() / ROWS as f64;
                        assert!(
                            low < mean && mean < high,
                            "{what}: {mean} not in {low}, {high}"
                        );
                        assert!(dim > &1 && alpha < 2.0, "{what}");
                    }
                }
            }
        }
    }
}

#[test]
fn moments_by_hand_and_both_ends_of_lemma_12() {
    let pareto = Law::Pareto { index: 3.0 };
    // E|X|^1.5 = 2; scales 4 and 9, so 8 and 27 times that.
    let two = independent(pareto, &[4.0, -9.0]);
    let moments = two.coordinate_moments(1.5, 2);
    assert!(
        close(moments[0], 16.0) && close(moments[1], 54.0),
        "{moments:?}"
    );
    assert!(matches!(two.norm_moment(1.5, 2), Moment::Between(low, high)
        if close(low, 70.0 * 2_f64.powf(-0.25)) && close(high, 70.0)));
    assert!(close(two.norm_moment(1.5, 2).at_most(), 70.0));
    // E X² = 3.
    assert!(close(at(two.norm_moment(2.0, 2)), 3.0 * (16.0 + 81.0)));
    let shared = |correlation| SharedScale {
        law: pareto,
        scale: -4.0,
        correlation,
    };
    let normal = Law::Gaussian.absolute_moment(1.5);
    for dim in [1, 2, 5] {
        let d = dim as f64;
        let one = OneCoordinate {
            law: pareto,
            scale: 4.0,
        };
        let sum: f64 = one.coordinate_moments(1.5, dim).iter().sum();
        assert!(
            close(at(one.norm_moment(1.5, dim)), 16.0) && close(sum, 16.0),
            "upper end, d = {dim}"
        );
        let sum: f64 = shared(1.0).coordinate_moments(1.5, dim).iter().sum();
        assert!(close(sum, 16.0 * normal * d));
        assert!(
            close(at(shared(1.0).norm_moment(1.5, dim)), d.powf(-0.25) * sum),
            "lower end, d = {dim}"
        );
        assert!(close(at(shared(0.0).norm_moment(2.0, dim)), 48.0 * d));
    }
    // ‖N‖ in two dimensions is Rayleigh's: E‖N‖^1.5 = 2^¾ Γ(1.75), Γ(1.75) = 0.919062526848883…
    let rayleigh = 2_f64.powf(0.75) * 0.919_062_526_848_883_2;
    assert!(close(at(shared(0.0).norm_moment(1.5, 2)), 16.0 * rayleigh));
    assert!(matches!(shared(0.5).norm_moment(1.5, 2), Moment::Between(low, high) if high > low));
    assert_eq!(
        independent(Law::Pareto { index: 1.4 }, &[1.0])
            .norm_moment(1.5, 3)
            .at_most(),
        f64::INFINITY
    );
}

#[test]
fn a_shared_scale_has_its_correlation_and_hits_all_coordinates_together() {
    for correlation in [0.0, 0.3, 0.8, 1.0] {
        // With X = ±1 the coordinates are Gaussian, and their correlation is the Gaussian part's.
        let noise = SharedScale {
            law: Law::Spike { p: 1.0 },
            scale: 1.0,
            correlation,
        };
        let draws = noise_of(&noise, 3, ROWS);
        for (i, j) in [(0, 1), (1, 2), (0, 2)] {
            let product: f64 = draws.chunks_exact(3).map(|row| row[i] * row[j]).sum();
            let found = product / ROWS as f64;
            // Var(ξ_i ξ_j) = 1 + ρ².
            let allowed = 4.0 * ((1.0 + correlation * correlation) / ROWS as f64).sqrt();
            assert!(
                (found - correlation).abs() < allowed,
                "{correlation} {i} {j}: {found}"
            );
        }
    }
    let rare = SharedScale {
        law: Law::Spike { p: 0.2 },
        scale: 1.0,
        correlation: 0.3,
    };
    let draws = noise_of(&rare, 3, 1000);
    let hit = draws
        .chunks_exact(3)
        .filter(|row| row.iter().all(|&x| x != 0.0))
        .count();
    let missed = draws
        .chunks_exact(3)
        .filter(|row| row.iter().all(|&x| x == 0.0))
        .count();
    assert!(
        hit + missed == 1000 && (150..250).contains(&hit),
        "{hit} {missed}"
    );
}

/// χ² of counts that should be equal.
fn chi_square(counts: &[usize]) -> f64 {
    let expected = counts.iter().sum::<usize>() as f64 / counts.len() as f64;
    counts
        .iter()
        .map(|&n| (n as f64 - expected).powi(2) / expected)
        .sum()
}

#[test]
fn one_coordinate_is_hit_and_each_as_often_whatever_the_row_before() {
    let noise = OneCoordinate {
        law: Law::Gaussian,
        scale: 2.0,
    };
    let draws = noise_of(&noise, 5, ROWS);
    let (mut places, mut signs) = (Vec::new(), [0_usize; 10]);
    for row in draws.chunks_exact(5) {
        assert_eq!(row.iter().filter(|&&x| x != 0.0).count(), 1);
        let place = row.iter().position(|&x| x != 0.0).unwrap();
        signs[2 * place + usize::from(row[place] > 0.0)] += 1;
        places.push(place);
    }
    let (mut counts, mut pairs) = ([0; 5], [0; 25]);
    places.iter().for_each(|&i| counts[i] += 1);
    places
        .windows(2)
        .for_each(|pair| pairs[5 * pair[0] + pair[1]] += 1);
    // Exceeded with probability 0.001 by χ² with 4, 9 and 24 degrees of freedom.
    assert!(chi_square(&counts) < 18.5, "{counts:?}");
    assert!(chi_square(&signs) < 27.9, "{signs:?}");
    assert!(chi_square(&pairs) < 51.2, "{pairs:?}");
}
