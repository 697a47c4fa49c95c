//! Projections of the parameters after a step (proj-GClip, §2.1 of the paper).
//!
//! ```text
//! ball   x ← x · min{radius/‖x‖, 1}       over all blocks that are not frozen
//! box    xᵢ ← min{max{xᵢ, lower}, upper}
//! ```
//!
//! Both are the Euclidean projection onto the set.

use rayon::prelude::*;

use crate::chain::norms;
use crate::optimizer::Prepared;
use crate::pass::CHUNK;
use crate::real::ValuesMut;
use crate::storage::TILE;
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
            if norm > radius {
                let factor = F::narrow(radius / norm);
                each(at, params, |x| x * factor);
            }
        }
        Link::ProjectBox(ProjectBox { lower, upper }) => {
            let (lower, upper) = (F::narrow(lower), F::narrow(upper));
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
            chunks.push((range.start, chunk));
        }
    }
    chunks.into_par_iter().for_each(|(start, mut chunk)| {
        let mut buffer = [F::zero(); TILE];
        for tile in (0..chunk.len()).step_by(TILE) {
            let n = TILE.min(chunk.len() - tile);
            let x = chunk.open(tile, n, &mut buffer);
            x.iter_mut().for_each(|x| *x = f(*x));
            chunk.close(tile, n, &buffer, at.dice(0).at(start));
        }
    });
}
