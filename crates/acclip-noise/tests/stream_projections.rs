//! What random projections keep of the noise: Gaussian stays Gaussian whatever the scales, stable
//! stays stable, and norms come out with the stated error.

use acclip_noise::stable::SymmetricStable;
use acclip_noise::stream::{Layers, Projections};
use rand::SeedableRng;
use rand::distr::Distribution;
use rand_chacha::ChaCha8Rng;
use rand_distr::{LogNormal, StandardNormal};
use statrs::distribution::{Cauchy, ContinuousCDF, Normal};

const REPETITIONS: u64 = 400;

/// Largest distance of the empirical distribution of `sample` from `cdf`, times √n.
fn distance(mut sample: Vec<f64>, cdf: impl Fn(f64) -> f64) -> f64 {
    sample.sort_by(f64::total_cmp);
    let n = sample.len() as f64;
    let steps = sample.iter().enumerate().map(|(i, &x)| {
        let (below, above) = (i as f64 / n, (i + 1) as f64 / n);
        (cdf(x) - below).max(above - cdf(x))
    });
    steps.fold(0.0, f64::max) * n.sqrt()
}

/// Lilliefors' test of normality with mean and variance unknown, at 5 %.
fn is_rejected(sample: &[f64]) -> bool {
    let n = sample.len() as f64;
    let mean = sample.iter().sum::<f64>() / n;
    let variance = sample.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let normal = Normal::new(mean, variance.sqrt()).unwrap();
    distance(sample.to_vec(), |x| normal.cdf(x)) > 0.886
}

/// First centred projection of `n` gradients of noise from `law`, entry j times `scales[j]`.
fn first_projection(law: impl Distribution<f64>, scales: &[f64], n: usize, seed: u64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut projections = Projections::new(Layers::whole(scales.len()), 1, seed).unwrap();
    for _ in 0..n {
        let noise: Vec<f64> = scales.iter().map(|s| s * law.sample(&mut rng)).collect();
        projections.push(&noise).unwrap();
    }
    projections.finalize().unwrap().whole.remove(0)
}

#[test]
fn gaussian_of_any_scales_stays_gaussian_and_stable_does_not() {
    let mut rng = ChaCha8Rng::seed_from_u64(31);
    let law = LogNormal::new(0.0, 2.5).unwrap();
    let (mut gaussian, mut entries, mut stable) = (0, 0, 0);
    for seed in 0..REPETITIONS {
        let scales: Vec<f64> = law.sample_iter(&mut rng).take(300).collect();
        let normal: Vec<f64> = StandardNormal.sample_iter(&mut rng).take(300).collect();
        gaussian += u64::from(is_rejected(&first_projection(
            StandardNormal,
            &scales,
            200,
            seed,
        )));
        // One noise vector across entries: the scales alone reject.
        let vector: Vec<f64> = normal.iter().zip(&scales).map(|(z, s)| z * s).collect();
        entries += u64::from(is_rejected(&vector));
        let heavy = SymmetricStable::new(1.5).unwrap();
        stable += u64::from(seed < 50 && is_rejected(&first_projection(heavy, &scales, 200, seed)));
    }
    println!("rejected: {gaussian} and {entries} of {REPETITIONS}, {stable} of 50");
    // 5 % of 400 with a standard error of 4.4.
    assert!((9..=31).contains(&gaussian), "{gaussian}");
    assert_eq!((entries, stable), (REPETITIONS, 50));
}

#[test]
fn cauchy_noise_stays_cauchy_with_the_sum_of_the_scales() {
    let scales: Vec<f64> = (0..100).map(|j| 0.5 + f64::from(j % 7)).collect();
    let c = first_projection(SymmetricStable::new(1.0).unwrap(), &scales, 4000, 32);
    // Differences of pairs, because the mean of Cauchy variables does not settle.
    let halves: Vec<f64> = c.chunks(2).map(|pair| (pair[0] - pair[1]) / 2.0).collect();
    let law = |scale| Cauchy::new(0.0, scale).unwrap();
    let distance_at = |scale| distance(halves.clone(), |x| law(scale).cdf(x));
    let sum = scales.iter().sum::<f64>();
    // 1.36 is the 5 % point of Kolmogorov's law.
    assert!(distance_at(sum) < 1.36);
    assert!(distance_at(sum * 1.2) > 1.63 && distance_at(sum / 1.2) > 1.63);
}

#[test]
fn relative_error_of_the_squared_norm() {
    // Equal magnitudes are the worst case, 2/K (1 − 1/d); one entry alone has no error.
    let spread = |vector: &[f64], k: usize| {
        let errors: Vec<f64> = (0..2000)
            .map(|seed| {
                let mut projections =
                    Projections::new(Layers::whole(vector.len()), k, seed).unwrap();
                projections.push(vector).unwrap();
                let negative: Vec<f64> = vector.iter().map(|x| -x).collect();
                projections.push(&negative).unwrap();
                let found = projections.finalize().unwrap();
                // The mean is 0: the noise norm is the norm.
                (found.noise_norms.whole[0] / found.gradient_norms.whole[0]).powi(2) - 1.0
            })
            .collect();
        let n = errors.len() as f64;
        let mean = errors.iter().sum::<f64>() / n;
        (mean, (errors.iter().map(|e| e * e).sum::<f64>() / n).sqrt())
    };
    for k in [1, 8, 20, 64] {
        let bound = (2.0 / k as f64).sqrt();
        let equal: Vec<f64> = (0..200)
            .map(|j| if j % 3 == 0 { -1.0 } else { 1.0 })
            .collect();
        let (mean, error) = spread(&equal, k);
        println!("K = {k}: mean {mean:.4}, relative error {error:.4}, bound {bound:.4}");
        assert!(mean.abs() < 4.0 * bound / 2000_f64.sqrt());
        assert!((error / bound - 1.0).abs() < 0.1, "{error} {bound}");
        let mut single = vec![0.0; 200];
        single[17] = 3.0;
        assert!(spread(&single, k).1 < 1e-15);
    }
}
