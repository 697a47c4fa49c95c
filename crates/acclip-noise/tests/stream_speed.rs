//! What a gradient of 110 million entries costs, in ns an entry: run with `--ignored --nocapture`.

use std::hint::black_box;
use std::time::Instant;

use acclip_noise::stream::{
    CoordinateSnapshot, Layers, MeanGradient, Noise, PairDifferences, Projections,
};

const D: usize = 110_000_000;

/// Best of five calls of `f`, each of which reads `gradients` gradients.
fn report(what: &str, gradients: usize, mut f: impl FnMut()) {
    let mut call = || {
        let start = Instant::now();
        f();
        start.elapsed().as_secs_f64() / gradients as f64
    };
    let seconds = (0..5).map(|_| call()).fold(f64::INFINITY, f64::min);
    let nanoseconds = seconds * 1e9 / D as f64;
    println!(
        "{what}: {:.0} ms, {nanoseconds:.3} ns an entry",
        seconds * 1e3
    );
}

#[test]
#[ignore = "a measurement: 3 GB of memory, half a minute"]
fn one_gradient() {
    let entry = |j: usize| (j.wrapping_mul(2_654_435_761) % 1000) as f32 - 500.0;
    let gradient: Vec<f32> = (0..D).map(entry).collect();
    let layers = Layers::from_lengths((0..200).map(|l| (l.to_string(), D / 200))).unwrap();

    for k in [8, 64] {
        let mut projections = Projections::new(layers.clone(), k, 1).unwrap();
        let what = format!("projections, K = {k}");
        report(&what, 1, || projections.push(&gradient).unwrap());
    }
    let mut pairs = PairDifferences::new(layers.clone());
    report("pair differences", 2, || {
        pairs.push(&gradient).unwrap();
        pairs.push(&gradient).unwrap();
    });
    drop(pairs);
    let mut mean = MeanGradient::new(D);
    report("mean", 1, || mean.push(&gradient).unwrap());
    let mean = mean.finalize().unwrap();
    let mut noise = Noise::new(layers.clone(), mean.clone()).unwrap();
    report("noise", 1, || noise.push(&gradient).unwrap());
    drop(noise);
    let mut noise = Noise::with_entries(layers, mean).unwrap();
    report("noise with moments of entries", 1, || {
        noise.push(&gradient).unwrap()
    });
    report("snapshot", 1, || {
        let snapshot = CoordinateSnapshot::of_member(&gradient, &noise, None, 1000);
        black_box(snapshot.unwrap());
    });
}
