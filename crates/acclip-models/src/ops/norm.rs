//! LayerNorm, alone or of a residual sum, and dropout.

use super::tape::{read, record};
use crate::Real;
use crate::weights::{Slot, Weights, tensor};
use acclip_kernels::by_example::{self, Columns};
use acclip_kernels::{Dropout, LayerNorm};
use burn::tensor::{Tensor, module};

/// LN(x) over the last axis of (N, H), with the gain and bias called `name`, and `eps` added to the variance.
pub(crate) fn layer_norm<F: Real>(w: &Weights<F>, name: &str, x: Tensor<2>, eps: f64) -> Tensor<2> {
    let Some(norm) = Norm::find(w, name, None, eps) else {
        return stock(w, name, x, eps);
    };
    let shape = x.dims();
    let (x, node) = read::<F, 2>(x);
    let (y, saved) = norm.forward(x.into_vec(), None, shape);
    record([node], y, shape, move |dy| {
        let mut dx = dy.into_vec();
        norm.backward(&saved, &mut dx, None);
        [Some(dx)]
    })
}

/// LN(residual + dropout(x)).
pub(crate) fn residual_norm<F: Real>(
    w: &Weights<F>,
    name: &str,
    residual: Tensor<2>,
    x: Tensor<2>,
    mask: Option<Dropout>,
    eps: f64,
) -> Tensor<2> {
    let Some(norm) = Norm::find(w, name, mask, eps) else {
        return stock(w, name, residual + dropout(w, x, mask), eps);
    };
    let shape = x.dims();
    let ((residual, residual_node), (x, node)) = (read::<F, 2>(residual), read::<F, 2>(x));
    let (y, saved) = norm.forward(x.into_vec(), Some(&residual), shape);
    drop(residual);
    record([residual_node, node], y, shape, move |dy| {
        let mut ds = dy.into_vec();
        let dx = match norm.dropout {
            None => {
                norm.backward(&saved, &mut ds, None);
                ds.clone()
            }
            Some(_) => {
                let mut dx = vec![F::ZERO; ds.len()];
                norm.backward(&saved, &mut ds, Some(&mut dx));
                dx
            }
        };
        [Some(ds), Some(dx)]
    })
}

/// x with entries dropped by the mask.
pub(crate) fn dropout<F: Real>(w: &Weights<F>, x: Tensor<2>, mask: Option<Dropout>) -> Tensor<2> {
    let Some(mask) = mask else {
        return x;
    };
    let shape = x.dims();
    if w.is_stock() {
        return x * factors::<F, 2>(&mask, shape, w.device());
    }
    let (x, node) = read::<F, 2>(x);
    let mut y = x.into_vec();
    mask.apply_in_place(&mut y);
    record([node], y, shape, move |dy| {
        let mut dx = dy.into_vec();
        mask.apply_in_place(&mut dx);
        [Some(dx)]
    })
}

/// The factors of a mask as a tensor.
pub(super) fn factors<F: Real, const D: usize>(
    mask: &Dropout,
    shape: [usize; D],
    device: &crate::Device,
) -> Tensor<D> {
    let mut factors = vec![F::ZERO; shape.iter().product()];
    mask.factors(0, &mut factors);
    tensor(factors, shape, device)
}

fn stock<F: Real>(w: &Weights<F>, name: &str, x: Tensor<2>, eps: f64) -> Tensor<2> {
    let gain = w.vector(&format!("{name}.weight"));
    let bias = w.vector(&format!("{name}.bias"));
    module::layer_norm(x, gain, Some(bias), eps)
}

/// The parameters of a fused LayerNorm.
struct Norm<F> {
    gain: Slot<F>,
    bias: Slot<F>,
    dropout: Option<Dropout>,
    eps: f64,
}

/// What backward needs: x̂ (N, H) and 1/σ (N).
struct Saved<F> {
    normalized: Vec<F>,
    inverse_std: Vec<F>,
}

impl<F: Real> Norm<F> {
    fn find(w: &Weights<F>, name: &str, dropout: Option<Dropout>, eps: f64) -> Option<Self> {
        Some(Self {
            gain: w.slot(&format!("{name}.weight"))?,
            bias: w.slot(&format!("{name}.bias"))?,
            dropout,
            eps,
        })
    }

    fn kernel(&self) -> LayerNorm<'_, F> {
        LayerNorm {
            gamma: self.gain.values(),
            beta: self.bias.values(),
            eps: self.eps,
            dropout: self.dropout,
        }
    }

    fn forward(
        &self,
        mut x: Vec<F>,
        residual: Option<&[F]>,
        shape: [usize; 2],
    ) -> (Vec<F>, Saved<F>) {
        let mut y = vec![F::ZERO; x.len()];
        let mut inverse_std = vec![F::ZERO; shape[0]];
        (self.kernel()).forward(&mut x, residual, &mut y, &mut inverse_std);
        let saved = Saved {
            normalized: x,
            inverse_std,
        };
        (y, saved)
    }

    fn backward(&self, saved: &Saved<F>, dy: &mut [F], dx: Option<&mut [F]>) {
        let Saved {
            normalized,
            inverse_std,
        } = saved;
        let width = self.gain.values().len();
        if let Some(asked) = self.gain.asked() {
            let (rows, along) = (&asked.groups, asked.along(self.gain.range()));
            let moments = by_example::gain(dy, normalized, rows, along, width);
            self.gain.add_moments(0, moments);
            let along = asked.along(self.bias.range());
            let moments = by_example::bias(Columns::all(dy, width), rows, along);
            self.bias.add_moments(0, moments);
        }
        let (mut dgain, mut dbias) = (vec![F::ZERO; width], vec![F::ZERO; width]);
        let kernel = self.kernel();
        kernel.backward(normalized, inverse_std, dy, dx, &mut dgain, &mut dbias);
        self.gain.add_values(&dgain);
        self.bias.add_values(&dbias);
    }
}
