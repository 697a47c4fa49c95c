use super::*;
use crate::bounds::binomial::Binomial;
use crate::bounds::laws::{Generator, close};
use crate::bounds::non_convex::NonConvex;

const ALPHAS: [f64; 5] = [1.05, 1.2, 1.5, 1.8, 2.0];

#[test]
fn values_by_hand() {
    // L F0 = 7296·10.5 with ε = 1: T = 10. α = 3/2, σ = 46·100: p = 2²·(1/100)³.
    let chain = HardChain::new(1.5, 4600.0, 2.0, 3648.0 * 10.5, 1.0).unwrap();
    assert_eq!(chain.length(), 10);
    assert!(close(chain.scale(), 152.0) && close(chain.height(), 304.0));
    assert!(close(chain.probability(), 4e-6));
    assert!(close(chain.budget(), 9.0 / 8e-6));
    assert!(close(chain.exponent(), 0.2));
    // α = 2: p = 2·(46ε/σ)².
    let chain = HardChain::new(2.0, 460.0, 2.0, 3648.0, 1.0).unwrap();
    assert_eq!((chain.length(), chain.budget()), (1, 0.0));
    assert!(close(chain.probability(), 0.02));
    // Little noise: p = 1, (T − 1)/2 steps.
    let chain = HardChain::new(2.0, 1.0, 2.0, 3648.0 * 101.0, 1.0).unwrap();
    assert_eq!((chain.probability(), chain.budget()), (1.0, 50.0));
    // 2·23²·10 and 23²·(0.1·81 + 0.9) = 23²·9.
    assert!(
        close(moment_bound(2.0, 0.1).unwrap(), 10_580.0)
            && close(moment_exact(2.0, 0.1).unwrap(), 4761.0)
    );
}

/// Gap, smoothness and moment of the scaled chain, from those of Lemma 17 and of the two-point law of z.
#[test]
fn the_scaled_chain_is_in_the_class() {
    let mut rng = Generator(6);
    for alpha in ALPHAS {
        for _ in 0..1000 {
            let (smoothness, gap) = (rng.decade(-2.0, 2.0), rng.decade(-2.0, 2.0));
            let epsilon = (smoothness * gap).sqrt() * rng.decade(-4.0, -2.0);
            let sigma = epsilon * rng.decade(0.0, 2.5);
            let chain = HardChain::new(alpha, sigma, smoothness, gap, epsilon).unwrap();
            let (lambda, p) = (chain.scale(), chain.probability());
            // f = height·F(x/λ): gap, Lipschitz constant of the gradient, and gradient at the end of 1.
            let found = chain.height() * GAP * chain.length() as f64;
            let longer = found / chain.length() as f64 * (chain.length() + 1) as f64;
            assert!(found <= gap * (1.0 + 1e-12) && longer > gap * (1.0 - 1e-12));
            assert!(close(
                chain.height() / (lambda * lambda) * SMOOTHNESS,
                smoothness
            ));
            assert!(close(chain.height() / lambda, 2.0 * epsilon));
            // The bound is σ^α unless p = 1; the exact moment is below it.
            if p < 1.0 {
                assert!((chain.moment().unwrap() / sigma.powf(alpha) - 1.0).abs() < 1e-9);
                let exact = (2.0 * epsilon).powf(alpha) * moment_exact(alpha, p).unwrap();
                assert!(exact <= sigma.powf(alpha) * (1.0 + 1e-9));
            } else {
                assert!(46.0 * epsilon * 2_f64.powf(1.0 / alpha) >= sigma);
                assert_eq!(moment_exact(alpha, p).unwrap(), 0.0);
            }
        }
    }
}

#[test]
fn a_chain_of_given_length_has_exactly_the_gap() {
    for alpha in ALPHAS {
        for length in [1, 2, 7, 1000, 123_456_789] {
            let chain = HardChain::for_length(alpha, 3.0, 0.7, 11.0, length).unwrap();
            assert_eq!(chain.length(), length);
            assert!(close(chain.height() * GAP * length as f64, 11.0));
            // The same as from its ε, but for rounding of the length itself.
            let same =
                HardChain::new(alpha, 3.0, 0.7, 11.0, chain.epsilon() * (1.0 - 1e-12)).unwrap();
            assert!(
                same.length() == length
                    && (same.probability() / chain.probability() - 1.0).abs() < 1e-9
            );
        }
    }
}

#[test]
fn lemma_18_holds_and_is_approached() {
    let mut rng = Generator(18);
    for _ in 0..5000 {
        let (alpha, p) = (rng.between(1.0001, 2.0), rng.decade(-8.0, 0.0));
        assert!(moment_exact(alpha, p).unwrap() <= moment_bound(alpha, p).unwrap());
    }
    // (1 − p)^α + (1 − p)p^{α−1} tends to 2 for p → 0 with p^{α−1} → 1, and to 1 for a fixed α.
    let ratio = |alpha, p| moment_exact(alpha, p).unwrap() / moment_bound(alpha, p).unwrap();
    assert!(ratio(1.0001, 1e-4) > 0.999);
    assert!((ratio(1.5, 1e-12) - 0.5).abs() < 1e-5);
}

/// The probability of being at the end within the budget, exactly, from the binomial law.
#[test]
fn the_budget_is_not_enough() {
    // p → 0 and T = 2: Poisson of mean ½, 1 − 1.5e^{−1/2} = 0.0902. It is the largest, below e^{−1}.
    let largest = 1.0 - 1.5 * (-0.5_f64).exp();
    let (mut seen, mut seen_sharper) = (0.0_f64, 0.0_f64);
    for alpha in ALPHAS {
        for length in [2, 3, 10, 100, 1000, 10_000] {
            for sigma in [0.1, 1.0, 5.0, 50.0] {
                let chain = HardChain::for_length(alpha, sigma, 1.0, 1.0, length).unwrap();
                if chain.budget() > 1e15 {
                    continue;
                }
                let reached =
                    |k: f64| Binomial::new(k as u64, chain.probability()).at_least(length);
                // 10⁻⁶ for p > 0 and rounding; at (T − 1)/p it is ½ in the limit of long chains.
                let (found, sharper) = (reached(chain.budget()), reached(chain.sharper_budget()));
                assert!(found <= largest + 1e-6, "{alpha} {length} {sigma}: {found}");
                assert!(sharper <= 0.5 + 1e-9, "{alpha} {length} {sigma}: {sharper}");
                (seen, seen_sharper) = (seen.max(found), seen_sharper.max(sharper));
            }
        }
    }
    assert!(
        seen > 0.999 * largest && seen_sharper > 0.49,
        "{seen} {seen_sharper}"
    );
}

#[test]
fn the_horizon_has_the_shortest_chain() {
    for alpha in ALPHAS {
        for k in [0, 1, 10, 12_345, 1_000_000_000] {
            let chain = HardChain::for_horizon(alpha, 1.0, 1.0, 1.0, k).unwrap();
            assert!(chain.budget() >= k as f64);
            if chain.length() > 1 {
                let shorter =
                    HardChain::for_length(alpha, 1.0, 1.0, 1.0, chain.length() - 1).unwrap();
                assert!(shorter.budget() < k as f64 && shorter.epsilon() > chain.epsilon());
            }
            assert_eq!(bound(alpha, 1.0, 1.0, 1.0, k).unwrap(), chain.epsilon());
        }
    }
    // No noise to speak of: T = 2k + 1.
    assert_eq!(
        HardChain::for_horizon(1.5, 1e-9, 1.0, 1.0, 1000)
            .unwrap()
            .length(),
        2001
    );
}

#[test]
fn the_bound_has_the_rate_of_theorem_2() {
    for alpha in ALPHAS {
        let (sigma, smoothness, gap) = (2.0, 3.0, 5.0);
        // k = L F0/(2·7296·ε²p): ε^{(3α−2)/(α−1)} = L F0 σ^{α/(α−1)}/(2·7296·k·2^{1/(α−1)}·46^{α/(α−1)}).
        let k = 1_000_000_000_000_000;
        let excess = 1.0 / (alpha - 1.0);
        let log = (smoothness * gap / (2.0 * 7296.0 * k as f64)).ln() - excess * 2_f64.ln()
            + alpha * excess * (sigma / 46.0_f64).ln();
        let expected = (log / (2.0 + alpha * excess)).exp();
        let chain = HardChain::for_horizon(alpha, sigma, smoothness, gap, k).unwrap();
        if chain.length() > 1000 {
            assert!((chain.epsilon() / expected - 1.0).abs() < 1e-3, "{alpha}");
        }
        let slope = (bound(alpha, sigma, smoothness, gap, k / 1000).unwrap() / chain.epsilon())
            .log10()
            / 3.0;
        let theorem = NonConvex::new(alpha, sigma, smoothness, gap).unwrap();
        assert!(close(chain.exponent(), theorem.exponent()));
        assert!(
            chain.length() < 1000 || (slope - chain.exponent()).abs() < 2e-3,
            "{alpha}: {slope}"
        );
        // And it is below the upper bound.
        for k in [1, 1000, 1_000_000, k] {
            let lower = bound(alpha, sigma, smoothness, gap, k).unwrap();
            assert!(lower <= theorem.gradient_norm_bound(k), "{alpha} {k}");
        }
    }
}

#[test]
fn tail_indices_near_one_do_not_overflow() {
    // 2^{1000} alone is 10^{301}.
    let chain = HardChain::new(1.0005, 46.0 * 2.000_001, 1.0, 7296.0 * 5.0, 1.0).unwrap();
    let expected = (2000.0 * (2_f64.ln() - 1.0005 * 2.000_001_f64.ln())).exp();
    assert!((chain.probability() / expected - 1.0).abs() < 1e-9);
    let chain = HardChain::new(1.0005, 460.0, 1.0, 7296.0 * 5.0, 1.0).unwrap();
    assert_eq!((chain.probability(), chain.budget()), (0.0, f64::INFINITY));
    assert!(chain.moment().is_err());
}

#[test]
fn what_the_construction_does_not_reach_is_refused() {
    // L F0 < 7296ε².
    assert!(HardChain::new(1.5, 1.0, 1.0, 7296.0, 1.000_001).is_err());
    assert_eq!(
        HardChain::new(1.5, 1.0, 1.0, 7296.0, 0.999_999)
            .unwrap()
            .length(),
        1
    );
    assert!(HardChain::new(1.5, 1.0, 1.0, 1.0, 1e-12).is_err());
    assert!(HardChain::for_length(1.5, 1.0, 1.0, 1.0, 0).is_err());
    assert!(HardChain::for_length(1.5, 1.0, 1.0, 1.0, u64::MAX).is_err());
    assert!(HardChain::for_horizon(1.5, 1.0, 1.0, 1.0, u64::MAX).is_err());
    for bad in [0.0, -1.0, f64::INFINITY, f64::NAN] {
        assert!(HardChain::for_length(1.5, bad, 1.0, 1.0, 5).is_err());
        assert!(HardChain::for_length(1.5, 1.0, bad, 1.0, 5).is_err());
        assert!(HardChain::for_length(1.5, 1.0, 1.0, bad, 5).is_err());
        assert!(HardChain::new(1.5, 1.0, 1.0, 1e6, bad).is_err());
        assert!(moment_exact(1.5, bad).is_err() && moment_bound(1.5, bad).is_err());
    }
    for alpha in [1.0, 2.1] {
        assert!(HardChain::for_length(alpha, 1.0, 1.0, 1.0, 5).is_err());
        assert!(HardChain::new(alpha, 1.0, 1.0, 1e6, 1.0).is_err());
        assert!(moment_exact(alpha, 0.5).is_err() && moment_bound(alpha, 0.5).is_err());
    }
}
