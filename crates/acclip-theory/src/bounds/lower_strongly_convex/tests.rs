use super::*;
use crate::bounds::laws::{Generator, close};
use crate::bounds::strongly_convex::StronglyConvex;

const ALPHAS: [f64; 5] = [1.05, 1.2, 1.5, 1.8, 2.0];

#[test]
fn values_by_hand() {
    // α = 3/2, ε = 1/16: γ = (1/4)² = 1/16, p_0 = 1/64, spike 8.
    let hard = HardMean::new(1.5, 0.0625).unwrap();
    assert!(close(hard.gamma(), 0.0625) && close(hard.spike(), 8.0));
    assert!(
        close(hard.probability(false), 1.0 / 64.0) && close(hard.probability(true), 1.0 / 128.0)
    );
    assert!(close(hard.b(false), 0.125) && close(hard.b(true), 0.0625));
    // E|g|^{3/2} at x = ¼: (31/4)^{3/2}/64 + (63/64)/8.
    assert!(close(
        hard.moment(false, 0.25),
        7.75_f64.powf(1.5) / 64.0 + 63.0 / 512.0
    ));
    // χ²: (1/64)/(4·63/64) = 1/252; KL of 1/128 against 1/64.
    assert!(close(hard.divergence_bound(), 1.0 / 252.0));
    let kl = (0.5_f64).ln() / 128.0 + 127.0 / 128.0 * ((127.0 / 128.0) / (63.0 / 64.0_f64)).ln();
    assert!((hard.divergence() / kl - 1.0).abs() < 1e-12);
    assert!(close(
        hard.success_bound(14),
        0.5 * (1.0 + (1.0 / 36.0_f64).sqrt())
    ));
    assert_eq!(hard.success_bound(1_000_000), 1.0);
    // k = 64 has that ε: 64^{−1/3}/4 = 1/16; 64^{−2/3}/512 = 1/8192.
    let same = HardMean::for_horizon(1.5, 64).unwrap();
    assert!(close(same.epsilon(), 0.0625) && close(same.gamma(), 0.0625));
    assert!(close(bound(1.5, 64).unwrap(), 1.0 / 8192.0));
    assert!(close(exponent(1.5).unwrap(), 2.0 / 3.0));
}

#[test]
fn the_gradient_is_unbiased_with_moment_at_most_one() {
    let mut rng = Generator(5);
    for _ in 0..5000 {
        let alpha = rng.between(1.05, 2.0);
        let hard = HardMean::new(alpha, 2_f64.powf(-alpha - 1.0) * rng.decade(-3.0, 0.0)).unwrap();
        for nu in [false, true] {
            let p = hard.probability(nu);
            // p_ν = γ^α − 2νγε.
            let difference = 2.0 * f64::from(u8::from(nu)) * hard.gamma() * hard.epsilon();
            assert!((p - (hard.gamma().powf(alpha) - difference)).abs() <= 1e-11 * p);
            let x = 0.5 * rng.uniform();
            assert!(close(p * hard.spike(), hard.b(nu)) && hard.spike() >= 1.0);
            assert!(hard.moment(nu, x) <= 2_f64.powf(1.0 - alpha));
        }
    }
    // 2^{1−α}((1 − γ)^α + 1 − γ^α)/2 at x = ½.
    let moment = HardMean::for_horizon(1.5, 10_000_000)
        .unwrap()
        .moment(false, 0.5);
    assert!(moment > 0.999 * 0.5_f64.sqrt());
}

#[test]
fn at_its_horizon_a_spike_is_expected_once() {
    for alpha in ALPHAS {
        for k in [4, 100, 1_000_000] {
            let hard = HardMean::for_horizon(alpha, k).unwrap();
            assert!(close(hard.probability(false) * k as f64, 1.0));
            assert!(close(
                hard.gamma(),
                (4.0 * hard.epsilon()).powf(1.0 / (alpha - 1.0))
            ));
            assert!(hard.gamma() <= 0.5 && hard.b(false) <= 0.5);
            assert!(close(
                bound(alpha, k).unwrap(),
                ERROR * hard.epsilon().powi(2)
            ));
        }
    }
}

#[test]
fn lemma_15_holds_and_is_attained() {
    let mut rng = Generator(15);
    let hard = HardMean::for_horizon(1.5, 100).unwrap();
    let eps = hard.epsilon();
    // P(right) and E f for a law of x.
    let test = |law: &[(f64, f64)], nu: bool| {
        let right = law
            .iter()
            .filter(|(_, x)| hard.nearest(*x) == nu)
            .map(|(p, _)| p)
            .sum::<f64>();
        let gap = law
            .iter()
            .map(|(p, x)| 0.5 * p * (x - hard.b(nu)).powi(2))
            .sum::<f64>();
        (right, gap)
    };
    for _ in 0..5000 {
        let nu = rng.uniform() < 0.5;
        let rare = rng.decade(-2.0, 0.0);
        let law = [
            (rare, 4.0 * eps * rng.uniform()),
            (1.0 - rare, hard.b(nu) + eps * rng.between(-0.6, 0.6)),
        ];
        let (right, gap) = test(&law, nu);
        assert!(right >= hard.test_success(gap) - 1e-12, "{right} {gap}");
    }
    // A quarter of the time at 3ε/2 (or just below it), else at b_ν: error ε²/32, right with probability ¾.
    for (nu, wrong) in [(true, 1.5 * eps), (false, 1.5 * eps * (1.0 - 1e-15))] {
        let (right, gap) = test(&[(0.25, wrong), (0.75, hard.b(nu))], nu);
        assert_eq!(right, 0.75);
        assert!(
            (gap / (ERROR * eps * eps) - 1.0).abs() < 1e-12
                && (hard.test_success(gap) - right).abs() < 1e-12
        );
    }
    // The paper's constant is smaller, so that its lemma follows, with 7/8.
    assert!(close(hard.test_success(PRINTED_ERROR * eps * eps), 0.875));
    assert_eq!(hard.test_success(1.0), 0.0);
}

/// Over all sequences of `k` bits, the probability with which the better guess is right, and ½ε² E π(1 − π).
fn enumerated(hard: &HardMean, k: u64) -> (f64, f64) {
    let chance = |bits: u64, p: f64| {
        (0..k)
            .map(|i| if bits >> i & 1 == 1 { p } else { 1.0 - p })
            .product::<f64>()
    };
    let (mut right, mut gap) = (0.0, 0.0);
    for bits in 0..1_u64 << k {
        let (a, b) = (
            chance(bits, hard.probability(false)),
            chance(bits, hard.probability(true)),
        );
        right += 0.5 * a.max(b);
        // Error of the posterior mean, averaged over the coin.
        let guess = (a * hard.b(false) + b * hard.b(true)) / (a + b);
        gap += 0.25 * (a * (guess - hard.b(false)).powi(2) + b * (guess - hard.b(true)).powi(2));
    }
    (right, gap)
}

#[test]
fn the_best_test_is_that_of_all_sequences() {
    for alpha in ALPHAS {
        for scale in [1.0, 0.7, 0.1] {
            let hard = HardMean::new(alpha, 0.5 * 2_f64.powf(-alpha) * scale).unwrap();
            for k in [0, 1, 2, 5, 12] {
                let (right, gap) = enumerated(&hard, k);
                assert!((hard.bayes_success(k) - right).abs() < 1e-13, "{alpha} {k}");
                assert!((hard.bayes_gap(k) / gap - 1.0).abs() < 1e-11, "{alpha} {k}");
            }
        }
    }
}

#[test]
fn lemma_16_holds() {
    for alpha in ALPHAS {
        for horizon in [4, 30, 1000, 10_000_000] {
            let hard = HardMean::for_horizon(alpha, horizon).unwrap();
            assert!(hard.divergence() <= hard.divergence_bound());
            assert!(hard.divergence_bound() <= 0.5 * hard.probability(false));
            for k in [1, horizon / 4, horizon, 2 * horizon, 10 * horizon] {
                let (exact, pinsker) = (hard.bayes_success(k), hard.pinsker_success(k));
                assert!(
                    exact <= pinsker && pinsker <= hard.success_bound(k),
                    "{alpha} {horizon} {k}"
                );
            }
            // What the theorem needs, and what is true.
            assert!(hard.success_bound(horizon) < 0.75);
            let (exact, eps) = (hard.bayes_success(horizon), hard.epsilon());
            assert!((0.615..0.65).contains(&exact), "{exact}");
            // The theorem's bound is below that of the exact test, and below the exact error.
            let by_test = (1.0 - exact) * eps * eps / 8.0;
            assert!(
                bound(alpha, horizon).unwrap() <= by_test && by_test <= hard.bayes_gap(horizon)
            );
        }
    }
    // Pinsker is nearly attained by close laws with even odds: KL ≈ 2 TV². Here p_0 = ¼ is as even as it gets.
    let hard = HardMean::new(2.0, 0.125).unwrap();
    let advantage = |success: f64| 2.0 * success - 1.0;
    for (k, least) in [(1, 0.80), (8, 0.84)] {
        let ratio = advantage(hard.bayes_success(k)) / advantage(hard.pinsker_success(k));
        assert!(ratio > least && ratio < 1.0, "{k}: {ratio}");
    }
}

#[test]
fn one_expected_spike_leaves_62_percent() {
    // Poisson: P(n ≥ 1) is 1 − e^{−1} against 1 − e^{−1/2}; the guess is ν = 0 if there is a spike.
    let limit = 0.5 * (1.0 + (-0.5_f64).exp() - (-1.0_f64).exp());
    assert!((limit - 0.6193).abs() < 5e-5);
    for k in [10_u64, 1000, 10_000_000] {
        let hard = HardMean::for_horizon(1.5, k).unwrap();
        let (p0, n) = (1.0 / k as f64, k as f64);
        // Exactly ½(1 + (1 − p_0/2)^k − (1 − p_0)^k).
        let exact = 0.5 * (1.0 + (n * (-0.5 * p0).ln_1p()).exp() - (n * (-p0).ln_1p()).exp());
        assert!((hard.bayes_success(k) - exact).abs() < 1e-12, "{k}");
        assert!((exact - limit).abs() < 0.2 / n);
    }
    // The posterior mean's error, in ε²: ¼Σ P_0 P_1/(P_0 + P_1), summed here by hand from Poisson masses.
    let hard = HardMean::for_horizon(1.5, 10_000_000).unwrap();
    let (mut a, mut b, mut sum) = ((-1.0_f64).exp(), (-0.5_f64).exp(), 0.0);
    for n in 1..40 {
        sum += 0.25 * a * b / (a + b);
        (a, b) = (a / f64::from(n), 0.5 * b / f64::from(n));
    }
    let relative = hard.bayes_gap(10_000_000) / hard.epsilon().powi(2);
    assert!((relative / sum - 1.0).abs() < 1e-6, "{relative} {sum}");
    // mpmath: 0.115245…, 3.68785… times 1/32.
    assert!(
        (relative - 0.115_245_325_27).abs() < 1e-7 && (relative / ERROR - 3.687_85).abs() < 1e-4
    );
}

#[test]
fn many_bits_tell() {
    let hard = HardMean::for_horizon(1.5, 100).unwrap();
    let success: Vec<f64> = [0, 100, 1000, 10_000, 90_000]
        .map(|k| hard.bayes_success(k))
        .to_vec();
    assert!((success[0] - 0.5).abs() < 1e-15 && success.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(success[3] > 0.998 && success[4] >= 1.0 - 1e-13);
    assert_eq!(
        (hard.bayes_success(u64::MAX), hard.bayes_gap(u64::MAX)),
        (1.0, 0.0)
    );
}

#[test]
fn the_lower_bound_is_below_the_upper_one() {
    for alpha in ALPHAS {
        let upper = StronglyConvex::new(alpha, 1.0, 1.0).unwrap();
        assert!(close(exponent(alpha).unwrap(), upper.exponent()));
        for k in [4, 1000, 1_000_000_000] {
            let hard = HardMean::for_horizon(alpha, k).unwrap();
            assert!(
                bound(alpha, k).unwrap() < upper.sharper_bound(k)
                    && hard.bayes_gap(k) < upper.sharper_bound(k)
            );
        }
        let slope = (bound(alpha, 1_000).unwrap() / bound(alpha, 1_000_000).unwrap()).log10() / 3.0;
        assert!(close(slope, upper.exponent()));
    }
}

#[test]
fn what_the_construction_does_not_reach_is_refused() {
    assert!(HardMean::new(2.0, 0.125).is_ok() && HardMean::new(2.0, 0.1250001).is_err());
    for bad in [0.0, -0.1, f64::NAN, f64::INFINITY] {
        assert!(HardMean::new(1.5, bad).is_err());
    }
    // γ = (4ε)^{100} underflows.
    assert!(HardMean::new(1.01, 1e-4).is_err() && HardMean::new(1.0, 0.1).is_err());
    // 2^{1.5} = 2.83.
    assert!(
        bound(1.5, 2).is_err()
            && bound(1.5, 3).is_ok()
            && bound(2.0, 4).is_ok()
            && bound(2.0, 3).is_err()
    );
    assert!(HardMean::for_horizon(1.5, 2).is_err() && HardMean::for_horizon(2.5, 100).is_err());
    assert!(HardMean::for_horizon(1.5, 0).is_err() && exponent(1.0).is_err());
}
