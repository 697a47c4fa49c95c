//! A chain run link by link, each over the whole of a buffer u: the slow, obvious twin of
//! [`pass`](crate::pass), and the way of all chains that do not fit into one pass.
//!
//! Every link is parallel over the same chunks, and its arithmetic is that of the pass, so that both
//! give the same bits wherever both can run.

use crate::clips::agc::Agc;
use crate::clips::coordinate::{ClipCoordinates, clamp};
use crate::clips::{self, Norms};
use crate::pass::{
    CHUNK, LANES, add_squares, by_block, close_slots, measure, open_slots, parallel, sum_of_squares,
};
use crate::real::{Values, ValuesMut};
use crate::rounding::Dice;
use crate::rules::stable_adam::StableAdam;
use crate::rules::{Kernel, WithKernel};
use crate::simd::InstructionSet;
use crate::stats::Sums;
use crate::step::Prepared;
use crate::storage::{StoreMut, TILE};
use crate::{Block, Layout, Link, Real, State};

/// Runs every link on `u`, which holds the gradient with entries that are not finite taken as 0, and
/// then takes the step. Returns the sums by block, without that of the gradient.
pub(crate) fn run<F: Real>(
    at: &Prepared<'_>,
    links: &[Link],
    u: &mut [F],
    params: &mut ValuesMut<'_, F>,
    state: &mut State<F>,
) -> Vec<Sums> {
    let (layout, set) = (at.layout, at.set);
    let mut reduced = Reduced::new(layout);
    let (mut slot, mut memory) = (0, 0);
    for link in links {
        let slots = slot..slot + link.slots().len();
        let memories = memory..memory + at.memory_count(link);
        (slot, memory) = (slots.end, memories.end);
        if let Some(clip) = link.norm_clip() {
            let norms = norms(set, layout, Values::Full(u));
            let factors = clip.factors(at.t, &norms, &mut state.memories(memories));
            reduced.blocks(&factors);
            scale(layout, u, &factors);
            continue;
        }
        match link {
            Link::Agc(clip) => reduced.coordinates(agc(layout, clip, u, params.as_values())),
            Link::ClipCoordinate(clip) => {
                let tau = clip.at(at.t);
                reduced.coordinates(clamp_all(layout, u, |_| tau));
            }
            Link::ClipCoordinates(ClipCoordinates { tau, growth }) => {
                let growth = clips::growth(*growth, at.t);
                reduced.coordinates(clamp_all(layout, u, |i| tau[i] * growth));
            }
            Link::L2(all) => decay(layout, u, params.as_values(), |block| {
                Some(block.decay_by(block.l2, *all)).filter(|&l2| l2 != 0.0)
            }),
            Link::WeightDecay(all) => decay(layout, u, params.as_values(), |block| {
                Some(block.decay_by(block.weight_decay, *all))
            }),
            Link::ProjectBall(_) | Link::ProjectBox(_) => {}
            rule => {
                let factors = match rule {
                    Link::StableAdam(rule) => {
                        Some(surprise(rule, at, u, &mut state.views(slots.clone())[1]))
                    }
                    _ => None,
                };
                let dice = slots.clone().map(|s| at.dice(s + 1)).collect();
                let work = Map {
                    layout,
                    u,
                    slots: state.views(slots),
                    dice,
                };
                if let Some(clipped) = rule.with_kernel(at.t, work) {
                    reduced.coordinates(clipped);
                }
                if let Some(factors) = factors {
                    reduced.blocks(&factors);
                    scale(layout, u, &factors);
                }
            }
        }
    }
    let mut sums = step(at, u, params);
    for (sums, clipped) in sums.iter_mut().zip(reduced.counts(layout)) {
        sums.clipped = clipped;
    }
    sums
}

/// How many coordinates were made smaller, by block: all of it by a factor, or those counted.
struct Reduced {
    whole: Vec<bool>,
    counted: Vec<u64>,
}

impl Reduced {
    fn new(layout: &Layout) -> Self {
        Reduced {
            whole: vec![false; layout.block_count()],
            counted: vec![0; layout.block_count()],
        }
    }

    fn blocks(&mut self, factors: &[f64]) {
        for (whole, &factor) in self.whole.iter_mut().zip(factors) {
            *whole |= factor < 1.0;
        }
    }

    /// Of several counting links, the one that made most smaller counts.
    fn coordinates(&mut self, sums: Vec<Sums>) {
        for (counted, sums) in self.counted.iter_mut().zip(sums) {
            *counted = sums.clipped.max(*counted);
        }
    }

    fn counts(&self, layout: &Layout) -> Vec<u64> {
        let blocks = layout.blocks().zip(&self.whole).zip(&self.counted);
        blocks
            .map(|(((block, range), &whole), &counted)| match whole {
                true if !block.frozen => range.len() as u64,
                _ => counted,
            })
            .collect()
    }
}

/// Applies `f` to every chunk of `u` that is not frozen, in parallel; adds up what it returns.
fn each_chunk<F: Real>(
    layout: &Layout,
    u: &mut [F],
    f: impl Fn(&mut [F], usize, usize) -> Sums + Sync,
) -> Vec<Sums> {
    let mut rest = u;
    let mut chunks = Vec::new();
    for (block, range) in layout.chunks(CHUNK) {
        let chunk = rest.split_off_mut(..range.len()).unwrap_or_default();
        if !layout.block(block).frozen {
            chunks.push((chunk, range.start, block));
        }
    }
    let part = |(chunk, start, block): (&mut [F], usize, usize)| (block, f(chunk, start, block));
    by_block(layout, parallel(layout, chunks, part))
}

/// Norms of the blocks of a buffer.
pub(crate) fn norms<F: Real>(set: InstructionSet, layout: &Layout, of: Values<F>) -> Norms {
    let sums = measure(set, layout, of);
    Norms::from_squares(&sums.iter().map(|sums| sums.grad).collect::<Vec<_>>())
}

/// u ← factor·u, by block.
fn scale<F: Real>(layout: &Layout, u: &mut [F], factors: &[f64]) {
    each_chunk(layout, u, |u, _, block| {
        let mut factor = F::narrow(factors[block]);
        if !factor.is_finite() {
            // Beyond the range of F, to bring subnormal values up to 1: in two halves.
            factor = F::narrow(factors[block].sqrt());
            u.iter_mut().for_each(|u| *u = *u * factor);
        }
        u.iter_mut().for_each(|u| *u = *u * factor);
        Sums::default()
    });
}

/// u ← clamp(u, ±tau(i)).
fn clamp_all<F: Real>(
    layout: &Layout,
    u: &mut [F],
    tau: impl Fn(usize) -> f64 + Sync,
) -> Vec<Sums> {
    each_chunk(layout, u, |u, start, _| {
        let mut sums = Sums::default();
        for (i, u) in u.iter_mut().enumerate() {
            let (clamped, hit) = clamp(*u, F::narrow(tau(start + i)));
            *u = clamped;
            sums.clipped += u64::from(hit);
        }
        sums
    })
}

/// u ← u + coefficient·x, by block; nothing where there is no coefficient.
fn decay<F: Real>(
    layout: &Layout,
    u: &mut [F],
    params: Values<F>,
    coefficient: impl Fn(&Block) -> Option<f64> + Sync,
) {
    each_chunk(layout, u, |u, start, block| {
        let Some(coefficient) = coefficient(layout.block(block)).map(F::narrow) else {
            return Sums::default();
        };
        let mut buffer = [F::zero(); TILE];
        for (tile, u) in u.chunks_mut(TILE).enumerate() {
            let params = params.tile(start + tile * TILE, u.len(), &mut buffer);
            for (u, x) in u.iter_mut().zip(params) {
                *u = *u + coefficient * *x;
            }
        }
        Sums::default()
    });
}

/// Each row against the norm of its weights. Rows are short or few, so blocks are the unit of work.
fn agc<F: Real>(layout: &Layout, clip: &Agc, u: &mut [F], params: Values<F>) -> Vec<Sums> {
    let mut rest = u;
    let mut blocks = Vec::new();
    for (block, range) in layout.blocks() {
        let len = range.len();
        blocks.push((block, range, rest.split_off_mut(..len).unwrap_or_default()));
    }
    let clip_block = |(block, range, u): (&Block, std::ops::Range<usize>, &mut [F])| {
        let mut sums = Sums::default();
        if block.frozen {
            return sums;
        }
        let unit = Agc::unit(block, range.len());
        let mut buffer = [F::zero(); TILE];
        for (row, u) in u.chunks_mut(unit).enumerate() {
            let start = range.start + row * unit;
            let mut squares = 0.0;
            for from in (0..u.len()).step_by(TILE) {
                let n = TILE.min(u.len() - from);
                squares += sum_of_squares(params.tile(start + from, n, &mut buffer), false);
            }
            let factor = clip.factor(sum_of_squares(u, false).sqrt(), squares.sqrt());
            sums.clipped += if factor < 1.0 { u.len() as u64 } else { 0 };
            let factor = F::narrow(factor);
            u.iter_mut().for_each(|u| *u = *u * factor);
        }
        sums
    };
    parallel(layout, blocks, clip_block)
}

/// The factor of each block by StableAdamW, from u and v before Adam changes them.
fn surprise<F: Real>(
    rule: &StableAdam,
    at: &Prepared<'_>,
    u: &mut [F],
    v: &mut StoreMut<'_, F>,
) -> Vec<f64> {
    let surprise = rule.at::<F>(at.t);
    let mut chunks = Vec::new();
    let mut rest = &*u;
    for (block, range) in at.layout.chunks(CHUNK) {
        let u = rest.split_off(..range.len()).unwrap_or_default();
        let v = v.take(range.len());
        if !at.layout.block(block).frozen {
            chunks.push((block, u, v));
        }
    }
    let sum = |(block, u, mut v): (usize, &[F], StoreMut<F>)| {
        let mut buffer = [F::zero(); TILE];
        let mut sums = Sums::default();
        for (tile, u) in u.chunks(TILE).enumerate() {
            let v = v.open(tile * TILE, u.len(), &mut buffer);
            sums.update += u
                .iter()
                .zip(&*v)
                .map(|(&g, &v)| surprise.of(g, v))
                .sum::<f64>();
        }
        (block, sums)
    };
    let sums = by_block(at.layout, parallel(at.layout, chunks, sum));
    let blocks = at.layout.blocks().zip(sums);
    blocks
        .map(|((_, range), sums)| StableAdam::factor(sums.update, range.len()))
        .collect()
}

/// u ← what a rule makes of it.
struct Map<'a, F> {
    layout: &'a Layout,
    u: &'a mut [F],
    slots: Vec<StoreMut<'a, F>>,
    dice: Vec<Dice>,
}

impl<F: Real> WithKernel<F> for Map<'_, F> {
    type Output = Vec<Sums>;

    fn with<K: Kernel<F, S>, const S: usize>(self, kernel: &K) -> Vec<Sums> {
        let Ok(mut slots): Result<[StoreMut<F>; S], _> = self.slots.try_into() else {
            unreachable!("a link lists one slot for each that its kernel takes")
        };
        let mut rest = self.u;
        let mut chunks = Vec::new();
        for (block, range) in self.layout.chunks(CHUNK) {
            let u = rest.split_off_mut(..range.len()).unwrap_or_default();
            let slots = slots.each_mut().map(|slot| slot.take(range.len()));
            let dice: [Dice; S] = std::array::from_fn(|s| self.dice[s].at(range.start));
            if !self.layout.block(block).frozen {
                chunks.push((block, u, slots, dice));
            }
        }
        let map = |(block, u, mut slots, dice): (usize, &mut [F], [StoreMut<F>; S], _)| {
            (block, map_chunk(kernel, u, &mut slots, dice))
        };
        by_block(self.layout, parallel(self.layout, chunks, map))
    }
}

fn map_chunk<F: Real, K: Kernel<F, S>, const S: usize>(
    kernel: &K,
    u: &mut [F],
    slots: &mut [StoreMut<'_, F>; S],
    dice: [Dice; S],
) -> Sums {
    let mut sums = Sums::default();
    let mut buffers = [[F::zero(); TILE]; S];
    for (tile, u) in u.chunks_mut(TILE).enumerate() {
        let (start, n) = (tile * TILE, u.len());
        let views = open_slots(slots, &mut buffers, start, n);
        for i in 0..n {
            let mut here: [F; S] = std::array::from_fn(|s| views[s][i]);
            let (new, clipped) = kernel.update(u[i], &mut here);
            u[i] = new;
            for s in 0..S {
                views[s][i] = here[s];
            }
            sums.clipped += u64::from(clipped);
        }
        close_slots(slots, &buffers, dice, start, n);
    }
    sums
}

/// x ← x − learning_rate·u.
fn step<F: Real>(at: &Prepared<'_>, u: &mut [F], params: &mut ValuesMut<'_, F>) -> Vec<Sums> {
    let mut params = params.reborrow();
    let mut rest = &*u;
    let mut chunks = Vec::new();
    for (block, range) in at.layout.chunks(CHUNK) {
        let u = rest.split_off(..range.len()).unwrap_or_default();
        let params = params.take(range.len());
        if !at.layout.block(block).frozen {
            chunks.push((block, range.start, u, params));
        }
    }
    let step = |(block, start, u, mut params): (usize, usize, &[F], ValuesMut<F>)| {
        let scale = at.layout.block(block).learning_rate_scale;
        let learning_rate = F::narrow(at.learning_rate * scale);
        let dice = at.dice(0).at(start);
        let mut buffer = [F::zero(); TILE];
        let mut sums = Sums::default();
        let mut update = [0.0; LANES];
        for (tile, u) in u.chunks(TILE).enumerate() {
            let (start, n) = (tile * TILE, u.len());
            for (x, u) in params.open(start, n, &mut buffer).iter_mut().zip(u) {
                *x = *x - learning_rate * *u;
            }
            params.close(start, n, &buffer, dice);
            add_squares(&mut update, u, false);
        }
        sums.update = scale * scale * update.into_iter().sum::<f64>();
        (block, sums)
    };
    by_block(at.layout, parallel(at.layout, chunks, step))
}
