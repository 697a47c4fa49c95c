//! Projections of the parameters after a step (proj-GClip, §2.1 of the paper).
//!
//! ```text
//! ball   x ← x · min{radius/‖x‖, 1}       over all blocks that are not frozen
//! box    xᵢ ← min{max{xᵢ, lower}, upper}
//! ```
//!
//! Both are the Euclidean projection onto the set. bf16 parameters are rounded towards 0, and the bounds
//! of the box inwards, so that they stay inside a box that is not narrower than bf16 is fine; bounds for
//! `f32` are rounded to the nearest. Parameters whose norm exceeds f64 (squares, so beyond 1e154) are left.

use half::bf16;

use crate::chain::norms;
use crate::pass::{CHUNK, parallel};
use crate::real::ValuesMut;
use crate::step::Prepared;
use crate::{Link, Real};

/// The ball of this radius about 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProjectBall {
    /// Radius, in (0, ∞), in units of the parameters.
    pub radius: f64,
}

/// The box [lower, upper] in every coordinate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProjectBox {
    /// Least value.
    pub lower: f64,
    /// Largest value, at least `lower`.
    pub upper: f64,
}

/// Projects, if the link is a projection.
pub(crate) fn project<F: Real>(link: &Link, at: &Prepared<'_>, params: &mut ValuesMut<'_, F>) {
    match *link {
        Link::ProjectBall(ProjectBall { radius }) => {
            let norm = norms(at.set, at.layout, params.as_values()).all;
            if norm > radius && norm.is_finite() {
                let factor = F::narrow(radius / norm);
                each(at, params, |x| x * factor);
            }
        }
        Link::ProjectBox(ProjectBox { lower, upper }) => {
            let (lower, upper) = match params {
                ValuesMut::Full(_) => (F::narrow(lower), F::narrow(upper)),
                ValuesMut::Bf16(_) => (
                    F::narrow(-at_most_in_bf16(-lower)),
                    F::narrow(at_most_in_bf16(upper)),
                ),
            };
            each(at, params, |x| {
                let x = if x > lower { x } else { lower };
                if x < upper { x } else { upper }
            });
        }
        _ => {}
    }
}

/// x ← f(x) on every coordinate that is not frozen.
fn each<F: Real>(at: &Prepared<'_>, params: &mut ValuesMut<'_, F>, f: impl Fn(F) -> F + Sync) {
    let mut rest = params.reborrow();
    let mut chunks = Vec::new();
    for (block, range) in at.layout.chunks(CHUNK) {
        let chunk = rest.take(range.len());
        if !at.layout.block(block).frozen {
            chunks.push(chunk);
        }
    }
    parallel(chunks, |chunk: ValuesMut<F>| match chunk {
        ValuesMut::Full(x) => x.iter_mut().for_each(|x| *x = f(*x)),
        ValuesMut::Bf16(x) => x.iter_mut().for_each(|x| {
            let new = f(F::from_f32(x.to_f32())).as_f32();
            *x = bf16::from_bits((new.to_bits() >> 16) as u16);
        }),
    });
}

/// The largest bf16 value that is not above `x`.
fn at_most_in_bf16(x: f64) -> f64 {
    let near = bf16::from_f64(x);
    let bits = near.to_bits();
    let below = match near {
        _ if near.to_f64() <= x || near.is_nan() => near,
        _ if near == bf16::ZERO => bf16::from_bits(0x8001),
        _ if near > bf16::ZERO => bf16::from_bits(bits - 1),
        _ => bf16::from_bits(bits + 1),
    };
    below.to_f64()
}
