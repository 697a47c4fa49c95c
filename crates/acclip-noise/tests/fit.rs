//! Fits of stable laws on synthetic samples: coverage of the intervals, accuracy, and values
//! that SciPy and mpmath make of the same numbers (`reference/noise/fit_golden.py`).

use acclip_noise::Error;
use acclip_noise::fit::bootstrap::bootstrap;
use acclip_noise::fit::goodness::{distances, goodness};
use acclip_noise::fit::koutrouvelis::koutrouvelis;
use acclip_noise::fit::likelihood::{Location, folded, maximum_likelihood};
use acclip_noise::fit::mcculloch::mcculloch;
use acclip_noise::fit::{StableFit, Symmetry};
use acclip_noise::stable::{LogDensity, S0, Stable};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

fn law(alpha: f64, beta: f64, scale: f64, location: f64) -> Stable {
    Stable::try_from(S0 {
        alpha,
        beta,
        scale,
        location,
    })
    .unwrap()
}

fn draws(law: &Stable, n: usize, seed: u64) -> Vec<f64> {
    let mut out = vec![0.0; n];
    law.fill(&mut out, &mut ChaCha8Rng::seed_from_u64(seed));
    out
}

type Fit<'a> = &'a (dyn Fn(&[f64], u64) -> Result<StableFit, Error> + Sync);

/// Share of samples in which the interval of α, β, γ and δ holds the true value.
fn coverage(truth: &Stable, n: usize, repetitions: u64, fit: Fit) -> [f64; 4] {
    let s0 = truth.s0();
    let hits: Vec<[bool; 4]> = (0..repetitions)
        .into_par_iter()
        .map(|seed| {
            let found = fit(&draws(truth, n, 1000 + seed), seed).unwrap();
            [
                found.alpha.contains(s0.alpha),
                found.beta.contains(s0.beta),
                found.scale.contains(s0.scale),
                found.location.contains(s0.location),
            ]
        })
        .collect();
    std::array::from_fn(|i| hits.iter().filter(|hit| hit[i]).count() as f64 / repetitions as f64)
}

/// `cargo test --release -p acclip-noise --test fit coverage_tables -- --ignored --nocapture`: the tables of
/// the module docs.
#[test]
#[ignore = "minutes"]
fn coverage_tables() {
    use Symmetry::{Free, Symmetric};
    let with_bootstrap = |x: &[f64], seed: u64| {
        bootstrap(x, 200, &mut ChaCha8Rng::seed_from_u64(seed), |x| {
            mcculloch(x, Symmetric)
        })
    };
    let koutrouvelis_bootstrap = |x: &[f64], seed: u64| {
        bootstrap(x, 200, &mut ChaCha8Rng::seed_from_u64(seed), |x| {
            koutrouvelis(x, Symmetric)
        })
    };
    let ml = |x: &[f64], symmetry| maximum_likelihood(x, symmetry, Location::Free).map(|f| f.fit);
    let absolute = |x: &[f64]| {
        let norms: Vec<f64> = x.iter().map(|x| x.abs()).collect();
        folded(&norms).map(|found| found.fit)
    };
    let methods: [(&str, f64, u64, Fit); 9] = [
        ("folded", 0.0, 400, &|x, _| absolute(x)),
        ("likelihood symmetric", 0.0, 400, &|x, _| ml(x, Symmetric)),
        ("likelihood free", 0.5, 200, &|x, _| ml(x, Free)),
        ("mcculloch symmetric", 0.0, 1000, &|x, _| {
            mcculloch(x, Symmetric)
        }),
        ("mcculloch free", 0.5, 1000, &|x, _| mcculloch(x, Free)),
        ("koutrouvelis symmetric", 0.0, 1000, &|x, _| {
            koutrouvelis(x, Symmetric)
        }),
        ("koutrouvelis free", 0.5, 1000, &|x, _| {
            koutrouvelis(x, Free)
        }),
        ("mcculloch bootstrap", 0.0, 200, &with_bootstrap),
        ("koutrouvelis bootstrap", 0.0, 200, &koutrouvelis_bootstrap),
    ];
    for (name, beta, repetitions, fit) in methods {
        for alpha in [1.2, 1.5, 1.8, 1.95] {
            for n in [200, 1000] {
                let location = if name == "folded" { 0.0 } else { 3.0 };
                let truth = law(alpha, beta, 2.0, location);
                let found =
                    coverage(&truth, n, repetitions, fit).map(|c| (1000.0 * c).round() / 10.0);
                println!("{name}: alpha {alpha} n {n} repetitions {repetitions}: {found:?}");
            }
        }
    }
}

/// Nominal 95 %; with 400 repetitions the standard error is 1.1 %, four of them are allowed.
#[test]
fn intervals_of_the_quick_fits_cover() {
    let truth = law(1.5, 0.5, 2.0, 3.0);
    for (name, fit) in [
        (
            "mcculloch",
            (&|x: &[f64], _| mcculloch(x, Symmetry::Free)) as Fit,
        ),
        ("koutrouvelis", &|x: &[f64], _| {
            koutrouvelis(x, Symmetry::Free)
        }),
    ] {
        for found in coverage(&truth, 1000, 400, fit) {
            assert!((0.906..=0.994).contains(&found), "{name}: {found}");
        }
    }
}

fn golden() -> serde_json::Value {
    let text = include_str!("../../../reference/noise/fit_golden.json");
    serde_json::from_str(text).unwrap()
}

fn numbers(value: &serde_json::Value) -> Vec<f64> {
    let list = value.as_array().unwrap();
    list.iter().map(|x| x.as_f64().unwrap()).collect()
}

/// Within 3e-4 for the 200 values together, by which SciPy's densities are known: the sums differ by up
/// to 1.6e-4, ours from `Stable::log_pdf` by less than 1e-6.
#[test]
fn log_likelihoods_are_those_of_scipy() {
    let golden = golden();
    let sample = numbers(&golden["sample"]);
    let mut best = f64::MIN;
    for row in golden["log_likelihoods"].as_array().unwrap() {
        let row = numbers(row);
        let table = LogDensity::new(&law(row[0], row[1], row[2], row[3]));
        let found: f64 = table.of(&sample).iter().sum();
        assert!((found - row[4]).abs() < 3e-4, "{row:?}: {found}");
        best = best.max(row[4]);
    }
    // SciPy's likelihood of our estimate is the tabulated one, and no law of the list is better.
    let found = maximum_likelihood(&sample, Symmetry::Free, Location::Free).unwrap();
    assert!(found.log_likelihood > best && found.log_likelihood < best + 10.0);
    assert_eq!(found.aic(), 8.0 - 2.0 * found.log_likelihood);
}

/// SciPy reads McCulloch's published table linearly and NumPy's quantiles (type 7): close, not equal.
#[test]
fn quantile_estimates_are_close_to_those_of_scipy() {
    let golden = golden();
    let expected = numbers(&golden["quantile_start"]);
    let found = mcculloch(&numbers(&golden["sample"]), Symmetry::Free)
        .unwrap()
        .law();
    assert!(
        (found.alpha - expected[0]).abs() < 0.03,
        "{found:?} {expected:?}"
    );
    assert!(
        (found.beta - expected[1]).abs() < 0.05,
        "{found:?} {expected:?}"
    );
    assert!(
        (found.scale / expected[2] - 1.0).abs() < 0.02,
        "{found:?} {expected:?}"
    );
    assert!(
        (found.location - expected[3]).abs() < 0.1,
        "{found:?} {expected:?}"
    );
}

#[test]
fn distances_are_those_of_scipy() {
    let golden = golden();
    let sample = numbers(&golden["sample"]);
    for row in golden["distances"].as_array().unwrap() {
        let row = numbers(row);
        let found = distances(&sample, &law(row[0], row[1], row[2], row[3])).unwrap();
        assert!(
            (found.kolmogorov_smirnov - row[4]).abs() < 1e-4,
            "{row:?} {found:?}"
        );
        assert!(
            (found.anderson_darling - row[5]).abs() < 1e-4 * 200.0,
            "{row:?} {found:?}"
        );
    }
}

/// Exact quantiles at 999 levels give the law back.
#[test]
fn mcculloch_inverts_exact_quantiles() {
    for (alpha, beta, stated) in [
        (1.9, 0.3, 1e-3),
        (1.5, -0.6, 1e-3),
        (1.1, 0.9, 1e-3),
        (0.6, 0.5, 0.02),
    ] {
        let truth = law(alpha, beta, 3.0, 7.0);
        let levels = [0.05, 0.25, 0.5, 0.75, 0.95];
        // Flat near the levels, so that interpolation between order statistics changes nothing.
        let q = levels.map(|p| truth.quantile(p).unwrap());
        let sample: Vec<f64> = (0..1000)
            .map(|i| {
                let p = (f64::from(i) + 0.5) / 1000.0;
                if let Some(j) = levels.iter().position(|level| (p - level).abs() < 0.002) {
                    return q[j];
                }
                let j = levels[1..4].iter().filter(|&&level| p > level).count();
                q[j] + (q[j + 1] - q[j]) * (p - levels[j]) / (levels[j + 1] - levels[j])
            })
            .collect();
        let found = mcculloch(&sample, Symmetry::Free).unwrap().law();
        assert!((found.alpha - alpha).abs() < stated, "{found:?}");
        assert!((found.beta - beta).abs() < stated, "{found:?}");
        assert!((found.scale / 3.0 - 1.0).abs() < stated, "{found:?}");
        assert!((found.location - 7.0).abs() < 3.0 * stated, "{found:?}");
    }
}

/// Each fit is within four standard errors of the truth at n = 10⁵, where asymptotics hold.
#[test]
fn all_methods_agree_on_a_large_sample() {
    for (alpha, beta) in [(1.8, 0.0), (1.3, -0.7), (1.0, 0.5), (0.7, 0.2)] {
        let truth = law(alpha, beta, 0.01, 5.0);
        let x = draws(&truth, 100_000, 4);
        let ml = maximum_likelihood(&x, Symmetry::Free, Location::Free).unwrap();
        for fit in [
            mcculloch(&x, Symmetry::Free).unwrap(),
            koutrouvelis(&x, Symmetry::Free).unwrap(),
            ml.fit,
        ] {
            let pairs = [
                (fit.alpha, alpha),
                (fit.beta, beta),
                (fit.scale, 0.01),
                (fit.location, 5.0),
            ];
            for (interval, value) in pairs {
                let error = (interval.high - interval.low) / (2.0 * 1.96);
                assert!((interval.estimate - value).abs() < 4.0 * error, "{fit:?}");
                assert!(error < 0.05, "{fit:?}");
            }
        }
    }
}

#[test]
fn folded_is_the_symmetric_fit_of_both_signs() {
    let x = draws(&law(1.4, 0.0, 2.0, 0.0), 1000, 9);
    let norms: Vec<f64> = x.iter().map(|x| x.abs()).collect();
    let found = folded(&norms).unwrap();
    assert_eq!(
        found.fit.location,
        acclip_noise::Interval {
            low: 0.0,
            estimate: 0.0,
            high: 0.0,
            level: 0.95
        }
    );
    assert!(
        found.fit.alpha.contains(1.4) && found.fit.scale.contains(2.0),
        "{found:?}"
    );
    assert_eq!(found.parameters, 2);
    // Density 2f: the signs, whose likelihood is 2⁻ⁿ, are not part of the sample.
    let signed = maximum_likelihood(&x, Symmetry::Symmetric, Location::Zero).unwrap();
    let bonus = 1000.0 * 2.0_f64.ln();
    assert!((found.log_likelihood - signed.log_likelihood - bonus).abs() < 1e-3);
    assert!((found.fit.alpha.estimate - signed.fit.alpha.estimate).abs() < 1e-3);
    assert!(matches!(
        folded(&[1.0, -2.0]),
        Err(Error::Negative { index: 1, .. })
    ));
}

#[test]
fn the_right_law_is_not_rejected_and_others_are() {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let stable = draws(&law(1.5, 0.3, 1.0, 0.0), 500, 12);
    let right = goodness(&stable, Symmetry::Free, 99, &mut rng).unwrap();
    assert!(
        right.kolmogorov_smirnov_p > 0.05 && right.anderson_darling_p > 0.05,
        "{right:?}"
    );
    // Two clusters: no stable law has two modes.
    let two: Vec<f64> = stable
        .iter()
        .enumerate()
        .map(|(i, x)| x.clamp(-1.0, 1.0) + 8.0 * (i % 2) as f64)
        .collect();
    let wrong = goodness(&two, Symmetry::Free, 99, &mut rng).unwrap();
    assert_eq!(
        (wrong.kolmogorov_smirnov_p, wrong.anderson_darling_p),
        (0.01, 0.01)
    );
    // Skewed values under a symmetric fit.
    let skewed = draws(&law(1.2, 1.0, 1.0, 0.0), 500, 12);
    let wrong = goodness(&skewed, Symmetry::Symmetric, 99, &mut rng).unwrap();
    assert!(wrong.anderson_darling_p < 0.05, "{wrong:?}");
}

type Plain<'a> = &'a dyn Fn(&[f64]) -> Result<StableFit, Error>;

/// Every public fit, on every kind of bad sample.
#[test]
fn bad_input() {
    let boot = |x: &[f64]| {
        bootstrap(x, 50, &mut ChaCha8Rng::seed_from_u64(1), |x| {
            mcculloch(x, Symmetry::Free)
        })
    };
    let good = |x: &[f64]| {
        let found = goodness(x, Symmetry::Free, 5, &mut ChaCha8Rng::seed_from_u64(1))?;
        mcculloch(x, Symmetry::Free).inspect(|fit| assert_eq!(fit.law(), found.law))
    };
    let fits: [(&str, Plain); 8] = [
        ("mcculloch", &|x| mcculloch(x, Symmetry::Free)),
        ("mcculloch symmetric", &|x| {
            mcculloch(x, Symmetry::Symmetric)
        }),
        ("koutrouvelis", &|x| koutrouvelis(x, Symmetry::Free)),
        ("likelihood", &|x| {
            maximum_likelihood(x, Symmetry::Free, Location::Free).map(|f| f.fit)
        }),
        ("likelihood at 0", &|x| {
            maximum_likelihood(x, Symmetry::Symmetric, Location::Zero).map(|f| f.fit)
        }),
        ("folded", &|x| folded(x).map(|f| f.fit)),
        ("bootstrap", &boot),
        ("goodness", &good),
    ];
    let with = |bad: f64| {
        let mut x: Vec<f64> = (1..=50).map(f64::from).collect();
        x[7] = bad;
        x
    };
    for (name, fit) in fits {
        for n in [0, 1, 2, 4] {
            let x: Vec<f64> = (0..n).map(f64::from).collect();
            assert!(
                matches!(fit(&x), Err(Error::TooFew { .. } | Error::Constant { .. })),
                "{name} {n}"
            );
        }
        assert!(
            matches!(fit(&[0.0; 50]), Err(Error::Constant { .. })),
            "{name}"
        );
        if name != "folded" {
            assert!(
                matches!(fit(&[7.0; 50]), Err(Error::Constant { .. })),
                "{name}"
            );
            // All but one equal, so that the quartiles are.
            assert!(
                matches!(
                    fit(&[&[1.0; 49][..], &[2.0]].concat()),
                    Err(Error::Constant { .. })
                ),
                "{name}"
            );
        }
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(
                matches!(fit(&with(bad)), Err(Error::NotFinite { index: 7, .. })),
                "{name} {bad}"
            );
        }
        assert!(
            matches!(fit(&with(1e80)), Err(Error::TooLarge { index: 7, .. })),
            "{name}"
        );
        // Far values, ties, subnormals: an answer with finite estimates.
        for x in [
            with(1e70),
            (0..60).map(|i| f64::from(i % 7)).collect(),
            (0..60).map(|i| f64::from(i % 7) * 1e-310).collect(),
            (0..60).map(|i| f64::from(i) * 1e70).collect(),
            (0..60).map(|i| f64::from(i).exp2()).collect(),
        ] {
            match fit(&x) {
                Ok(fit) => {
                    let law = fit.law();
                    assert!((0.3..=2.0).contains(&law.alpha), "{name}: {fit:?}");
                    assert!(
                        law.scale > 0.0 && law.scale.is_finite() && law.location.is_finite(),
                        "{name}: {fit:?}"
                    );
                    assert!(
                        fit.alpha.low <= law.alpha && law.alpha <= fit.alpha.high,
                        "{name}: {fit:?}"
                    );
                }
                Err(error) => assert!(matches!(error, Error::Constant { .. }), "{name}: {error}"),
            }
        }
    }
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let replicates = bootstrap(&with(1.0), 39, &mut rng, |x| mcculloch(x, Symmetry::Free));
    assert!(matches!(
        replicates,
        Err(Error::Parameter {
            name: "replicates",
            ..
        })
    ));
    let none = goodness(&with(1.0), Symmetry::Free, 0, &mut rng);
    assert!(matches!(
        none,
        Err(Error::Parameter {
            name: "replicates",
            ..
        })
    ));
    assert!(matches!(
        distances(&[], &law(1.5, 0.0, 1.0, 0.0)),
        Err(Error::TooFew { .. })
    ));
    assert!(matches!(
        distances(&[f64::NAN], &law(1.5, 0.0, 1.0, 0.0)),
        Err(Error::NotFinite { .. })
    ));
}
