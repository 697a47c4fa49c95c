//! The few layers that a model file is written in. Linear algebra is Burn's.

use crate::parameters::{Leaves, Real, tensor};
use burn::tensor::{Int, Tensor, activation, module};
use rand::Rng;

/// `x Wᵀ + b`: x is (N, in), W is (out, in) as Hugging Face stores it, the result is (N, out).
pub(crate) fn linear(p: &Leaves, name: &str, x: Tensor<2>) -> Tensor<2> {
    let w = p.matrix(&format!("{name}.weight"));
    let b = p.vector(&format!("{name}.bias"));
    x.matmul(w.transpose()) + b.unsqueeze()
}

/// LayerNorm over the last axis of (N, H), with the gain and bias called `name`.
pub(crate) fn layer_norm(p: &Leaves, name: &str, x: Tensor<2>, eps: f64) -> Tensor<2> {
    let gain = p.vector(&format!("{name}.weight"));
    let bias = p.vector(&format!("{name}.bias"));
    module::layer_norm(x, gain, Some(bias), eps)
}

/// Inverted dropout: each entry is zeroed with `probability`, the others are divided by
/// `1 - probability`. Where to draw from is the caller's; `None` leaves `x` as it is.
///
/// The mask is drawn on the host from a generator whose state is a few numbers that the caller
/// chooses, because a backend's own random state cannot be saved.
pub(crate) struct Dropout<'a> {
    pub probability: f64,
    pub generator: Option<&'a mut dyn Rng>,
}

impl Dropout<'_> {
    pub fn apply<F: Real, const D: usize>(&mut self, x: Tensor<D>) -> Tensor<D> {
        let Some(generator) = self.generator.as_mut().filter(|_| self.probability > 0.0) else {
            return x;
        };
        let shape = x.dims();
        let mut bytes = vec![0_u8; 4 * shape.iter().product::<usize>()];
        generator.fill_bytes(&mut bytes);
        let threshold = (self.probability * 2f64.powi(32)) as u32;
        let kept = F::from_elem(1.0 / (1.0 - self.probability));
        let dropped = F::from_elem(0.0);
        let mask = bytes
            .chunks_exact(4)
            .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]) < threshold)
            .map(|drop| if drop { dropped } else { kept })
            .collect();
        let mask = tensor::<F, D>(mask, shape, &x.device());
        x * mask
    }
}

/// Mean of −log softmax(logits)[label] over the rows. logits is (M, V), labels is (M).
///
/// The logarithm of the softmax is taken as a whole (the row's maximum is subtracted first), so
/// logits of ±10⁴ are fine.
pub(crate) fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    -activation::log_softmax(logits, 1)
        .gather(1, labels.unsqueeze_dim(1))
        .mean()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Backend;
    use crate::parameters::values;
    use burn::tensor::TensorData;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn dropped(probability: f64, seed: Option<u64>) -> Vec<f32> {
        let device = Backend::Flex.device().unwrap();
        let mut generator = seed.map(ChaCha8Rng::seed_from_u64);
        let mut dropout = Dropout {
            probability,
            generator: generator.as_mut().map(|g| g as &mut dyn Rng),
        };
        let ones = tensor::<f32, 2>(vec![1.0; 100_000], [100, 1000], &device);
        values::<f32, 2>(dropout.apply::<f32, 2>(ones))
    }

    #[test]
    fn dropout_zeroes_its_share_and_keeps_the_mean() {
        for probability in [0.1, 0.5, 0.9] {
            let x = dropped(probability, Some(1));
            let kept = (1.0 / (1.0 - probability)) as f32;
            assert!(x.iter().all(|&x| x == 0.0 || x == kept));
            let zeros = x.iter().filter(|&&x| x == 0.0).count() as f64;
            // Five standard deviations of a binomial of 100,000.
            let reach = 5.0 * (1e5 * probability * (1.0 - probability)).sqrt();
            assert!(
                (zeros - 1e5 * probability).abs() < reach,
                "{probability}: {zeros}"
            );
        }
    }

    #[test]
    fn dropout_is_a_function_of_its_generator_and_nothing_without_one() {
        assert_eq!(dropped(0.3, Some(1)), dropped(0.3, Some(1)));
        assert_ne!(dropped(0.3, Some(1)), dropped(0.3, Some(2)));
        for x in [dropped(0.3, None), dropped(0.0, Some(1))] {
            assert!(x.iter().all(|&x| x == 1.0));
        }
    }

    #[test]
    fn cross_entropy_is_finite_at_extreme_scores() {
        let device = Backend::Flex.device().unwrap();
        let logits = tensor::<f64, 2>(vec![1e4, -1e4, 0.0, 1e4, 1e4, -1e4], [2, 3], &device);
        let labels = Tensor::from_data(TensorData::new(vec![1, 0], [2]), &device);
        // Row 1: 1e4 − (−1e4). Row 2: ln 2. Their mean.
        let loss = values::<f64, 1>(cross_entropy(logits, labels))[0];
        assert!((loss - (2e4 + 2_f64.ln()) / 2.0).abs() < 1e-9, "{loss}");
    }
}
