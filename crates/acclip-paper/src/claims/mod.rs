//! From what was measured to a verdict on each claim of a plan.

mod races;
#[cfg(test)]
mod tests;

use crate::claim::{Claim, Samples, Verdict};
use crate::plan::{ClaimPlan, Plan, Point};
use crate::runner::{Measured, Noise};
use acclip_data::{Purpose, rng};
use acclip_train::compare::stats::holm;
use races::{above_zero, ahead, wider_gap};
use std::collections::{BTreeMap, BTreeSet};

/// The stream of the bootstraps.
const BOOTSTRAP: Purpose = Purpose::new("claims");

/// Why there is no verdict.
const NOTHING: &str = "nothing was measured";
/// Why several seeds are not compared.
const ONE_LEFT: &str = "training diverged on all seeds but one";

/// The claims of a plan, judged.
pub fn judged(plan: &Plan, all: &[Measured]) -> Vec<Claim> {
    let claims = plan.claims.iter().enumerate();
    let claims = claims.map(|(i, claim)| judge(plan, claim, i as u64, all));
    adjusted(claims.collect())
}

/// Adjusts p-values for the number of claims that have one (Holm), those of either verdict apart.
fn adjusted(mut claims: Vec<Claim>) -> Vec<Claim> {
    let of = |side: usize| -> Vec<f64> {
        let sides = claims.iter().filter_map(|claim| claim.sides);
        holm(&sides.map(|sides| sides[side]).collect::<Vec<_>>())
    };
    let adjusted = of(0).into_iter().zip(of(1));
    let tested = claims.iter_mut().filter(|claim| claim.sides.is_some());
    for (claim, (holds, fails)) in tested.zip(adjusted) {
        claim.settle([holds, fails]);
    }
    claims
}

fn judge(plan: &Plan, claim: &ClaimPlan, i: u64, all: &[Measured]) -> Claim {
    let margin = plan.margin;
    let generator = || rng::stream(seed(all), BOOTSTRAP, i, 0);
    match claim {
        ClaimPlan::InfiniteVariance {
            statement,
            cell,
            step,
        } => over_seeds(statement, all, plan, &at(cell, *step), |noise| {
            Claim::infinite_variance(statement, &noise.diagnosis)
        }),
        ClaimPlan::Light {
            statement,
            cell,
            step,
        } => over_seeds(statement, all, plan, &at(cell, *step), |noise| {
            Claim::light(statement, &noise.diagnosis)
        }),
        ClaimPlan::HeavyEntries {
            statement,
            cell,
            step,
        } => {
            let noise = noise(all, &at(cell, *step));
            let gradients = noise.iter().map(|noise| &noise.measurement.gradients);
            let of = gradients.clone().next().map_or("", |g| g.snapshot_of());
            match gradients
                .map(|g| g.snapshot.as_ref())
                .collect::<Option<Vec<_>>>()
            {
                None => Claim::unmeasured(statement, "no entries were kept of a gradient"),
                Some(found) if found.is_empty() => Claim::unmeasured(statement, NOTHING),
                Some(found) => Claim::heavy_entries(statement, of, &found),
            }
        }
        ClaimPlan::Heavier {
            statement,
            heavy,
            light,
        } => {
            let (pairs, same) = pairs(all, [heavy, light]);
            match pairs.len() == 1 && plan.noise_seeds > 1 {
                true => Claim::unmeasured(statement, ONE_LEFT),
                false => Claim::heavier(statement, &pairs, same, margin, &mut generator()),
            }
        }
        ClaimPlan::HeavierOnAverage {
            statement,
            heavy,
            light,
        } => heavier_on_average(statement, all, [heavy, light], margin),
        ClaimPlan::Unchanged {
            statement,
            from,
            to,
        } => {
            let (pairs, same) = pairs(all, [from, to]);
            match pairs.len() == 1 && plan.noise_seeds > 1 {
                true => Claim::unmeasured(statement, ONE_LEFT),
                false => Claim::unchanged(statement, &pairs, same, margin, &mut generator()),
            }
        }
        ClaimPlan::WiderGap {
            statement,
            better,
            worse,
            wide,
            narrow,
            margin: own,
        } => {
            let margin = own.unwrap_or(margin);
            wider_gap(statement, all, [better, worse], [wide, narrow], margin)
        }
        ClaimPlan::Ahead {
            statement,
            cell,
            better,
            worse,
            metric,
            margin: own,
        } => {
            let margin = own.unwrap_or(margin);
            ahead(statement, all, cell, [better, worse], metric, margin)
        }
    }
}

fn at(cell: &str, step: u64) -> Point {
    Point {
        cell: cell.to_string(),
        step,
    }
}

/// The measurements of a cell at a step, a seed each.
fn noise<'a>(all: &'a [Measured], point: &Point) -> Vec<&'a Noise> {
    let cell = all.iter().filter(|m| m.cell.name == point.cell);
    let noise = cell.flat_map(|m| &m.noise);
    noise.filter(|noise| noise.step == point.step).collect()
}

/// A claim about each seed, as one.
fn over_seeds(
    statement: &str,
    all: &[Measured],
    plan: &Plan,
    point: &Point,
    judge: impl Fn(&Noise) -> Claim,
) -> Claim {
    let claims: Vec<Claim> = noise(all, point).into_iter().map(judge).collect();
    combined(statement, claims, plan.noise_seeds)
}

/// The seed of the first cell, from which bootstraps draw.
fn seed(all: &[Measured]) -> u64 {
    all.first().map_or(0, |m| m.cell.config.seed)
}

/// Norms at two points, a pair a seed; and whether both are of the same batches.
fn pairs<'a>(all: &'a [Measured], [a, b]: [&Point; 2]) -> (Vec<Samples<'a>>, bool) {
    let others = noise(all, b);
    let both = noise(all, a).into_iter().filter_map(|a| {
        let b = others.iter().find(|b| b.seed == a.seed)?;
        Some((a.measurement.noise_norms(), b.measurement.noise_norms()))
    });
    let batches = |point: &Point| {
        let cell = all.iter().find(|m| m.cell.name == point.cell);
        cell.map(|m| {
            let c = &m.cell.config;
            (&c.task, &c.corpus, &c.noise, c.model.seq_len)
        })
    };
    (both.collect(), batches(a) == batches(b))
}

/// Whether the tail index of one cell is above that of another, averaged over the settings of the axes. Settings share
/// batches and weights, and seeds do not: the test is over seeds.
fn heavier_on_average(
    statement: &str,
    all: &[Measured],
    cells: [&String; 2],
    margin: f64,
) -> Claim {
    // ξ by seed and setting.
    let of = |cell: &String| -> BTreeMap<(u64, usize, &str), f64> {
        let found = all.iter().filter(|m| m.cell.name == *cell);
        let scanned = found.flat_map(|m| &m.scanned);
        let noise = scanned.flat_map(|s| s.noise.iter().map(move |noise| (s, noise)));
        let xi = noise.filter_map(|(s, noise)| {
            let xi = noise.diagnosis.evidence.moment?.xi.estimate;
            Some(((noise.seed, s.axis, s.value.as_str()), xi))
        });
        xi.collect()
    };
    let [heavy, light] = cells.map(of);
    // Settings that every seed has in both: training may have diverged on some.
    let both = heavy.keys().filter(|key| light.contains_key(key));
    let both: Vec<_> = both.copied().collect();
    let seeds: BTreeSet<u64> = both.iter().map(|key| key.0).collect();
    let everywhere = |(_, axis, value): (u64, usize, &str)| {
        let mut seeds = seeds.iter();
        seeds.all(|seed| both.contains(&(*seed, axis, value)))
    };
    let mut by_seed: BTreeMap<u64, Vec<[f64; 2]>> = BTreeMap::new();
    for key in both.iter().filter(|key| everywhere(**key)) {
        let (xi, pairs) = ([heavy[key], light[key]], by_seed.entry(key.0).or_default());
        // The setting around which the axes vary is on each of them, and counts once.
        if !pairs.contains(&xi) {
            pairs.push(xi);
        }
    }
    let settings = by_seed.values().map(Vec::len).max().unwrap_or(0);
    let means = by_seed
        .values()
        .map(|x| x.iter().map(|[a, b]| a - b).sum::<f64>() / x.len() as f64);
    let effect =
        format!("difference of extreme-value indices ξ = 1/α, mean over {settings} settings");
    above_zero(statement, effect, &means.collect::<Vec<_>>(), margin)
}

/// Claims about several seeds as one; of those that were `planned`, the ones whose training diverged say nothing. A verdict that most seeds give and that no seed contradicts decides; the numbers
/// are those of the seed with the estimate in the middle of those that say so, or of all if it is undecided.
fn combined(statement: &str, claims: Vec<Claim>, planned: u64) -> Claim {
    let mut verdicts: Vec<Verdict> = claims.iter().map(|claim| claim.verdict).collect();
    let seeds = verdicts.len().max(planned as usize);
    verdicts.resize(seeds, Verdict::Undecided);
    let verdict = majority(&verdicts);
    let decides = |claim: &Claim| verdict == Verdict::Undecided || claim.verdict == verdict;
    let mut deciding: Vec<Claim> = claims.into_iter().filter(decides).collect();
    deciding.sort_by(|a, b| {
        let estimate = |claim: &Claim| claim.estimate.map_or(f64::NAN, |e| e[0]);
        estimate(a).total_cmp(&estimate(b))
    });
    if deciding.is_empty() {
        return Claim::unmeasured(statement, NOTHING);
    }
    let middle = deciding.swap_remove(deciding.len() / 2);
    let words: Vec<String> = verdicts.iter().map(Verdict::to_string).collect();
    match seeds {
        1 => middle,
        _ => Claim {
            verdict,
            of: format!("{}, on each of {seeds} seeds", middle.of),
            test: format!("{}; seed by seed: {}", middle.test, words.join(", ")),
            ..middle
        },
    }
}

/// The verdict of more than half, where none says the contrary.
fn majority(verdicts: &[Verdict]) -> Verdict {
    let count = |wanted| verdicts.iter().filter(|v| **v == wanted).count();
    let (yes, no) = (count(Verdict::Reproduced), count(Verdict::NotReproduced));
    match (2 * yes > verdicts.len(), 2 * no > verdicts.len()) {
        (true, _) if no == 0 => Verdict::Reproduced,
        (_, true) if yes == 0 => Verdict::NotReproduced,
        _ => Verdict::Undecided,
    }
}
