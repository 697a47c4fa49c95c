//! Lemma 17: what the function of Theorem 6 is, at random points and at the worst that a search finds.
//!
//! ```text
//! 1   F_T(0) − inf F_T ≤ 12T            3   ‖∇F_T‖_∞ ≤ 23
//! 2   ∇F_T is 152-Lipschitz             4   prog_0(∇F_T(x)) ≤ prog_½(x) + 1
//! 5   |∂_i F_T(x)| > 1 at i = prog_1(x) + 1, if that is at most T
//! ```
//!
//! Every difference quotient of ∇F_T between two points is a lower bound on its Lipschitz constant, and every value one
//! on the other suprema. The search starts from the worst random point and keeps every step of random direction that
//! makes it worse, with a length that grows on success and shrinks on failure.

use acclip_noise::lanes::mix;
use rayon::prelude::*;

use super::super::Settings;
use super::sample::{Random, length};
use super::start;
use crate::bounds::lower_non_convex::{GAP, GRADIENT, SMOOTHNESS};
use crate::ensemble::Control;
use crate::finding::{Check, Finding, Table};
use crate::problems::{Problem, ZeroChain, prog};
use crate::{Cell, Error};

/// T.
const LENGTHS: [usize; 6] = [2, 3, 4, 6, 8, 16];
/// Half the distance of the two points of a difference quotient, in the search.
const STEP: f64 = 1e-4;
/// Steps of a search.
const SEARCH: usize = 1 << 15;

/// Properties that are suprema, with their constants: 1, 2, 3 and 5, of which the last is 1/|∂_i| ≤ 1.
const CONSTANTS: [f64; 4] = [GAP, SMOOTHNESS, GRADIENT, 1.0];
const NAMES: [&str; 4] = [
    "(1) F(0) − F(x), over T",
    "(2) ‖∇F(x) − ∇F(y)‖/‖x − y‖",
    "(3) ‖∇F‖_∞",
    "(5) 1/|∂_i F|, i = prog_1 + 1",
];

/// Of one T: the largest values of the suprema at random points, and after a search; points that violate (4).
struct Found {
    length: usize,
    random: [f64; 4],
    searched: [f64; 4],
    broken: usize,
    reached: usize,
}

pub(super) fn run(settings: &Settings, control: &Control) -> Result<Finding, Error> {
    let mut finding = start(
        17,
        "F_T(0) − inf F_T ≤ 12T; ∇F_T is 152-Lipschitz; no partial derivative is above 23; a gradient shows at most \
         the coordinate after the last with |x_i| > ½; and ‖∇F_T(x)‖ > 1 as long as |x_T| ≤ 1.",
        settings,
        "random points for each T",
    );
    for (name, value) in &mut finding.settings {
        if name == "α" {
            *value = "unused".into();
        }
    }
    let find = |&length: &usize| find(length, settings, control);
    let all: Vec<Result<Found, Error>> = LENGTHS.par_iter().map(find).collect();
    let all = all.into_iter().collect::<Result<Vec<_>, _>>()?;
    judge(&mut finding, &all, CONSTANTS);
    let mut rows = Vec::new();
    for found in &all {
        let chain = ZeroChain::new(found.length, SMOOTHNESS, 1.0)?;
        let sharper = [
            Cell::from(chain.initial_gap() / found.length as f64),
            Cell::Empty,
            if found.length > 2 {
                SHARP_GRADIENT.into()
            } else {
                Cell::Empty
            },
            1.0.into(),
        ];
        for (i, sharper) in sharper.into_iter().enumerate() {
            let mut row = vec![(found.length as f64).into(), NAMES[i].into()];
            row.extend([found.random[i], found.searched[i], CONSTANTS[i]].map(Cell::from));
            row.push(sharper);
            rows.push(row);
        }
    }
    finding.tables.push(Table::new(
        "Largest values found",
        &[
            "T",
            "property",
            "random points",
            "after a search",
            "constant",
            "supremum, where known",
        ],
        rows,
    ));
    finding.notes.push(format!(
        "The supremum of (1) is exact, √(πe/2) + e√(2πe)(T − 1) over T, approached as all x_i → ∞. That of (3) is the \
         one of e√e e^(−x²/2) + √(2πe) Ψ'(x), {SHARP_GRADIENT:.4} for T ≥ 3. No constant in (2) can be below √(2πe) \
         max Ψ'' = 133.84; what the search finds above that comes from two coordinates together. (5) has the infimum \
         1, approached at i = T with x_(T−1) → 1 and |x_T| = 1; for i < T, |∂_i F| is above 1.33."
    ));
    Ok(finding)
}

/// The supremum of |∂_i F_T| for T ≥ 3 (mpmath; see `problems/zero_chain`).
const SHARP_GRADIENT: f64 = 21.392_237_881_697_22;

/// The checks, against these constants.
fn judge(finding: &mut Finding, all: &[Found], constants: [f64; 4]) {
    for (i, (name, constant)) in NAMES.iter().zip(constants).enumerate() {
        let largest = |found: &Found| found.random[i].max(found.searched[i]);
        let worst = all.iter().max_by(|a, b| largest(a).total_cmp(&largest(b)));
        let Some(worst) = worst else { continue };
        let value = largest(worst);
        finding.checks.push(Check::new(
            format!("{name}: at most {constant}"),
            value <= constant,
            format!(
                "largest {value:.6} (T = {}), {:.4} of it",
                worst.length,
                value / constant
            ),
        ));
    }
    let broken: usize = all.iter().map(|found| found.broken).sum();
    let reached: usize = all.iter().map(|found| found.reached).sum();
    finding.checks.push(Check::new(
        "(4) prog_0(∇F(x)) ≤ prog_½(x) + 1",
        broken == 0 && reached > 0,
        format!("{broken} violations; equality at {reached} random points"),
    ));
    // What is known to be approached, is: the search is no weaker than that.
    let tight = all
        .iter()
        .filter(|found| found.length > 2)
        .map(|found| found.searched[2]);
    let closest = tight.fold(0.0, f64::max) / SHARP_GRADIENT;
    finding.checks.push(Check::new(
        "(3): the search finds the supremum, and no more",
        (0.999..=1.0 + 1e-12).contains(&closest),
        format!("{closest:.6} of {SHARP_GRADIENT:.4}"),
    ));
}

/// All properties for one T.
fn find(t: usize, settings: &Settings, control: &Control) -> Result<Found, Error> {
    let chain = ZeroChain::new(t, SMOOTHNESS, 1.0)?;
    let key = settings.stream("lemma 17", t as f64);
    let mut found = Found {
        length: t,
        random: [0.0; 4],
        searched: [0.0; 4],
        broken: 0,
        reached: 0,
    };
    // Where each was largest: the point, and for (2) the direction, too.
    let mut worst = vec![vec![0.0; 2 * t]; 4];
    for case in 0..settings.trajectories {
        control.count(1)?;
        let mut random = Random::new(mix(key, case as u64));
        let z = point(&mut random, t);
        let gradient = gradient(&chain, &z[..t]);
        let (seen, shown) = (prog(&gradient, 0.0), prog(&z[..t], 0.5) + 1);
        found.broken += usize::from(seen > shown);
        found.reached += usize::from(seen == shown);
        let distance = random.decade(-4.0, 0.5);
        for (i, (worst, largest)) in worst.iter_mut().zip(&mut found.random).enumerate() {
            let value = value(&chain, i, &z, distance);
            if value > *largest {
                *largest = value;
                worst.clone_from(&z);
            }
        }
    }
    for (i, start) in worst.into_iter().enumerate() {
        let mut random = Random::new(mix(key, u64::MAX - i as u64));
        control.count(SEARCH as u64)?;
        found.searched[i] = climb(start, &mut random, |z| value(&chain, i, z, STEP));
    }
    Ok(found)
}

/// A point and a direction: both signs, scales 0.1 to 10 (and for one case in eight up to 10⁶), and in half of the
/// cases zeros from some coordinate on.
fn point(random: &mut Random, t: usize) -> Vec<f64> {
    let far = if random.uniform() < 0.125 { 6.0 } else { 1.0 };
    let scale = random.decade(-1.0, far);
    let end = t.min(1 + (random.uniform() * 2.0 * t as f64) as usize);
    let coordinate = |i: usize| match i {
        i if i < end => scale * random.between(-1.0, 1.0),
        i if i < t => 0.0,
        _ => random.normal(),
    };
    (0..2 * t).map(coordinate).collect()
}

fn gradient(chain: &ZeroChain, x: &[f64]) -> Vec<f64> {
    let mut gradient = vec![0.0; x.len()];
    chain.gradient(x, &mut gradient);
    gradient
}

/// The left side of a property at a point (and direction) `z`; 0 where it says nothing.
fn value(chain: &ZeroChain, property: usize, z: &[f64], distance: f64) -> f64 {
    let t = chain.length();
    let (x, direction) = z.split_at(t);
    match property {
        0 => {
            let mut gap = [0.0];
            chain.gap(x, &mut gap);
            (chain.initial_gap() - gap[0]) / t as f64
        }
        1 => {
            let factor = distance / length(direction);
            let at = |sign: f64| -> Vec<f64> {
                x.iter()
                    .zip(direction)
                    .map(|(x, v)| x + sign * factor * v)
                    .collect()
            };
            let (a, b) = (at(1.0), at(-1.0));
            let difference = |a: &[f64], b: &[f64]| {
                length(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>())
            };
            difference(&gradient(chain, &a), &gradient(chain, &b)) / difference(&a, &b)
        }
        2 => gradient(chain, x)
            .iter()
            .fold(0.0, |largest, g| largest.max(g.abs())),
        _ => gradient(chain, x)
            .get(prog(x, 1.0))
            .map_or(0.0, |partial| 1.0 / partial.abs()),
    }
}

/// The largest value that random steps uphill find.
fn climb(mut z: Vec<f64>, random: &mut Random, value: impl Fn(&[f64]) -> f64) -> f64 {
    let (mut best, mut size) = (value(&z), 1.0);
    for step in 0..SEARCH {
        // Now one coordinate, now all of them.
        let one = (random.uniform() * z.len() as f64) as usize;
        let moved = |(i, z): (usize, &f64)| match step % 2 {
            0 if i != one => *z,
            _ => z + size * random.normal(),
        };
        let next: Vec<f64> = z.iter().enumerate().map(moved).collect();
        let found = value(&next);
        if found > best {
            (z, best) = (next, found);
            size *= 2.0;
        } else {
            size = (0.9 * size).max(1e-7);
        }
        if step % 256 == 255 {
            size = 1.0;
        }
    }
    best
}

#[cfg(test)]
mod tests;
