//! What the tests of several files share.

use crate::Real;
use rand::{RngExt, SeedableRng};

/// `n` numbers, evenly distributed in (−2, 2).
pub fn values<F: Real>(n: usize, seed: u64) -> Vec<F> {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    (0..n)
        .map(|_| F::of(4.0 * rng.random::<f64>() - 2.0))
        .collect()
}

/// Runs `f` with 1, 2, 3 and 4 threads, twice each, demands the same bits, and returns them.
pub fn same_on_threads<F: Real>(f: impl Fn() -> Vec<F> + Send + Sync) -> Vec<F> {
    let runs: Vec<Vec<F>> = [1, 2, 3, 4, 1, 2, 3, 4]
        .into_iter()
        .map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(&f)
        })
        .collect();
    for run in &runs {
        assert!(
            bytemuck::cast_slice::<F, u8>(run) == bytemuck::cast_slice::<F, u8>(&runs[0]),
            "the bits depend on the threads"
        );
    }
    runs.into_iter().next().unwrap()
}

/// Demands that each entry of `a` lies within `tolerance · (1 + |b|)` of that of `b`.
#[track_caller]
pub fn assert_close<F: Real>(a: &[F], b: &[f64], tolerance: f64) {
    assert_eq!(a.len(), b.len());
    for (i, (a, &b)) in a.iter().zip(b).enumerate() {
        let error = (a.f64() - b).abs();
        assert!(
            error <= tolerance * (1.0 + b.abs()),
            "entry {i}: {a:?}, not {b}: error {error:e}"
        );
    }
}
