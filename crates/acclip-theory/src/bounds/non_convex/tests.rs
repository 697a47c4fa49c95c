use super::*;
use crate::bounds::laws::{Generator, Law, clip, close, distance, length};

const ALPHAS: [f64; 5] = [1.05, 1.2, 1.5, 1.8, 2.0];

#[test]
fn values_by_hand() {
    // α = 3/2: 3α − 2 = 5/2, exponents 2/5 and 6/5. F0 L/K = 1/32, σ = 32: 8·96^{3/2}/32 + 40·64/4.
    let theorem = NonConvex::new(1.5, 32.0, 0.5, 4.0).unwrap();
    assert!(close(theorem.bound(64), 96_f64.powf(1.5) / 4.0 + 640.0));
    assert!(close(theorem.exponent(), 0.2));
    // τ* = 32·(32²·32)^{2/5} = 32·64; below 96σ = 3072.
    assert!(close(theorem.threshold(64), 3072.0));
    assert!(close(theorem.learning_rate(64), 96_f64.powf(-1.5) / 0.5));
    let (tau, rate) = theorem.scaled(64, 0.25).unwrap();
    assert!(close(tau, 512.0) && close(rate, 2.0 / 64.0));
    // K 2^{10} times as large: τ* = 2048·16.
    assert!(close(theorem.threshold(64 * 1024), 32_768.0));
    // α = 2, all ones, η = τ^{−2} = 96^{−2} and K = 96²: 8 + 16/96² + 16/96².
    let theorem = NonConvex::new(2.0, 1.0, 1.0, 1.0).unwrap();
    let terms = theorem
        .terms_at(9216, theorem.learning_rate(9216), 96.0)
        .unwrap();
    assert!(
        close(terms.descent, 8.0)
            && close(terms.variance, 16.0 / 9216.0)
            && close(terms.bias, 16.0 / 9216.0)
    );
    // And 8·96²/10⁴ + 40/100; √ and /τ = 10⁴^{1/4} → 96.
    assert!(close(theorem.bound(10_000), 7.3728 + 0.4));
    assert!(close(
        theorem.gradient_norm_bound(10_000),
        7.7728_f64.sqrt() + 7.7728 / 96.0
    ));
    // α = 3/2, σ = 4, L = 3, F0 = 5, τ = 400 = 100σ, η = 10^{−3}/3: σ^α τ^{1/2} = 160, σ^{2α}/τ = 0.16.
    let theorem = NonConvex::new(1.5, 4.0, 3.0, 5.0).unwrap();
    let terms = theorem.terms_at(100, 0.000_3, 400.0).unwrap();
    assert!(close(terms.descent, 40.0 / 0.03) && close(terms.variance, 16.0 * 0.000_9 * 160.0));
    assert!(close(terms.bias, 2.56));
    assert!(close(
        theorem.bound_at(100, 0.000_3, 400.0).unwrap(),
        terms.total()
    ));
}

#[test]
fn the_prescribed_step_and_threshold_give_the_final_form() {
    let mut rng = Generator(2);
    for alpha in ALPHAS {
        for _ in 0..500 {
            let (sigma, smoothness) = (rng.decade(-2.0, 2.0), rng.decade(-2.0, 2.0));
            let theorem = NonConvex::new(alpha, sigma, smoothness, rng.decade(-2.0, 2.0)).unwrap();
            let k = rng.decade(0.0, 18.0) as u64;
            let (rate, tau) = (theorem.learning_rate(k), theorem.threshold(k));
            let terms = theorem.terms_at(k, rate, tau).unwrap();
            assert!(terms.total() <= theorem.bound(k) * (1.0 + 1e-12));
            assert!(close(terms.variance, terms.bias));
            if tau > GUARD * sigma {
                assert!(close(terms.bias, 2.0 * terms.descent));
                // The sum is the second term of the final form.
                let first = 8.0 * GUARD.powf(alpha) * theorem.initial_gap * smoothness / k as f64;
                assert!(close(first + terms.total(), theorem.bound(k)));
            } else {
                assert!(terms.descent <= theorem.bound(k));
            }
        }
    }
}

#[test]
fn the_final_form_is_reached_for_many_steps() {
    // 8·96^α F0 L/K is then the smaller part.
    for alpha in ALPHAS {
        let theorem = NonConvex::new(alpha, 1.0, 1.0, 1.0).unwrap();
        let k = u64::MAX;
        let (rate, tau) = (theorem.learning_rate(k), theorem.threshold(k));
        let ratio = theorem.bound_at(k, rate, tau).unwrap() / theorem.bound(k);
        assert!(ratio > 0.999 && ratio <= 1.0 + 1e-12, "{alpha}: {ratio}");
        // The slopes, over a factor 16.
        let slope = (theorem.bound(k / 16) / theorem.bound(k)).ln() / 16_f64.ln();
        assert!(
            (slope - 2.0 * theorem.exponent()).abs() < 1e-3,
            "{alpha}: {slope}"
        );
        let slope = (theorem.gradient_norm_bound(k / 16) / theorem.gradient_norm_bound(k)).ln()
            / 16_f64.ln();
        assert!(
            (slope - theorem.exponent()).abs() < 1e-2,
            "{alpha}: {slope}"
        );
    }
}

/// The descent of each case of the proof, exactly, on random laws; f = (L/2)‖x‖², for which the descent lemma is an
/// equality.
#[test]
fn one_step_descends_as_the_proof_says() {
    let mut rng = Generator(3);
    let (mut inner, mut outer) = (0, 0);
    for _ in 0..5000 {
        let (dim, alpha) = (rng.whole(1, 5), rng.between(1.01, 2.0));
        let smoothness = rng.decade(-1.0, 1.0);
        let centred = rng.law(dim).centred(&vec![0.0; dim]);
        let sigma = centred.expect(|e| length(e).powf(alpha)).powf(1.0 / alpha);
        if sigma < 1e-6 {
            continue;
        }
        let tau = GUARD * sigma * rng.decade(0.0, 1.0);
        let norm = tau * rng.decade(-4.0, 1.0);
        let gradient: Vec<f64> = rng.direction(dim).iter().map(|x| x * norm).collect();
        let theorem = NonConvex::new(alpha, sigma, smoothness, 1.0).unwrap();
        let (rate, change) = one_step(&theorem, &centred.centred(&gradient), &gradient, tau);
        let norm = length(&gradient);
        let terms = theorem.terms_at(1, rate, tau).unwrap();
        let allowed = if norm <= 0.5 * tau {
            inner += 1;
            rate * ((terms.variance + terms.bias) / 8.0 - 0.25 * norm * norm)
        } else {
            outer += 1;
            -rate * tau * norm / 8.0
        };
        assert!(change <= allowed, "{change} {allowed}");
    }
    assert!(inner > 1000 && outer > 500, "{inner} {outer}");
    // At the optimum, with noise 0 or ±τ, f grows by (L/2)η² E‖ĝ‖² = (L/2)η²σ^α τ^{2−α}: a quarter of the variance's
    // 2Lη²σ^α τ^{2−α}, and an eighth of all, since variance and bias are equal at the largest step.
    for alpha in ALPHAS {
        let (tau, p) = (50.0, 96_f64.powf(-alpha));
        let law = Law(vec![
            (p / 2.0, vec![tau]),
            (p / 2.0, vec![-tau]),
            (1.0 - p, vec![0.0]),
        ]);
        let sigma = p.powf(1.0 / alpha) * tau * (1.0 - 1e-15);
        let theorem = NonConvex::new(alpha, sigma, 0.7, 1.0).unwrap();
        let (rate, change) = one_step(&theorem, &law, &[0.0], tau);
        let terms = theorem.terms_at(1, rate, tau).unwrap();
        assert!(close(change, rate / 8.0 * terms.variance / 4.0));
        assert!(close(
            change,
            rate / 8.0 * (terms.variance + terms.bias) / 8.0
        ));
    }
}

/// The largest admissible step, and E f(x₊) − f(x) with it, for f = (L/2)‖x‖².
fn one_step(theorem: &NonConvex, law: &Law, gradient: &[f64], tau: f64) -> (f64, f64) {
    let rate = theorem.largest_learning_rate(tau);
    // −η⟨∇f, ĝ⟩ + (L/2) η² ‖ĝ‖².
    let change = |g: &[f64]| {
        let clipped = clip(g, tau);
        let along: f64 = clipped.iter().zip(gradient).map(|(g, x)| g * x).sum();
        rate * (0.5 * theorem.smoothness * rate * length(&clipped).powi(2) - along)
    };
    (rate, law.expect(change))
}

/// The numbers of the second case of the proof: 0.249, and 96 close to where 1/8 is lost.
#[test]
fn the_guard_is_what_the_proof_needs() {
    let kept = (15.0_f64 / 16.0).sqrt() * 0.375;
    assert!(kept > 0.363);
    let left = |guard: f64| {
        let wrong = 8.0 / guard;
        kept * (1.0 - wrong) - wrong - 1.0 / guard
    };
    assert!(
        left(GUARD) > 0.125 && left(48.0) < 0.125,
        "{} {}",
        left(GUARD),
        left(48.0)
    );
    // The worst law: noise of length τ/8 or less turns g by at most 90° − acos(1/4); longer noise reverses it.
    let gradient = [1.0, 0.0];
    let g = [15.0 / 16.0, 15_f64.sqrt() / 16.0];
    assert!((distance(&g, &gradient) - 0.25).abs() < 1e-12);
    assert!((g[0] / length(&g) - (15.0_f64 / 16.0).sqrt()).abs() < 1e-12);
}

#[test]
fn the_printed_threshold_leaves_a_bias() {
    for alpha in ALPHAS {
        let theorem = NonConvex::new(alpha, 0.1, 2.0, 3.0).unwrap();
        let printed = |k| (GUARD * theorem.sigma).max(theorem.printed_threshold_term(k));
        let bound = |k, tau: f64| {
            theorem
                .terms_at(k, theorem.largest_learning_rate(tau), tau)
                .unwrap()
        };
        let mut term = f64::INFINITY;
        for exponent in 3..19 {
            let k = 10_u64.pow(exponent);
            // The term falls; it is a step size.
            assert!(theorem.printed_threshold_term(k) < term);
            term = theorem.printed_threshold_term(k);
            let (tau, rate) = theorem.scaled(k, 1.0).unwrap();
            assert!(close(
                term,
                (theorem.sigma / tau).powf(alpha) / theorem.smoothness
            ));
            assert!(close(term, rate));
            // So τ is a constant, and the bound stays above a bias that does not depend on k.
            assert_eq!(printed(k), GUARD * theorem.sigma);
            let floor = 16.0 * (96_f64.powf(1.0 - alpha) * theorem.sigma).powi(2);
            assert!(
                close(bound(k, printed(k)).bias, floor) && bound(k, printed(k)).total() > floor
            );
        }
        // With the corrected threshold it vanishes.
        let vanished = |k| bound(k, theorem.threshold(k)).bias;
        let factor = 1e5_f64.powf(-2.0 * theorem.exponent());
        let (early, late) = (vanished(10_u64.pow(14)), vanished(10_u64.pow(19)));
        assert!(close(late / early, factor), "{alpha}");
    }
    // (3/(0.01·100))^{3/5}/2^{2/5} by hand, at α = 3/2.
    let theorem = NonConvex::new(1.5, 0.1, 2.0, 3.0).unwrap();
    assert!(close(
        theorem.printed_threshold_term(100),
        3_f64.powf(0.6) / 2_f64.powf(0.4)
    ));
}

#[test]
fn what_is_not_admissible_is_refused() {
    let theorem = NonConvex::new(1.5, 1.0, 2.0, 1.0).unwrap();
    let largest = 1000.0 / 2.0 * 100_f64.powf(-1.5) / 1000.0;
    assert!(theorem.bound_at(10, largest * 0.999, 100.0).is_ok());
    assert!(theorem.bound_at(10, largest * 1.001, 100.0).is_err());
    assert!(theorem.bound_at(10, 1e-6, 96.0).is_ok() && theorem.bound_at(10, 1e-6, 95.9).is_err());
    for bad in [0.0, -1.0, f64::INFINITY, f64::NAN] {
        assert!(
            theorem.bound_at(10, bad, 100.0).is_err() && theorem.bound_at(10, 1e-6, bad).is_err()
        );
        assert!(theorem.scaled(10, bad).is_err());
        assert!(NonConvex::new(1.5, bad, 1.0, 1.0).is_err());
        assert!(NonConvex::new(1.5, 1.0, bad, 1.0).is_err());
        assert!(NonConvex::new(1.5, 1.0, 1.0, bad).is_err());
    }
    assert!(
        NonConvex::new(1.0, 1.0, 1.0, 1.0).is_err() && NonConvex::new(2.1, 1.0, 1.0, 1.0).is_err()
    );
}
