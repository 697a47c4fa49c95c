//! Moments of the laws of noise, and what is refused.

mod golden;

use acclip_theory::noise::Law;
use golden::{golden, law, number};

/// Relative error allowed to a moment.
const RELATIVE: f64 = 1e-12;

#[test]
fn moments_are_those_of_quadrature_at_50_digits() {
    let mut worst: f64 = 0.0;
    let golden = golden();
    let rows = golden["moments"].as_array().unwrap();
    for row in rows {
        let (found, exact) = (
            law(row).absolute_moment(number(&row["q"])),
            number(&row["moment"]),
        );
        // Exactly 0 for a push that always comes, 1 − p = 0.
        let error = if found == exact {
            0.0
        } else {
            (found / exact - 1.0).abs()
        };
        assert!(error <= RELATIVE, "{row}: {found}, off by {error:e}");
        worst = worst.max(error);
    }
    assert!(rows.len() > 100 && worst > 0.0);
}

#[test]
fn moments_are_infinite_from_the_tail_index_on_and_nowhere_else() {
    for index in [1.05_f64, 1.5, 1.9, 1.999] {
        for law in [
            Law::StudentT { nu: index },
            Law::Pareto { index },
            Law::Stable {
                alpha: index,
                beta: 0.5,
            },
        ] {
            for q in [index, index.next_up(), 2.0, 7.0] {
                assert_eq!(law.absolute_moment(q), f64::INFINITY, "{law:?} {q}");
            }
            let near = law.absolute_moment(index - 1e-9);
            assert!(near > 1e6 && near.is_finite(), "{law:?} {near}");
        }
    }
    let light = [
        Law::Gaussian,
        Law::Stable {
            alpha: 2.0,
            beta: 1.0,
        },
        Law::TwoPoint { p: 0.3 },
        Law::Spike { p: 0.3 },
    ];
    for law in light {
        assert!(law.absolute_moment(9.0).is_finite(), "{law:?}");
    }
    // N(0, 2).
    let normal = Law::Stable {
        alpha: 2.0,
        beta: 1.0,
    };
    assert!((normal.absolute_moment(4.0) / 12.0 - 1.0).abs() < 1e-13);
}

#[test]
fn parameters_out_of_range_are_refused_and_have_no_moments() {
    let bad = [1.0, 0.5, -3.0, f64::INFINITY, f64::NAN];
    let mut laws: Vec<Law> = bad.iter().map(|&nu| Law::StudentT { nu }).collect();
    laws.extend(bad.iter().map(|&index| Law::Pareto { index }));
    laws.extend([1.0, 2.000_001, f64::NAN].map(|alpha| Law::Stable { alpha, beta: 0.0 }));
    laws.extend([1.000_001, -1.1, f64::NAN].map(|beta| Law::Stable { alpha: 1.5, beta }));
    laws.extend([0.0, -0.1, 1.000_001, f64::NAN].map(|p| Law::TwoPoint { p }));
    laws.extend([0.0, -0.1, 1.000_001, f64::NAN].map(|p| Law::Spike { p }));
    for law in laws {
        assert!(law.check().is_err(), "{law:?}");
        assert!(law.absolute_moment(1.25).is_nan(), "{law:?}");
    }
    let good = [
        Law::Gaussian,
        Law::StudentT { nu: 1.0 + 1e-9 },
        Law::Pareto { index: 1.0 + 1e-9 },
        Law::Stable {
            alpha: 1.0 + 1e-9,
            beta: -1.0,
        },
        Law::Stable {
            alpha: 2.0,
            beta: 1.0,
        },
        Law::TwoPoint { p: 1.0 },
        Law::Spike {
            p: f64::MIN_POSITIVE,
        },
    ];
    for law in good {
        assert_eq!(law.check(), Ok(()), "{law:?}");
        for q in [0.0, -1.0, f64::NAN] {
            assert!(law.absolute_moment(q).is_nan(), "{law:?} {q}");
        }
    }
}
