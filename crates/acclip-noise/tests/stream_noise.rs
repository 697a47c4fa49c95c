//! The two exact passes, by hand, and the effective dimension of Gaussian noise.

use acclip_noise::stream::{LayerNoise, Layers, MeanGradient, Noise};
use rand::distr::Distribution;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;

fn measure(layers: Layers, gradients: &[Vec<f64>]) -> Noise {
    let mut mean = MeanGradient::new(layers.dimension());
    gradients.iter().for_each(|g| mean.push(g).unwrap());
    let mut noise = Noise::with_entries(layers, mean.finalize().unwrap()).unwrap();
    gradients.iter().for_each(|g| noise.push(g).unwrap());
    noise
}

#[test]
fn three_gradients_by_hand() {
    // ĝ = (1, 2); noise (−1, 2), (0, 0), (1, −2).
    let gradients = [vec![0.0, 4.0], vec![1.0, 2.0], vec![2.0, 0.0]];
    let noise = measure(Layers::new([("a", 0..1), ("b", 1..2)]).unwrap(), &gradients);
    let found = noise.finalize().unwrap();
    assert_eq!(found.norms.layers, [[1.0, 0.0, 1.0], [2.0, 0.0, 2.0]]);
    let norm = 5.0_f64.sqrt();
    assert_eq!(found.norms.whole, [norm, 0.0, norm]);
    // S = 10/2, ‖G‖² ≈ 5 − 5/3; layer b: 8/2 and 4 − 4/3.
    assert_eq!(found.whole.scale.trace, 5.0);
    assert!((found.whole.scale.squared_mean - 10.0 / 3.0).abs() < 1e-15);
    assert!((found.layers[1].scale.batches().unwrap() - 1.5).abs() < 1e-15);
    let variances: Vec<f64> = noise.variances().unwrap().collect();
    assert_eq!(variances, [1.0, 4.0]);
    // 3 · 2/2² − 3 for both.
    let kurtoses: Vec<_> = noise.excess_kurtoses().unwrap().collect();
    assert_eq!(kurtoses, [Some(-1.5), Some(-1.5)]);
    // One entry has dimension 1; (25 − 34/4) · (4/2) / 17 for two.
    let dimension = |layer: &LayerNoise| layer.effective_dimension.unwrap();
    assert!(
        found
            .layers
            .iter()
            .all(|layer| (dimension(layer) - 1.0).abs() < 1e-15)
    );
    assert!((dimension(&found.whole) - 33.0 / 17.0).abs() < 1e-14);
}

#[test]
fn effective_dimension_is_unbiased_for_gaussian_noise() {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(11);
    let scales: Vec<f64> = (0..20_000)
        .map(|j| if j % 10 == 0 { 3.0 } else { 1.0 })
        .collect();
    let gradients: Vec<Vec<f64>> = (0..8)
        .map(|_| {
            let normal = StandardNormal.sample_iter(&mut rng);
            normal
                .zip(&scales)
                .map(|(z, s): (f64, &f64)| s * z)
                .collect()
        })
        .collect();
    let noise = measure(Layers::whole(scales.len()), &gradients);
    let found = noise.finalize().unwrap().whole.effective_dimension.unwrap();
    let sum = |p| scales.iter().map(|s| s.powi(p)).sum::<f64>();
    let truth = sum(2) * sum(2) / sum(4);
    // Without the factor 9/7 it would be 22 % too small.
    assert!((found / truth - 1.0).abs() < 0.05, "{found} is not {truth}");
}

#[test]
fn constant_entries_do_not_vary() {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(12);
    // The mean of seven times 0.1 is not 0.1.
    let gradients: Vec<Vec<f64>> = (0..7).map(|_| vec![0.1, 0.0, rng.random()]).collect();
    let noise = measure(Layers::whole(3), &gradients);
    let kurtoses: Vec<_> = noise.excess_kurtoses().unwrap().collect();
    assert_eq!(kurtoses[..2], [None, None]);
    assert!(kurtoses[2].is_some());
}
