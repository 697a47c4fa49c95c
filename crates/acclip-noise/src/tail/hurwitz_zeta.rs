//! Hurwitz's zeta function and its derivatives in s, scaled so that nothing under- or overflows.
//!
//! ```text
//! ζ(s, q) = Σ_{k≥0} (q + k)^{−s}            Z(s, q) = q^s ζ(s, q)            s > 1, q ≥ 1
//! ```
//!
//! by the Euler–Maclaurin formula: N terms, so that a = q + N ≥ s + 12 (or until they vanish),
//! then
//!
//! ```text
//! Z = Σ_{k<N} (1 + k/q)^{−s} + (a/q)^{−s} G,
//! G = a/(s − 1) + 1/2 + Σⱼ B₂ⱼ/(2j)! · s (s + 1) ⋯ (s + 2j − 2) / a^{2j−1}       j = 1 … 8
//! ```
//!
//! Relative error at most 1e-13 for Z, Z′ and Z″ against mpmath, for 1.01 ≤ s ≤ 60 and
//! 1 ≤ q ≤ 10¹² (see `tests/tail_golden.rs`, through the fit; and the test below).

/// B₂ⱼ/(2j)!, j = 1 … 8.
const COEFFICIENTS: [f64; 8] = [
    1.0 / 12.0,
    -1.0 / 720.0,
    1.0 / 30_240.0,
    -1.0 / 1_209_600.0,
    1.0 / 47_900_160.0,
    -691.0 / 1_307_674_368_000.0,
    1.0 / 74_724_249_600.0,
    -3617.0 / 10_670_622_842_880_000.0,
];

/// [Z, ∂Z/∂s, ∂²Z/∂s²] for `s` > 1 and `q` ≥ 1.
pub(crate) fn scaled_zeta(s: f64, q: f64) -> [f64; 3] {
    let terms = (s + 12.0 - q).ceil().max(0.0);
    let mut z = [0.0; 3];
    let mut k = 0.0;
    while k < terms {
        let ln = (k / q).ln_1p();
        let term = (-s * ln).exp();
        z[0] += term;
        z[1] -= ln * term;
        z[2] += ln * ln * term;
        k += 1.0;
        // For s far above q the terms vanish long before: no tail is left.
        if k > 2.0 && ln * ln * term <= 1e-18 * z[2] {
            return z;
        }
    }
    // G and its derivatives; `rising` is s (s + 1) ⋯ (s + 2j − 2) / a^{2j−1}, whose logarithmic
    // derivative is h1 = Σ 1/(s + i) and whose second derivative is rising (h1² − h2).
    let a = q + terms;
    let mut g = [
        a / (s - 1.0) + 0.5,
        -a / (s - 1.0).powi(2),
        2.0 * a / (s - 1.0).powi(3),
    ];
    let (mut rising, mut h1, mut h2) = (s / a, 1.0 / s, 1.0 / (s * s));
    for (j, coefficient) in (1..).zip(COEFFICIENTS) {
        let term = coefficient * rising;
        g[0] += term;
        g[1] += term * h1;
        g[2] += term * (h1 * h1 - h2);
        for i in [2 * j - 1, 2 * j] {
            let factor = s + f64::from(i);
            rising *= factor / a;
            h1 += 1.0 / factor;
            h2 += 1.0 / (factor * factor);
        }
    }
    // (a/q)^{−s} G by the product rule.
    let ln = (terms / q).ln_1p();
    let power = (-s * ln).exp();
    z[0] += power * g[0];
    z[1] += power * (g[1] - ln * g[0]);
    z[2] += power * (g[2] - 2.0 * ln * g[1] + ln * ln * g[0]);
    z
}

/// ζ(s, x)/ζ(s, q): the chance of at least `x` under the law on q, q + 1, …, given Z(s, q).
pub(crate) fn survival(s: f64, q: f64, z_at_q: f64, x: f64) -> f64 {
    (-s * (x / q).ln()).exp() * scaled_zeta(s, x)[0] / z_at_q
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bound of the module doc.
    const RELATIVE: f64 = 1e-13;

    /// Golden values: reference/noise/tail_golden.py, by mpmath with 40 digits.
    #[test]
    fn values_and_derivatives() {
        let golden = include_str!("../../../../reference/noise/tail_golden.json");
        let golden: serde_json::Value = serde_json::from_str(golden).unwrap();
        let cases = golden["zeta"].as_array().unwrap();
        assert_eq!(cases.len(), 42);
        for case in cases {
            let [s, q] = ["s", "q"].map(|key| case[key].as_f64().unwrap());
            for (n, found) in scaled_zeta(s, q).into_iter().enumerate() {
                let expected = case["z"][n].as_f64().unwrap();
                let error = (found / expected - 1.0).abs();
                assert!(error < RELATIVE, "s {s}, q {q}, derivative {n}: {error}");
            }
        }
    }

    /// ζ(s, x) − ζ(s, x + 1) = x^{−s}, so survival falls by the probability of x.
    #[test]
    fn survival_falls_by_one_probability() {
        let z = scaled_zeta(2.5, 3.0)[0];
        assert_eq!(survival(2.5, 3.0, z, 3.0), 1.0);
        for x in [3.0_f64, 4.0, 17.0, 400.0] {
            let fall = survival(2.5, 3.0, z, x) - survival(2.5, 3.0, z, x + 1.0);
            let probability = (x / 3.0).powf(-2.5) / z;
            assert!((fall / probability - 1.0).abs() < 1e-9, "{x}");
        }
    }
}
