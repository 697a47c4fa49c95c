//! What the paper says of ACClip.

use super::{LEN, direction, problem};
use crate::common::*;

#[test]
fn acclip_with_a_huge_threshold_is_momentum_sgd() {
    // m is then SGD's, times 1 − β1 = ½, which binary fractions hold exactly.
    let acclip = make("acclip-paper", "beta1 = 0.5, beta2 = 0.999");
    let sgd = make("sgd-momentum", "momentum = 0.5");
    let (layout, problem) = (one_block(LEN), problem(1.0));
    let mut state = init_with(&acclip, &layout, "tau_alpha", &[1e200; LEN]);
    let mut expected = sgd.init(&layout);
    for grad in &problem.grads {
        let (u, _) = direction(&acclip, &layout, grad, &mut state);
        let (twice, _) = direction(&sgd, &layout, grad, &mut expected);
        assert_eq!(u.iter().map(|u| 2.0 * u).collect::<Vec<_>>(), twice);
    }
}

#[test]
fn acclip_clips_the_momentum() {
    let layout = one_block(LEN);
    for alpha in [0.5, 1.0, 1.5, 2.0] {
        for corrected in [false, true] {
            let what = format!("alpha {alpha}, corrected {corrected}");
            let line = format!("alpha = {alpha}, bias_correction = {corrected}");
            let optimizer = make("acclip-paper", &line);
            let mut state = optimizer.init(&layout);
            let mut clipped_ever = 0.0;
            for (t, grad) in problem(1.0).grads.iter().enumerate() {
                let (u, clipped) = direction(&optimizer, &layout, grad, &mut state);
                clipped_ever += clipped;
                let correct = |beta: f64| match corrected {
                    true => 1.0 / (1.0 - beta.powi(t as i32 + 1)),
                    false => 1.0,
                };
                let taus = slot(&state, "tau_alpha", &layout);
                for (i, m) in slot(&state, "m", &layout).iter().enumerate() {
                    let m = m * correct(0.9);
                    let tau = (taus[i] * correct(0.99)).powf(1.0 / alpha);
                    // |ĝ| ≤ min(|m|, τ) up to rounding, and not far below it: only ε lies between.
                    let bound = m.abs().min(tau);
                    assert!(u[i].abs() <= bound * (1.0 + 1e-14), "{what}, t {t}, {i}");
                    assert!(
                        u[i].abs() >= bound * m.abs() / (m.abs() + 1.1e-5),
                        "{what}, t {t}, {i}"
                    );
                    assert!(
                        u[i] * m >= 0.0 && (u[i] == 0.0) == (m == 0.0),
                        "{what}, t {t}, {i}"
                    );
                    // τ ≥ (1−β2)^{1/α} |g|
                    let floor = 0.01_f64.powf(1.0 / alpha) * grad[i].abs();
                    assert!(tau >= floor * (1.0 - 1e-12), "{what}, t {t}, {i}");
                }
            }
            // A corrected mean hardly exceeds a corrected root mean square.
            let clips = clipped_ever > 1.0 || (corrected && alpha == 2.0);
            assert!(clips, "{what}: the test never clipped");
        }
    }
}

#[test]
fn acclip_warms_up_on_a_constant_gradient_unless_corrected() {
    // α = 1, β2 > β1, ε = 0: ĝ_k = (1 − β2^k) g exactly; normalized, (1 − β2^k) sign(g). With the
    // correction there is nothing to warm up, for any α.
    let (layout, grad) = (one_block(2), [0.3_f64, -7.0]);
    let corrected = "eps = 0, alpha = 1.5, bias_correction = true";
    for (name, size) in [("acclip-paper", [0.3, 7.0]), ("acclip", [1.0, 1.0])] {
        for (line, warms_up) in [("eps = 0", true), (corrected, false)] {
            let optimizer = make(name, line);
            let mut state = optimizer.init(&layout);
            for k in 1..=200 {
                let (u, _) = direction(&optimizer, &layout, &grad, &mut state);
                let factor = if warms_up {
                    1.0 - 0.99_f64.powi(k)
                } else {
                    1.0
                };
                for i in 0..2 {
                    let expected = factor * size[i] * grad[i].signum();
                    let error = (u[i] - expected).abs() / expected.abs();
                    assert!(error <= 1e-13, "{name} {line}, k {k}: {u:?}");
                }
            }
        }
    }
}

#[test]
fn acclip_and_the_scale_of_the_loss() {
    // Powers of two: scaling is exact, so equivariance holds to the bit for α = 1 and 2.
    let (layout, up) = (one_block(LEN), 1024.0);
    for (name, factor) in [("acclip-paper", up), ("acclip", 1.0)] {
        for alpha in [1, 2] {
            let optimizer = make(name, &format!("alpha = {alpha}, eps = 0"));
            let [mut a, mut b] = [0; 2].map(|_| optimizer.init(&layout));
            for (one, large) in problem(1.0).grads.iter().zip(&problem(up).grads) {
                let (expected, _) = direction(&optimizer, &layout, one, &mut a);
                let (u, _) = direction(&optimizer, &layout, large, &mut b);
                assert_eq!(
                    u,
                    expected.iter().map(|u| factor * u).collect::<Vec<_>>(),
                    "{name}"
                );
            }
        }
    }
}

#[test]
fn normalized_acclip_is_bounded() {
    let layout = one_block(LEN);
    for alpha in [0.7, 1.0, 1.5, 2.0] {
        for corrected in [false, true] {
            let line = format!("alpha = {alpha}, eps = 0, bias_correction = {corrected}");
            let optimizer = make("acclip", &line);
            let mut state = optimizer.init(&layout);
            for t in 0..200 {
                let grad: Vec<f64> = (0..LEN as u64).map(|i| gradient(i, t)).collect();
                let (u, _) = direction(&optimizer, &layout, &grad, &mut state);
                let bound = match corrected {
                    true => 1.0,
                    false => (1.0 - 0.99_f64.powi(t as i32 + 1)).powf(1.0 / alpha),
                };
                assert!(
                    u.iter().all(|u| u.abs() <= bound * (1.0 + 1e-12)),
                    "{line}, t {t}"
                );
            }
        }
    }
}

#[test]
fn the_threshold_grows_with_alpha() {
    let mut previous = vec![0.0; LEN];
    for alpha in [0.5, 1.0, 1.3, 2.0] {
        let optimizer = make("acclip-paper", &format!("alpha = {alpha}"));
        let run = run::<f64, f64>(&optimizer, &problem(1.0));
        let tau = slot(&run.state, "tau_alpha", &one_block(LEN));
        let tau: Vec<f64> = tau.iter().map(|x| x.powf(1.0 / alpha)).collect();
        let grows = tau.iter().zip(&previous).all(|(now, before)| now > before);
        assert!(grows, "alpha {alpha}");
        previous = tau;
    }
}
