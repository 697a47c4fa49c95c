//! The Kolmogorov–Smirnov distance without looking at every point.
//!
//! Both distribution functions rise. So between two points where they are known, the gap between
//! them is at most what is reached if one of them rises at once and the other at last. Halve the
//! stretches where that bound is above the largest gap found so far, level by level, and forget
//! the others: the result is exact, and 10⁶ points cost some thousand evaluations.

use std::ops::Range;

use rayon::prelude::*;

use crate::sample::log_spaced;

/// The two functions on both sides of a data point, as probabilities counted from the same end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    /// Empirical and fitted probability before the point.
    pub(crate) before: (f64, f64),
    /// Empirical and fitted probability with the point.
    pub(crate) after: (f64, f64),
}

impl Step {
    /// A point at which only one side counts.
    pub(crate) fn at(empirical: f64, fitted: f64) -> Self {
        let both = (empirical, fitted);
        Self {
            before: both,
            after: both,
        }
    }

    /// The larger of the two gaps here.
    pub(crate) fn gap(&self) -> f64 {
        let (before, after) = (self.before, self.after);
        (before.0 - before.1).abs().max((after.0 - after.1).abs())
    }

    /// No gap strictly between this point and `next` is larger.
    fn bound(&self, next: &Step) -> f64 {
        (next.before.0 - self.after.1).max(next.before.1 - self.after.0)
    }
}

/// The largest gap over points 0 to `last`, both included, and where it is; or the first gap
/// found that is above `limit`. `step` gives the functions at a point.
pub(crate) fn largest_gap(last: usize, limit: f64, step: impl Fn(usize) -> Step) -> (f64, usize) {
    let (left, right) = (step(0), step(last));
    let mut best = (left.gap(), 0);
    if right.gap() > best.0 {
        best = (right.gap(), last);
    }
    let mut level = vec![((0, left), (last, right))];
    let mut next = Vec::new();
    while !level.is_empty() {
        for (left, right) in level.drain(..) {
            if best.0 > limit {
                return best;
            }
            if right.0 - left.0 < 2 || left.1.bound(&right.1) <= best.0 {
                continue;
            }
            let index = left.0.midpoint(right.0);
            let middle = (index, step(index));
            if middle.1.gap() > best.0 {
                best = (middle.1.gap(), index);
            }
            next.push((left, middle));
            next.push((middle, right));
        }
        std::mem::swap(&mut level, &mut next);
    }
    best
}

/// The tails of one sample: prefixes 0 ..= k of its points in descending order.
pub(crate) trait Tails: Sync {
    /// A law fitted to a tail.
    type Law: Copy;

    /// The tails that may be chosen lie in `first` ..= `last`.
    fn range(&self) -> Option<(usize, usize)>;
    /// Whether point `k` may be the threshold.
    fn is_candidate(&self, k: usize) -> bool;
    /// The law fitted to 0 ..= `k`.
    fn law(&self, k: usize) -> Self::Law;
    /// Survival functions at point `i` of the tail 0 ..= `k`.
    fn step(&self, k: usize, law: Self::Law, i: usize) -> Step;

    /// The distance of tail 0 ..= `k` from its law.
    fn distance(&self, k: usize) -> f64 {
        let law = self.law(k);
        largest_gap(k, f64::INFINITY, |i| self.step(k, law, i)).0
    }
}

/// Candidates judged first, to have a good distance to beat.
const SCOUTS: usize = 64;

/// Candidates are judged in this many runs, whatever the number of threads.
const RUNS: usize = 256;

/// Points remembered for having refuted a candidate.
const WITNESSES: usize = 6;

/// The candidate with the least distance; the longest tail of those that tie. Every candidate is
/// judged, but most of them by one point: one that showed a large gap for a neighbour.
pub(crate) fn least_distance<T: Tails>(tails: &T) -> Option<usize> {
    let (first, last) = tails.range()?;
    let run = (last + 1 - first).div_ceil(RUNS);
    let mut scouts = log_spaced(first, last, SCOUTS);
    scouts.extend((first..=last).step_by(run));
    let scout = scouts
        .into_par_iter()
        .filter(|&k| tails.is_candidate(k))
        .map(|k| tails.distance(k))
        .reduce(|| f64::INFINITY, f64::min);
    let bests: Vec<Option<(f64, usize)>> = (0..RUNS)
        .into_par_iter()
        .map(|i| {
            let start = first + i * run;
            let candidates = start..(start + run).min(last + 1);
            best_of(tails, candidates, scout)
        })
        .collect();
    // A later candidate is a longer tail.
    let better = |a: (f64, usize), b: (f64, usize)| if b.0 <= a.0 { b } else { a };
    bests.into_iter().flatten().reduce(better).map(|(_, k)| k)
}

/// The best of `candidates`, if it is as good as `limit`.
fn best_of<T: Tails>(tails: &T, candidates: Range<usize>, limit: f64) -> Option<(f64, usize)> {
    let (mut limit, mut best) = (limit, None);
    let mut witnesses = Vec::with_capacity(WITNESSES + 1);
    for k in candidates.filter(|&k| tails.is_candidate(k)) {
        let law = tails.law(k);
        let refutes = |&i: &usize| tails.step(k, law, i).gap() > limit;
        if let Some(position) = witnesses.iter().position(refutes) {
            witnesses[..=position].rotate_right(1);
            continue;
        }
        let (gap, at) = largest_gap(k, limit, |i| tails.step(k, law, i));
        if gap <= limit {
            (limit, best) = (gap, Some((gap, k)));
        } else {
            witnesses.insert(0, at);
            witnesses.truncate(WITNESSES);
        }
    }
    best
}

/// The place of the maximum of a unimodal function, to 1e-9 of the bracket.
pub(crate) fn golden_maximum(mut low: f64, mut high: f64, f: impl Fn(f64) -> f64) -> f64 {
    const SHARE: f64 = 0.618_033_988_749_894_9;
    let (mut a, mut b) = (high - SHARE * (high - low), low + SHARE * (high - low));
    let (mut fa, mut fb) = (f(a), f(b));
    for _ in 0..44 {
        if fa > fb {
            (high, b, fb) = (b, a, fa);
            a = high - SHARE * (high - low);
            fa = f(a);
        } else {
            (low, a, fa) = (a, b, fb);
            b = low + SHARE * (high - low);
            fb = f(b);
        }
    }
    low.midpoint(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A rising staircase against a rising curve, both lumpy.
    fn lumpy(n: usize, seed: usize) -> impl Fn(usize) -> Step {
        let lump = move |i: usize| ((i * (7 + seed)) % 13) as f64 / 13.0;
        move |i| {
            let at = |j: usize| ((j as f64 + lump(j)) / (n as f64 + 1.0)).powf(1.1);
            Step {
                before: (i as f64 / n as f64, at(i)),
                after: ((i + 1) as f64 / n as f64, at(i)),
            }
        }
    }

    #[test]
    fn equals_the_plain_loop() {
        for n in (1..40).chain([1000]) {
            for seed in 0..6 {
                let step = lumpy(n, seed);
                let plain = (0..n).map(|i| step(i).gap()).fold(0.0, f64::max);
                let (gap, at) = largest_gap(n - 1, f64::INFINITY, &step);
                assert_eq!(gap, plain, "n {n}, seed {seed}");
                assert_eq!(step(at).gap(), gap);
                // Stops early, but only above the limit.
                let (early, at) = largest_gap(n - 1, plain / 2.0, &step);
                assert!(early > plain / 2.0 && step(at).gap() == early);
            }
        }
    }

    #[test]
    fn few_points_are_looked_at() {
        let looks = std::cell::Cell::new(0);
        let n = 1_000_000;
        let step = lumpy(n, 1);
        largest_gap(n - 1, f64::INFINITY, |i| {
            looks.set(looks.get() + 1);
            step(i)
        });
        assert!(looks.get() < n / 50, "{}", looks.get());
    }
}
