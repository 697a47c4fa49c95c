//! Properties of stable laws that need no golden file.

use acclip_noise::Error;
use acclip_noise::stable::{S0, S1, Stable};

const ALPHAS: [f64; 16] = [
    1e-3,
    0.05,
    0.3,
    0.7,
    0.99,
    1.0 - 1e-6,
    1.0 - 1e-13,
    1.0,
    1.0 + 1e-13,
    1.0 + 1e-6,
    1.01,
    1.4,
    1.8,
    1.99,
    2.0 - 1e-10,
    2.0,
];
const BETAS: [f64; 9] = [
    -1.0,
    -1.0 + 1e-12,
    -0.5,
    -1e-9,
    0.0,
    1e-300,
    0.3,
    0.999,
    1.0,
];
const POINTS: [f64; 15] = [
    0.0, 5e-324, 1e-300, 1e-20, 1e-6, 0.3, 1.0, 4.0, 30.0, 1e4, 1e10, 1e19, 1e21, 1e150, 1e308,
];

fn law(alpha: f64, beta: f64) -> Stable {
    Stable::try_from(S0 {
        alpha,
        beta,
        scale: 1.0,
        location: 0.0,
    })
    .unwrap()
}

/// 1 − F has its own integral, so the sum is a check of both.
#[test]
fn probabilities_add_up_to_one_everywhere() {
    for alpha in ALPHAS {
        for beta in BETAS {
            let law = law(alpha, beta);
            for x in POINTS.into_iter().flat_map(|x| [x, -x]) {
                let (cdf, sf) = (law.cdf(x), law.sf(x));
                let to_zeta = (x + beta * (0.5 * std::f64::consts::PI * alpha).tan()).abs();
                if alpha < 0.01 && to_zeta > 0.0 && to_zeta < 1e-290 {
                    continue; // stated in the documentation
                }
                let case = format!("alpha {alpha:?}, beta {beta:?}, x {x:e}: {cdf} + {sf}");
                assert!(
                    (0.0..=1.0).contains(&cdf) && (0.0..=1.0).contains(&sf),
                    "{case}"
                );
                assert!((cdf + sf - 1.0).abs() < 1e-11, "{case}");
                let (pdf, log_pdf) = (law.pdf(x), law.log_pdf(x));
                assert!(pdf >= 0.0 && log_pdf < 6e3, "{case}: {pdf}, {log_pdf}");
            }
        }
    }
}

/// The law of −X has −β.
#[test]
fn reflection() {
    for alpha in ALPHAS {
        for beta in BETAS {
            for x in POINTS {
                let (law, mirrored) = (law(alpha, beta), law(alpha, -beta));
                let (left, right) = (law.cdf(x), mirrored.sf(-x));
                assert!(
                    (left - right).abs() <= 1e-15 * left,
                    "{alpha} {beta:e} {x:e} {left} {right}"
                );
                assert_eq!(law.log_pdf(-x), mirrored.log_pdf(x));
            }
        }
    }
}

/// (F(x + h) − F(x − h))/2h = f(x) + O(h²).
#[test]
fn density_is_the_derivative() {
    for alpha in [0.3, 0.99, 1.0, 1.0 + 1e-9, 1.3, 1.9] {
        for beta in [-1.0, -0.3, 0.0, 0.8] {
            let law = law(alpha, beta);
            for x in [-1.7, 0.4, 3.0] {
                let h = 1e-4;
                let slope = (law.cdf(x + h) - law.cdf(x - h)) / (2.0 * h);
                assert!((slope - law.pdf(x)).abs() < 1e-6, "{alpha} {beta} {x}");
            }
        }
    }
}

#[test]
fn closed_forms() {
    let pi = std::f64::consts::PI;
    for x in [1e-3, 0.2, 1.0, 5.0, 200.0_f64] {
        // Cauchy, normal with variance 2, Lévy (S1).
        let close = |found: f64, expected: f64| {
            assert!(
                (found - expected).abs() <= 1e-13 * expected,
                "{x}: {found:e} {expected:e}"
            );
        };
        close(law(1.0, 0.0).pdf(x), 1.0 / (pi * (1.0 + x * x)));
        close(law(1.0, 0.0).sf(x), (1.0 / x).atan() / pi);
        close(
            law(2.0, 0.7).log_pdf(x).abs(),
            (x * x / 4.0 + (2.0 * pi.sqrt()).ln()).abs(),
        );
        let levy = Stable::try_from(S1 {
            alpha: 0.5,
            beta: 1.0,
            scale: 1.0,
            location: 0.0,
        })
        .unwrap();
        let expected = (-0.5 / x).exp() / (2.0 * pi * x.powi(3)).sqrt();
        assert!((levy.pdf(x) - expected).abs() <= 1e-12 * expected, "{x}");
        assert_eq!((levy.pdf(-x), levy.cdf(-x), levy.sf(-x)), (0.0, 0.0, 1.0));
    }
}

/// F(quantile(p)) = p to 1e-12 of the smaller tail, but for the rounding of the quantile itself.
/// One-sided laws in S1, because in S0 many of their quantiles are within a few roundings of ζ.
#[test]
fn quantile_inverts() {
    for alpha in [
        0.1,
        0.5,
        0.9,
        1.0 - 1e-9,
        1.0,
        1.0 + 1e-5,
        1.2,
        1.7,
        1.999,
        2.0,
    ] {
        for beta in [-1.0, -0.4, 0.0, 0.9, 1.0] {
            for p in [1e-12, 1e-3, 0.2, 0.5, 0.51, 0.9, 1.0 - 1e-6] {
                let one_sided = Stable::try_from(S1 {
                    alpha,
                    beta,
                    scale: 1.0,
                    location: 0.0,
                });
                let in_s1 = alpha <= 0.9 && beta.abs() == 1.0;
                let law = if in_s1 {
                    one_sided.unwrap()
                } else {
                    law(alpha, beta)
                };
                let x = law.quantile(p).unwrap();
                let (found, tail) = if p > 0.5 {
                    (law.sf(x), 1.0 - p)
                } else {
                    (law.cdf(x), p)
                };
                let rounding = law.pdf(x) * x.abs() * f64::EPSILON;
                assert!(
                    (found - tail).abs() <= 1e-12 * tail + 2.0 * rounding,
                    "alpha {alpha}, beta {beta}, p {p}: {x:e} gives {found:e}, not {tail:e}"
                );
            }
        }
    }
}

#[test]
fn quantiles_at_the_ends() {
    let one_sided = law(0.5, 1.0);
    assert!((one_sided.quantile(0.0).unwrap() + 1.0).abs() < 1e-15);
    assert_eq!(one_sided.quantile(1.0), Ok(f64::INFINITY));
    assert_eq!(law(1.5, 1.0).quantile(0.0), Ok(f64::NEG_INFINITY));
    assert_eq!(law(0.01, 0.0).quantile(0.999_999_999), Ok(f64::INFINITY));
    for p in [-0.1, 1.1, f64::NAN] {
        assert!(matches!(
            law(1.5, 0.0).quantile(p),
            Err(Error::Parameter { name: "p", .. })
        ));
    }
}

#[test]
fn location_and_scale() {
    for alpha in [0.7, 1.0, 1.6] {
        let standard = law(alpha, 0.5);
        let s0 = S0 {
            alpha,
            beta: 0.5,
            scale: 3.0,
            location: -2.0,
        };
        let moved = Stable::try_from(s0).unwrap();
        let again = Stable::try_from(S1::from(s0)).unwrap();
        for x in [-4.0, 0.1, 2.5] {
            for law in [moved, again] {
                assert!((law.pdf(3.0 * x - 2.0) / (standard.pdf(x) / 3.0) - 1.0).abs() < 1e-13);
                assert!((law.cdf(3.0 * x - 2.0) / standard.cdf(x) - 1.0).abs() < 1e-13);
            }
        }
        let x = moved.quantile(0.3).unwrap();
        assert!((x - (3.0 * standard.quantile(0.3).unwrap() - 2.0)).abs() < 1e-12);
    }
}

#[test]
fn bad_input() {
    let good = S0 {
        alpha: 1.5,
        beta: 0.0,
        scale: 1.0,
        location: 0.0,
    };
    let nan = f64::NAN;
    let bad = [0.0, -1.0, 2.1, nan, f64::INFINITY].map(|alpha| S0 { alpha, ..good });
    assert!(bad.into_iter().all(|law| Stable::try_from(law).is_err()));
    let bad = [-1.1, 1.1, nan].map(|beta| S0 { beta, ..good });
    assert!(bad.into_iter().all(|law| Stable::try_from(law).is_err()));
    let bad = [0.0, -1.0, nan, f64::INFINITY].map(|scale| S0 { scale, ..good });
    assert!(bad.into_iter().all(|law| Stable::try_from(law).is_err()));
    let bad = [nan, f64::INFINITY].map(|location| S0 { location, ..good });
    assert!(bad.into_iter().all(|law| Stable::try_from(law).is_err()));
    for alpha in ALPHAS {
        let law = law(alpha, 0.5);
        assert!(law.pdf(nan).is_nan() && law.cdf(nan).is_nan() && law.sf(nan).is_nan());
        assert_eq!(
            (law.pdf(f64::INFINITY), law.log_pdf(f64::NEG_INFINITY)),
            (0.0, f64::NEG_INFINITY)
        );
        assert_eq!((law.cdf(f64::INFINITY), law.sf(f64::INFINITY)), (1.0, 0.0));
        assert_eq!(
            (law.cdf(f64::NEG_INFINITY), law.sf(f64::NEG_INFINITY)),
            (0.0, 1.0)
        );
    }
}
