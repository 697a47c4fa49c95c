//! `cargo bench -p acclip-theory --bench ensemble`: steps of trajectories, on all threads. An item is one step of one
//! trajectory.

use acclip_optim::Adam;
use acclip_theory::ensemble::{Control, Ensemble, Metric};
use acclip_theory::methods::{Method, Update, acclip};
use acclip_theory::noise::{Independent, Law};
use acclip_theory::problems::Quadratic;
use divan::{Bencher, counter::ItemsCount};

const TRAJECTORIES: usize = 8192;
const STEPS: u64 = 256;
const LAWS: [&str; 4] = ["two-point", "Pareto", "Gaussian", "stable"];

fn main() {
    divan::main();
}

fn law(name: &str) -> Law {
    match name {
        "two-point" => Law::TwoPoint { p: 0.01 },
        "Pareto" => Law::Pareto { index: 1.5 },
        "Gaussian" => Law::Gaussian,
        _ => Law::Stable {
            alpha: 1.5,
            beta: 0.5,
        },
    }
}

/// Runs `method` in `dim` dimensions.
fn run(bencher: Bencher, law: Law, dim: usize, method: Method) {
    let curvature = (1..=dim).map(|i| 1.0 / i as f64).collect();
    let problem = Quadratic::new(curvature, vec![0.0; dim], Some(4.0)).expect("a problem");
    let noise = Independent {
        law,
        scales: vec![0.5],
    };
    let ensemble = Ensemble {
        problem: &problem,
        noise: &noise,
        method: &method,
        start: &vec![1.0; dim],
        trajectories: TRAJECTORIES,
        checkpoints: &[STEPS],
        metrics: &[Metric::AverageGap],
        seed: 1,
    };
    let (rows, groups) = ensemble.groups();
    bencher
        .counter(ItemsCount::new(rows * groups * STEPS as usize))
        .bench_local(|| ensemble.run(&Control::default()).expect("a run"));
}

fn clip() -> Update {
    Update::GClip {
        max_norm: 1.0,
        growth: 2.0 / 3.0,
    }
}

#[divan::bench(args = LAWS, sample_count = 20)]
fn sgd(bencher: Bencher, name: &str) {
    run(
        bencher,
        law(name),
        1,
        Method::constant("SGD", Update::Sgd, 0.01),
    );
}

/// Projected and averaged, as in Theorem 4.
#[divan::bench(args = LAWS, sample_count = 20)]
fn gclip(bencher: Bencher, name: &str) {
    run(
        bencher,
        law(name),
        1,
        Method::harmonic("GClip", clip(), 1.0),
    );
}

#[divan::bench(args = LAWS, sample_count = 20)]
fn algorithm_1(bencher: Bencher, name: &str) {
    run(
        bencher,
        law(name),
        1,
        Method::constant("ACClip", acclip(1.0), 0.01),
    );
}

#[divan::bench(args = LAWS, sample_count = 20)]
fn adam(bencher: Bencher, name: &str) {
    let rule = Adam {
        beta1: 0.9,
        beta2: 0.999,
        eps: 1e-8,
    };
    run(
        bencher,
        law(name),
        1,
        Method::constant("Adam", Update::Adam(rule), 0.01),
    );
}

/// An item has 16 coordinates here.
#[divan::bench(args = LAWS, sample_count = 20)]
fn gclip_16_dimensions(bencher: Bencher, name: &str) {
    run(
        bencher,
        law(name),
        16,
        Method::harmonic("GClip", clip(), 1.0 / 16.0),
    );
}
