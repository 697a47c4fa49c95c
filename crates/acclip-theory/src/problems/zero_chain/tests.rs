//! Lemmas 17 and 18, each from both sides, and the oracle.

use super::super::tests::Random;
use super::*;

const T: usize = 8;

/// F_T from its definition.
pub(in super::super) fn chain(x: &[f64]) -> f64 {
    let bump = |x: f64| Bump::at(x).value;
    let mut sum = -bump(1.0) * phi(x[0]);
    for pair in x.windows(2) {
        sum += bump(-pair[0]) * phi(-pair[1]) - bump(pair[0]) * phi(pair[1]);
    }
    sum
}

fn unscaled(length: usize) -> ZeroChain {
    ZeroChain::new(length, 152.0, 1.0).unwrap()
}

fn gradient(f: &ZeroChain, x: &[f64]) -> Vec<f64> {
    let mut grad = vec![f64::NAN; x.len()];
    f.gradient(x, &mut grad);
    grad
}

fn gap(f: &ZeroChain, x: &[f64]) -> f64 {
    let mut gap = [f64::NAN];
    f.gap(x, &mut gap);
    gap[0]
}

/// Both signs, scales 0.1 to 10, and in half of the cases zeros from some coordinate on.
fn point(random: &mut Random) -> Vec<f64> {
    let scale = 0.1 * 100_f64.powf(random.uniform());
    let end = T.min(1 + (random.uniform() * 2.0 * T as f64) as usize);
    (0..T)
        .map(|i| {
            if i < end {
                scale * random.signed()
            } else {
                0.0
            }
        })
        .collect()
}

/// Golden values by mpmath at 50 digits: Φ by quadrature, ∂_i by differences of F_4 of the fourth order, h = 10⁻¹².
#[test]
fn values_and_gradients_are_those_of_the_definition() {
    let golden = [
        (
            [1.25, -0.875, 0.625, 0.25],
            33.269_195_750_074_246,
            [
                -2.383_560_891_478_306_4,
                -6.747_965_200_325_015,
                -0.623_267_583_216_496_8,
                -4.888_305_162_912_579e-07,
            ],
        ),
        (
            [-0.75, 0.9375, 2.5, -1.5],
            33.204_723_900_259_45,
            [
                -2.391_823_476_506_860_2,
                -18.108_850_558_818_542,
                -0.097_401_910_379_321_9,
                -1.366_837_941_173_796_3,
            ],
        ),
        (
            [3.0, 0.6875, -0.8125, 1.0],
            25.703_729_976_020_69,
            [
                -0.278_779_873_798_437_77,
                -3.544_448_915_521_566,
                -2.260_047_928_012_480_3,
                -0.210_136_071_200_764_75,
            ],
        ),
    ];
    let f = unscaled(4);
    for (x, exact, partials) in golden {
        assert!(
            (gap(&f, &x) / exact - 1.0).abs() < 1e-15,
            "{x:?}: {}",
            gap(&f, &x)
        );
        for (found, exact) in gradient(&f, &x).iter().zip(partials) {
            assert!(
                (found / exact - 1.0).abs() < 4e-15,
                "{x:?}: {found} {exact}"
            );
        }
    }
    // F_T(0) = −√(eπ/2).
    let at_zero = gap(&f, &[0.0; 4]) + f.facts().minimum;
    assert!((at_zero + 2.066_365_677_061_247).abs() < 1e-14, "{at_zero}");
}

#[test]
fn the_gap_keeps_its_figures_far_out() {
    // Φ(−10) by mpmath; for T = 1 it is the gap.
    let found = gap(&unscaled(1), &[10.0]);
    assert!(
        (found / 3.1490805506753306e-23 - 1.0).abs() < 1e-14,
        "{found:e}"
    );
    // e − Ψ ≈ e/(2x)² and Φ(−x) = 0: for T = 2 the gap is e√(2πe)/(2x − 1)² to first order.
    let x = 1e9;
    let found = gap(&unscaled(2), &[x, x]);
    let first = E * PHI_SUP / (2.0 * x - 1.0).powi(2);
    assert!((found / first - 1.0).abs() < 1e-15, "{found:e} {first:e}");
}

#[test]
fn scaling_gives_the_units() {
    let mut random = Random(1);
    for _ in 0..1000 {
        let x = point(&mut random);
        let (epsilon, smoothness) = (0.3, 7.0);
        let lambda = 304.0 * epsilon / smoothness;
        let f = ZeroChain::new(T, smoothness, lambda).unwrap();
        let scaled: Vec<f64> = x.iter().map(|x| x * lambda).collect();
        for (found, unit) in gradient(&f, &scaled).iter().zip(gradient(&unscaled(T), &x)) {
            assert!(
                (found - 2.0 * epsilon * unit).abs() <= 1e-12 * (1.0 + unit.abs()),
                "{found} {unit}"
            );
        }
        let (found, unit) = (gap(&f, &scaled), gap(&unscaled(T), &x));
        assert!((found / (smoothness * lambda * lambda / 152.0 * unit) - 1.0).abs() < 1e-12);
    }
    let f = ZeroChain::new(T, 7.0, 2.0).unwrap();
    let (zero, facts) = (gap(&f, &[0.0; T]), f.facts());
    assert!((f.initial_gap() / zero - 1.0).abs() < 1e-15);
    let value = 7.0 * 4.0 / 152.0 * chain(&[0.0; T]);
    assert!((value - facts.minimum - zero).abs() < 1e-13);
}

#[test]
fn lemma_17_1_the_initial_gap() {
    for length in 1..=300 {
        let f = unscaled(length);
        assert!(f.initial_gap() <= 12.0 * length as f64);
        // Attained in the limit, by the definition.
        let seen = chain(&vec![0.0; length]) - chain(&vec![1e9; length]);
        assert!(
            (seen / f.initial_gap() - 1.0).abs() < 1e-13,
            "{length} {seen}"
        );
    }
    // 12 is within 7 % of the least constant, e√(2πe) = 11.234.
    assert!(unscaled(300).initial_gap() > 0.933 * 12.0 * 300.0);
    let mut random = Random(2);
    let f = unscaled(T);
    let zero = chain(&[0.0; T]);
    for _ in 0..60_000 {
        let x = point(&mut random);
        assert!(
            zero - chain(&x) <= f.initial_gap() && gap(&f, &x) > 0.0,
            "{x:?}"
        );
    }
}

#[test]
fn lemma_17_2_the_smoothness() {
    let f = unscaled(T);
    let mut random = Random(3);
    let mut largest: f64 = 0.0;
    for pair in 0..60_000 {
        let x = point(&mut random);
        let step = [1e-4, 1e-2, 1.0][pair % 3];
        let y: Vec<f64> = x.iter().map(|x| x + step * random.signed()).collect();
        let grads = gradient(&f, &x).into_iter().zip(gradient(&f, &y));
        let rise: f64 = grads.map(|(a, b)| (a - b).powi(2)).sum();
        let run: f64 = x.iter().zip(&y).map(|(a, b)| (a - b).powi(2)).sum();
        largest = largest.max((rise / run).sqrt());
    }
    assert!(largest <= 152.0 && largest > 90.0, "{largest}");
    // By hand: √(2πe) max Ψ'' = 133.8453, where 1/(2x − 1)² = (9 + √33)/4, between 0 and a large coordinate.
    let x = 0.760_425_827_310_688;
    let h = 1e-5;
    let at = |x: f64| gradient(&unscaled(3), &[0.0, x, 50.0])[1];
    let curvature = (at(x - h) - at(x + h)) / (2.0 * h);
    assert!((curvature - 133.845_261_4).abs() < 1e-4, "{curvature}");
}

#[test]
fn lemma_17_3_the_largest_partial() {
    let f = unscaled(T);
    let mut random = Random(4);
    let mut largest: f64 = 0.0;
    for _ in 0..60_000 {
        for partial in gradient(&f, &point(&mut random)) {
            assert!(partial <= 0.0);
            largest = largest.max(-partial);
        }
    }
    assert!(largest < 23.0 && largest > 20.0, "{largest}");
    // By mpmath: max over x of e√e e^{−x²/2} + √(2πe) Ψ'(x).
    let partial = gradient(&unscaled(3), &[1e9, 0.904_284_452_321_381, 50.0])[1];
    assert!((partial + 21.392_237_881_697_22).abs() < 1e-13, "{partial}");
    assert!(largest <= 21.392_237_881_697_23);
}

#[test]
fn lemma_17_4_and_5_the_chain() {
    let f = unscaled(T);
    let mut random = Random(5);
    let (mut reached, mut unfinished) = (0, 0);
    for _ in 0..60_000 {
        let x = point(&mut random);
        let grad = gradient(&f, &x);
        assert!(prog(&grad, 0.0) <= prog(&x, 0.5) + 1, "{x:?}");
        reached += usize::from(prog(&grad, 0.0) == prog(&x, 0.5) + 1);
        if let Some(partial) = grad.get(prog(&x, 1.0)) {
            assert!(partial.abs() > 1.0, "{x:?}: {partial}");
            assert!(super::super::norm(&grad) >= partial.abs());
            unfinished += 1;
        }
    }
    assert!(
        reached > 20_000 && unfinished > 30_000,
        "{reached} {unfinished}"
    );
    // The bound 1 is the infimum, approached at i = T as x_{T−1} falls to 1 with x_T = ±1; and 1 itself for T = 1.
    let x = [1.0 + 1e-9, -1.0];
    let partial = -gradient(&unscaled(2), &x)[1];
    assert!(
        prog(&x, 1.0) == 1 && partial > 1.0 && partial < 1.0 + 1e-8,
        "{partial}"
    );
    assert_eq!(gradient(&unscaled(1), &[-1.0]), [-1.0]);
}

#[test]
fn prog_is_the_last_large_coordinate() {
    assert_eq!(prog(&[], 0.0), 0);
    assert_eq!(prog(&[0.0, -0.0], 0.0), 0);
    assert_eq!(prog(&[0.0, -3.0, 0.25, 0.0], 0.25), 2);
    assert_eq!(prog(&[0.0, -3.0, 0.2501, 0.0], 0.25), 3);
    assert_eq!(prog(&[2.0, f64::NAN], 1.0), 2);
}

#[test]
fn zeros_are_positive_and_what_is_not_a_number_shows() {
    let f = unscaled(4);
    for x in [[-0.4, 0.0, 0.3, -0.0], [0.0, 0.0, -0.3, 2.0]] {
        let grad = gradient(&f, &x);
        assert!(grad[1..3].iter().all(|g| g.to_bits() == 0), "{grad:?}");
    }
    for x in [[2.0, f64::NAN, 0.0, 0.0], [0.0, f64::NAN, 0.0, 0.0]] {
        assert!(gradient(&f, &x)[1].is_nan());
        assert!(gap(&f, &x).is_nan());
    }
    // Both infinities are limits.
    assert!(
        gradient(&f, &[f64::INFINITY, -1e300, 1e200, 0.0])
            .iter()
            .all(|g| g.is_finite())
    );
}

/// Random points of a scaled problem, with the row, the gradient, and both outcomes of the oracle.
fn outcomes(seed: u64, p: f64, mut look: impl FnMut(&ZeroChain, &[f64], &[f64], &[f64], &[f64])) {
    let mut random = Random(seed);
    for _ in 0..20_000 {
        let lambda = 0.1 + 3.0 * random.uniform();
        let f = ZeroChain::new(T, 5.0, lambda).unwrap();
        let x: Vec<f64> = point(&mut random)
            .iter()
            .map(|x| 0.3 * x * lambda)
            .collect();
        let grad = gradient(&f, &x);
        let (mut hit, mut miss) = (grad.clone(), grad.clone());
        f.perturb_row(&x, &mut hit, true, p);
        f.perturb_row(&x, &mut miss, false, p);
        look(&f, &x, &grad, &hit, &miss);
    }
}

#[test]
fn the_oracle_is_a_zero_chain_and_unbiased() {
    for p in [0.013, 0.3, 1.0] {
        let (mut hidden, mut whole) = (0, 0);
        outcomes(6, p, |f, x, grad, hit, miss| {
            let next = prog(x, 0.25 * f.scale());
            assert!(prog(miss, 0.0) <= next && prog(hit, 0.0) <= next + 1);
            for i in 0..T {
                let mean = p * hit[i] + (1.0 - p) * miss[i];
                let rounding = f64::EPSILON * grad[i].abs() + f64::MIN_POSITIVE;
                assert!((mean - grad[i]).abs() <= rounding, "{mean} {}", grad[i]);
                if i != next {
                    assert!(hit[i] == grad[i] && miss[i] == grad[i]);
                } else {
                    assert!(miss[i] == 0.0 && hit[i] == grad[i] / p);
                }
            }
            hidden += usize::from(next < T && grad[next] != 0.0);
            whole += usize::from(next == T);
        });
        assert!(hidden > 5_000 && whole > 1_000, "{hidden} {whole}");
    }
}

/// From 0, a method that only moves where it has seen a gradient finds one coordinate a hit at most.
#[test]
fn progress_costs_hits() {
    let f = ZeroChain::new(T, 152.0, 0.5).unwrap();
    let mut random = Random(7);
    for signs in [false, true] {
        for learning_rate in [0.01, 1.0] {
            let (mut x, mut momentum, mut hits) = (vec![0.0; T], [0.0; T], 0);
            for _ in 0..2000 {
                let hit = random.uniform() < 0.02;
                hits += usize::from(hit);
                let mut grad = gradient(&f, &x);
                f.perturb_row(&x, &mut grad, hit, 0.02);
                for (i, x) in x.iter_mut().enumerate() {
                    let g = if signs && grad[i] != 0.0 {
                        grad[i].signum()
                    } else {
                        grad[i]
                    };
                    momentum[i] = 0.9 * momentum[i] + g;
                    *x -= learning_rate * momentum[i];
                }
                assert!(prog(&x, 0.0) <= hits);
            }
            assert!(
                hits > T && prog(&x, 0.0) == T,
                "{signs} {learning_rate} {hits}: {x:?}"
            );
        }
    }
}

#[test]
fn lemma_18_the_moment_of_the_noise() {
    let distance = |a: &[f64], b: &[f64]| {
        super::super::norm(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>())
    };
    let mut tightest: f64 = 0.0;
    for alpha in [1.0001, 1.2, 1.5, 2.0] {
        for p in [1e-4, 0.05, 0.5, 1.0] {
            // The two outcomes have probabilities p and 1 − p.
            let two_points = p * (1.0 / p - 1.0_f64).powf(alpha) + (1.0 - p);
            let simple = 2.0 * p.powf(1.0 - alpha);
            assert!(two_points <= simple);
            tightest = tightest.max(two_points / simple);
            let moment = |grad: &[f64], hit: &[f64], miss: &[f64]| {
                p * distance(hit, grad).powf(alpha) + (1.0 - p) * distance(miss, grad).powf(alpha)
            };
            outcomes(8, p, |f, _, grad, hit, miss| {
                let unit = 5.0 * f.scale() / 152.0;
                let moment = moment(grad, hit, miss) / unit.powf(alpha);
                assert!(moment <= 23_f64.powf(alpha) * two_points);
                assert!(moment <= (E * SQRT_E).powf(alpha) * two_points * (1.0 + 1e-12));
            });
            // e√e is the least constant: the coordinate after a large one, at 0.
            let f = unscaled(T);
            let mut x = [0.0; T];
            x[..3].fill(1e6);
            let grad = gradient(&f, &x);
            let (mut hit, mut miss) = (grad.clone(), grad.clone());
            f.perturb_row(&x, &mut hit, true, p);
            f.perturb_row(&x, &mut miss, false, p);
            let sharp = (E * SQRT_E).powf(alpha) * two_points;
            assert!((moment(&grad, &hit, &miss) - sharp).abs() <= 1e-10 * sharp);
        }
    }
    assert!(tightest > 0.999, "{tightest}");
}

#[test]
fn bad_parameters_are_refused() {
    assert!(ZeroChain::new(0, 1.0, 1.0).is_err());
    assert!(ZeroChain::new(1, 0.0, 1.0).is_err());
    assert!(ZeroChain::new(1, 1.0, f64::NAN).is_err());
}
