//! How often each verdict is given, and how often intervals cover, on samples whose law is known.
//!
//! `cargo test --release -p acclip-noise calibration -- --nocapture` prints the rates
//! that the documentation of `acclip_noise::verdict` and `acclip_noise::tail::hill` quotes.

use acclip_noise::diagnose;
use acclip_noise::stable::SymmetricStable;
use acclip_noise::tail::hill::{default_k, hill, ks_k};
use acclip_noise::tail::moment_estimator::moment_estimator;
use rand::distr::{Distribution, Open01};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{ChiSquared, LogNormal, StandardNormal, StudentT};

/// One draw of a law.
type Draw<'a> = &'a dyn Fn(&mut ChaCha8Rng) -> f64;

/// Repetitions of each experiment, and the seed of the first.
const REPETITIONS: u64 = 200;
const SEED: u64 = 2020;

/// Calls `judge` on each of the repeated samples and returns the share of `true`.
fn share(n: usize, draw: Draw<'_>, mut judge: impl FnMut(&[f64]) -> bool) -> f64 {
    let hits = (SEED..SEED + REPETITIONS).filter(|&seed| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let sample: Vec<f64> = (0..n).map(|_| draw(&mut rng)).collect();
        judge(&sample)
    });
    hits.count() as f64 / REPETITIONS as f64
}

/// Shares of the verdicts, and of "heavier than Gaussian".
#[derive(Default)]
struct Rates {
    light: f64,
    finite: f64,
    infinite: f64,
    heavier: f64,
}

/// Measures the rates and prints one row of the table.
fn rates(name: &str, n: usize, draw: Draw<'_>) -> Rates {
    let mut counts = [0.0; 4];
    let heavier = share(n, draw, |norms| {
        let diagnosis = diagnose(norms).unwrap();
        counts[diagnosis.verdict as usize] += 100.0 / REPETITIONS as f64;
        diagnosis.heavier_than_gaussian
    });
    let [light, finite, infinite, undecided] = counts;
    let heavier = 100.0 * heavier;
    println!(
        "//! | {name} | {n} | {light:.1} | {finite:.1} | {infinite:.1} | {undecided:.1} | {heavier:.1} |"
    );
    Rates {
        light,
        finite,
        infinite,
        heavier,
    }
}

fn pareto(alpha: f64) -> impl Fn(&mut ChaCha8Rng) -> f64 {
    move |rng| rng.sample::<f64, _>(Open01).powf(-1.0 / alpha)
}

fn stable(alpha: f64) -> impl Fn(&mut ChaCha8Rng) -> f64 {
    let law = SymmetricStable::new(alpha).unwrap();
    move |rng| law.sample(rng).abs()
}

fn lognormal(sigma: f64) -> impl Fn(&mut ChaCha8Rng) -> f64 {
    let law = LogNormal::new(0.0, sigma).unwrap();
    move |rng| law.sample(rng)
}

/// Norm of d Gaussian coordinates of one scale, by way of χ².
fn chi(d: f64) -> impl Fn(&mut ChaCha8Rng) -> f64 {
    let law = ChiSquared::new(d).unwrap();
    move |rng| law.sample(rng).sqrt()
}

/// Norm of `d` Gaussian coordinates whose standard deviations are exp(σ Z), fixed once.
fn unequal_scales(d: usize, sigma: f64) -> impl Fn(&mut ChaCha8Rng) -> f64 {
    let law = LogNormal::new(0.0, sigma).unwrap();
    let rng = ChaCha8Rng::seed_from_u64(99);
    let scales: Vec<f64> = law.sample_iter(rng).take(d).collect();
    move |rng| {
        let normals = StandardNormal.sample_iter(rng);
        let noise = scales.iter().zip(normals).map(|(s, z): (_, f64)| s * z);
        noise.map(|x| x * x).sum::<f64>().sqrt()
    }
}

/// Norm of one Gaussian coordinate beside very many small ones, √(100 + Z²): the
/// heaviest shape that Gaussian noise can give to a norm.
fn spike(rng: &mut ChaCha8Rng) -> f64 {
    (100.0 + rng.sample::<f64, _>(StandardNormal).powi(2)).sqrt()
}

/// Norm of a multivariate t vector with 3 degrees of freedom and d = 1000.
fn multivariate_t() -> impl Fn(&mut ChaCha8Rng) -> f64 {
    let z = ChiSquared::new(1000.0_f64).unwrap();
    let w = ChiSquared::new(3.0_f64).unwrap();
    move |rng| (z.sample(rng) / w.sample(rng)).sqrt()
}

fn student(degrees: f64) -> impl Fn(&mut ChaCha8Rng) -> f64 {
    let law = StudentT::new(degrees).unwrap();
    move |rng| law.sample(rng).abs()
}

const SIZES: [usize; 3] = [200, 1000, 5000];

/// Negative control: Gaussian noise, whatever its covariance, is rarely called heavy.
#[test]
fn calibration_gaussian_noise() {
    let cases: [(&str, Draw<'_>); 6] = [
        ("Gaussian, d = 1000", &chi(1000.0)),
        ("Gaussian, d = 2", &chi(2.0)),
        ("Gaussian, d = 1", &chi(1.0)),
        (
            "Gaussian, d = 1000, log-normal scales, σ = 1",
            &unequal_scales(1000, 1.0),
        ),
        (
            "Gaussian, d = 300, log-normal scales, σ = 2.5",
            &unequal_scales(300, 2.5),
        ),
        ("Gaussian, one coordinate over many small ones", &spike),
    ];
    for (name, draw) in cases {
        for n in [50, 200, 1000] {
            let rates = rates(name, n, draw);
            assert!(rates.finite + rates.infinite <= 5.0);
            assert!(rates.heavier <= 5.0);
            if name == "Gaussian, d = 1000" && n == 1000 {
                assert!(rates.light >= 95.0);
            }
        }
    }
}

/// Infinite variance: noticed as heavy, and called by its name where α is well below 2.
#[test]
fn calibration_infinite_variance() {
    let raised = |rng: &mut ChaCha8Rng| 20.0 + pareto(1.5)(rng);
    let cases: [(&str, Draw<'_>, [f64; 3]); 6] = [
        // The least share of `infinite-variance` at n = 200, 1000, 5000.
        ("Pareto, α = 1.2", &pareto(1.2), [70.0, 90.0, 99.0]),
        ("Pareto, α = 1.5", &pareto(1.5), [30.0, 60.0, 90.0]),
        ("abs. stable, α = 1.2", &stable(1.2), [50.0, 90.0, 99.0]),
        ("abs. stable, α = 1.5", &stable(1.5), [0.0, 20.0, 80.0]),
        ("abs. stable, α = 1.8", &stable(1.8), [0.0, 0.0, 0.0]),
        ("Pareto, α = 1.5, plus 20", &raised, [0.0, 0.0, 0.0]),
    ];
    for (name, draw, least) in cases {
        for (n, least) in SIZES.into_iter().zip(least) {
            let rates = rates(name, n, draw);
            assert!(rates.infinite >= least);
            assert!(rates.light <= 10.0 && rates.finite <= 10.0);
            if n >= 1000 {
                assert!(rates.heavier >= 90.0);
                assert!(rates.light <= 5.0);
            }
        }
    }
}

/// Power laws with finite variance: not called light, and with enough norms called by name.
#[test]
fn calibration_heavy_finite_variance() {
    let cases: [(&str, Draw<'_>); 3] = [
        ("abs. Student t, ν = 3", &student(3.0)),
        ("multivariate t, ν = 3, d = 1000", &multivariate_t()),
        ("Pareto, α = 3", &pareto(3.0)),
    ];
    for (name, draw) in cases {
        // The most `light` and the least `heavy-finite-variance`.
        for (n, most, least) in [(200, 10.0, 0.0), (1000, 5.0, 10.0), (5000, 1.0, 75.0)] {
            let rates = rates(name, n, draw);
            assert!(rates.light <= most && rates.finite >= least);
            assert!(rates.infinite <= 1.0);
        }
    }
}

/// Laws with all moments that look heavy in finite samples: not `infinite-variance`.
#[test]
fn calibration_lognormal_and_exponential() {
    let cases: [(&str, Draw<'_>); 4] = [
        ("lognormal, σ = 0.5", &lognormal(0.5)),
        ("lognormal, σ = 1", &lognormal(1.0)),
        ("lognormal, σ = 2", &lognormal(2.0)),
        ("exponential", &|rng| rand_distr::Exp1.sample(rng)),
    ];
    for (name, draw) in cases {
        for n in SIZES {
            assert!(rates(name, n, draw).infinite <= 5.0);
        }
    }
}

/// Coverage of the 95 % intervals. The standard error of a share of 200 is 1.5 % at 95 %.
#[test]
fn calibration_intervals() {
    let cases: [(&str, f64, Draw<'_>); 3] = [
        ("Pareto", 1.5, &pareto(1.5)),
        ("abs. stable", 1.2, &stable(1.2)),
        ("abs. stable", 1.5, &stable(1.5)),
    ];
    for (name, alpha, draw) in cases {
        for n in [200, 1000, 10_000] {
            let k = default_k(n);
            let covers = |x: &[f64], k| hill(x, k).unwrap().alpha.contains(alpha);
            let fixed = 100.0 * share(n, draw, |x| covers(x, k));
            let chosen = 100.0 * share(n, draw, |x| covers(x, ks_k(x).unwrap()));
            let xi = 100.0
                * share(n, draw, |x| {
                    moment_estimator(x, k).unwrap().xi.contains(1.0 / alpha)
                });
            println!("//! | {name}, α = {alpha} | {n} | {fixed:.1} | {chosen:.1} | {xi:.1} |");
            if name == "Pareto" {
                assert!((90.0..=99.0).contains(&fixed) && (85.0..=99.0).contains(&xi));
            }
        }
    }
}

/// Hill's estimate on |stable| draws with α = 1.8 is above 2 in most samples, even of 10⁴.
#[test]
fn calibration_hill_near_two() {
    let k = default_k(10_000);
    let above = |x: &[f64]| hill(x, k).unwrap().alpha.estimate > 2.0;
    let share = share(10_000, &stable(1.8), above);
    println!("share of estimates above 2: {share}");
    assert!(share > 0.9);
}
