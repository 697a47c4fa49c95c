//! Projections of the parameters after a step (proj-GClip, §2.1 of the paper).
//!
//! ```text
//! ball   x ← x · min{radius/‖x‖, 1}       over all blocks that are not frozen, or over each alone
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

/// The ball of this radius about 0, in the space of all coordinates or of each block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProjectBall {
    /// Radius, in (0, ∞), in units of the parameters.
    pub radius: f64,
    /// Whether each block has a ball of its own.
    pub by_block: bool,
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
        Link::ProjectBall(ProjectBall { radius, by_block }) => {
            let norms = norms(at.set, at.layout, params.as_values());
            let beyond = |norm: f64| norm > radius && norm.is_finite();
            let norm = |block: usize| {
                if by_block {
                    norms.blocks[block]
                } else {
                    norms.all
                }
            };
            if norms.blocks.iter().copied().chain([norms.all]).any(beyond) {
                let factor = |block| match norm(block) {
                    norm if beyond(norm) => F::narrow(radius / norm),
                    _ => F::one(),
                };
                each(at, params, factor, |factor, x| x * factor);
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
            each(
                at,
                params,
                |_| (),
                |(), x| {
                    let x = if x > lower { x } else { lower };
                    if x < upper { x } else { upper }
                },
            );
        }
        _ => {}
    }
}

/// x ← f(s, x) with s of its block, on every coordinate that is not frozen.
fn each<F: Real, S: Copy + Send>(
    at: &Prepared<'_>,
    params: &mut ValuesMut<'_, F>,
    of_block: impl Fn(usize) -> S,
    f: impl Fn(S, F) -> F + Sync,
) {
    let mut rest = params.reborrow();
    let mut chunks = Vec::new();
    for (block, range) in at.layout.chunks(CHUNK) {
        let chunk = rest.take(range.len());
        if !at.layout.block(block).frozen {
            chunks.push((of_block(block), chunk));
        }
    }
    parallel(
        at.layout,
        chunks,
        |(s, chunk): (S, ValuesMut<F>)| match chunk {
            ValuesMut::Full(x) => x.iter_mut().for_each(|x| *x = f(s, *x)),
            ValuesMut::Bf16(x) => x.iter_mut().for_each(|x| {
                let new = f(s, F::from_f32(x.to_f32())).as_f32();
                *x = bf16::from_bits((new.to_bits() >> 16) as u16);
            }),
        },
    );
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
