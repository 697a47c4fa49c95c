//! From what was measured to a verdict on each claim of a plan.

use crate::claim::{Claim, Verdict};
use crate::plan::{ClaimPlan, Metric, Plan, Point};
use crate::runner::{Measured, Noise};
use acclip_data::{Purpose, rng};
use acclip_train::compare::stats::Paired;
use acclip_train::compare::summary::Row;
use acclip_train::{Error, RunResult};

/// The stream of the bootstraps.
const BOOTSTRAP: Purpose = Purpose::new("claims");

/// The claims of a plan, judged.
///
/// # Errors
/// None: plans are checked when they are read.
pub fn judged(plan: &Plan, all: &[Measured]) -> Result<Vec<Claim>, Error> {
    let claims = plan.claims.iter().enumerate();
    Ok(claims
        .map(|(i, claim)| judge(plan, claim, i as u64, all))
        .collect())
}

fn judge(plan: &Plan, claim: &ClaimPlan, i: u64, all: &[Measured]) -> Claim {
    let margin = plan.margin;
    match claim {
        ClaimPlan::InfiniteVariance {
            statement,
            cell,
            step,
        } => over_seeds(statement, all, &at(cell, *step), |noise| {
            Claim::infinite_variance(statement, &noise.diagnosis)
        }),
        ClaimPlan::Light {
            statement,
            cell,
            step,
        } => over_seeds(statement, all, &at(cell, *step), |noise| {
            Claim::light(statement, &noise.diagnosis)
        }),
        ClaimPlan::HeavyEntries {
            statement,
            cell,
            step,
        } => over_seeds(statement, all, &at(cell, *step), |noise| {
            Claim::heavy_entries(statement, noise.measurement.gradients.snapshot.as_ref())
        }),
        ClaimPlan::Heavier {
            statement,
            heavy,
            light,
        } => pairs(statement, all, [heavy, light], |seed, a, b| {
            let mut generator = rng::stream(seed, BOOTSTRAP, i, 0);
            Claim::heavier(statement, a, b, margin, &mut generator)
        }),
        ClaimPlan::Unchanged {
            statement,
            from,
            to,
        } => pairs(statement, all, [from, to], |seed, a, b| {
            let mut generator = rng::stream(seed, BOOTSTRAP, i, 0);
            Claim::unchanged(statement, a, b, margin, &mut generator)
        }),
        ClaimPlan::WiderGap {
            statement,
            better,
            worse,
            wide,
            narrow,
        } => wider_gap(statement, all, [better, worse], [wide, narrow], margin),
        ClaimPlan::Ahead {
            statement,
            cell,
            better,
            worse,
            metric,
        } => ahead(statement, all, cell, [better, worse], metric, margin),
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
    point: &Point,
    judge: impl Fn(&Noise) -> Claim,
) -> Claim {
    combined(
        statement,
        noise(all, point).into_iter().map(judge).collect(),
    )
}

/// A claim about two samples of norms on each seed, as one.
fn pairs(
    statement: &str,
    all: &[Measured],
    [a, b]: [&Point; 2],
    judge: impl Fn(u64, &[f64], &[f64]) -> Option<Claim>,
) -> Claim {
    let pairs = noise(all, a).into_iter().zip(noise(all, b));
    let tied = || Claim::unmeasured(statement, "too many ties");
    let claims = pairs.map(|(a, b)| {
        let (x, y) = (a.measurement.noise_norms(), b.measurement.noise_norms());
        judge(a.seed, x, y).unwrap_or_else(tied)
    });
    combined(statement, claims.collect())
}

/// Claims about several seeds as one: their verdict where they agree, undecided where they do not; the estimate is the
/// one in the middle, and n is the sum.
fn combined(statement: &str, mut claims: Vec<Claim>) -> Claim {
    let seeds = claims.len();
    let first = claims.first().map(|claim| claim.verdict);
    let agree = claims.iter().all(|claim| Some(claim.verdict) == first);
    let n = claims.iter().map(|claim| claim.n).sum();
    claims.sort_by(|a, b| {
        let estimate = |claim: &Claim| claim.estimate.map_or(f64::NAN, |e| e[0]);
        estimate(a).total_cmp(&estimate(b))
    });
    if claims.is_empty() {
        return Claim::unmeasured(statement, "nothing was measured");
    }
    let middle = claims.swap_remove(seeds / 2);
    match seeds {
        1 => middle,
        _ => Claim {
            verdict: if agree {
                middle.verdict
            } else {
                Verdict::Undecided
            },
            n,
            of: format!("{} over {seeds} seeds", middle.of),
            test: match agree {
                true => format!("{}; all seeds agree", middle.test),
                false => format!("{}; seeds disagree", middle.test),
            },
            ..middle
        },
    }
}

/// Whether one optimizer is ahead of another by a metric, paired by seed. For a loss, ahead is below.
fn ahead(
    statement: &str,
    all: &[Measured],
    cell: &str,
    names: [&str; 2],
    metric: &str,
    margin: f64,
) -> Claim {
    let Some(rows) = rows(all, cell, names) else {
        return Claim::unmeasured(statement, "one of the two did not race");
    };
    let Some(leads) = leads(rows, metric) else {
        return diverged(statement, rows);
    };
    let [better, worse] = names;
    let effect = match is_loss(metric) {
        true => format!("{} of {worse} minus that of {better}", words(metric)),
        false => format!("{} of {better} minus that of {worse}", words(metric)),
    };
    above_zero(statement, effect, &leads, margin)
}

/// Whether the lead of one optimizer over another is larger in one place than in another, paired by seed.
fn wider_gap(
    statement: &str,
    all: &[Measured],
    names: [&str; 2],
    [wide, narrow]: [&Metric; 2],
    margin: f64,
) -> Claim {
    let leads = |place: &Metric| leads(rows(all, &place.cell, names)?, &place.metric);
    let (Some(wide_leads), Some(narrow_leads)) = (leads(wide), leads(narrow)) else {
        return Claim::unmeasured(statement, "a run diverged, or one of the two did not race");
    };
    let differences = wide_leads.iter().zip(&narrow_leads).map(|(a, b)| a - b);
    let place = |place: &Metric| format!("{} in {}", words(&place.metric), place.cell);
    let effect = format!(
        "lead of {} over {}: {} minus {}",
        names[0],
        names[1],
        place(wide),
        place(narrow)
    );
    above_zero(statement, effect, &differences.collect::<Vec<_>>(), margin)
}

fn words(metric: &str) -> String {
    metric.replace('_', " ")
}

fn is_loss(metric: &str) -> bool {
    metric.starts_with("loss")
}

fn rows<'a>(all: &'a [Measured], cell: &str, names: [&str; 2]) -> Option<[&'a Row; 2]> {
    let rows = &all.iter().find(|m| m.cell.name == cell)?.rows;
    let row = |name: &str| rows.iter().find(|row| row.optimizer == name);
    Some([row(names[0])?, row(names[1])?])
}

/// By how much the first is ahead of the second on each seed; `None` if a run diverged.
fn leads([better, worse]: [&Row; 2], metric: &str) -> Option<Vec<f64>> {
    let sign = if is_loss(metric) { -1.0 } else { 1.0 };
    let of = |row: &Row, seed: u64| -> Option<f64> {
        let run: &RunResult = row.finals.iter().find(|run| run.seed == seed)?;
        run.metric(metric)
    };
    let seeds = better.finals.iter().map(|run| run.seed);
    let leads = seeds.map(|seed| Some(sign * (of(better, seed)? - of(worse, seed)?)));
    leads.collect()
}

fn above_zero(statement: &str, effect: String, leads: &[f64], margin: f64) -> Claim {
    match Paired::test(leads, &vec![0.0; leads.len()]) {
        Some(paired) => Claim::above_zero(statement, effect, &paired, margin),
        None => Claim::unmeasured(statement, "fewer than two seeds"),
    }
}

/// A comparison in which a run diverged: decided where one diverged on every seed and the other on none.
fn diverged(statement: &str, [better, worse]: [&Row; 2]) -> Claim {
    let lost = |row: &Row| row.diverged_seeds == row.finals.len();
    let whole = |row: &Row| !row.finals.is_empty() && row.diverged_seeds == 0;
    let verdict = match (whole(better), whole(worse)) {
        (true, false) if lost(worse) => Verdict::Reproduced,
        (false, true) if lost(better) => Verdict::NotReproduced,
        _ => Verdict::Undecided,
    };
    let of = |row: &Row| {
        let (name, seeds) = (&row.optimizer, row.finals.len());
        match seeds {
            0 => format!("{name} diverged at every setting"),
            _ => format!("{name} diverged on {} of {seeds} seeds", row.diverged_seeds),
        }
    };
    Claim {
        verdict,
        n: better.finals.len().max(worse.finals.len()),
        of: "seeds".into(),
        ..Claim::unmeasured(statement, format!("{}, {}", of(better), of(worse)))
    }
}
