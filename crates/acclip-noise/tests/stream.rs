//! The accumulators of `stream` against a twin that keeps every gradient, and what all of them
//! promise: workers merge, an interrupted run continues to the bit, threads do not matter, and an
//! error changes nothing.

use acclip_noise::pictures::noise_scale::noise_scale;
use acclip_noise::stream::{
    CoordinateSnapshot, Layers, Mean, MeanGradient, MeasuredNoise, Noise, Norms, PairDifferences,
    Projections,
};
use rand::SeedableRng;
use rand::distr::Distribution;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// Relative difference allowed to another order of summation of up to 140,000 terms.
const RELATIVE: f64 = 1e-13;

/// Two pieces and a part, odd boundaries, an empty layer and one that is never touched.
const LENGTHS: [(&str, usize); 5] = [
    ("a", 70_001),
    ("none", 0),
    ("b", 65_536),
    ("zero", 1000),
    ("c", 3),
];

fn layers() -> Layers {
    Layers::from_lengths(LENGTHS).unwrap()
}

/// Gradients with unequal scales and a mean; the layer "zero" is zero.
fn gradients(n: usize) -> Vec<Vec<f32>> {
    let mut rng = ChaCha8Rng::seed_from_u64(2020);
    let layers = layers();
    let zero = layers.iter().find(|(name, _)| *name == "zero").unwrap().1;
    let mut entry = |j: usize| {
        let z: f32 = StandardNormal.sample(&mut rng);
        let scale = 1.0 + (j % 13) as f32;
        if zero.contains(&j) {
            0.0
        } else {
            scale * (0.1 + z)
        }
    };
    (0..n)
        .map(|_| (0..layers.dimension()).map(&mut entry).collect())
        .collect()
}

fn mean_of(gradients: &[Vec<f32>]) -> MeanGradient {
    let mut mean = MeanGradient::new(layers().dimension());
    gradients.iter().for_each(|g| mean.push(g).unwrap());
    mean
}

fn noise_of(gradients: &[Vec<f32>], mean: &Mean) -> Noise {
    let mut noise = Noise::with_entries(layers(), mean.clone()).unwrap();
    gradients.iter().for_each(|g| noise.push(g).unwrap());
    noise
}

fn pairs_of(gradients: &[Vec<f32>]) -> PairDifferences<f32> {
    let mut pairs = PairDifferences::new(layers());
    gradients.iter().for_each(|g| pairs.push(g).unwrap());
    pairs
}

fn projections_of(gradients: &[Vec<f32>]) -> Projections {
    let mut projections = Projections::new(layers(), 11, 7).unwrap();
    gradients.iter().for_each(|g| projections.push(g).unwrap());
    projections
}

#[track_caller]
fn assert_close(found: f64, expected: f64) {
    let difference = (found - expected).abs();
    assert!(
        difference <= RELATIVE * expected.abs(),
        "{found} is not {expected}"
    );
}

#[track_caller]
fn assert_norms(found: &Norms, vectors: &[Vec<f64>]) {
    let norm = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
    assert_eq!(
        (found.whole.len(), found.layers.len()),
        (vectors.len(), LENGTHS.len())
    );
    for (i, vector) in vectors.iter().enumerate() {
        assert_close(found.whole[i], norm(vector));
        for ((_, range), found) in layers().iter().zip(&found.layers) {
            assert_close(found[i], norm(&vector[range]));
        }
    }
}

fn wide(gradients: &[Vec<f32>]) -> Vec<Vec<f64>> {
    let wide = |g: &Vec<f32>| g.iter().map(|&x| f64::from(x)).collect();
    gradients.iter().map(wide).collect()
}

/// gᵢ − ĝ, keeping everything.
fn slow_noise(gradients: &[Vec<f32>]) -> (Vec<f64>, Vec<Vec<f64>>) {
    let mut x = wide(gradients);
    let mean: Vec<f64> = (0..x[0].len())
        .map(|j| x.iter().map(|g| g[j]).sum::<f64>() / x.len() as f64)
        .collect();
    for g in &mut x {
        g.iter_mut().zip(&mean).for_each(|(x, mean)| *x -= mean);
    }
    (mean, x)
}

#[test]
fn two_passes_equal_the_twin() {
    let gradients = gradients(6);
    let (slow_mean, x) = slow_noise(&gradients);
    let mean = mean_of(&gradients).finalize().unwrap();
    assert_eq!(mean.gradient, slow_mean);
    let noise = noise_of(&gradients, &mean);
    let found = noise.finalize().unwrap();
    assert_norms(&found.norms, &x);
    let all_moments = (noise.variances().unwrap()).zip(noise.excess_kurtoses().unwrap());
    let mut count = 0;
    for (j, (variance, kurtosis)) in all_moments.enumerate() {
        let sum = |p| x.iter().map(|x| x[j].powi(p)).sum::<f64>();
        assert_close(variance, sum(2) / 5.0);
        match kurtosis {
            Some(kurtosis) => assert_close(kurtosis + 3.0, 6.0 * sum(4) / sum(2).powi(2)),
            None => assert_eq!(sum(2), 0.0),
        }
        count += 1;
    }
    assert_eq!(count, layers().dimension());
    // The noise scale, by layer and from norms alone.
    for ((_, range), layer) in layers().iter().zip(&found.layers) {
        let square = |x: &[f64]| x[range.clone()].iter().map(|x| x * x).sum::<f64>();
        let trace = x.iter().map(|x| square(x)).sum::<f64>() / 5.0;
        assert_close(layer.scale.trace, trace);
        let squared = square(&slow_mean) - trace / 6.0;
        assert!((layer.scale.squared_mean - squared).abs() <= RELATIVE * trace);
    }
    let zero = found.layers[3];
    assert_eq!(
        (
            zero.scale.trace,
            zero.scale.batches(),
            zero.effective_dimension
        ),
        (0.0, None, None)
    );
    let from_norms = noise_scale(&mean.norms, mean.norm()).unwrap();
    assert!((from_norms.trace / found.whole.scale.trace - 1.0).abs() < 1e-12);
    let batches = from_norms.batches().unwrap() / found.whole.scale.batches().unwrap();
    assert!((batches - 1.0).abs() < 1e-11);
}

#[test]
fn one_pass_equals_the_twin() {
    let gradients = gradients(6);
    let g = wide(&gradients);
    let differences: Vec<Vec<f64>> = g
        .chunks(2)
        .map(|pair| {
            let both = pair[0].iter().zip(&pair[1]);
            both.map(|(x, y)| (x - y) / std::f64::consts::SQRT_2)
                .collect()
        })
        .collect();
    let found = pairs_of(&gradients).finalize().unwrap();
    assert_norms(&found.norms, &differences);
    let product = |range: std::ops::Range<usize>| {
        let dot = |p: &[Vec<f64>]| range.clone().map(|j| p[0][j] * p[1][j]).sum::<f64>();
        g.chunks(2).map(dot).sum::<f64>() / 3.0
    };
    for ((_, range), layer) in layers().iter().zip(&found.layers) {
        assert!((layer.squared_mean - product(range)).abs() <= RELATIVE * layer.trace);
    }

    // Centring afterwards equals projecting the noise.
    let (_, x) = slow_noise(&gradients);
    let found = projections_of(&gradients).finalize().unwrap();
    assert_norms(&found.gradient_norms, &g);
    let mut of_noise = Projections::new(layers(), 11, 7).unwrap();
    x.iter().for_each(|x| of_noise.push(x).unwrap());
    let expected = of_noise.finalize().unwrap();
    assert_eq!((found.whole.len(), found.layers.len()), (11, LENGTHS.len()));
    for i in 0..6 {
        let norm = expected.gradient_norms.whole[i];
        for k in 0..11 {
            assert!((found.whole[k][i] - expected.whole[k][i]).abs() < 1e-11 * norm);
            let sum: f64 = found.layers.iter().map(|layer| layer[k][i]).sum();
            assert!((found.whole[k][i] - sum).abs() < 1e-11 * norm);
        }
        let squares = found.whole.iter().map(|row| row[i] * row[i]).sum::<f64>();
        assert_close(found.noise_norms.whole[i], (squares / 11.0).sqrt());
        // Within 4.5 of √(2/K)/2.
        assert!((found.noise_norms.whole[i] / norm - 1.0).abs() < 0.96);
    }
    assert!(found.layers[3].iter().flatten().all(|&c| c == 0.0));
}

/// Pushes `all` in two workers, at every cut, and merges.
fn at_every_cut<T>(all: &[Vec<f32>], of: impl Fn(&[Vec<f32>]) -> T, check: impl Fn(usize, T, T)) {
    for cut in 0..=all.len() {
        let (head, tail) = all.split_at(cut);
        check(cut, of(head), of(tail));
    }
}

#[test]
fn merge_equals_concatenation_at_every_cut() {
    let gradients = gradients(6);
    let together = mean_of(&gradients).finalize().unwrap();
    at_every_cut(&gradients, mean_of, |_, mut merged, other| {
        merged.merge(&other).unwrap();
        let merged = merged.finalize().unwrap();
        assert_eq!(merged.norms, together.norms);
        for (j, (found, expected)) in merged.gradient.iter().zip(&together.gradient).enumerate() {
            let magnitude: f32 = gradients.iter().map(|g| g[j].abs()).sum();
            assert!((found - expected).abs() <= RELATIVE * f64::from(magnitude));
        }
    });
    let noise = noise_of(&gradients, &together);
    let expected = noise.finalize().unwrap();
    at_every_cut(
        &gradients,
        |part| noise_of(part, &together),
        |cut, mut merged, other| {
            assert_eq!(merged.variances().is_some(), cut == 6);
            assert_eq!(merged.finalize().is_ok(), cut == 6);
            merged.merge(&other).unwrap();
            let found = merged.finalize().unwrap();
            assert_eq!(found.norms, expected.norms);
            let pairs = merged.variances().unwrap().zip(noise.variances().unwrap());
            pairs.for_each(|(found, expected)| assert_close(found, expected));
            let dimension = |m: &MeasuredNoise| m.whole.effective_dimension.unwrap();
            assert_close(dimension(&found), dimension(&expected));
        },
    );
    at_every_cut(&gradients, projections_of, |_, mut merged, other| {
        merged.merge(&other).unwrap();
        assert_eq!(merged, projections_of(&gradients));
    });
    at_every_cut(&gradients, pairs_of, |cut, mut merged, other| {
        merged.merge(&other).unwrap();
        assert_eq!(merged.pairs(), 3);
        if cut % 2 == 0 {
            assert_eq!(merged, pairs_of(&gradients));
        } else {
            // The two that are left over make the pair (cut − 1, last).
            let mut left = PairDifferences::new(layers());
            left.push(&gradients[cut - 1]).unwrap();
            left.push(&gradients[5]).unwrap();
            let left = left.finalize().unwrap().norms.whole[0];
            assert!(merged.finalize().unwrap().norms.whole.contains(&left));
        }
    });
}

#[test]
fn an_interrupted_run_continues_to_the_bit() {
    let gradients: Vec<Vec<f32>> = gradients(5);
    let mean = mean_of(&gradients);
    let finished = mean.finalize().unwrap();
    fn again<T: serde::Serialize + serde::de::DeserializeOwned>(state: &T) -> T {
        serde_json::from_str(&serde_json::to_string(state).unwrap()).unwrap()
    }
    for cut in [0, 3] {
        let (head, tail) = gradients.split_at(cut);
        let mut m = again(&mean_of(head));
        let mut n = again(&noise_of(head, &again(&finished)));
        let mut p = again(&pairs_of(head));
        let mut q = again(&projections_of(head));
        for g in tail {
            m.push(g).unwrap();
            n.push(g).unwrap();
            p.push(g).unwrap();
            q.push(g).unwrap();
        }
        assert_eq!(m, mean);
        assert_eq!(n, noise_of(&gradients, &finished));
        assert_eq!(p, pairs_of(&gradients));
        assert_eq!(q, projections_of(&gradients));
    }
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let gradients = gradients(4);
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(|| {
            let mean = mean_of(&gradients);
            let noise = noise_of(&gradients, &mean.finalize().unwrap());
            let snapshot = CoordinateSnapshot::of_member(&gradients[0], &noise, None, 100).unwrap();
            let found = noise.finalize().unwrap();
            (
                mean,
                noise,
                found,
                snapshot,
                pairs_of(&gradients),
                projections_of(&gradients),
            )
        })
    };
    let one = run(1);
    for threads in [2, 3, 8] {
        assert_eq!(run(threads), one);
    }
}
