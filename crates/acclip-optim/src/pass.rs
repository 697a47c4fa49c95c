//! One pass over memory: clip, rule, decay and step for each coordinate while it is in registers.
//!
//! The flat buffers are cut into chunks of at most [`CHUNK`] coordinates, each within one block; the
//! cut depends only on the layout. Threads take whole chunks, and what chunks report is added up in
//! chunk order, so the number of threads changes neither the parameters nor the norms.
//!
//! Within a chunk, [`TILE`] coordinates at a time are widened to the type of computation (which costs
//! nothing where they are stored in it), updated by one loop, summed up while they are in the cache,
//! and narrowed again. The loop has a function of its own for each number of slots, with every buffer
//! an argument: so the compiler knows that none overlaps another, and makes vector code.

use rayon::prelude::*;

use crate::real::{Values, ValuesMut};
use crate::rounding::Dice;
use crate::rules::{Kernel, WithKernel};
use crate::simd::InstructionSet;
use crate::stats::Sums;
use crate::storage::{StoreMut, TILE};
use crate::{Layout, Real};

/// Coordinates that a thread takes at a time; a multiple of [`TILE`].
pub(crate) const CHUNK: usize = 32 * 1024;
/// Independent sums of squares, so that they need not wait for each other.
pub(crate) const LANES: usize = 16;

/// Everything a step works on, apart from the rule.
pub(crate) struct Pass<'a, F> {
    pub set: InstructionSet,
    pub layout: &'a Layout,
    pub params: ValuesMut<'a, F>,
    pub grad: Values<'a, F>,
    pub slots: Vec<StoreMut<'a, F>>,
    /// Factor of the gradient, by block.
    pub scales: Vec<f64>,
    pub learning_rate: f64,
    /// Decoupled weight decay, by block.
    pub weight_decay: Vec<f64>,
    /// Whether the gradient's norm is still unknown, and with it whether all entries are finite.
    pub measure: bool,
    /// Whether a block has entries that are not finite, of a gradient whose norm is known.
    pub bad: Vec<bool>,
    /// For the parameters; the slots take the next ones.
    pub dice: Vec<Dice>,
}

/// A chunk's share of the buffers, and its block's scalars.
struct Chunk<'a, F, const S: usize> {
    set: InstructionSet,
    block: usize,
    params: ValuesMut<'a, F>,
    grad: Values<'a, F>,
    slots: [StoreMut<'a, F>; S],
    scalars: Scalars<F>,
    learning_rate_scale: f64,
    measure: bool,
    bad: bool,
    params_dice: Dice,
    slot_dice: [Dice; S],
}

#[derive(Clone, Copy)]
struct Scalars<F> {
    scale: F,
    learning_rate: F,
    weight_decay: F,
}

impl<F: Real> WithKernel<F> for Pass<'_, F> {
    /// Sums by block.
    type Output = Vec<Sums>;

    /// x ← x − learning_rate·(u + weight_decay·x) with u from `kernel`, on every coordinate that is
    /// not frozen. Buffers are as long as the layout, and there are `S` slots.
    fn with<K: Kernel<F, S>, const S: usize>(self, kernel: &K) -> Vec<Sums> {
        let Pass {
            mut params,
            mut grad,
            slots,
            ..
        } = self;
        let Ok(mut slots): Result<[StoreMut<F>; S], _> = slots.try_into() else {
            unreachable!("a link lists one slot for each that its kernel takes")
        };
        let mut chunks = Vec::new();
        for (block, range) in self.layout.chunks(CHUNK) {
            let (len, start) = (range.len(), range.start);
            let (params, grad) = (params.take(len), grad.take(len));
            let slots = slots.each_mut().map(|slot| slot.take(len));
            let group = self.layout.block(block);
            if group.frozen {
                continue;
            }
            chunks.push(Chunk {
                set: self.set,
                block,
                params,
                grad,
                slots,
                scalars: Scalars {
                    scale: F::narrow(self.scales[block]),
                    learning_rate: F::narrow(self.learning_rate * group.learning_rate_scale),
                    weight_decay: F::narrow(self.weight_decay[block]),
                },
                learning_rate_scale: group.learning_rate_scale,
                measure: self.measure,
                bad: self.bad[block],
                params_dice: self.dice[0].at(start),
                slot_dice: std::array::from_fn(|s| self.dice[s + 1].at(start)),
            });
        }
        let run = |mut chunk: Chunk<F, S>| (chunk.block, chunk.run(kernel));
        by_block(self.layout, parallel(self.layout, chunks, run))
    }
}

/// Applies `f` to every chunk of the layout, on all threads if it is longer than one chunk may be;
/// results in the chunks' order.
pub(crate) fn parallel<C: Send, R: Send>(
    layout: &Layout,
    chunks: Vec<C>,
    f: impl Fn(C) -> R + Sync,
) -> Vec<R> {
    if layout.len() <= CHUNK {
        chunks.into_iter().map(f).collect()
    } else {
        chunks.into_par_iter().map(&f).collect()
    }
}

/// Adds up what chunks report, in their order.
pub(crate) fn by_block(layout: &Layout, parts: Vec<(usize, Sums)>) -> Vec<Sums> {
    let mut sums = vec![Sums::default(); layout.block_count()];
    for (block, part) in parts {
        sums[block] += part;
    }
    sums
}

impl<F: Real, const S: usize> Chunk<'_, F, S> {
    fn run<K: Kernel<F, S>>(&mut self, kernel: &K) -> Sums {
        self.set.run(
            #[inline(always)]
            |fma| self.run_on(kernel, fma),
        )
    }

    #[inline(always)]
    fn run_on<K: Kernel<F, S>>(&mut self, kernel: &K, fma: bool) -> Sums {
        let mut sums = Sums::default();
        let mut direction = [F::zero(); TILE];
        let mut params_buffer = [F::zero(); TILE];
        let mut grad_buffer = [F::zero(); TILE];
        let mut slot_buffers = [[F::zero(); TILE]; S];
        let mut zeroed = [F::zero(); TILE];
        let mut update = [0.0; LANES];
        for start in (0..self.params.len()).step_by(TILE) {
            let n = TILE.min(self.params.len() - start);
            let mut grad = self.grad.tile(start, n, &mut grad_buffer);
            let mut bad = self.bad;
            if self.measure {
                let squares = sum_of_squares(grad, fma);
                bad = !squares.is_finite();
                sums.grad += if bad {
                    sum_of_finite_squares(grad)
                } else {
                    squares
                };
            }
            if bad {
                sums.zeroed += zero_bad(grad, &mut zeroed);
                grad = &zeroed[..n];
            }
            let params = self.params.open(start, n, &mut params_buffer);
            let slots = open_slots(&mut self.slots, &mut slot_buffers, start, n);
            let u = &mut direction[..n];
            let clipped = update_tile(kernel, self.scalars, params, grad, u, slots);
            sums.clipped += u64::from(clipped);
            add_squares(&mut update, u, fma);
            let dice = self.params_dice;
            self.params.close(start, n, &params_buffer, dice);
            close_slots(&mut self.slots, &slot_buffers, self.slot_dice, start, n);
        }
        let scale = self.learning_rate_scale;
        sums.update = scale * scale * update.into_iter().sum::<f64>();
        sums
    }
}

/// The same tile of every slot, in the type of computation.
#[inline(always)]
pub(crate) fn open_slots<'b, F: Real, const S: usize>(
    slots: &'b mut [StoreMut<'_, F>; S],
    buffers: &'b mut [[F; TILE]; S],
    start: usize,
    n: usize,
) -> [&'b mut [F]; S] {
    let mut buffers = buffers.iter_mut();
    slots.each_mut().map(|slot| {
        let buffer = buffers.next().expect("a buffer for each slot");
        slot.open(start, n, buffer)
    })
}

/// Writes the tile back to slots that are not stored in the type of computation.
#[inline(always)]
pub(crate) fn close_slots<F: Real, const S: usize>(
    slots: &mut [StoreMut<'_, F>; S],
    buffers: &[[F; TILE]; S],
    dice: [Dice; S],
    start: usize,
    n: usize,
) {
    for ((slot, buffer), dice) in slots.iter_mut().zip(buffers).zip(dice) {
        slot.close(start, n, buffer, dice);
    }
}

/// Defines the loop over a tile for one number of slots, each slot an argument of its own.
macro_rules! tile_loop {
    ($name:ident, $($slot:ident $place:literal),*) => {
        #[inline(always)]
        #[allow(clippy::too_many_arguments, reason = "each buffer must be one, see above")]
        fn $name<F: Real, K: Kernel<F, S>, const S: usize>(
            kernel: &K,
            at: Scalars<F>,
            params: &mut [F],
            grad: &[F],
            direction: &mut [F],
            $($slot: &mut [F],)*
        ) -> u32 {
            let n = direction.len();
            let (params, grad) = (&mut params[..n], &grad[..n]);
            $(let $slot = &mut $slot[..n];)*
            let mut clipped = 0;
            for i in 0..n {
                let g = grad[i] * at.scale;
                let mut here = [F::zero(); S];
                $(here[$place] = $slot[i];)*
                let (u, hit) = kernel.update(g, &mut here);
                $($slot[i] = here[$place];)*
                let x = params[i];
                let u = u + at.weight_decay * x;
                params[i] = x - at.learning_rate * u;
                direction[i] = u;
                clipped += u32::from(hit);
            }
            clipped
        }
    };
}

tile_loop!(tile_of_0,);
tile_loop!(tile_of_1, a 0);
tile_loop!(tile_of_2, a 0, b 1);
tile_loop!(tile_of_3, a 0, b 1, c 2);

/// One tile: clip, rule, decay, step. Returns how many coordinates were clipped.
#[inline(always)]
fn update_tile<F: Real, K: Kernel<F, S>, const S: usize>(
    kernel: &K,
    at: Scalars<F>,
    params: &mut [F],
    grad: &[F],
    direction: &mut [F],
    mut slots: [&mut [F]; S],
) -> u32 {
    match slots.as_mut_slice() {
        [] => tile_of_0(kernel, at, params, grad, direction),
        [a] => tile_of_1(kernel, at, params, grad, direction, a),
        [a, b] => tile_of_2(kernel, at, params, grad, direction, a, b),
        [a, b, c] => tile_of_3(kernel, at, params, grad, direction, a, b, c),
        _ => unreachable!("no rule has more than three slots"),
    }
}

/// Σ xᵢ² in f64.
#[inline(always)]
pub(crate) fn sum_of_squares<F: Real>(x: &[F], fma: bool) -> f64 {
    let mut sums = [0.0; LANES];
    add_squares(&mut sums, x, fma);
    sums.into_iter().sum()
}

/// Adds xᵢ² to the sum i mod [`LANES`], in f64.
#[inline(always)]
pub(crate) fn add_squares<F: Real>(sums: &mut [f64; LANES], x: &[F], fma: bool) {
    let (groups, rest) = x.as_chunks::<LANES>();
    for group in groups {
        for (sum, x) in sums.iter_mut().zip(group) {
            *sum = x.add_square(*sum, fma);
        }
    }
    for (sum, x) in sums.iter_mut().zip(rest) {
        *sum = x.add_square(*sum, fma);
    }
}

/// Σ xᵢ² over the entries of a tile that are finite, in the order of [`sum_of_squares`].
#[cold]
fn sum_of_finite_squares<F: Real>(x: &[F]) -> f64 {
    let mut finite = [F::zero(); TILE];
    zero_bad(x, &mut finite);
    sum_of_squares(&finite[..x.len()], false)
}

/// Copies the entries that are finite, and 0 for the others, which are counted.
#[cold]
fn zero_bad<F: Real>(grad: &[F], to: &mut [F; TILE]) -> u64 {
    let mut bad = 0;
    for (to, &g) in to.iter_mut().zip(grad) {
        *to = if g.is_finite() { g } else { F::zero() };
        bad += u64::from(!g.is_finite());
    }
    bad
}

/// Reads the gradient alone: Σ g² by block, over finite entries, and how many are not finite.
pub(crate) fn measure<F: Real>(set: InstructionSet, layout: &Layout, grad: Values<F>) -> Vec<Sums> {
    let mut rest = grad;
    let mut chunks = Vec::new();
    for (block, range) in layout.chunks(CHUNK) {
        let grad = rest.take(range.len());
        if !layout.block(block).frozen {
            chunks.push((block, grad));
        }
    }
    let measure = |(block, grad): (usize, Values<F>)| {
        let sums = set.run(
            #[inline(always)]
            |fma| measure_chunk(grad, fma),
        );
        (block, sums)
    };
    by_block(layout, parallel(layout, chunks, measure))
}

#[inline(always)]
fn measure_chunk<F: Real>(grad: Values<F>, fma: bool) -> Sums {
    let mut sums = Sums::default();
    let mut buffer = [F::zero(); TILE];
    for start in (0..grad.len()).step_by(TILE) {
        let tile = grad.tile(start, TILE.min(grad.len() - start), &mut buffer);
        let squares = sum_of_squares(tile, fma);
        if squares.is_finite() {
            sums.grad += squares;
        } else {
            sums.grad += sum_of_finite_squares(tile);
            sums.zeroed += tile.iter().filter(|g| !g.is_finite()).count() as u64;
        }
    }
    sums
}
