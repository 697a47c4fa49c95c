//! Which sequences stand in which batch.
//!
//! Training walks through the data in epochs. Each epoch is a new permutation of the `n` sequences, drawn
//! from (seed, epoch), and cut into whole batches; the `n mod batch_size` sequences left over at its end
//! are dropped, and the next epoch drops others. Step `s` belongs to epoch `s / batches_per_epoch`, so any
//! step can be asked for at once.

use crate::{
    Error,
    rng::{Purpose, stream},
};
use rand::seq::SliceRandom;

/// The training order: batch indices by step, with random access.
///
/// The struct caches one epoch's permutation; going to another epoch costs one shuffle of `n` numbers.
#[derive(Clone, Debug)]
pub struct Order {
    batch_size: usize,
    seed: u64,
    epoch: u64,
    permutation: Vec<usize>,
}

impl Order {
    /// The order of `n` sequences in batches of `batch_size`.
    ///
    /// # Errors
    /// [`Error::Setting`] if `batch_size` is 0, [`Error::LessThanOneBatch`] if `n < batch_size`.
    pub fn new(n: usize, batch_size: usize, seed: u64) -> Result<Order, Error> {
        check(n, batch_size)?;
        let permutation = shuffled(n, seed, Purpose::ORDER, 0);
        Ok(Order {
            batch_size,
            seed,
            epoch: 0,
            permutation,
        })
    }

    /// The sequences of step `step` (counted from 0): `batch_size` different indices below `n`.
    pub fn indices(&mut self, step: u64) -> &[usize] {
        let per_epoch = self.batches_per_epoch() as u64;
        let (epoch, batch) = (step / per_epoch, (step % per_epoch) as usize);
        if epoch != self.epoch {
            self.permutation = shuffled(self.permutation.len(), self.seed, Purpose::ORDER, epoch);
            self.epoch = epoch;
        }
        &self.permutation[batch * self.batch_size..][..self.batch_size]
    }

    /// Whole batches in an epoch.
    pub fn batches_per_epoch(&self) -> usize {
        self.permutation.len() / self.batch_size
    }
}

/// One pass over the data in a fixed shuffled order, whole batches only: for the mean gradient and for the
/// noise of each minibatch around it. The same (n, batch size, seed) gives the same batches every time.
#[derive(Clone, Debug)]
pub struct Pass {
    batch_size: usize,
    permutation: Vec<usize>,
}

impl Pass {
    /// The pass over `n` sequences in batches of `batch_size`.
    ///
    /// # Errors
    /// As [`Order::new`].
    pub fn new(n: usize, batch_size: usize, seed: u64) -> Result<Pass, Error> {
        check(n, batch_size)?;
        let permutation = shuffled(n, seed, Purpose::PASS, 0);
        Ok(Pass {
            batch_size,
            permutation,
        })
    }

    /// The batches, in order.
    pub fn batches(&self) -> impl ExactSizeIterator<Item = &[usize]> {
        self.permutation.chunks_exact(self.batch_size)
    }
}

fn check(n: usize, batch_size: usize) -> Result<(), Error> {
    if batch_size == 0 {
        return Err(Error::Setting {
            name: "batch_size",
            value: "0".into(),
            range: "at least 1",
        });
    }
    if n < batch_size {
        return Err(Error::LessThanOneBatch {
            sequences: n,
            batch_size,
        });
    }
    Ok(())
}

fn shuffled(n: usize, seed: u64, purpose: Purpose, epoch: u64) -> Vec<usize> {
    let mut permutation: Vec<usize> = (0..n).collect();
    permutation.shuffle(&mut stream(seed, purpose, epoch, 0));
    permutation
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn epoch(order: &mut Order, epoch: u64) -> Vec<usize> {
        let per_epoch = order.batches_per_epoch() as u64;
        (0..per_epoch)
            .flat_map(|batch| order.indices(epoch * per_epoch + batch).to_vec())
            .collect()
    }

    /// 10 sequences in batches of 3: three whole batches an epoch, one sequence left over.
    #[test]
    fn an_epoch_is_a_permutation_without_its_remainder() {
        let mut order = Order::new(10, 3, 5).unwrap();
        assert_eq!(order.batches_per_epoch(), 3);
        let mut dropped = HashSet::new();
        for e in 0..50 {
            let seen: HashSet<usize> = epoch(&mut order, e).into_iter().collect();
            assert_eq!(seen.len(), 9);
            assert!(seen.iter().all(|&i| i < 10));
            dropped.extend((0..10).filter(|i| !seen.contains(i)));
        }
        // Each is dropped in an epoch with probability 1/10: all miss one of ten with p < 10 · 0.9⁵⁰ = 0.05.
        assert!(
            dropped.len() >= 8,
            "the same few are always dropped: {dropped:?}"
        );
    }

    #[test]
    fn epochs_and_seeds_differ() {
        let mut order = Order::new(100, 10, 5).unwrap();
        let first = epoch(&mut order, 0);
        assert_ne!(first, (0..100).collect::<Vec<_>>());
        assert_ne!(first, epoch(&mut order, 1));
        assert_ne!(first, epoch(&mut Order::new(100, 10, 6).unwrap(), 0));
    }

    /// What a resumed run does: begin anywhere, jump back and forth, and get the same batches.
    #[test]
    fn any_step_can_be_asked_for_first() {
        let mut straight = Order::new(23, 4, 9).unwrap();
        let batches: Vec<Vec<usize>> = (0..30).map(|s| straight.indices(s).to_vec()).collect();
        for step in [29, 0, 4, 5, 17, 16, 3] {
            let mut fresh = Order::new(23, 4, 9).unwrap();
            assert_eq!(fresh.indices(step), batches[step as usize]);
            assert_eq!(straight.indices(step), batches[step as usize]);
        }
        straight.indices(u64::MAX);
    }

    /// Pinned: another version of the random crates must not silently change the order of a stored run.
    #[test]
    fn the_order_is_pinned() {
        assert_eq!(epoch(&mut Order::new(8, 2, 1).unwrap(), 0), PINNED_EPOCH_0);
        assert_eq!(epoch(&mut Order::new(8, 2, 1).unwrap(), 3), PINNED_EPOCH_3);
    }
    const PINNED_EPOCH_0: [usize; 8] = [4, 3, 0, 5, 1, 7, 2, 6];
    const PINNED_EPOCH_3: [usize; 8] = [7, 3, 5, 1, 0, 6, 2, 4];

    #[test]
    fn a_pass_is_fixed_and_sees_each_sequence_once() {
        let pass = Pass::new(11, 4, 3).unwrap();
        let batches: Vec<_> = pass.batches().collect();
        assert_eq!(batches.len(), 2);
        assert!(batches.iter().all(|batch| batch.len() == 4));
        assert_eq!(batches.concat().iter().collect::<HashSet<_>>().len(), 8);
        assert!(Pass::new(11, 4, 3).unwrap().batches().eq(batches));

        // Its own stream: not the first epoch of the training order.
        let whole = Pass::new(100, 100, 3).unwrap();
        let mut order = Order::new(100, 100, 3).unwrap();
        assert_ne!(whole.batches().next().unwrap(), order.indices(0));
    }

    #[test]
    fn less_than_a_batch_is_an_error() {
        for result in [Order::new(3, 4, 0).map(drop), Pass::new(3, 4, 0).map(drop)] {
            let error = result.unwrap_err();
            assert!(matches!(
                error,
                Error::LessThanOneBatch {
                    sequences: 3,
                    batch_size: 4
                }
            ));
            assert!(
                error
                    .to_string()
                    .starts_with("3 sequences do not fill one batch of 4")
            );
        }
        assert!(matches!(
            Order::new(3, 0, 0),
            Err(Error::Setting {
                name: "batch_size",
                ..
            })
        ));
        assert!(Order::new(4, 4, 0).is_ok());
    }
}
