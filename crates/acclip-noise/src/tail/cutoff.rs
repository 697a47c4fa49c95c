//! The power law with an exponential cut-off on u ≥ 1: normaliser, moments, fit.
//!
//! ```text
//! C(a, λ) = ∫₁^∞ u^{−a} e^{−λ(u−1)} du = ∫₀^∞ exp((1 − a) w − λ (e^w − 1)) dw
//! ```
//!
//! for all real a and λ > 0, by Gauss's rule with 8 points on 96 stretches of the range in which
//! the integrand is above e^{−60} of its largest value. The likelihood is concave in (a, λ), and its maximum is
//! where the means of w = ln u and u are those of the data.

/// ln C with the means and covariances of w and u.
pub(crate) struct CutoffMoments {
    pub(crate) ln_mass: f64,
    mean: [f64; 2],
    /// Var w, Cov(w, u), Var u.
    covariance: [f64; 3],
}

/// Nodes and weights of Gauss's rule with 8 points on (−1, 1), positive half.
const GAUSS: [(f64, f64); 4] = [
    (0.183_434_642_495_649_8, 0.362_683_783_378_362),
    (0.525_532_409_916_329, 0.313_706_645_877_887_3),
    (0.796_666_477_413_626_7, 0.222_381_034_453_374_5),
    (0.960_289_856_497_536_2, 0.101_228_536_290_376_26),
];

/// Stretches of the range.
const STRETCHES: usize = 96;

/// Moments of the law with density ∝ u^{−`exponent`} e^{−`rate` u} on u ≥ 1.
pub(crate) fn moments(exponent: f64, rate: f64) -> CutoffMoments {
    let log = |w: f64| (1.0 - exponent) * w - rate * w.exp_m1();
    // The integrand has one maximum, at e^w = (1 − a)/λ or at 0.
    let peak = ((1.0 - exponent) / rate).max(1.0).ln();
    let top = log(peak);
    // Where it has fallen to e^{−60}, on either side: it is log-concave.
    let fallen = |mut near: f64, mut far: f64| {
        for _ in 0..60 {
            let middle = near.midpoint(far);
            if log(middle) > top - 60.0 {
                near = middle;
            } else {
                far = middle;
            }
        }
        far
    };
    let mut step = 1.0;
    while log(peak + step) > top - 60.0 {
        step *= 2.0;
    }
    let end = fallen(peak, peak + step);
    let start = if log(0.0) > top - 60.0 {
        0.0
    } else {
        fallen(peak, 0.0)
    };

    let half = (end - start) / (2.0 * STRETCHES as f64);
    let reference = peak.exp();
    let mut sums = [0.0; 6];
    for i in 0..STRETCHES {
        let centre = start + half * (2 * i + 1) as f64;
        for (node, weight) in GAUSS {
            for w in [centre - half * node, centre + half * node] {
                let mass = weight * half * (log(w) - top).exp();
                let (dw, du) = (w - peak, w.exp() - reference);
                for (sum, term) in sums
                    .iter_mut()
                    .zip([1.0, dw, du, dw * dw, dw * du, du * du])
                {
                    *sum += mass * term;
                }
            }
        }
    }
    let [mass, w, u, ww, wu, uu] = sums;
    let (w, u) = (w / mass, u / mass);
    CutoffMoments {
        ln_mass: mass.ln() + top,
        mean: [peak + w, reference + u],
        covariance: [ww / mass - w * w, wu / mass - w * u, uu / mass - u * u],
    }
}

/// (a, λ) with the given means of ln u and u; `None` if the best λ is 0.
pub(crate) fn fit(mean_log: f64, mean: f64) -> Option<(f64, f64)> {
    // At λ = 0 the slope in λ is E u − mean u, where E u = α/(α − 1).
    let alpha = 1.0 / mean_log;
    if alpha > 1.0 && mean >= alpha / (alpha - 1.0) {
        return None;
    }
    // ln L per value, with λ = e^s.
    let value = |a: f64, rate: f64| -a * mean_log - rate * (mean - 1.0) - moments(a, rate).ln_mass;
    let (mut a, mut rate) = (1.0 + 0.5 * alpha, 0.5 / (mean - 1.0).max(1e-300));
    let mut best = value(a, rate);
    for _ in 0..500 {
        let m = moments(a, rate);
        let score = [m.mean[0] - mean_log, m.mean[1] - mean];
        let [p, q, r] = m.covariance;
        let determinant = p * r - q * q;
        let da = (r * score[0] - q * score[1]) / determinant;
        let dr = (p * score[1] - q * score[0]) / determinant;
        if !(da.is_finite() && dr.is_finite()) {
            return None;
        }
        let mut share = 1.0;
        let moved = loop {
            // λ stays positive: at most nine tenths of it are taken away at once.
            let next = (a + share * da, (rate + share * dr).max(0.1 * rate));
            let found = value(next.0, next.1);
            if found >= best - 1e-15 * best.abs() {
                best = found;
                let moved = (next.0 - a).abs() / (1.0 + a.abs()) + (next.1 - rate).abs() / rate;
                (a, rate) = next;
                break moved;
            }
            share /= 2.0;
            if share < 1e-12 {
                break 0.0;
            }
        };
        if moved < 1e-12 {
            break;
        }
        if rate < 1e-12 {
            return None;
        }
    }
    Some((a, rate))
}
