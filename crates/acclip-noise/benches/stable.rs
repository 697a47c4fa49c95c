//! `cargo bench -p acclip-noise --bench stable`: sampling, log-density and fits of stable laws, on all
//! threads.

use acclip_noise::fit::koutrouvelis::koutrouvelis;
use acclip_noise::fit::likelihood::{Location, maximum_likelihood};
use acclip_noise::fit::mcculloch::mcculloch;
use acclip_noise::fit::{StableFit, Symmetry};
use acclip_noise::stable::{LogDensity, S0, Stable};
use divan::{Bencher, counter::ItemsCount};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const N: usize = 1_000_000;

fn main() {
    divan::main();
}

fn law(alpha: f64, beta: f64) -> Stable {
    Stable::try_from(S0 {
        alpha,
        beta,
        scale: 1.0,
        location: 0.0,
    })
    .expect("a law")
}

#[divan::bench(args = [(1.5, 0.0), (1.01, 0.5), (0.7, 1.0)])]
fn draw(bencher: Bencher, (alpha, beta): (f64, f64)) {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut out = vec![0.0; N];
    let law = law(alpha, beta);
    bencher
        .counter(ItemsCount::new(N))
        .bench_local(|| law.fill(&mut out, &mut rng));
}

fn draws(alpha: f64, beta: f64) -> Vec<f64> {
    let mut out = vec![0.0; N];
    law(alpha, beta).fill(&mut out, &mut ChaCha8Rng::seed_from_u64(2));
    out
}

/// The table included.
#[divan::bench(args = [(1.5, 0.0), (1.5, 0.5), (1.0, 0.5), (1.95, 0.0)], sample_count = 20)]
fn log_density(bencher: Bencher, (alpha, beta): (f64, f64)) {
    let (x, law) = (draws(alpha, beta), law(alpha, beta));
    bencher
        .counter(ItemsCount::new(N))
        .bench_local(|| LogDensity::new(&law).of(&x));
}

#[divan::bench(args = ["mcculloch", "koutrouvelis", "likelihood", "likelihood, symmetric"], sample_count = 5)]
fn fit(bencher: Bencher, method: &str) {
    let x = draws(1.5, 0.0);
    let likelihood =
        |symmetry| maximum_likelihood(&x, symmetry, Location::Free).map(|found| found.fit);
    bencher.bench_local(|| -> StableFit {
        match method {
            "mcculloch" => mcculloch(&x, Symmetry::Free),
            "koutrouvelis" => koutrouvelis(&x, Symmetry::Free),
            "likelihood" => likelihood(Symmetry::Free),
            _ => likelihood(Symmetry::Symmetric),
        }
        .expect("a fit")
    });
}
