//! How often the verdict is right, and how often intervals cover, on samples whose law is known.
//!
//! `acclip noise --calibrate` prints the table that the documentation of `acclip_noise::verdict` quotes; here the same
//! battery runs on fewer samples. `cargo test --release -p acclip-noise calibration -- --nocapture`
//! prints the rates that the documentation of `acclip_noise::tail::hill` quotes.

use acclip_noise::diagnose;
use acclip_noise::stable::SymmetricStable;
use acclip_noise::tail::hill::{default_k, hill, ks_k};
use acclip_noise::tail::moment_estimator::moment_estimator;
use acclip_noise::verdict::battery::{BATTERY, Tail, calibrate};
use rand::distr::{Distribution, Open01};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

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

fn pareto(alpha: f64) -> impl Fn(&mut ChaCha8Rng) -> f64 {
    move |rng| rng.sample::<f64, _>(Open01).powf(-1.0 / alpha)
}

fn stable(alpha: f64) -> impl Fn(&mut ChaCha8Rng) -> f64 {
    let law = SymmetricStable::new(alpha).unwrap();
    move |rng| law.sample(rng).abs()
}

/// The goals, on 1000 gradients: light noise is not called heavy, α ≤ 1.5 is found, finite
/// variance is not called infinite, and intervals of α cover. The rates themselves, from 200 samples, are in the
/// documentation of the verdict; 16 samples are enough to see that something broke.
#[test]
fn calibration_of_the_verdict() {
    const SAMPLES: usize = 16;
    let scores = calibrate(&BATTERY, 1000, SAMPLES, 7, |_| {}).unwrap();
    let (mut light, mut called_heavy, mut covered) = (0.0, 0.0, Vec::new());
    for score in &scores {
        let heavy = score.heavy_finite_variance + score.infinite_variance;
        println!("{score:?}");
        match score.tail {
            Tail::Light => {
                light += 1.0;
                called_heavy += heavy;
                assert!(score.light >= 0.5, "{score:?}");
            }
            Tail::HeavyWithoutIndex => {
                assert!(score.infinite_variance <= 2.0 / 16.0, "{score:?}");
                assert!(score.heavier_than_gaussian >= 0.5, "{score:?}");
            }
            Tail::PowerLaw(alpha) if alpha > 2.0 => {
                assert!(score.infinite_variance <= 5.0 / 16.0, "{score:?}");
                assert!(heavy >= 6.0 / 16.0, "{score:?}");
            }
            Tail::PowerLaw(alpha) if alpha <= 1.5 => {
                assert!(score.infinite_variance >= 13.0 / 16.0, "{score:?}");
                covered.extend(score.coverage);
            }
            Tail::PowerLaw(_) => assert!(score.light <= 3.0 / 16.0, "{score:?}"),
        }
    }
    assert!(called_heavy / light <= 0.05, "{called_heavy} of {light}");
    let coverage = covered.iter().sum::<f64>() / covered.len() as f64;
    assert!(covered.len() == 5 && coverage >= 0.88, "{covered:?}");
}

/// A power law on top of a large constant fits no law of the six, and is not called infinite.
#[test]
fn calibration_of_a_misfit() {
    let raised = |rng: &mut ChaCha8Rng| 20.0 + pareto(1.5)(rng);
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let norms: Vec<f64> = (0..1000).map(|_| raised(&mut rng)).collect();
    let found = diagnose(&norms).unwrap();
    assert!(found.heavier_than_gaussian && found.reason.contains("No law fits"));
    assert!(found.norms_needed.is_some_and(|n| n > 1000), "{found:?}");
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
