//! Stable laws against golden files in `reference/noise/`, each of which names its generator.

use acclip_noise::stable::{S0, Stable};
use serde::Deserialize;

/// Accuracy stated in the documentation of `acclip_noise::stable`.
const RELATIVE: f64 = 1e-11;
/// What SciPy's `levy_stable` reaches at these points, relative.
const SCIPY: f64 = 1e-12;
/// What R's `stabledist` reaches: relative for the density, absolute for the distribution function
/// (where it is 5e-7 off at every second point; mpmath and SciPy side with us).
const R_PDF: f64 = 1e-13;
const R_CDF: f64 = 6e-7;

/// Region, α, β, x, ln f, f, F, 1 − F.
type Row = (String, f64, f64, f64, f64, f64, f64, f64);

#[derive(Deserialize)]
struct Golden {
    generator: String,
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Peer {
    rows: Vec<(f64, f64, f64, f64, f64)>,
}

fn law(alpha: f64, beta: f64) -> Stable {
    Stable::try_from(S0 {
        alpha,
        beta,
        scale: 1.0,
        location: 0.0,
    })
    .unwrap()
}

/// |found − expected| / |expected|; infinite if the expected value is 0 and missed.
fn relative(found: f64, expected: f64) -> f64 {
    if found == expected {
        0.0
    } else {
        (found - expected).abs() / expected.abs()
    }
}

#[test]
fn comparison_rejects() {
    assert_eq!(relative(1e-300, 0.0), f64::INFINITY);
    assert!(relative(f64::NAN, 1.0).is_nan());
    assert!(relative(1.0 + 2.0 * RELATIVE, 1.0) > RELATIVE);
}

/// reference/noise/stable_mpmath.py: characteristic function, 50 digits and more.
#[test]
fn characteristic_function_inverted_at_50_digits() {
    let golden: Golden =
        serde_json::from_str(include_str!("../../../reference/noise/stable_mpmath.json")).unwrap();
    assert_eq!(golden.generator, "stable_mpmath.py");
    assert!(golden.rows.len() == 891);
    for (region, alpha, beta, x, log_pdf, pdf, cdf, sf) in golden.rows {
        let law = law(alpha, beta);
        let errors = [
            ("pdf", law.pdf(x), pdf),
            ("log_pdf", law.log_pdf(x), log_pdf),
            ("cdf", law.cdf(x), cdf),
            ("sf", law.sf(x), sf),
        ];
        for (name, found, expected) in errors {
            // Below 1e-300 f64 has fewer digits.
            if expected.abs() > 1e-300 {
                assert!(
                    relative(found, expected) <= RELATIVE,
                    "{region}: {name}({x}) at alpha {alpha}, beta {beta} is {found:e}, not {expected:e}"
                );
            }
        }
    }
}

/// reference/noise/stable_scipy.py, moderate points.
#[test]
fn scipy_at_moderate_points() {
    let peer: Peer =
        serde_json::from_str(include_str!("../../../reference/noise/stable_scipy.json")).unwrap();
    assert_eq!(peer.rows.len(), 48);
    for (alpha, beta, x, pdf, cdf) in peer.rows {
        let law = law(alpha, beta);
        for (found, expected) in [(law.pdf(x), pdf), (law.cdf(x), cdf)] {
            assert!(
                relative(found, expected) <= SCIPY,
                "alpha {alpha}, beta {beta}, x {x}: {found:e} is not {expected:e}"
            );
        }
    }
}

/// reference/noise/stable_r.R, moderate points.
#[test]
fn r_at_moderate_points() {
    let peer: Peer =
        serde_json::from_str(include_str!("../../../reference/noise/stable_r.json")).unwrap();
    assert_eq!(peer.rows.len(), 64);
    for (alpha, beta, x, pdf, cdf) in peer.rows {
        let law = law(alpha, beta);
        assert!(
            relative(law.pdf(x), pdf) <= R_PDF,
            "pdf({x}) at {alpha}, {beta}"
        );
        assert!(
            (law.cdf(x) - cdf).abs() <= R_CDF,
            "cdf({x}) at {alpha}, {beta}"
        );
    }
}
