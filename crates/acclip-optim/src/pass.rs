//! One pass over memory: runs a rule over all coordinates, in parallel, to the same bits always.
//!
//! A rule is a function of one coordinate ([`Kernel`]). The flat buffers are cut into chunks of at
//! most [`CHUNK`] coordinates, each within one block; the cut depends only on the layout. Threads
//! take whole chunks, and what chunks report is added up in chunk order, so the number of threads
//! changes neither the parameters nor the norms.
//!
//! Within a chunk, the new values of [`TILE`] coordinates at a time go to the stack and are copied
//! from there. So the compiler sees that what is written does not overlap what is read, and emits
//! vector code for every rule; main memory is still read once and written once.

use rayon::prelude::*;

use crate::clip::Clipper;
use crate::{Layout, Real, State};

/// Coordinates that a thread takes at a time.
pub(crate) const CHUNK: usize = 32 * 1024;
/// Coordinates on the stack at a time.
const TILE: usize = 256;
/// Independent sums within [`sum_of_squares`].
const LANES: usize = 8;

/// An update rule at one step, its scalars ready, on one coordinate with `S` state slots.
pub(crate) trait Kernel<F, const S: usize>: Sync {
    /// Takes the (clipped) gradient coordinate, updates the slots, and returns the direction u
    /// and whether the rule itself clipped.
    fn update(&self, g: F, slots: &mut [F; S]) -> (F, bool);
}

/// Everything a step works on, apart from the rule.
pub(crate) struct Pass<'a, F> {
    pub learning_rate: f64,
    pub weight_decay: f64,
    pub clipper: Clipper<F>,
    pub layout: &'a Layout,
    pub params: &'a mut [F],
    pub grad: &'a [F],
    pub state: &'a mut State<F>,
}

/// What a pass, or a part of it, has done.
#[derive(Default)]
pub(crate) struct Moved {
    /// Σ (u + weight_decay·x)².
    pub squares: f64,
    /// Coordinates that were clipped, by the clip or by the rule.
    pub clipped: u64,
}

/// A chunk's share of the buffers.
struct Chunk<'a, F, const S: usize> {
    weight_decay: F,
    params: &'a mut [F],
    grad: &'a [F],
    slots: [&'a mut [F]; S],
}

impl<F: Real> Pass<'_, F> {
    /// x ← x − learning_rate·(u + weight_decay·x) with u from `kernel`, on every coordinate.
    ///
    /// Buffers must be as long as the layout, and the state must have `S` slots.
    pub(crate) fn run<K: Kernel<F, S>, const S: usize>(self, kernel: &K) -> Moved {
        let (mut params, mut grad) = (self.params, self.grad);
        let mut slots: [&mut [F]; S] = self.state.views();
        let mut chunks = Vec::new();
        for (len, decay) in self.layout.chunks(CHUNK) {
            chunks.push(Chunk {
                weight_decay: F::narrow(if decay { self.weight_decay } else { 0.0 }),
                params: params.split_off_mut(..len).unwrap_or_default(),
                grad: grad.split_off(..len).unwrap_or_default(),
                slots: slots
                    .each_mut()
                    .map(|slot| slot.split_off_mut(..len).unwrap_or_default()),
            });
        }
        let learning_rate = F::narrow(self.learning_rate);
        let moved: Vec<Moved> = (chunks.into_par_iter())
            .map(|chunk| chunk.run(kernel, self.clipper, learning_rate))
            .collect();
        moved.into_iter().fold(Moved::default(), Moved::plus)
    }
}

impl Moved {
    fn plus(self, next: Moved) -> Moved {
        Moved {
            squares: self.squares + next.squares,
            clipped: self.clipped + next.clipped,
        }
    }
}

impl<F: Real, const S: usize> Chunk<'_, F, S> {
    fn run<K: Kernel<F, S>>(mut self, kernel: &K, clipper: Clipper<F>, learning_rate: F) -> Moved {
        let mut moved = Moved::default();
        let mut new_params = [F::zero(); TILE];
        let mut new_slots = [[F::zero(); TILE]; S];
        let mut direction = [F::zero(); TILE];
        for start in (0..self.params.len()).step_by(TILE) {
            let tile = start..self.params.len().min(start + TILE);
            let n = tile.len();
            let (x, g) = (&self.params[tile.clone()], &self.grad[tile.clone()]);
            let slots = self.slots.each_ref().map(|slot| &slot[tile.clone()]);
            let mut clipped = 0_u32;
            for i in 0..n {
                let mut here: [F; S] = std::array::from_fn(|s| slots[s][i]);
                let (g, by_clip) = clipper.apply(g[i]);
                let (u, by_rule) = kernel.update(g, &mut here);
                for s in 0..S {
                    new_slots[s][i] = here[s];
                }
                direction[i] = u + self.weight_decay * x[i];
                new_params[i] = x[i] - learning_rate * direction[i];
                clipped += u32::from(by_clip | by_rule);
            }
            self.params[tile.clone()].copy_from_slice(&new_params[..n]);
            for (slot, new) in self.slots.iter_mut().zip(&new_slots) {
                slot[tile.clone()].copy_from_slice(&new[..n]);
            }
            moved.squares += sum_of_squares(&direction[..n]);
            moved.clipped += u64::from(clipped);
        }
        moved
    }
}

/// Σ gᵢ², in f64, by chunks added in order: the same bits for any number of threads.
pub(crate) fn squared_norm<F: Real>(grad: &[F]) -> f64 {
    let parts: Vec<f64> = grad.par_chunks(CHUNK).map(sum_of_squares).collect();
    parts.into_iter().sum()
}

/// Σ xᵢ² in f64, in [`LANES`] independent sums.
fn sum_of_squares<F: Real>(x: &[F]) -> f64 {
    let mut sums = [0.0; LANES];
    let (groups, rest) = x.as_chunks::<LANES>();
    for group in groups {
        for (sum, x) in sums.iter_mut().zip(group) {
            *sum += x.widen() * x.widen();
        }
    }
    for (sum, x) in sums.iter_mut().zip(rest) {
        *sum += x.widen() * x.widen();
    }
    sums.into_iter().sum()
}
